import type { Mac } from '@weir/kernel';
import { type ArpPacket, decodeArp, encodeArp } from './arp';
import { concat, mac, MalformedPacket, Reader, u16, wellFormed } from './bytes';
import { decodeIpv4, decodeIpv6, encodeIpv4, encodeIpv6, type Ipv4Packet, type Ipv6Packet } from './ip';

export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_ARP = 0x0806;
export const ETHERTYPE_RARP = 0x8035;
export const ETHERTYPE_VLAN = 0x8100;
export const ETHERTYPE_IPV6 = 0x86dd;

export interface VlanTag {
  readonly id: number;
  readonly priority: number;
  readonly dropEligible: boolean;
}

/** What no decoder knows, or found malformed; a value below 0x600 is the length field of an 802.3 frame. */
export interface RawEthernetPayload {
  readonly kind: 'raw';
  readonly etherType: number;
  readonly bytes: Uint8Array;
}

/** An Ethernet frame, layer in layer, without trailing padding. Byte fields are views of the bytes that it was decoded from. */
export interface Frame {
  readonly destination: Mac;
  readonly source: Mac;
  readonly vlan?: VlanTag;
  readonly payload: ArpPacket | Ipv4Packet | Ipv6Packet | RawEthernetPayload;
}

/** Layers that cannot be decoded (a wrong checksum included) stay as bytes; throws MalformedPacket below 14 bytes only. */
export function decodeFrame(bytes: Uint8Array): Frame {
  // A Buffer's views are Buffers, which compare unequal to plain arrays of the same bytes.
  const reader = new Reader(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength), 'Ethernet frame');
  const destination = reader.mac();
  const source = reader.mac();
  const etherType = reader.u16();
  if (etherType !== ETHERTYPE_VLAN || reader.remaining < 4) {
    return { destination, source, payload: decodePayload(etherType, reader.rest()) };
  }
  const tag = reader.u16();
  const vlan = { id: tag & 0x0fff, priority: tag >> 13, dropEligible: (tag & 0x1000) !== 0 };
  const innerType = reader.u16();
  return { destination, source, vlan, payload: decodePayload(innerType, reader.rest()) };
}

function decodePayload(etherType: number, bytes: Uint8Array): Frame['payload'] {
  const raw = { kind: 'raw', etherType, bytes } as const;
  switch (etherType) {
    case ETHERTYPE_ARP:
      return wellFormed(() => decodeArp('arp', bytes)) ?? raw;
    case ETHERTYPE_RARP:
      return wellFormed(() => decodeArp('rarp', bytes)) ?? raw;
    case ETHERTYPE_IPV4:
      return wellFormed(() => decodeIpv4(bytes)) ?? raw;
    case ETHERTYPE_IPV6:
      return wellFormed(() => decodeIpv6(bytes)) ?? raw;
    default:
      return raw;
  }
}

/** The frame's bytes with all checksums computed; does not pad. Throws MalformedPacket for a length that its field cannot hold. */
export function encodeFrame(frame: Frame): Uint8Array {
  const [etherType, payload] = encodePayload(frame.payload);
  return concat(mac(frame.destination), mac(frame.source), encodeTag(frame.vlan), u16(etherType), payload);
}

function encodeTag(vlan: VlanTag | undefined): Uint8Array {
  if (vlan === undefined) return new Uint8Array();
  if (vlan.id > 0x0fff || vlan.priority > 7) throw new MalformedPacket('A VLAN id is below 4,096, a priority below 8.');
  return u16(ETHERTYPE_VLAN, (vlan.priority << 13) | (vlan.dropEligible ? 0x1000 : 0) | vlan.id);
}

function encodePayload(payload: Frame['payload']): readonly [etherType: number, bytes: Uint8Array] {
  switch (payload.kind) {
    case 'arp':
      return [ETHERTYPE_ARP, encodeArp(payload)];
    case 'rarp':
      return [ETHERTYPE_RARP, encodeArp(payload)];
    case 'ipv4':
      return [ETHERTYPE_IPV4, encodeIpv4(payload)];
    case 'ipv6':
      return [ETHERTYPE_IPV6, encodeIpv6(payload)];
    case 'raw':
      return [payload.etherType, payload.bytes];
  }
}
