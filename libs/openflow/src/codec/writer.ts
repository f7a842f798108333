import { InvalidFlow } from '../errors';

/** An OpenFlow message has a 16-bit length. */
export const MAX_MESSAGE = 0xffff;
const CHUNK = 1 << 20;
const MASK_64 = (1n << 64n) - 1n;

/**
 * Writes messages one behind the other into large chunks. What `take` gives away is never written again, so that a socket
 * may keep it; a chunk with less room than the longest message is given up, so nothing inside a message grows or copies.
 */
export class MessageWriter {
  private bytes = Buffer.allocUnsafeSlow(CHUNK);
  private view = new DataView(this.bytes.buffer);
  private taken = 0;
  private message = 0;
  private full: Uint8Array[] = [];
  private fullBytes = 0;
  /** Where the next byte goes, for lengths that are filled in later. */
  at = 0;

  /** Bytes written and not yet taken. */
  get pending(): number {
    return this.fullBytes + this.at - this.taken;
  }

  /** Starts a message; `end` must follow before the next one. */
  begin(): void {
    if (CHUNK - this.at <= MAX_MESSAGE + 1) this.nextChunk();
    this.message = this.at;
  }

  /** Fills in the message's length; throws `InvalidFlow` and forgets the message when it is longer than OpenFlow allows. */
  end(): void {
    const length = this.at - this.message;
    if (length > MAX_MESSAGE) {
      this.abandon();
      throw new InvalidFlow(`An OpenFlow message has at most ${MAX_MESSAGE} bytes; this one would have ${length}.`);
    }
    this.view.setUint16(this.message + 2, length);
  }

  /** Forgets the message that was begun. */
  abandon(): void {
    this.at = this.message;
  }

  take(): Uint8Array[] {
    const chunks = this.full;
    if (this.at > this.taken) chunks.push(this.bytes.subarray(this.taken, this.at));
    this.taken = this.at;
    this.full = [];
    this.fullBytes = 0;
    return chunks;
  }

  u8(value: number): void {
    this.room(1);
    this.bytes[this.at] = value;
    this.at += 1;
  }

  u16(value: number): void {
    this.room(2);
    this.view.setUint16(this.at, value);
    this.at += 2;
  }

  u32(value: number): void {
    this.room(4);
    this.view.setUint32(this.at, value);
    this.at += 4;
  }

  u64(value: bigint): void {
    this.room(8);
    this.view.setBigUint64(this.at, value);
    this.at += 8;
  }

  /** An unsigned number of 1, 2, 4, 6, 8 or 16 bytes. */
  unsigned(value: bigint, size: number): void {
    switch (size) {
      case 1:
        return this.u8(Number(value));
      case 2:
        return this.u16(Number(value));
      case 4:
        return this.u32(Number(value));
      case 6: {
        const number = Number(value);
        this.u16(Math.floor(number / 2 ** 32));
        return this.u32(number >>> 0);
      }
      case 8:
        return this.u64(value);
      default:
        this.u64(value >> 64n);
        return this.u64(value & MASK_64);
    }
  }

  zeros(count: number): void {
    this.room(count);
    this.bytes.fill(0, this.at, this.at + count);
    this.at += count;
  }

  raw(data: Uint8Array): void {
    this.room(data.length);
    this.bytes.set(data, this.at);
    this.at += data.length;
  }

  text(value: string): void {
    const length = Buffer.byteLength(value);
    this.room(length);
    this.bytes.write(value, this.at);
    this.at += length;
  }

  /** Zeros up to a multiple of 8 bytes, counted from `start`. */
  pad8(start: number): void {
    const over = (this.at - start) % 8;
    if (over > 0) this.zeros(8 - over);
  }

  /** Fills in a 16-bit number that was left open. */
  patch16(at: number, value: number): void {
    this.view.setUint16(at, value);
  }

  private room(count: number): void {
    if (this.at + count > CHUNK || this.at + count - this.message > MAX_MESSAGE + 1) {
      this.abandon();
      throw new InvalidFlow(`An OpenFlow message has at most ${MAX_MESSAGE} bytes.`);
    }
  }

  private nextChunk(): void {
    if (this.at > this.taken) {
      this.full.push(this.bytes.subarray(this.taken, this.at));
      this.fullBytes += this.at - this.taken;
    }
    this.bytes = Buffer.allocUnsafeSlow(CHUNK);
    this.view = new DataView(this.bytes.buffer);
    this.at = 0;
    this.taken = 0;
  }
}
