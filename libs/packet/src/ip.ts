import type { Ip } from '@weir/kernel';
import {
  checksum,
  concat,
  ipv4 as ipv4Bytes,
  ipv6 as ipv6Bytes,
  MalformedPacket,
  Reader,
  u16,
  u32,
  u8,
  wellFormed,
  withChecksum,
} from './bytes';
import { decodeIcmp, encodeIcmp, ICMP, type IcmpMessage } from './icmp';
import { decodeIcmpv6, encodeIcmpv6, ICMPV6, type Icmpv6Message } from './icmpv6';
import {
  decodeTcp,
  decodeUdp,
  encodeTcp,
  encodeUdp,
  type PseudoHeader,
  TCP,
  type TcpSegment,
  UDP,
  type UdpDatagram,
} from './transport';

/** The payload of a fragment, of a protocol without a decoder, or one that is malformed. */
export interface RawIpPayload {
  readonly kind: 'raw';
  readonly protocol: number;
  readonly bytes: Uint8Array;
}

export interface Ipv4Packet {
  readonly kind: 'ipv4';
  readonly source: Ip;
  readonly destination: Ip;
  readonly tos: number;
  readonly ttl: number;
  readonly identification: number;
  readonly dontFragment: boolean;
  readonly moreFragments: boolean;
  /** In bytes, a multiple of eight. */
  readonly fragmentOffset: number;
  /** As on the wire, a multiple of four bytes; never looked into. */
  readonly options: Uint8Array;
  readonly payload: UdpDatagram | TcpSegment | IcmpMessage | RawIpPayload;
}

export interface Ipv6Packet {
  readonly kind: 'ipv6';
  readonly source: Ip;
  readonly destination: Ip;
  readonly trafficClass: number;
  readonly flowLabel: number;
  readonly hopLimit: number;
  readonly payload: UdpDatagram | TcpSegment | Icmpv6Message | RawIpPayload;
}

export const DEFAULT_TTL = 64;

/** An unfragmented packet with DF set and TTL 64, unless told otherwise. */
export function ipv4(
  packet: Pick<Ipv4Packet, 'source' | 'destination' | 'payload'> & Partial<Omit<Ipv4Packet, 'kind'>>,
): Ipv4Packet {
  return {
    kind: 'ipv4',
    tos: 0,
    ttl: DEFAULT_TTL,
    identification: 0,
    dontFragment: true,
    moreFragments: false,
    fragmentOffset: 0,
    options: new Uint8Array(),
    ...packet,
  };
}

/** A packet with hop limit 64 unless told otherwise; Neighbor Discovery needs 255. */
export function ipv6(
  packet: Pick<Ipv6Packet, 'source' | 'destination' | 'payload'> & Partial<Omit<Ipv6Packet, 'kind'>>,
): Ipv6Packet {
  return { kind: 'ipv6', trafficClass: 0, flowLabel: 0, hopLimit: DEFAULT_TTL, ...packet };
}

export function isFragment(packet: Ipv4Packet): boolean {
  return packet.moreFragments || packet.fragmentOffset > 0;
}

export function decodeIpv4(bytes: Uint8Array): Ipv4Packet {
  const reader = new Reader(bytes, 'IPv4 header');
  const first = reader.u8();
  const headerLength = (first & 0x0f) * 4;
  if (first >> 4 !== 4 || headerLength < 20)
    throw new MalformedPacket('The IPv4 header has no valid version and length.');
  const tos = reader.u8();
  const totalLength = reader.u16();
  const identification = reader.u16();
  const fragment = reader.u16();
  const ttl = reader.u8();
  const protocol = reader.u8();
  reader.u16();
  const source = reader.ipv4();
  const destination = reader.ipv4();
  const options = reader.take(headerLength - 20);
  if (totalLength < headerLength || totalLength > bytes.length) {
    throw new MalformedPacket(`The IPv4 packet gives its length as ${totalLength} of ${bytes.length} bytes.`);
  }
  if (checksum(bytes.subarray(0, headerLength)) !== 0) throw new MalformedPacket('The IPv4 header checksum is wrong.');
  const packet = {
    kind: 'ipv4',
    source,
    destination,
    tos,
    ttl,
    identification,
    dontFragment: (fragment & 0x4000) !== 0,
    moreFragments: (fragment & 0x2000) !== 0,
    fragmentOffset: (fragment & 0x1fff) * 8,
    options,
    payload: { kind: 'raw', protocol, bytes: reader.take(totalLength - headerLength) },
  } as const;
  if (isFragment(packet)) return packet;
  return { ...packet, payload: decodePayload4(packet.payload, pseudoHeader4(source, destination)) };
}

function decodePayload4(raw: RawIpPayload, pseudoHeader: PseudoHeader): Ipv4Packet['payload'] {
  const { protocol, bytes } = raw;
  if (protocol === UDP) return wellFormed(() => decodeUdp(bytes, pseudoHeader)) ?? raw;
  if (protocol === TCP) return wellFormed(() => decodeTcp(bytes, pseudoHeader)) ?? raw;
  if (protocol === ICMP) return wellFormed(() => decodeIcmp(bytes)) ?? raw;
  return raw;
}

export function encodeIpv4(packet: Ipv4Packet): Uint8Array {
  const [protocol, payload] = encodePayload4(packet);
  const headerLength = 20 + packet.options.length;
  const totalLength = headerLength + payload.length;
  if (headerLength % 4 !== 0 || headerLength > 60) {
    throw new MalformedPacket('IPv4 options take a multiple of 4 bytes, at most 40.');
  }
  if (totalLength > 0xffff) throw new MalformedPacket('The IPv4 packet is longer than 65,535 bytes.');
  if (packet.fragmentOffset % 8 !== 0 || packet.fragmentOffset > 0xfff8) {
    throw new MalformedPacket('An IPv4 fragment starts at a multiple of 8 bytes, at most 65,528.');
  }
  const flags = (packet.dontFragment ? 0x4000 : 0) | (packet.moreFragments ? 0x2000 : 0);
  const header = concat(
    u8(0x40 | (headerLength / 4), packet.tos),
    u16(totalLength, packet.identification, flags | (packet.fragmentOffset / 8)),
    u8(packet.ttl, protocol),
    u16(0),
    ipv4Bytes(packet.source),
    ipv4Bytes(packet.destination),
    packet.options,
  );
  return concat(withChecksum(header, 10), payload);
}

function encodePayload4(packet: Ipv4Packet): readonly [protocol: number, bytes: Uint8Array] {
  const { payload } = packet;
  const pseudoHeader = pseudoHeader4(packet.source, packet.destination);
  switch (payload.kind) {
    case 'udp':
      return [UDP, encodeUdp(payload, pseudoHeader)];
    case 'tcp':
      return [TCP, encodeTcp(payload, pseudoHeader)];
    case 'icmp':
      return [ICMP, encodeIcmp(payload)];
    case 'raw':
      return [payload.protocol, payload.bytes];
  }
}

function pseudoHeader4(source: Ip, destination: Ip): PseudoHeader {
  return (protocol, length) => concat(ipv4Bytes(source), ipv4Bytes(destination), u16(protocol, length));
}

/** The fixed header; what follows an extension header stays raw, with the extension's number as its protocol. */
export function decodeIpv6(bytes: Uint8Array): Ipv6Packet {
  const reader = new Reader(bytes, 'IPv6 header');
  const first = reader.u32();
  if (first >>> 28 !== 6) throw new MalformedPacket('The IPv6 header has no valid version.');
  const payloadLength = reader.u16();
  const protocol = reader.u8();
  const hopLimit = reader.u8();
  const source = reader.ipv6();
  const destination = reader.ipv6();
  if (payloadLength > reader.remaining) {
    throw new MalformedPacket(`The IPv6 packet gives its payload as ${payloadLength} of ${reader.remaining} bytes.`);
  }
  return {
    kind: 'ipv6',
    source,
    destination,
    trafficClass: (first >>> 20) & 0xff,
    flowLabel: first & 0xfffff,
    hopLimit,
    payload: decodePayload6(
      { kind: 'raw', protocol, bytes: reader.take(payloadLength) },
      pseudoHeader6(source, destination),
    ),
  };
}

function decodePayload6(raw: RawIpPayload, pseudoHeader: PseudoHeader): Ipv6Packet['payload'] {
  const { protocol, bytes } = raw;
  if (protocol === UDP) return wellFormed(() => decodeUdp(bytes, pseudoHeader)) ?? raw;
  if (protocol === TCP) return wellFormed(() => decodeTcp(bytes, pseudoHeader)) ?? raw;
  if (protocol === ICMPV6) return wellFormed(() => decodeIcmpv6(bytes, pseudoHeader)) ?? raw;
  return raw;
}

export function encodeIpv6(packet: Ipv6Packet): Uint8Array {
  const [protocol, payload] = encodePayload6(packet);
  if (payload.length > 0xffff) throw new MalformedPacket('The IPv6 payload is longer than 65,535 bytes.');
  return concat(
    u32((6 << 28) | (packet.trafficClass << 20) | packet.flowLabel),
    u16(payload.length),
    u8(protocol, packet.hopLimit),
    ipv6Bytes(packet.source),
    ipv6Bytes(packet.destination),
    payload,
  );
}

function encodePayload6(packet: Ipv6Packet): readonly [protocol: number, bytes: Uint8Array] {
  const { payload } = packet;
  const pseudoHeader = pseudoHeader6(packet.source, packet.destination);
  switch (payload.kind) {
    case 'udp':
      return [UDP, encodeUdp(payload, pseudoHeader)];
    case 'tcp':
      return [TCP, encodeTcp(payload, pseudoHeader)];
    case 'icmpv6':
      return [ICMPV6, encodeIcmpv6(payload, pseudoHeader)];
    case 'raw':
      return [payload.protocol, payload.bytes];
  }
}

function pseudoHeader6(source: Ip, destination: Ip): PseudoHeader {
  return (protocol, length) => concat(ipv6Bytes(source), ipv6Bytes(destination), u32(length), u32(protocol));
}
