import { checksum, concat, MalformedPacket, Reader, u16, u32, withChecksum } from './bytes';

/** The pseudo header of the IP packet around a datagram, which its checksum covers. */
export type PseudoHeader = (protocol: number, length: number) => Uint8Array;

export const TCP = 6;
export const UDP = 17;

export interface UdpDatagram {
  readonly kind: 'udp';
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** Sent without a checksum, as tunnels do. */
  readonly unchecked?: true;
  readonly payload: Uint8Array;
}

export interface TcpFlags {
  readonly fin: boolean;
  readonly syn: boolean;
  readonly rst: boolean;
  readonly psh: boolean;
  readonly ack: boolean;
  readonly urg: boolean;
  readonly ece: boolean;
  readonly cwr: boolean;
}

export interface TcpSegment {
  readonly kind: 'tcp';
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly acknowledgment: number;
  readonly flags: TcpFlags;
  readonly window: number;
  readonly urgentPointer: number;
  /** As on the wire, a multiple of four bytes. */
  readonly options: Uint8Array;
  readonly payload: Uint8Array;
}

const FLAGS = ['fin', 'syn', 'rst', 'psh', 'ack', 'urg', 'ece', 'cwr'] as const;

export function udp(sourcePort: number, destinationPort: number, payload: Uint8Array): UdpDatagram {
  return { kind: 'udp', sourcePort, destinationPort, payload };
}

/** A segment with the flags that are named; what is not given is zero or empty. */
export function tcp(
  segment: Pick<TcpSegment, 'sourcePort' | 'destinationPort'> &
    Partial<Omit<TcpSegment, 'kind' | 'flags'>> & { readonly flags?: Partial<TcpFlags> },
): TcpSegment {
  return {
    kind: 'tcp',
    sequence: 0,
    acknowledgment: 0,
    window: 0xffff,
    urgentPointer: 0,
    options: new Uint8Array(),
    payload: new Uint8Array(),
    ...segment,
    flags: tcpFlags((name) => segment.flags?.[name] ?? false),
  };
}

function tcpFlags(isSet: (name: keyof TcpFlags, bit: number) => boolean): TcpFlags {
  return Object.fromEntries(FLAGS.map((name, bit) => [name, isSet(name, bit)])) as unknown as TcpFlags;
}

export function decodeUdp(bytes: Uint8Array, pseudoHeader: PseudoHeader): UdpDatagram {
  const reader = new Reader(bytes, 'UDP datagram');
  const sourcePort = reader.u16();
  const destinationPort = reader.u16();
  const length = reader.u16();
  const unchecked = reader.u16() === 0;
  if (length < 8 || length > bytes.length) {
    throw new MalformedPacket(`The UDP datagram gives its length as ${length} of ${bytes.length} bytes.`);
  }
  if (!unchecked && checksum(pseudoHeader(UDP, length), bytes.subarray(0, length)) !== 0) {
    throw new MalformedPacket('The UDP checksum is wrong.');
  }
  const payload = reader.take(length - 8);
  return { kind: 'udp', sourcePort, destinationPort, ...(unchecked && { unchecked }), payload };
}

export function encodeUdp(datagram: UdpDatagram, pseudoHeader: PseudoHeader): Uint8Array {
  const length = 8 + datagram.payload.length;
  if (length > 0xffff) throw new MalformedPacket('The UDP datagram is longer than 65,535 bytes.');
  const bytes = concat(u16(datagram.sourcePort, datagram.destinationPort, length, 0), datagram.payload);
  if (datagram.unchecked) return bytes;
  const sum = checksum(pseudoHeader(UDP, length), bytes);
  // 0 on the wire means "no checksum" (RFC 768), so a sum of 0 is sent as its other form.
  bytes.set(u16(sum === 0 ? 0xffff : sum), 6);
  return bytes;
}

export function decodeTcp(bytes: Uint8Array, pseudoHeader: PseudoHeader): TcpSegment {
  const reader = new Reader(bytes, 'TCP segment');
  const sourcePort = reader.u16();
  const destinationPort = reader.u16();
  const sequence = reader.u32();
  const acknowledgment = reader.u32();
  const headerLength = (reader.u8() >> 4) * 4;
  const flags = reader.u8();
  const window = reader.u16();
  reader.u16();
  const urgentPointer = reader.u16();
  if (headerLength < 20) throw new MalformedPacket(`The TCP header gives its length as ${headerLength} bytes.`);
  const options = reader.take(headerLength - 20);
  if (checksum(pseudoHeader(TCP, bytes.length), bytes) !== 0) throw new MalformedPacket('The TCP checksum is wrong.');
  return {
    kind: 'tcp',
    sourcePort,
    destinationPort,
    sequence,
    acknowledgment,
    flags: tcpFlags((_name, bit) => (flags & (1 << bit)) !== 0),
    window,
    urgentPointer,
    options,
    payload: reader.rest(),
  };
}

export function encodeTcp(segment: TcpSegment, pseudoHeader: PseudoHeader): Uint8Array {
  const headerLength = 20 + segment.options.length;
  if (headerLength % 4 !== 0 || headerLength > 60) {
    throw new MalformedPacket('TCP options take a multiple of 4 bytes, at most 40.');
  }
  const flags = FLAGS.reduce((bits, name, bit) => bits | (segment.flags[name] ? 1 << bit : 0), 0);
  const bytes = concat(
    u16(segment.sourcePort, segment.destinationPort),
    u32(segment.sequence),
    u32(segment.acknowledgment),
    u16((headerLength << 10) | flags, segment.window, 0, segment.urgentPointer),
    segment.options,
    segment.payload,
  );
  return withChecksum(bytes, 16, pseudoHeader(TCP, bytes.length));
}
