import { MalformedMessage } from '../errors';

/** Reads big-endian numbers from a part of a message; whoever reads past its end gets `MalformedMessage`. */
export class Reader {
  private readonly view: DataView;
  at = 0;

  constructor(
    readonly bytes: Uint8Array,
    private readonly what: string,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.bytes.length - this.at;
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
    return new Reader(this.take(count), what);
  }

  fail(problem: string): never {
    throw new MalformedMessage(`The switch sent ${this.what} ${problem}.`, { at: this.at, length: this.bytes.length });
  }

  private advance(count: number): number {
    const from = this.at;
    if (count < 0 || from + count > this.bytes.length) this.fail('that ends too early');
    this.at = from + count;
    return from;
  }
}

/** `length` rounded up to a multiple of 8. */
export function padded(length: number): number {
  return (length + 7) & ~7;
}
