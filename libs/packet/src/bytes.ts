import { type Ip, ipFromBytes, ipToBytes, type Mac, macFromBytes, macToBytes, WeirError } from '@weir/kernel';

/** Bytes that are not what their protocol allows. Nothing else is thrown for what came off a wire. */
export class MalformedPacket extends WeirError {
  constructor(message: string) {
    super('invalid', message);
  }
}

/** Reads big-endian fields in order; throws MalformedPacket, naming `what`, where the bytes end too early. */
export class Reader {
  private readonly view: DataView;
  private position = 0;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly what: string,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remaining(): number {
    return this.bytes.length - this.position;
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

  mac(): Mac {
    return macFromBytes(this.bytes, this.advance(6));
  }

  ipv4(): Ip {
    return ipFromBytes(this.take(4));
  }

  ipv6(): Ip {
    return ipFromBytes(this.take(16));
  }

  /** A view of the next bytes, not a copy. */
  take(count: number): Uint8Array {
    const start = this.advance(count);
    return this.bytes.subarray(start, start + count);
  }

  rest(): Uint8Array {
    return this.take(this.remaining);
  }

  private advance(count: number): number {
    if (count > this.remaining) {
      throw new MalformedPacket(`The ${this.what} is truncated: ${this.bytes.length} bytes.`);
    }
    const start = this.position;
    this.position += count;
    return start;
  }
}

export function u8(...values: readonly number[]): Uint8Array {
  return Uint8Array.from(values);
}

export function u16(...values: readonly number[]): Uint8Array {
  return Uint8Array.from(values.flatMap((value) => [(value >>> 8) & 0xff, value & 0xff]));
}

export function u32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff);
}

export function mac(value: Mac): Uint8Array {
  return macToBytes(value);
}

/** Throws MalformedPacket where a field of one IP version is given an address of the other. */
export function ipv4(value: Ip): Uint8Array {
  return sized(ipToBytes(value), 4, `${value} is not an IPv4 address.`);
}

export function ipv6(value: Ip): Uint8Array {
  return sized(ipToBytes(value), 16, `${value} is not an IPv6 address.`);
}

function sized(bytes: Uint8Array, length: number, otherwise: string): Uint8Array {
  if (bytes.length !== length) throw new MalformedPacket(otherwise);
  return bytes;
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let position = 0;
  for (const part of parts) {
    whole.set(part, position);
    position += part.length;
  }
  return whole;
}

/** The Internet checksum (RFC 1071) over `parts` laid end to end; all but the last have an even length. */
export function checksum(...parts: readonly Uint8Array[]): number {
  let sum = 0;
  for (const part of parts) {
    for (let i = 0; i < part.length; i += 2) sum += ((part[i] ?? 0) << 8) | (part[i + 1] ?? 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}

/** `bytes` with the checksum of `prefix` and itself written at `offset`, which holds 0. */
export function withChecksum(bytes: Uint8Array, offset: number, ...prefix: readonly Uint8Array[]): Uint8Array {
  bytes.set(u16(checksum(...prefix, bytes)), offset);
  return bytes;
}

/** What `decode` gives, or undefined where it found the bytes malformed. */
export function wellFormed<Value>(decode: () => Value): Value | undefined {
  try {
    return decode();
  } catch (error) {
    if (error instanceof MalformedPacket) return undefined;
    throw error;
  }
}
