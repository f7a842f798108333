import type { Ip, Mac } from '@weir/kernel';
import {
  ARP_REPLY,
  ARP_REQUEST,
  encodeFrame,
  ETHERTYPE_IPV4,
  type Frame,
  ipv4,
  type Ipv4Packet,
  udp,
} from '@weir/packet';

const BROADCAST = 'ff:ff:ff:ff:ff:ff' as Mac;
const NOBODY = '00:00:00:00:00:00' as Mac;

interface Sender {
  readonly mac: Mac;
  readonly ip: Ip;
}

export function arpRequest(from: Sender, target: Ip): Uint8Array {
  return encodeFrame({
    destination: BROADCAST,
    source: from.mac,
    payload: {
      kind: 'arp',
      operation: ARP_REQUEST,
      senderMac: from.mac,
      senderIp: from.ip,
      targetMac: NOBODY,
      targetIp: target,
    },
  });
}

/** The answer that `owner` has the address which `to` asked for. */
export function arpReply(owner: Sender, to: Sender): Uint8Array {
  return encodeFrame({
    destination: to.mac,
    source: owner.mac,
    payload: {
      kind: 'arp',
      operation: ARP_REPLY,
      senderMac: owner.mac,
      senderIp: owner.ip,
      targetMac: to.mac,
      targetIp: to.ip,
    },
  });
}

export function ipv4Frame(
  source: Mac,
  destination: Mac,
  packet: Pick<Ipv4Packet, 'source' | 'destination' | 'payload'> & Partial<Omit<Ipv4Packet, 'kind'>>,
): Uint8Array {
  return encodeFrame({ source, destination, payload: ipv4(packet) });
}

/** A datagram with recognizable contents. */
export function datagram(source: Sender, destination: Sender, text = 'hello'): Uint8Array {
  return ipv4Frame(source.mac, destination.mac, {
    source: source.ip,
    destination: destination.ip,
    payload: udp(4000, 4001, new TextEncoder().encode(text)),
  });
}

export function echoRequest(source: Sender, destination: Sender): Uint8Array {
  return ipv4Frame(source.mac, destination.mac, {
    source: source.ip,
    destination: destination.ip,
    payload: { kind: 'icmp', type: 'echo-request', identifier: 7, sequence: 1, data: new Uint8Array([1, 2, 3, 4]) },
  });
}

/** An Ethernet frame with any contents. */
export function rawFrame(source: Mac, destination: Mac, bytes: Uint8Array, etherType = ETHERTYPE_IPV4): Uint8Array {
  const frame: Frame = { source, destination, payload: { kind: 'raw', etherType, bytes } };
  return encodeFrame(frame);
}
