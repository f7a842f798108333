import type { Ip, Mac } from '@weir/kernel';
import { concat, ipv4, mac, MalformedPacket, Reader, u16 } from './bytes';

export const ARP_REQUEST = 1;
export const ARP_REPLY = 2;
export const RARP_REQUEST = 3;
export const RARP_REPLY = 4;

/** ARP (RFC 826) or RARP (RFC 903) for IPv4 over Ethernet. */
export interface ArpPacket {
  readonly kind: 'arp' | 'rarp';
  readonly operation: number;
  readonly senderMac: Mac;
  readonly senderIp: Ip;
  readonly targetMac: Mac;
  readonly targetIp: Ip;
}

const ETHERNET = 1;
const IPV4 = 0x0800;

export function decodeArp(kind: ArpPacket['kind'], bytes: Uint8Array): ArpPacket {
  const reader = new Reader(bytes, 'ARP packet');
  const hardware = reader.u16();
  const protocol = reader.u16();
  if (hardware !== ETHERNET || protocol !== IPV4 || reader.u8() !== 6 || reader.u8() !== 4) {
    throw new MalformedPacket('The ARP packet is not about IPv4 over Ethernet.');
  }
  return {
    kind,
    operation: reader.u16(),
    senderMac: reader.mac(),
    senderIp: reader.ipv4(),
    targetMac: reader.mac(),
    targetIp: reader.ipv4(),
  };
}

export function encodeArp(packet: ArpPacket): Uint8Array {
  return concat(
    u16(ETHERNET, IPV4, 0x0604, packet.operation),
    mac(packet.senderMac),
    ipv4(packet.senderIp),
    mac(packet.targetMac),
    ipv4(packet.targetIp),
  );
}
