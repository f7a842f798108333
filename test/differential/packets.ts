import { BROADCAST_MAC, cidrAddress, type Ip, type Mac, type Random } from '@weir/kernel';
import type { Action, Field, Flow } from '@weir/openflow';
import {
  ARP_REPLY,
  ARP_REQUEST,
  type ArpPacket,
  DHCP_CLIENT_PORT,
  DHCP_SERVER_PORT,
  encodeFrame,
  ETHERTYPE_IPV6,
  type Frame,
  ipv4,
  type Ipv4Packet,
  ipv6,
  type RawIpPayload,
  tcp,
  udp,
} from '@weir/packet';
import { type Plan, TABLES } from '@weir/pipeline';
import { ofportOf, type Topology, type TopologyHost, type TopologyPort } from '@weir/testing/topology';
import { OFPORTS } from './dummy-switch';
import { once, pick } from './slices';
import type { Stimulus } from './verdict';

/** Who may send or be sent to. */
interface End {
  readonly mac: Mac;
  readonly ip: Ip;
}

const NO_IP = '0.0.0.0' as Ip;
const ALL_IPS = '255.255.255.255' as Ip;
const NO_MAC = '00:00:00:00:00:00' as Mac;
const STRANGER: End = { mac: '02:00:00:00:00:77' as Mac, ip: '10.1.0.99' as Ip };
const STRANGERS_HOST = '198.51.100.77' as Ip;
const MULTICASTS = ['01:00:5e:00:00:fb', '33:33:00:00:00:01', '01:80:c2:00:00:0e'] as Mac[];
const FAR_AWAY = ['203.0.113.7', '203.0.113.9', '8.8.8.8', '10.1.0.13', '172.16.0.13', '224.0.0.251'] as Ip[];
const TTLS = [64, 64, 64, 64, 255, 2, 1, 0];

const MPLS = 0x8847;
/** A label with the bottom of stack. */
const LAST_LABEL = [0, 1, 0x11, 64] as const;

const FRAGMENT = 44;
const AUTHENTICATION = 51;
const EXTENSIONS = [0, 43, 60, FRAGMENT, AUTHENTICATION] as const;

/** Draws what is sent into one host's switch. */
export class Packets {
  private readonly here: readonly TopologyPort[];
  /** Those that may say something. */
  private readonly addressed: readonly TopologyPort[];
  private readonly members: readonly End[];
  private readonly gateways: readonly End[];
  private readonly values: ReadonlyMap<Field, readonly bigint[]>;

  constructor(
    private readonly random: Random,
    private readonly topology: Topology,
    private readonly host: TopologyHost,
    plan: Plan,
  ) {
    this.here = topology.ports.filter((port) => port.host === host);
    this.addressed = this.here.filter(({ fact }) => fact.adminStateUp && fact.fixedIps.length > 0);
    this.members = topology.ports.flatMap(({ fact }) => endsOf(fact));
    this.gateways = [
      ...topology.interfaces.map(({ mac, ip }) => ({ mac, ip })),
      ...topology.subnets.map(({ serverMac, serverIp }) => ({ mac: serverMac, ip: serverIp })),
    ];
    this.values = valuesIn(plan.flows);
  }

  draw(): Stimulus {
    const die = this.random.integer(100);
    if (die < 65 && this.here.length > 0) return this.fromInstance();
    return die < 88 ? this.fromTunnel() : this.fromController();
  }

  private fromInstance(): Stimulus {
    const { random } = this;
    const port = pick(random, once(random, 8) || this.addressed.length === 0 ? this.here : this.addressed);
    const own = endsOf(port.fact);
    // Now and then by a port where nobody is.
    const inPort = once(random, 50) ? pick(random, OFPORTS) : ofportOf(this.topology, port);
    const frame = this.frame(this.sender(pick(random, own)), this.inNetwork(port.fact.network), port.fact.network);
    return { from: 'instance', inPort, frame };
  }

  private fromTunnel(): Stimulus {
    const { random, topology, host } = this;
    const inUse = topology.networks.filter(({ id }) => this.here.some(({ fact }) => fact.network === id));
    const network = pick(random, once(random, 8) ? topology.networks : inUse);
    const key = once(random, 8) ? pick(random, [0, 2, 0x12345, network.segment.key + 1]) : network.segment.key;
    const others = topology.hosts.filter((other) => other !== host).map(({ endpoint }) => endpoint);
    const src =
      others.length === 0 || once(random, 8) ? pick(random, [STRANGERS_HOST, host.endpoint]) : pick(random, others);
    const ends = this.inNetwork(network.id);
    const sender = ends.length === 0 || once(random, 8) ? STRANGER : pick(random, ends);
    return { from: 'tunnel', id: key & 0xffffff, src, frame: this.frame(sender, ends, network.id) };
  }

  /** A PACKET_OUT into any table with any of the registers' values that the rows know: the only way to some tables' last words. */
  private fromController(): Stimulus {
    const { random } = this;
    const registers: Field[] = ['metadata', 'reg0', 'reg1', 'reg2', 'reg3', 'reg4', 'reg9'];
    const network = pick(random, this.topology.networks).id;
    const ends = this.inNetwork(network);
    const load = registers.flatMap((field): Action[] => {
      const value = field === 'reg0' ? BigInt(random.integer(32)) : this.known(field);
      return value === 0n ? [] : [{ type: 'set_field', field, value }];
    });
    const table = pick(random, TABLES).number;
    return {
      from: 'controller',
      inPort: pick(random, OFPORTS),
      frame: this.frame(ends.length === 0 ? STRANGER : pick(random, ends), ends, network),
      actions: [...load, { type: 'resubmit', table }],
    };
  }

  private known(field: Field): bigint {
    const values = this.values.get(field) ?? [];
    return values.length === 0 || once(this.random, 6) ? 0n : pick(this.random, values);
  }

  /** Mostly itself. */
  private sender(own: End): End {
    switch (this.random.integer(32)) {
      case 0:
        return { ...own, mac: STRANGER.mac };
      case 1:
        return { ...own, ip: STRANGER.ip };
      case 2:
        return pick(this.random, this.members);
      case 3:
        return this.gateways.length === 0 ? own : { ...own, ip: pick(this.random, this.gateways).ip };
      default:
        return own;
    }
  }

  /** Members and gateways of a network. */
  private inNetwork(network: string): End[] {
    const { ports, interfaces, subnets } = this.topology;
    return [
      ...ports.filter(({ fact }) => fact.network === network).flatMap(({ fact }) => endsOf(fact)),
      ...interfaces.filter((link) => link.network === network).map(({ mac, ip }) => ({ mac, ip })),
      ...subnets
        .filter((subnet) => subnet.network === network)
        .map(({ serverMac, serverIp }) => ({ mac: serverMac, ip: serverIp })),
    ];
  }

  /** A frame of any kind, from and to anybody: for what is to be read of frames, not for where they go. */
  anyFrame(): Uint8Array {
    const { random } = this;
    const ends = [STRANGER, ...this.members, ...this.gateways];
    const [from, to] = [pick(random, ends), pick(random, ends)];
    const kinds = [() => this.arp(from, ends), () => this.other(from, ends), () => this.overIpv4(from, to)];
    const frame = once(random, 2) ? this.overIpv6(from, ends) : pick(random, kinds)();
    return this.finished(frame);
  }

  private frame(from: End, near: readonly End[], network: string): Uint8Array {
    return this.finished(this.wellFormed(from, near, network));
  }

  private finished(frame: Frame): Uint8Array {
    const { random } = this;
    const tagged = once(random, 15)
      ? {
          ...frame,
          vlan: { id: pick(random, [0, 5, 4095]), priority: random.integer(8), dropEligible: once(random, 2) },
        }
      : frame;
    const bytes = encodeFrame(tagged);
    // Behind an MPLS frame that is cut short Open vSwitch 3.1 does not count the next one.
    return frame.payload.kind === 'raw' && frame.payload.etherType === MPLS ? bytes : this.damaged(bytes);
  }

  private wellFormed(from: End, near: readonly End[], network: string): Frame {
    const { random } = this;
    const die = random.integer(100);
    if (die < 15) return this.arp(from, near);
    if (die < 22) return this.dhcp(from, near);
    if (die < 26) return this.other(from, near);
    if (die < 30) return this.overIpv6(from, near);
    if (die < 70) return this.routed(from, network);
    return this.overIpv4(from, near.length === 0 || once(random, 8) ? this.anybody() : pick(random, near));
  }

  private anybody(): End {
    const { random } = this;
    const mac = pick(random, [BROADCAST_MAC, BROADCAST_MAC, pick(random, MULTICASTS), STRANGER.mac]);
    return { mac, ip: pick(random, [ALL_IPS, STRANGER.ip, ...FAR_AWAY]) };
  }

  private arp(from: End, near: readonly End[]): Frame {
    const { random } = this;
    const asked = near.length === 0 || once(random, 6) ? STRANGER : pick(random, near);
    const operation = pick(random, [ARP_REQUEST, ARP_REQUEST, ARP_REQUEST, ARP_REPLY, 3, 0x101]);
    const target = pick(random, [asked.ip, asked.ip, asked.ip, from.ip]);
    const claim = pick(random, [from.ip, from.ip, from.ip, NO_IP, STRANGER.ip]);
    const packet: ArpPacket = {
      kind: once(random, 12) ? 'rarp' : 'arp',
      operation,
      senderMac: once(random, 12) ? STRANGER.mac : from.mac,
      senderIp: claim,
      targetMac: operation === ARP_REPLY ? asked.mac : NO_MAC,
      targetIp: target,
    };
    const destination = once(random, 4) ? asked.mac : BROADCAST_MAC;
    return { source: from.mac, destination, payload: packet };
  }

  private dhcp(from: End, near: readonly End[]): Frame {
    const { random } = this;
    const [source, destination] = once(random, 3)
      ? [DHCP_SERVER_PORT, DHCP_CLIENT_PORT]
      : [DHCP_CLIENT_PORT, DHCP_SERVER_PORT];
    const server = near.length === 0 || once(random, 2) ? { mac: BROADCAST_MAC, ip: ALL_IPS } : pick(random, near);
    return {
      source: from.mac,
      destination: server.mac,
      payload: ipv4({
        source: pick(random, [NO_IP, from.ip]),
        destination: server.ip,
        payload: udp(source, destination, random.bytes(240)),
      }),
    };
  }

  /** To a router's MAC, for an address behind it, its own, or none that it knows. */
  private routed(from: End, network: string): Frame {
    const { random, topology } = this;
    const links = topology.interfaces.filter((link) => link.network === network);
    const gateway = links.length === 0 ? STRANGER : pick(random, links);
    const routers = new Set(links.map(({ router }) => router));
    const behind = topology.interfaces.filter(({ router }) => routers.has(router));
    const subnets = new Set(behind.map(({ subnet }) => subnet));
    const members = topology.ports.flatMap(({ fact }) =>
      fact.fixedIps.filter(({ subnet }) => subnets.has(subnet)).map(({ ip }) => ip),
    );
    const inside = topology.subnets.filter(({ id }) => subnets.has(id)).map(({ cidr }) => cidrAddress(cidr, 13));
    const near = [...members, ...members, ...members, ...behind.map(({ ip }) => ip), ...inside];
    const ip = near.length === 0 || once(random, 4) ? pick(random, FAR_AWAY) : pick(random, near);
    return this.overIpv4(from, { mac: gateway.mac, ip });
  }

  private overIpv4(from: End, to: End): Frame {
    const { random } = this;
    const fragment = random.integer(12);
    const packet: Ipv4Packet = ipv4({
      source: from.ip,
      destination: to.ip,
      ttl: pick(random, TTLS),
      tos: random.integer(256),
      identification: random.integer(0x10000),
      dontFragment: once(random, 2),
      moreFragments: fragment < 2,
      fragmentOffset: fragment === 1 || fragment === 2 ? 8 * (1 + random.integer(100)) : 0,
      options: once(random, 10) ? Uint8Array.from({ length: 4 * (1 + random.integer(10)) }, () => 1) : new Uint8Array(),
      payload: this.payload(),
    });
    return { source: from.mac, destination: to.mac, payload: packet };
  }

  private payload(): Ipv4Packet['payload'] {
    const { random } = this;
    const bytes = random.bytes(this.size());
    const [source, destination] = [random.integer(0x10000), random.integer(0x10000)];
    switch (random.integer(9)) {
      case 0:
      case 1:
        return udp(source, destination, bytes);
      case 2:
        return { ...udp(source, destination, bytes), unchecked: true };
      case 3:
        return tcp({
          sourcePort: source,
          destinationPort: destination,
          payload: bytes,
          flags: { syn: once(random, 2), ack: once(random, 2), fin: once(random, 4) },
          options: new Uint8Array(4 * random.integer(10)),
        });
      case 4:
      case 5:
        return { kind: 'icmp', type: 'echo-request', identifier: source, sequence: destination, data: bytes };
      case 6:
        return { kind: 'icmp', type: 'echo-reply', identifier: source, sequence: destination, data: bytes };
      case 7:
        return { kind: 'icmp', type: 'other', number: random.integer(20), code: random.integer(4), body: bytes };
      default:
        return { kind: 'raw', protocol: random.integer(256), bytes };
    }
  }

  /** Small ones, and such as are about as long as a network's MTU. */
  private size(): number {
    const { random } = this;
    if (!once(random, 4)) return random.integer(40);
    return pick(random, this.topology.networks).mtu - pick(random, [20, 28, 27, 29, 40]) + random.integer(3);
  }

  private overIpv6(from: End, near: readonly End[]): Frame {
    const { random } = this;
    const to = near.length === 0 || once(random, 2) ? pick(random, MULTICASTS) : pick(random, near).mac;
    const [source, destination] = ['fe80::1', pick(random, ['ff02::1', 'fe80::2'])] as Ip[];
    const bytes = random.bytes(random.integer(64));
    const payload = pick(random, [
      udp(pick(random, [546, 547, 40_000]), pick(random, [547, 546, 4001]), bytes),
      tcp({ sourcePort: pick(random, [1, 50_000]), destinationPort: 2, payload: bytes }),
      { kind: 'raw', protocol: pick(random, [0, 43, 44, 50, 51, 58, 59, 60]), bytes } as const,
      this.extended(),
    ]);
    return {
      source: from.mac,
      destination: to,
      payload: ipv6({
        source: source ?? NO_IP,
        destination: destination ?? NO_IP,
        hopLimit: pick(random, TTLS),
        payload,
      }),
    };
  }

  /** One or two extension headers before a transport. */
  private extended(): RawIpPayload {
    const { random } = this;
    const last = pick(random, [6, 17, 58, 59, 200]);
    const kinds = [pick(random, EXTENSIONS), ...(once(random, 2) ? [pick(random, EXTENSIONS)] : [])];
    const headers = kinds.map((kind, index) => {
      const next = kinds[index + 1] ?? last;
      switch (kind) {
        case FRAGMENT: {
          const offset = once(random, 2) ? 0 : 8 * random.integer(100);
          return [next, 0, offset >> 8, (offset & 0xf8) | random.integer(2), ...random.bytes(4)];
        }
        case AUTHENTICATION:
          return [next, 4, ...random.bytes(22)];
        default: {
          const more = random.integer(3);
          return [next, more, ...random.bytes(6 + 8 * more)];
        }
      }
    });
    const bytes = Uint8Array.from([...headers.flat(), ...random.bytes(random.integer(40))]);
    return { kind: 'raw', protocol: kinds[0] ?? last, bytes };
  }

  /** Other protocols, and 802.3 with a length. */
  private other(from: End, near: readonly End[]): Frame {
    const { random } = this;
    const types = [0x88cc, MPLS, 0x88a8, 0x8863, 0x9000, 0x0600, 0x05ff, 0x0026, 0x8100, ETHERTYPE_IPV6];
    const destination = near.length === 0 || once(random, 2) ? this.anybody().mac : pick(random, near).mac;
    return {
      source: from.mac,
      destination,
      payload: {
        kind: 'raw',
        etherType: pick(random, types),
        bytes: Uint8Array.from([...LAST_LABEL, ...random.bytes(random.integer(80))]),
      },
    };
  }

  /** Now and then cut short, padded, or with some bytes behind the MACs changed. */
  private damaged(bytes: Uint8Array): Uint8Array {
    const { random } = this;
    // Padding tells where the packet's length does.
    if (bytes.length > 500 && once(random, 4))
      return Uint8Array.from([...bytes, ...random.bytes(1 + random.integer(60))]);
    switch (random.integer(24)) {
      case 0:
        return bytes.subarray(0, 14 + random.integer(bytes.length - 13));
      case 1:
        return Uint8Array.from([...bytes, ...random.bytes(1 + random.integer(pick(random, [6, 60, 400])))]);
      case 2:
      case 3:
      case 4: {
        const changed = bytes.slice();
        // The headers are where a change tells.
        const last = Math.min(changed.length, pick(random, [34, 54]));
        for (let count = 1 + random.integer(2); count > 0; count--) {
          changed[12 + random.integer(last - 12)] = random.integer(256);
        }
        return changed;
      }
      default:
        return bytes;
    }
  }
}

function endsOf({ mac, fixedIps }: TopologyPort['fact']): End[] {
  return fixedIps.length === 0 ? [{ mac, ip: STRANGER.ip }] : fixedIps.map(({ ip }) => ({ mac, ip }));
}

/** What the rows match each field with. */
function valuesIn(flows: readonly Flow[]): ReadonlyMap<Field, readonly bigint[]> {
  const values = new Map<Field, Set<bigint>>();
  for (const { match } of flows) {
    for (const [field, { value }] of Object.entries(match) as [Field, { value: bigint }][]) {
      const known = values.get(field) ?? new Set();
      values.set(field, known.add(value));
    }
  }
  return new Map([...values].map(([field, known]) => [field, [...known]]));
}
