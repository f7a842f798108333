import type { Ip, Mac } from '@weir/kernel';
import type { Frame } from './frame';
import { FRAGMENTATION_NEEDED, type IcmpMessage, isIcmpError, TTL_EXCEEDED_IN_TRANSIT } from './icmp';
import { encodeIpv4, ipv4, type Ipv4Packet } from './ip';

/** The router interface that speaks. */
export interface IcmpSender {
  readonly mac: Mac;
  readonly ip: Ip;
}

/** RFC 1812 §4.3.2.3: as much of the original as leaves the error within 576 bytes (20 of IP, 8 of ICMP). */
const MAX_QUOTE = 576 - 28;
/** RFC 1812 §4.3.2.5: errors go out with internetwork control precedence. */
const INTERNETWORK_CONTROL = 0xc0;

/**
 * Destination unreachable for an IPv4 frame, back to its sender; undefined where RFC 1812 §4.3.2.7 forbids an answer.
 * `mtu` is told only with the code FRAGMENTATION_NEEDED.
 */
export function icmpUnreachable(original: Frame, code: number, from: IcmpSender, mtu = 0): Frame | undefined {
  const nextMtu = code === FRAGMENTATION_NEEDED ? mtu : 0;
  return icmpError(original, from, (quote) => ({
    kind: 'icmp',
    type: 'unreachable',
    code,
    mtu: nextMtu,
    original: quote,
  }));
}

/** Time exceeded in transit for an IPv4 frame; undefined where RFC 1812 §4.3.2.7 forbids an answer. */
export function icmpTimeExceeded(original: Frame, from: IcmpSender): Frame | undefined {
  return icmpError(original, from, (quote) => ({
    kind: 'icmp',
    type: 'time-exceeded',
    code: TTL_EXCEEDED_IN_TRANSIT,
    original: quote,
  }));
}

function icmpError(original: Frame, from: IcmpSender, message: (quote: Uint8Array) => IcmpMessage): Frame | undefined {
  const packet = original.payload;
  if (packet.kind !== 'ipv4' || !mayBeAnswered(original, packet)) return undefined;
  const quote = encodeIpv4(packet).subarray(0, MAX_QUOTE);
  const answer = ipv4({
    source: from.ip,
    destination: packet.source,
    tos: INTERNETWORK_CONTROL,
    payload: message(quote),
  });
  return { ...original, destination: original.source, source: from.mac, payload: answer };
}

function mayBeAnswered(frame: Frame, packet: Ipv4Packet): boolean {
  return (
    !isGroupMac(frame.destination) &&
    isHostAddress(packet.source) &&
    isHostAddress(packet.destination) &&
    packet.fragmentOffset === 0 &&
    !carriesIcmpError(packet)
  );
}

function isGroupMac(mac: Mac): boolean {
  return (parseInt(mac.slice(0, 2), 16) & 1) === 1;
}

/** Not "this host", loopback, multicast, reserved or broadcast. */
function isHostAddress(ip: Ip): boolean {
  const first = Number(ip.slice(0, ip.indexOf('.')));
  return first !== 0 && first !== 127 && first < 224;
}

function carriesIcmpError(packet: Ipv4Packet): boolean {
  const { payload } = packet;
  if (payload.kind === 'raw') {
    // A first fragment or a damaged message: its type byte tells; without one, silence is the safe answer.
    return payload.protocol === 1 && (payload.bytes[0] === undefined || isIcmpError(payload.bytes[0]));
  }
  if (payload.kind !== 'icmp') return false;
  switch (payload.type) {
    case 'echo-request':
    case 'echo-reply':
      return false;
    case 'unreachable':
    case 'time-exceeded':
      return true;
    case 'other':
      return isIcmpError(payload.number);
  }
}
