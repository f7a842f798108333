import type { Ip, Mac } from '@weir/kernel';
import { checksum, concat, ipv6, mac, MalformedPacket, Reader, u16, u32, u8, withChecksum } from './bytes';
import type { PseudoHeader } from './transport';

export const ICMPV6 = 58;

export interface NeighborSolicitation {
  readonly kind: 'icmpv6';
  readonly type: 'neighbor-solicitation';
  readonly target: Ip;
  readonly sourceMac?: Mac;
}

export interface NeighborAdvertisement {
  readonly kind: 'icmpv6';
  readonly type: 'neighbor-advertisement';
  readonly target: Ip;
  readonly router: boolean;
  readonly solicited: boolean;
  readonly override: boolean;
  readonly targetMac?: Mac;
}

export interface RouterSolicitation {
  readonly kind: 'icmpv6';
  readonly type: 'router-solicitation';
  readonly sourceMac?: Mac;
}

export interface AdvertisedPrefix {
  readonly prefix: Ip;
  readonly length: number;
  readonly onLink: boolean;
  readonly autonomous: boolean;
  readonly validSeconds: number;
  readonly preferredSeconds: number;
}

export interface RouterAdvertisement {
  readonly kind: 'icmpv6';
  readonly type: 'router-advertisement';
  readonly hopLimit: number;
  readonly managed: boolean;
  readonly otherConfig: boolean;
  readonly lifetimeSeconds: number;
  readonly reachableMs: number;
  readonly retransmitMs: number;
  readonly sourceMac?: Mac;
  readonly mtu?: number;
  readonly prefixes: readonly AdvertisedPrefix[];
}

/** ICMPv6 (RFC 4443) and Neighbor Discovery (RFC 4861): echo and ND in parts, any other with its bytes. */
export type Icmpv6Message =
  | {
      readonly kind: 'icmpv6';
      readonly type: 'echo-request' | 'echo-reply';
      readonly identifier: number;
      readonly sequence: number;
      readonly data: Uint8Array;
    }
  | NeighborSolicitation
  | NeighborAdvertisement
  | RouterSolicitation
  | RouterAdvertisement
  | {
      readonly kind: 'icmpv6';
      readonly type: 'other';
      readonly number: number;
      readonly code: number;
      readonly body: Uint8Array;
    };

const ECHO_REQUEST = 128;
const ECHO_REPLY = 129;
const ROUTER_SOLICITATION = 133;
const ROUTER_ADVERTISEMENT = 134;
const NEIGHBOR_SOLICITATION = 135;
const NEIGHBOR_ADVERTISEMENT = 136;

const SOURCE_LINK_LAYER = 1;
const TARGET_LINK_LAYER = 2;
const PREFIX_INFORMATION = 3;
const MTU = 5;

export function decodeIcmpv6(bytes: Uint8Array, pseudoHeader: PseudoHeader): Icmpv6Message {
  const reader = new Reader(bytes, 'ICMPv6 message');
  const number = reader.u8();
  const code = reader.u8();
  reader.u16();
  if (checksum(pseudoHeader(ICMPV6, bytes.length), bytes) !== 0) {
    throw new MalformedPacket('The ICMPv6 checksum is wrong.');
  }
  const other = { kind: 'icmpv6', type: 'other', number, code, body: bytes.subarray(4) } as const;
  if (code !== 0) return other;
  switch (number) {
    case ECHO_REQUEST:
    case ECHO_REPLY:
      return {
        kind: 'icmpv6',
        type: number === ECHO_REQUEST ? 'echo-request' : 'echo-reply',
        identifier: reader.u16(),
        sequence: reader.u16(),
        data: reader.rest(),
      };
    case NEIGHBOR_SOLICITATION: {
      reader.u32();
      const target = reader.ipv6();
      const { sourceMac } = decodeOptions(reader);
      return { kind: 'icmpv6', type: 'neighbor-solicitation', target, ...(sourceMac && { sourceMac }) };
    }
    case NEIGHBOR_ADVERTISEMENT: {
      const flags = reader.u32() >>> 29;
      const target = reader.ipv6();
      const { targetMac } = decodeOptions(reader);
      return {
        kind: 'icmpv6',
        type: 'neighbor-advertisement',
        target,
        router: (flags & 4) !== 0,
        solicited: (flags & 2) !== 0,
        override: (flags & 1) !== 0,
        ...(targetMac && { targetMac }),
      };
    }
    case ROUTER_SOLICITATION: {
      reader.u32();
      const { sourceMac } = decodeOptions(reader);
      return { kind: 'icmpv6', type: 'router-solicitation', ...(sourceMac && { sourceMac }) };
    }
    case ROUTER_ADVERTISEMENT: {
      const hopLimit = reader.u8();
      const flags = reader.u8();
      const lifetimeSeconds = reader.u16();
      const reachableMs = reader.u32();
      const retransmitMs = reader.u32();
      const { sourceMac, mtu, prefixes } = decodeOptions(reader);
      return {
        kind: 'icmpv6',
        type: 'router-advertisement',
        hopLimit,
        managed: (flags & 0x80) !== 0,
        otherConfig: (flags & 0x40) !== 0,
        lifetimeSeconds,
        reachableMs,
        retransmitMs,
        ...(sourceMac && { sourceMac }),
        ...(mtu !== undefined && { mtu }),
        prefixes,
      };
    }
    default:
      return other;
  }
}

interface NdOptions {
  sourceMac?: Mac;
  targetMac?: Mac;
  mtu?: number;
  readonly prefixes: AdvertisedPrefix[];
}

function decodeOptions(reader: Reader): NdOptions {
  const options: NdOptions = { prefixes: [] };
  while (reader.remaining > 0) {
    const type = reader.u8();
    const length = reader.u8() * 8;
    if (length === 0) throw new MalformedPacket('A Neighbor Discovery option gives its length as 0.');
    const option = new Reader(reader.take(length - 2), 'Neighbor Discovery option');
    if (type === SOURCE_LINK_LAYER) options.sourceMac = option.mac();
    else if (type === TARGET_LINK_LAYER) options.targetMac = option.mac();
    else if (type === MTU) {
      option.u16();
      options.mtu = option.u32();
    } else if (type === PREFIX_INFORMATION) options.prefixes.push(decodePrefix(option));
  }
  return options;
}

function decodePrefix(option: Reader): AdvertisedPrefix {
  const length = option.u8();
  const flags = option.u8();
  const validSeconds = option.u32();
  const preferredSeconds = option.u32();
  option.u32();
  const prefix = option.ipv6();
  return {
    prefix,
    length,
    onLink: (flags & 0x80) !== 0,
    autonomous: (flags & 0x40) !== 0,
    validSeconds,
    preferredSeconds,
  };
}

export function encodeIcmpv6(message: Icmpv6Message, pseudoHeader: PseudoHeader): Uint8Array {
  const bytes = icmpv6Bytes(message);
  return withChecksum(bytes, 2, pseudoHeader(ICMPV6, bytes.length));
}

function icmpv6Bytes(message: Icmpv6Message): Uint8Array {
  switch (message.type) {
    case 'echo-request':
    case 'echo-reply': {
      const number = message.type === 'echo-request' ? ECHO_REQUEST : ECHO_REPLY;
      return concat(u8(number, 0), u16(0, message.identifier, message.sequence), message.data);
    }
    case 'neighbor-solicitation':
      return concat(
        u8(NEIGHBOR_SOLICITATION, 0),
        u16(0),
        u32(0),
        ipv6(message.target),
        linkLayer(SOURCE_LINK_LAYER, message.sourceMac),
      );
    case 'neighbor-advertisement': {
      const flags = (message.router ? 4 : 0) | (message.solicited ? 2 : 0) | (message.override ? 1 : 0);
      return concat(
        u8(NEIGHBOR_ADVERTISEMENT, 0),
        u16(0),
        u32(flags << 29),
        ipv6(message.target),
        linkLayer(TARGET_LINK_LAYER, message.targetMac),
      );
    }
    case 'router-solicitation':
      return concat(u8(ROUTER_SOLICITATION, 0), u16(0), u32(0), linkLayer(SOURCE_LINK_LAYER, message.sourceMac));
    case 'router-advertisement':
      return concat(
        u8(ROUTER_ADVERTISEMENT, 0),
        u16(0),
        u8(message.hopLimit, (message.managed ? 0x80 : 0) | (message.otherConfig ? 0x40 : 0)),
        u16(message.lifetimeSeconds),
        u32(message.reachableMs),
        u32(message.retransmitMs),
        linkLayer(SOURCE_LINK_LAYER, message.sourceMac),
        message.mtu === undefined ? u8() : concat(u8(MTU, 1), u16(0), u32(message.mtu)),
        ...message.prefixes.map(encodePrefix),
      );
    case 'other':
      return concat(u8(message.number, message.code), u16(0), message.body);
  }
}

function linkLayer(type: number, address: Mac | undefined): Uint8Array {
  return address === undefined ? u8() : concat(u8(type, 1), mac(address));
}

function encodePrefix(prefix: AdvertisedPrefix): Uint8Array {
  return concat(
    u8(PREFIX_INFORMATION, 4, prefix.length, (prefix.onLink ? 0x80 : 0) | (prefix.autonomous ? 0x40 : 0)),
    u32(prefix.validSeconds),
    u32(prefix.preferredSeconds),
    u32(0),
    ipv6(prefix.prefix),
  );
}
