import { MalformedMessage } from '../errors';

/** Reads big-endian numbers from a part of a message; whoever reads past its end gets `MalformedMessage`. Parts share one view of the bytes. */
export class Reader {
  private constructor(
    private readonly bytes: Uint8Array,
    private readonly view: DataView,
    private at: number,
    private readonly end: number,
    private readonly what: string,
  ) {}

  static of(bytes: Uint8Array, what: string): Reader {
    return new Reader(bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0, bytes.length, what);
  }

  get left(): number {
    return this.end - this.at;
  }

  u8(): number {
    return this.view.getUint8(this.advance(1));
  }

  u16(): number {
    return this.view.getUint16(this.advance(2));
  }

  u32(): number {
    return this.view.getUint32(this.advance(4));
  }

  u64(): bigint {
    return this.view.getBigUint64(this.advance(8));
  }

  /** An unsigned number of 1, 2, 4, 6, 8 or 16 bytes. */
  unsigned(size: number): bigint {
    switch (size) {
      case 1:
        return BigInt(this.u8());
      case 2:
        return BigInt(this.u16());
      case 4:
        return BigInt(this.u32());
      case 6:
        return BigInt(this.u16() * 2 ** 32 + this.u32());
      case 8:
        return this.u64();
      default:
        return (this.u64() << 64n) | this.u64();
    }
  }

  skip(count: number): void {
    this.advance(count);
  }

  /** A view of the next bytes, not a copy. */
  take(count: number): Uint8Array {
    const from = this.advance(count);
    return this.bytes.subarray(from, from + count);
  }

  /** A reader of the next bytes alone. */
  part(count: number, what: string): Reader {
    const from = this.advance(count);
    return new Reader(this.bytes, this.view, from, from + count, what);
  }

  /** Where the next byte is, for `hexSince`. */
  get position(): number {
    return this.at;
  }

  /** What was read from `position` on. */
  hexSince(position: number): string {
    return Buffer.from(this.bytes.subarray(position, this.at)).toString('hex');
  }

  /** What is left, as UTF-8 text. */
  text(): string {
    return Buffer.from(this.take(this.left)).toString('utf8');
  }

  fail(problem: string): never {
    throw new MalformedMessage(`The switch sent ${this.what} ${problem}.`, { at: this.at, length: this.bytes.length });
  }

  private advance(count: number): number {
    const from = this.at;
    if (count < 0 || from + count > this.end) this.fail('that ends too early');
    this.at = from + count;
    return from;
  }
}

/** `length` rounded up to a multiple of 8. */
export function padded(length: number): number {
  return (length + 7) & ~7;
}
