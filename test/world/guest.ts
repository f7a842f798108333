import { type Ip, type Mac, parseIp } from '@weir/kernel';
import {
  decodeDhcp,
  decodeFrame,
  DHCP_CLIENT_PORT,
  DHCP_SERVER_PORT,
  type DhcpMessage,
  DhcpMessageType,
  DhcpOption,
  encodeDhcp,
  encodeFrame,
  ipv4,
  udp,
} from '@weir/packet';

const ZERO = parseIp('0.0.0.0');
const BROADCAST_IP = parseIp('255.255.255.255');
const BROADCAST_MAC = 'ff:ff:ff:ff:ff:ff' as Mac;

/** What a guest's DHCP client gets when it asks now: an address, or no answer. `send` answers the frames that came back for it. */
export function lease(mac: Mac, xid: number, send: (frame: Uint8Array) => readonly Uint8Array[]): Ip | undefined {
  const offer = answerTo(xid, send(question(mac, xid, DhcpMessageType.discover)));
  if (!offer || typeOf(offer) !== DhcpMessageType.offer) return undefined;
  const server = offer.options.get(DhcpOption.serverIdentifier);
  const options: [number, Uint8Array][] = [[DhcpOption.requestedAddress, bytesOf(offer.yiaddr)]];
  if (server) options.push([DhcpOption.serverIdentifier, server]);
  const answer = answerTo(xid, send(question(mac, xid, DhcpMessageType.request, options)));
  return answer && typeOf(answer) === DhcpMessageType.ack ? answer.yiaddr : undefined;
}

function question(mac: Mac, xid: number, type: number, options: readonly [number, Uint8Array][] = []): Uint8Array {
  const chaddr = new Uint8Array(16);
  chaddr.set(Buffer.from(mac.replaceAll(':', ''), 'hex'));
  const message: DhcpMessage = {
    op: 'request',
    htype: 1,
    hlen: 6,
    hops: 0,
    xid,
    secs: 0,
    broadcast: false,
    ciaddr: ZERO,
    yiaddr: ZERO,
    siaddr: ZERO,
    giaddr: ZERO,
    chaddr,
    sname: '',
    file: '',
    options: new Map([[DhcpOption.messageType, Uint8Array.of(type)], ...options]),
  };
  const payload = udp(DHCP_CLIENT_PORT, DHCP_SERVER_PORT, encodeDhcp(message));
  return encodeFrame({
    source: mac,
    destination: BROADCAST_MAC,
    payload: ipv4({ source: ZERO, destination: BROADCAST_IP, payload }),
  });
}

function answerTo(xid: number, frames: readonly Uint8Array[]): DhcpMessage | undefined {
  for (const bytes of frames) {
    const { payload } = decodeFrame(bytes);
    if (payload.kind !== 'ipv4' || payload.payload.kind !== 'udp') continue;
    if (payload.payload.destinationPort !== DHCP_CLIENT_PORT) continue;
    const message = decodeDhcp(payload.payload.payload);
    if (message.xid === xid) return message;
  }
  return undefined;
}

function typeOf(message: DhcpMessage): number | undefined {
  return message.options.get(DhcpOption.messageType)?.[0];
}

function bytesOf(ip: Ip): Uint8Array {
  return Uint8Array.from(ip.split('.').map(Number));
}
