import {
  type Cidr,
  cidrRange,
  type Ip,
  ipFromBytes,
  ipv4FromNumber,
  ipVersion,
  type Mac,
  macToBytes,
} from '@weir/kernel';
import { concat, ipv4 as ipv4Bytes, u16, u32, u8 } from './bytes';
import {
  decodeDhcp,
  DHCP_CLIENT_PORT,
  DHCP_SERVER_PORT,
  type DhcpMessage,
  DhcpMessageType,
  DhcpOption,
  encodeDhcp,
} from './dhcp';
import type { Frame } from './frame';
import { ipv4 } from './ip';
import { udp } from './transport';

export interface HostRoute {
  readonly destination: Cidr;
  readonly nexthop: Ip;
}

/** What one port's only DHCP client is told; addresses that are not IPv4 are left out. */
export interface DhcpLease {
  /** The port's MAC: nobody else gets this lease. */
  readonly clientMac: Mac;
  readonly address: Ip;
  readonly prefix: number;
  readonly serverAddress: Ip;
  readonly router?: Ip | undefined;
  readonly dns: readonly Ip[];
  readonly mtu: number;
  readonly leaseSeconds?: number | undefined;
  readonly hostRoutes: readonly HostRoute[];
  readonly domainName?: string | undefined;
  readonly hostname?: string | undefined;
}

export const DEFAULT_LEASE_SECONDS = 86_400;
const ETHERNET = 1;
const UNSPECIFIED = '0.0.0.0' as Ip;
const BROADCAST = '255.255.255.255' as Ip;
const DEFAULT_ROUTE = '0.0.0.0/0' as Cidr;

/**
 * What a server that has `lease` for this port answers (RFC 2131 §4.3): OFFER, ACK or NAK; undefined for what takes no
 * answer: DECLINE, RELEASE, another client's or server's message, a relayed or invalid one. Keeps no state.
 */
export function dhcpReply(request: DhcpMessage, lease: DhcpLease): DhcpMessage | undefined {
  if (!isFromClient(request, lease.clientMac)) return undefined;
  switch (messageType(request)) {
    case DhcpMessageType.discover:
      return reply(request, lease, DhcpMessageType.offer, {
        yiaddr: lease.address,
        options: [...leaseTimes(lease), ...configuration(lease)],
      });
    case DhcpMessageType.request:
      return answerRequest(request, lease);
    case DhcpMessageType.inform:
      // A client that does not say where it is (ciaddr) could not be answered (RFC 2131 §4.3.5).
      if (request.ciaddr === UNSPECIFIED) return undefined;
      return reply(request, lease, DhcpMessageType.ack, { ciaddr: request.ciaddr, options: configuration(lease) });
    default:
      return undefined;
  }
}

/**
 * The frame that answers a DHCP request, undefined where none is due. Sent to the client's MAC; to 255.255.255.255 for a
 * NAK or when the client set the broadcast flag. Throws MalformedPacket for a datagram to port 67 that is not DHCP.
 */
export function dhcpReplyFrame(request: Frame, lease: DhcpLease, serverMac: Mac): Frame | undefined {
  const packet = request.payload;
  if (packet.kind !== 'ipv4' || packet.payload.kind !== 'udp') return undefined;
  const datagram = packet.payload;
  if (datagram.sourcePort !== DHCP_CLIENT_PORT || datagram.destinationPort !== DHCP_SERVER_PORT) return undefined;
  if (packet.destination !== BROADCAST && packet.destination !== lease.serverAddress) return undefined;
  if (request.source !== lease.clientMac) return undefined;
  const message = dhcpReply(decodeDhcp(datagram.payload), lease);
  if (message === undefined) return undefined;
  return {
    ...request,
    destination: lease.clientMac,
    source: serverMac,
    payload: ipv4({
      source: lease.serverAddress,
      destination: destinationOf(message),
      payload: udp(DHCP_SERVER_PORT, DHCP_CLIENT_PORT, encodeDhcp(message)),
    }),
  };
}

/** RFC 2131 §4.1. A NAK carries no address, and its client cannot be sure of any. */
function destinationOf(message: DhcpMessage): Ip {
  if (message.ciaddr !== UNSPECIFIED) return message.ciaddr;
  return message.broadcast || message.yiaddr === UNSPECIFIED ? BROADCAST : message.yiaddr;
}

function isFromClient(request: DhcpMessage, clientMac: Mac): boolean {
  const { op, htype, hlen, giaddr, chaddr } = request;
  return (
    op === 'request' &&
    htype === ETHERNET &&
    hlen === 6 &&
    giaddr === UNSPECIFIED &&
    macToBytes(clientMac).every((byte, i) => chaddr[i] === byte)
  );
}

/** A server id: selecting an offer. Else option 50: init-reboot. Else ciaddr: renewing or rebinding (RFC 2131 §4.3.2). */
function answerRequest(request: DhcpMessage, lease: DhcpLease): DhcpMessage | undefined {
  if (request.options.has(DhcpOption.serverIdentifier)) {
    if (addressOption(request, DhcpOption.serverIdentifier) !== lease.serverAddress) return undefined;
  }
  const asked: Ip[] = [];
  if (request.options.has(DhcpOption.requestedAddress)) {
    const requested = addressOption(request, DhcpOption.requestedAddress);
    if (requested === undefined) return undefined;
    asked.push(requested);
  }
  if (request.ciaddr !== UNSPECIFIED) asked.push(request.ciaddr);
  if (asked.length === 0) return undefined;
  if (asked.some((address) => address !== lease.address)) return reply(request, lease, DhcpMessageType.nak, {});
  return reply(request, lease, DhcpMessageType.ack, {
    ciaddr: request.ciaddr,
    yiaddr: lease.address,
    options: [...leaseTimes(lease), ...configuration(lease)],
  });
}

type Option = readonly [code: number, value: Uint8Array];

function reply(
  request: DhcpMessage,
  lease: DhcpLease,
  type: number,
  answer: { readonly ciaddr?: Ip; readonly yiaddr?: Ip; readonly options?: readonly Option[] },
): DhcpMessage {
  const clientIdentifier = request.options.get(DhcpOption.clientIdentifier);
  return {
    op: 'reply',
    htype: request.htype,
    hlen: request.hlen,
    hops: 0,
    xid: request.xid,
    secs: 0,
    broadcast: request.broadcast,
    ciaddr: answer.ciaddr ?? UNSPECIFIED,
    yiaddr: answer.yiaddr ?? UNSPECIFIED,
    siaddr: UNSPECIFIED,
    giaddr: UNSPECIFIED,
    chaddr: request.chaddr,
    sname: '',
    file: '',
    options: new Map<number, Uint8Array>([
      [DhcpOption.messageType, u8(type)],
      [DhcpOption.serverIdentifier, ipv4Bytes(lease.serverAddress)],
      ...(answer.options ?? []),
      // RFC 6842: the client may know its answer by this alone.
      ...(clientIdentifier ? [[DhcpOption.clientIdentifier, clientIdentifier] as const] : []),
    ]),
  };
}

function leaseTimes(lease: DhcpLease): Option[] {
  const seconds = lease.leaseSeconds ?? DEFAULT_LEASE_SECONDS;
  return [
    [DhcpOption.leaseTime, u32(seconds)],
    [DhcpOption.renewalTime, u32(Math.floor(seconds / 2))],
    [DhcpOption.rebindingTime, u32(Math.floor((seconds * 7) / 8))],
  ];
}

/** The mask goes before the router (RFC 2132 §3.3). */
function configuration(lease: DhcpLease): Option[] {
  const options: Option[] = [[DhcpOption.subnetMask, ipv4Bytes(netmask(lease.prefix))]];
  const dns = lease.dns.filter(isIpv4);
  if (lease.router !== undefined) options.push([DhcpOption.router, ipv4Bytes(lease.router)]);
  if (dns.length > 0) options.push([DhcpOption.domainNameServer, concat(...dns.map(ipv4Bytes))]);
  if (lease.hostname) options.push([DhcpOption.hostName, ascii(lease.hostname)]);
  if (lease.domainName) options.push([DhcpOption.domainName, ascii(lease.domainName)]);
  options.push([DhcpOption.interfaceMtu, u16(lease.mtu)]);
  const routes = classlessRoutes(lease);
  if (routes.length > 0) options.push([DhcpOption.classlessStaticRoute, concat(...routes.map(encodeRoute))]);
  return options;
}

/** Whoever takes option 121 ignores option 3 (RFC 3442), so the default route is among the host routes. */
function classlessRoutes(lease: DhcpLease): HostRoute[] {
  const routes = lease.hostRoutes.filter(
    ({ destination, nexthop }) => cidrRange(destination).version === 4 && isIpv4(nexthop),
  );
  const hasDefault = routes.some(({ destination }) => destination === DEFAULT_ROUTE);
  if (routes.length === 0 || hasDefault || lease.router === undefined) return routes;
  return [{ destination: DEFAULT_ROUTE, nexthop: lease.router }, ...routes];
}

function encodeRoute(route: HostRoute): Uint8Array {
  const { prefix, first } = cidrRange(route.destination);
  const network = ipv4Bytes(ipv4FromNumber(Number(first)));
  return concat(u8(prefix), network.subarray(0, Math.ceil(prefix / 8)), ipv4Bytes(route.nexthop));
}

function netmask(prefix: number): Ip {
  return ipv4FromNumber(prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0);
}

function isIpv4(ip: Ip): boolean {
  return ipVersion(ip) === 4;
}

function ascii(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

function messageType(message: DhcpMessage): number | undefined {
  const value = message.options.get(DhcpOption.messageType);
  return value?.length === 1 ? value[0] : undefined;
}

function addressOption(message: DhcpMessage, code: number): Ip | undefined {
  const value = message.options.get(code);
  return value?.length === 4 ? ipFromBytes(value) : undefined;
}
