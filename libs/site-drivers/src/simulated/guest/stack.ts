import { type Cidr, cidrContains, cidrRange, type Cancel, conflict, type Ip, ipFromBigInt } from '@weir/kernel';
import {
  type Frame,
  icmpUnreachable,
  type IcmpMessage,
  ipv4,
  type Ipv4Packet,
  PORT_UNREACHABLE,
  udp,
} from '@weir/packet';
import type { GuestInterface } from './guest-interface';

export interface Route {
  readonly destination: Cidr;
  /** Undefined where the destination is on the link. */
  readonly via?: Ip;
  readonly interface: GuestInterface;
  readonly source: Ip;
  readonly metric: number;
}

export interface Datagram {
  readonly source: Ip;
  readonly sourcePort: number;
  readonly payload: Uint8Array;
}

type IcmpHandler = (message: IcmpMessage, packet: Ipv4Packet) => void;

const DEFAULT_ROUTE = '0.0.0.0/0' as Cidr;
const LOOPBACK_PREFIX = '127.';
const FIRST_EPHEMERAL_PORT = 32_768;
const LAST_EPHEMERAL_PORT = 60_999;

/** The IPv4 of a simulated instance: routes of its leases, echo, UDP sockets. Forwards nothing. */
export class Stack {
  private readonly interfaces: GuestInterface[] = [];
  private readonly icmpHandlers = new Set<IcmpHandler>();
  private readonly unresolvedHandlers = new Set<(packet: Ipv4Packet) => void>();
  private readonly sockets = new Map<number, (datagram: Datagram) => void>();
  private nextPort = FIRST_EPHEMERAL_PORT;

  add(added: GuestInterface): void {
    this.interfaces.push(added);
    this.interfaces.sort((left, right) => left.name.localeCompare(right.name, 'en', { numeric: true }));
  }

  remove(removed: GuestInterface): void {
    this.interfaces.splice(this.interfaces.indexOf(removed), 1);
  }

  get all(): readonly GuestInterface[] {
    return this.interfaces;
  }

  /** The most specific first, among equals the one of the first interface. */
  routes(): readonly Route[] {
    return this.interfaces
      .flatMap((each, metric) => routesOf(each, metric))
      .sort((left, right) => prefixOf(right.destination) - prefixOf(left.destination) || left.metric - right.metric);
  }

  routeTo(destination: Ip): Route | undefined {
    return this.routes().find((route) => cidrContains(route.destination, destination));
  }

  canReach(destination: Ip): boolean {
    return this.isOwn(destination) || this.routeTo(destination) !== undefined;
  }

  /** Answers whether there is a route. */
  send(destination: Ip, payload: Ipv4Packet['payload']): boolean {
    if (this.isOwn(destination)) {
      queueMicrotask(() => this.take(ipv4({ source: destination, destination, payload })));
      return true;
    }
    const route = this.routeTo(destination);
    if (!route) return false;
    route.interface.send(route.via ?? destination, ipv4({ source: route.source, destination, payload }));
    return true;
  }

  received(packet: Ipv4Packet, frame: Frame, by: GuestInterface): void {
    const isRefused = this.take(packet);
    if (!isRefused || !by.lease) return;
    const answer = icmpUnreachable(frame, PORT_UNREACHABLE, { mac: by.mac, ip: by.lease.address });
    if (answer) by.sendFrame(answer);
  }

  unresolved(packet: Ipv4Packet): void {
    for (const handler of [...this.unresolvedHandlers]) handler(packet);
  }

  onIcmp(handler: IcmpHandler): Cancel {
    this.icmpHandlers.add(handler);
    return () => this.icmpHandlers.delete(handler);
  }

  onUnresolved(handler: (packet: Ipv4Packet) => void): Cancel {
    this.unresolvedHandlers.add(handler);
    return () => this.unresolvedHandlers.delete(handler);
  }

  /** Opens a UDP socket on a port that is free, and answers it with the way to close it. */
  listen(handler: (datagram: Datagram) => void): { readonly port: number; readonly close: Cancel } {
    const first = this.nextPort;
    do {
      const port = this.nextPort;
      this.nextPort = port === LAST_EPHEMERAL_PORT ? FIRST_EPHEMERAL_PORT : port + 1;
      if (this.sockets.has(port)) continue;
      this.sockets.set(port, handler);
      return { port, close: () => this.sockets.delete(port) };
    } while (this.nextPort !== first);
    throw conflict('Every port of the instance is in use.');
  }

  sendDatagram(sourcePort: number, destination: Ip, destinationPort: number, payload: Uint8Array): boolean {
    return this.send(destination, udp(sourcePort, destinationPort, payload));
  }

  private isOwn(address: Ip): boolean {
    return address.startsWith(LOOPBACK_PREFIX) || this.interfaces.some(({ lease }) => lease?.address === address);
  }

  /** Answers whether nobody here wants it. */
  private take(packet: Ipv4Packet): boolean {
    const { payload, source } = packet;
    if (payload.kind === 'icmp') {
      if (payload.type === 'echo-request') this.send(source, { ...payload, type: 'echo-reply' });
      else for (const handler of [...this.icmpHandlers]) handler(payload, packet);
      return false;
    }
    if (payload.kind !== 'udp') return false;
    const socket = this.sockets.get(payload.destinationPort);
    socket?.({ source, sourcePort: payload.sourcePort, payload: payload.payload });
    return socket === undefined;
  }
}

function routesOf(owner: GuestInterface, metric: number): Route[] {
  const { lease } = owner;
  if (!lease) return [];
  const link = { interface: owner, source: lease.address };
  const onLink = { ...link, destination: networkOf(lease.address, lease.prefix), metric: 0 };
  if (lease.routes.length > 0)
    return [onLink, ...lease.routes.map(({ destination, via }) => routeOf({ ...link, destination, metric }, via))];
  return lease.router === undefined
    ? [onLink]
    : [onLink, routeOf({ ...link, destination: DEFAULT_ROUTE, metric }, lease.router)];
}

/** A router of 0.0.0.0 says that the destination is on the link (RFC 3442). */
function routeOf(route: Omit<Route, 'via'>, via: Ip): Route {
  return via === '0.0.0.0' ? route : { ...route, via };
}

function networkOf(address: Ip, prefix: number): Cidr {
  const { first } = cidrRange(`${address}/32` as Cidr);
  const hostBits = BigInt(32 - prefix);
  return `${ipFromBigInt((first >> hostBits) << hostBits, 4)}/${prefix}` as Cidr;
}

function prefixOf(cidr: Cidr): number {
  return cidrRange(cidr).prefix;
}
