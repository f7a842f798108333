import {
  BROADCAST_MAC,
  type Cancel,
  type Clock,
  type Ip,
  type Mac,
  type PortId,
  type Random,
  type Timers,
} from '@weir/kernel';
import {
  ARP_REPLY,
  ARP_REQUEST,
  type ArpPacket,
  DHCP_CLIENT_PORT,
  decodeFrame,
  encodeFrame,
  type Frame,
  type Ipv4Packet,
} from '@weir/packet';
import { DhcpClient } from './dhcp-client';
import type { Lease } from './dhcp-messages';

export interface GuestInterfaceOptions {
  readonly port: PortId;
  /** `eth0`, … */
  readonly name: string;
  readonly mac: Mac;
  readonly mtu: number;
  readonly send: (frame: Uint8Array) => void;
  /** A packet for this host, or for a group that it is in. */
  readonly received: (packet: Ipv4Packet, frame: Frame) => void;
  /** Nobody has the next hop's address. */
  readonly unresolved: (packet: Ipv4Packet) => void;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
}

interface Neighbour {
  readonly mac: Mac;
  readonly confirmedAt: number;
}

interface Resolution {
  readonly waiting: Ipv4Packet[];
  cancel: Cancel;
}

const ZERO_MAC = '00:00:00:00:00:00' as Mac;
/** As Linux has them: an entry is asked for again behind 30 s, in vain after three requests; few packets wait. */
const REACHABLE_MS = 30_000;
const ARP_AGAIN_MS = 1_000;
const ARP_REQUESTS = 3;
const MAX_WAITING = 16;

/** One interface of a simulated instance: Ethernet, ARP, and a DHCP client that configures it. */
export class GuestInterface {
  readonly port: PortId;
  readonly name: string;
  readonly mac: Mac;
  /** Undefined while there is none. */
  lease: Lease | undefined;
  private readonly neighbours = new Map<Ip, Neighbour>();
  private readonly resolutions = new Map<Ip, Resolution>();
  private readonly taps = new Set<(frame: Uint8Array) => void>();
  private readonly arpListeners = new Set<(packet: ArpPacket) => void>();
  private readonly dhcp: DhcpClient;

  constructor(private readonly options: GuestInterfaceOptions) {
    const { port, name, mac, send, timers, random } = options;
    this.port = port;
    this.name = name;
    this.mac = mac;
    this.dhcp = new DhcpClient({
      ...{ mac, send, timers, random },
      bound: (lease) => (this.lease = lease),
      lost: () => (this.lease = undefined),
    });
  }

  get mtu(): number {
    return this.lease?.mtu ?? this.options.mtu;
  }

  start(): void {
    this.dhcp.start();
  }

  stop(): void {
    this.dhcp.stop();
    this.lease = undefined;
    for (const { cancel } of this.resolutions.values()) cancel();
    this.resolutions.clear();
  }

  receive(bytes: Uint8Array): void {
    for (const tap of [...this.taps]) tap(bytes);
    const frame = decodeFrame(bytes);
    if (frame.destination !== this.mac && frame.destination !== BROADCAST_MAC) return;
    const { payload } = frame;
    if (payload.kind === 'arp') return this.receiveArp(payload);
    if (payload.kind !== 'ipv4') return;
    if (payload.payload.kind === 'udp' && payload.payload.destinationPort === DHCP_CLIENT_PORT)
      return this.dhcp.receive(frame);
    if (payload.destination === this.lease?.address) this.options.received(payload, frame);
  }

  /** Sees every frame that comes, for whomever it is. */
  tap(handler: (frame: Uint8Array) => void): Cancel {
    this.taps.add(handler);
    return () => this.taps.delete(handler);
  }

  onArp(listener: (packet: ArpPacket) => void): Cancel {
    this.arpListeners.add(listener);
    return () => this.arpListeners.delete(listener);
  }

  /** By Ethernet to the neighbour with this address, once it has said which MAC it has. */
  send(nexthop: Ip, packet: Ipv4Packet): void {
    const known = this.neighbours.get(nexthop);
    if (known && this.options.clock.monotonic() - known.confirmedAt < REACHABLE_MS)
      return this.sendFrame({ source: this.mac, destination: known.mac, payload: packet });
    const resolution = this.resolutions.get(nexthop);
    if (resolution === undefined) {
      this.resolutions.set(nexthop, { waiting: [packet], cancel: () => undefined });
      this.resolve(nexthop, ARP_REQUESTS);
    } else if (resolution.waiting.length < MAX_WAITING) resolution.waiting.push(packet);
  }

  askWhoHas(ip: Ip): void {
    const { lease } = this;
    if (!lease) return;
    this.sendArp(BROADCAST_MAC, { operation: ARP_REQUEST, senderIp: lease.address, targetMac: ZERO_MAC, targetIp: ip });
  }

  known(): readonly { readonly ip: Ip; readonly mac: Mac; readonly isReachable: boolean }[] {
    const now = this.options.clock.monotonic();
    return [...this.neighbours].map(([ip, { mac, confirmedAt }]) => ({
      ip,
      mac,
      isReachable: now - confirmedAt < REACHABLE_MS,
    }));
  }

  sendFrame(frame: Frame): void {
    this.options.send(encodeFrame(frame));
  }

  private resolve(ip: Ip, left: number): void {
    const resolution = this.resolutions.get(ip);
    if (!resolution) return;
    if (left === 0) {
      this.resolutions.delete(ip);
      for (const packet of resolution.waiting) this.options.unresolved(packet);
      return;
    }
    resolution.cancel = this.options.timers.after(ARP_AGAIN_MS, () => this.resolve(ip, left - 1));
    this.askWhoHas(ip);
  }

  private receiveArp(packet: ArpPacket): void {
    const { lease } = this;
    if (!lease || packet.senderIp === lease.address) return;
    for (const listener of [...this.arpListeners]) listener(packet);
    // A gratuitous one as well: it tells of a new MAC.
    const isKnown = this.neighbours.has(packet.senderIp) || this.resolutions.has(packet.senderIp);
    if (packet.targetIp === lease.address || isKnown) this.learn(packet.senderIp, packet.senderMac);
    if (packet.operation === ARP_REQUEST && packet.targetIp === lease.address)
      this.sendArp(packet.senderMac, {
        operation: ARP_REPLY,
        senderIp: lease.address,
        targetMac: packet.senderMac,
        targetIp: packet.senderIp,
      });
  }

  private learn(ip: Ip, mac: Mac): void {
    this.neighbours.set(ip, { mac, confirmedAt: this.options.clock.monotonic() });
    const resolution = this.resolutions.get(ip);
    if (!resolution) return;
    resolution.cancel();
    this.resolutions.delete(ip);
    for (const packet of resolution.waiting) this.send(ip, packet);
  }

  private sendArp(destination: Mac, packet: Omit<ArpPacket, 'kind' | 'senderMac'>): void {
    const payload: ArpPacket = { kind: 'arp', senderMac: this.mac, ...packet };
    this.sendFrame({ source: this.mac, destination, payload });
  }
}
