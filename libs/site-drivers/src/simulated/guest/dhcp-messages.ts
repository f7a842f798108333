import { BROADCAST_MAC, type Cidr, type Ip, ipFromBytes, ipToBytes, type Mac, macToBytes } from '@weir/kernel';
import {
  decodeDhcp,
  DHCP_CLIENT_PORT,
  DHCP_SERVER_PORT,
  type DhcpMessage,
  DhcpMessageType,
  DhcpOption,
  encodeDhcp,
  encodeFrame,
  type Frame,
  ipv4,
  MalformedPacket,
  udp,
} from '@weir/packet';

/** What a DHCP server gave. */
export interface Lease {
  readonly address: Ip;
  readonly prefix: number;
  readonly server: Ip;
  readonly seconds: number;
  readonly router?: Ip;
  readonly dns: readonly Ip[];
  readonly mtu?: number;
  readonly domain?: string;
  /** Of option 121: whoever gets it takes no notice of `router` (RFC 3442). */
  readonly routes: readonly { readonly destination: Cidr; readonly via: Ip }[];
}

const ZERO = '0.0.0.0' as Ip;
const BROADCAST = '255.255.255.255' as Ip;
const ETHERNET = 1;
const CHADDR_BYTES = 16;

export function discover(mac: Mac, xid: number): Uint8Array {
  return question(mac, xid, DhcpMessageType.discover);
}

/** Takes what was offered (RFC 2131 §4.3.2, SELECTING). */
export function requestOffered(mac: Mac, xid: number, offer: DhcpMessage): Uint8Array {
  const server = offer.options.get(DhcpOption.serverIdentifier);
  const options: [number, Uint8Array][] = [[DhcpOption.requestedAddress, ipToBytes(offer.yiaddr)]];
  if (server) options.push([DhcpOption.serverIdentifier, server]);
  return question(mac, xid, DhcpMessageType.request, options);
}

/** Asks any server to prolong a lease (RFC 2131 §4.3.2, REBINDING). */
export function requestAgain(mac: Mac, xid: number, address: Ip): Uint8Array {
  return question(mac, xid, DhcpMessageType.request, [], address);
}

/** A server's answer under this number; undefined for any other frame. */
export function dhcpAnswer({ payload }: Frame, xid: number): DhcpMessage | undefined {
  if (payload.kind !== 'ipv4' || payload.payload.kind !== 'udp') return undefined;
  if (payload.payload.destinationPort !== DHCP_CLIENT_PORT) return undefined;
  try {
    const message = decodeDhcp(payload.payload.payload);
    return message.op === 'reply' && message.xid === xid ? message : undefined;
  } catch (error) {
    if (error instanceof MalformedPacket) return undefined;
    throw error;
  }
}

export function typeOf(message: DhcpMessage): number | undefined {
  return message.options.get(DhcpOption.messageType)?.[0];
}

export function leaseOf({ yiaddr, options }: DhcpMessage): Lease {
  const bytes = (code: number) => options.get(code) ?? new Uint8Array();
  const [router] = addresses(bytes(DhcpOption.router));
  const [server = ZERO] = addresses(bytes(DhcpOption.serverIdentifier));
  const mtu = number(bytes(DhcpOption.interfaceMtu));
  const domain = Buffer.from(bytes(DhcpOption.domainName)).toString('latin1');
  return {
    address: yiaddr,
    prefix: ones(bytes(DhcpOption.subnetMask)),
    server,
    seconds: number(bytes(DhcpOption.leaseTime)),
    ...(router !== undefined && { router }),
    dns: addresses(bytes(DhcpOption.domainNameServer)),
    ...(mtu > 0 && { mtu }),
    ...(domain !== '' && { domain }),
    routes: classlessRoutes(bytes(DhcpOption.classlessStaticRoute)),
  };
}

function question(
  mac: Mac,
  xid: number,
  type: number,
  options: readonly [number, Uint8Array][] = [],
  ciaddr = ZERO,
): Uint8Array {
  const chaddr = new Uint8Array(CHADDR_BYTES);
  chaddr.set(macToBytes(mac));
  const message: DhcpMessage = {
    op: 'request',
    htype: ETHERNET,
    hlen: 6,
    hops: 0,
    xid,
    secs: 0,
    broadcast: false,
    ciaddr,
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
    payload: ipv4({ source: ciaddr, destination: BROADCAST, payload }),
  });
}

function addresses(bytes: Uint8Array): Ip[] {
  const found: Ip[] = [];
  for (let at = 0; at + 4 <= bytes.length; at += 4) found.push(ipFromBytes(bytes.subarray(at, at + 4)));
  return found;
}

function number(bytes: Uint8Array): number {
  return bytes.reduce((value, byte) => value * 256 + byte, 0);
}

function ones(mask: Uint8Array): number {
  return [...mask].reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0);
}

/** RFC 3442: a prefix length, as many of its bytes as count, a router. */
function classlessRoutes(bytes: Uint8Array): Lease['routes'] {
  const routes: { destination: Cidr; via: Ip }[] = [];
  for (let at = 0; at < bytes.length;) {
    const prefix = bytes[at] ?? 0;
    const significant = Math.ceil(prefix / 8);
    const router = at + 1 + significant;
    if (prefix > 32 || router + 4 > bytes.length) break;
    const network = new Uint8Array(4);
    network.set(bytes.subarray(at + 1, router));
    routes.push({
      destination: `${ipFromBytes(network)}/${prefix}` as Cidr,
      via: ipFromBytes(bytes.subarray(router, router + 4)),
    });
    at = router + 4;
  }
  return routes;
}
