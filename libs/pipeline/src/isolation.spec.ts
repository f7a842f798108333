import type { Field, Flow, Match } from '@weir/openflow';
import { decodeFrame, encodeFrame, ipv4, udp } from '@weir/packet';
import type { Ip, Mac } from '@weir/kernel';
import {
  arpReply,
  arpRequest,
  datagram,
  echoRequest,
  fabricOf,
  ofportOf,
  type Topology,
  type TopologyPort,
  topology,
} from '@weir/testing/topology';
import fc from 'fast-check';
import type { Plan } from './compiler';
import { type Fabric, type Journey } from './interpreter';
import { tableNumber, type TableName, TABLES } from './tables';

const TOPOLOGIES = 500;
const SEED = 20_261_121;

/** A frame that nobody has reason to send; numbers pick from what is there. */
interface Odd {
  readonly kind: 'arp request' | 'arp reply' | 'datagram' | 'dhcp reply' | 'raw' | 'tagged';
  readonly from: number;
  readonly source: number;
  readonly destination: number;
  readonly sourceIp: number;
  readonly destinationIp: number;
  readonly bytes: Uint8Array;
}

const odd: fc.Arbitrary<Odd> = fc.record({
  kind: fc.constantFrom('arp request', 'arp reply', 'datagram', 'dhcp reply', 'raw', 'tagged'),
  from: fc.nat(100),
  source: fc.nat(100),
  destination: fc.nat(100),
  sourceIp: fc.nat(100),
  destinationIp: fc.nat(100),
  bytes: fc.uint8Array({ minLength: 1, maxLength: 64 }),
});

const EXTRA_MACS = ['ff:ff:ff:ff:ff:ff', '01:00:5e:00:00:01', '33:33:00:00:00:01', '02:de:ad:be:ef:00'] as Mac[];
const EXTRA_IPS = ['255.255.255.255', '224.0.0.1', '0.0.0.0', '192.0.2.1', '10.1.1.99'] as Ip[];

function at<T>(list: readonly T[], index: number): T {
  const item = list[index % list.length];
  if (item === undefined) throw new RangeError('Nothing to pick from.');
  return item;
}

function frameOf(from: TopologyPort, world: Topology, drawn: Odd): Uint8Array {
  const macs = [...world.ports.map(({ fact }) => fact.mac), ...world.interfaces.map(({ mac }) => mac), ...EXTRA_MACS];
  const ips = [...world.ports.map(({ fact }) => ipOf(fact)), ...world.interfaces.map(({ ip }) => ip), ...EXTRA_IPS];
  // Every second frame has its sender's own addresses, so that it comes past port security.
  const honest = drawn.source % 2 === 0;
  const source = {
    mac: honest ? from.fact.mac : at(macs, drawn.source),
    ip: honest ? ipOf(from.fact) : at(ips, drawn.sourceIp),
  };
  const destination = { mac: at(macs, drawn.destination), ip: at(ips, drawn.destinationIp) };
  switch (drawn.kind) {
    case 'arp request':
      return arpRequest(source, destination.ip);
    case 'arp reply':
      return arpReply(source, destination);
    case 'datagram':
      return datagram(source, destination);
    case 'dhcp reply':
    case 'tagged':
      return encodeFrame({
        source: source.mac,
        destination: destination.mac,
        ...(drawn.kind === 'tagged' ? { vlan: { id: drawn.sourceIp, priority: 0, dropEligible: false } } : {}),
        payload: ipv4({ source: source.ip, destination: destination.ip, payload: udp(67, 68, drawn.bytes) }),
      });
    case 'raw':
      return encodeFrame({
        source: source.mac,
        destination: destination.mac,
        payload: {
          kind: 'raw',
          etherType: at([0x0800, 0x0806, 0x86dd, 0x88cc, 0x8035], drawn.sourceIp),
          bytes: drawn.bytes,
        },
      });
  }
}

function ipOf(port: TopologyPort['fact']): Ip {
  return at(port.fixedIps, 0).ip;
}

function sender(port: TopologyPort): { mac: Mac; ip: Ip } {
  return { mac: port.fact.mac, ip: ipOf(port.fact) };
}

/** One world under test: sends frames, and finds what came of them. */
class Probe {
  private readonly fabric: Fabric;

  constructor(
    private readonly world: Topology,
    alter?: (plan: Plan) => Plan,
  ) {
    this.fabric = fabricOf(world, alter);
  }

  /** The ports that get a copy, after what holds for every frame was checked. */
  send(from: TopologyPort, frame: Uint8Array): { readonly to: TopologyPort[]; readonly journey: Journey } {
    const journey = this.fabric.send(from.host.name, ofportOf(this.world, from), frame);
    if (journey.looped) throw new Error('a frame goes round for ever');
    if (journey.lost.length > 0) throw new Error('a frame goes to a host that is not there');
    for (const punt of journey.punts)
      if (punt.meter === undefined) throw new Error(`a punt without a meter: ${punt.userdata}`);
    for (const { arrival, result } of journey.hops) {
      const left = result.outputs.some(({ tunnel }) => tunnel);
      if (arrival.tunnel && left) throw new Error('a frame goes from tunnel to tunnel');
    }
    const to = journey.deliveries.map(({ host, port }) => {
      const found = this.world.ports.find((other) => other.host.name === host && ofportOf(this.world, other) === port);
      if (!found) throw new Error('a frame leaves by a port of nobody');
      if (found.fact.project !== from.fact.project) {
        throw new Error(`a frame of ${from.fact.name} reaches ${found.fact.name}`);
      }
      if (!found.fact.adminStateUp) throw new Error('a frame reaches a port that is down');
      return found;
    });
    return { to, journey };
  }

  /** Exactly one copy, to this port; answers it. */
  reaches(from: TopologyPort, frame: Uint8Array, to: TopologyPort, what: string): Uint8Array {
    const sent = this.send(from, frame);
    if (sent.to.length !== 1 || sent.to[0] !== to) {
      const names = sent.to.map(({ fact }) => fact.name).join(' ');
      throw new Error(`${what} from ${from.fact.name} reaches '${names}' instead of ${to.fact.name}`);
    }
    return at(sent.journey.deliveries, 0).frame;
  }

  /** Nobody, or where a member may have any address, as unknown unicast: its own network. */
  staysInside(from: TopologyPort, frame: Uint8Array, what: string): void {
    const out = this.send(from, frame).to.find(({ fact }) => fact.network !== from.fact.network);
    if (out) throw new Error(`${what} from ${from.fact.name} reaches ${out.fact.name}`);
  }

  reachesNobody(from: TopologyPort, frame: Uint8Array, what: string): void {
    const { to } = this.send(from, frame);
    if (to.length > 0)
      throw new Error(`${what} from ${from.fact.name} reaches ${to.map(({ fact }) => fact.name).join(' ')}`);
  }
}

/** The property: every pair that should talk does, and nothing reaches another project. Throws what is wrong. */
function holds(world: Topology, oddities: readonly Odd[], alter?: (plan: Plan) => Plan): void {
  const probe = new Probe(world, alter);
  const active = world.ports.filter(({ fact }) => fact.adminStateUp);
  for (const from of active) {
    resolvesAddresses(probe, world, from);
    floods(probe, world, from);
    for (const to of active) {
      if (from === to || from.fact.project !== to.fact.project) continue;
      if (from.fact.network === to.fact.network) switches(probe, from, to);
      else routes(probe, world, from, to);
    }
  }
  for (const drawn of oddities) {
    if (world.ports.length === 0) return;
    const from = at(world.ports, drawn.from);
    probe.send(from, frameOf(from, world, drawn));
  }
}

/** ARP is answered with what this network has, whatever the other project has under the same address. */
function resolvesAddresses(probe: Probe, world: Topology, from: TopologyPort): void {
  const own = new Map<Ip, Mac>();
  for (const { fact } of world.ports) {
    if (fact.network === from.fact.network && fact.adminStateUp) own.set(ipOf(fact), fact.mac);
  }
  for (const link of world.interfaces) {
    const router = world.routers.find(({ id }) => id === link.router);
    if (link.network === from.fact.network && router?.adminStateUp) own.set(link.ip, link.mac);
  }
  for (const subnet of world.subnets) {
    if (subnet.network === from.fact.network && subnet.enableDhcp) own.set(subnet.serverIp, subnet.serverMac);
  }
  const asked = new Set([...world.ports.map(({ fact }) => ipOf(fact)), ...world.interfaces.map(({ ip }) => ip)]);
  for (const ip of asked) {
    if (ip === ipOf(from.fact)) continue;
    const request = arpRequest(sender(from), ip);
    const mac = own.get(ip);
    if (mac === undefined) {
      const { to } = probe.send(from, request);
      if (to.includes(from))
        throw new Error(`${from.fact.name} gets an answer for ${ip}, which its network does not have`);
      continue;
    }
    const answer = decodeFrame(probe.reaches(from, request, from, `the answer for ${ip}`)).payload;
    if (
      answer.kind !== 'arp' ||
      answer.senderMac !== mac ||
      answer.senderIp !== ip ||
      answer.targetMac !== from.fact.mac
    ) {
      throw new Error(`${from.fact.name} gets a wrong answer for ${ip}`);
    }
  }
}

/** A question that nobody answers is heard by every other member once, wherever it is. */
function floods(probe: Probe, world: Topology, from: TopologyPort): void {
  const { to } = probe.send(from, arpRequest(sender(from), '10.1.9.99' as Ip));
  const names = (ports: readonly TopologyPort[]) =>
    ports
      .map(({ fact }) => fact.name)
      .sort()
      .join(' ');
  const members = world.ports.filter(({ fact }) => fact.network === from.fact.network && fact.adminStateUp);
  const expected = names(members.filter((member) => member !== from));
  if (names(to) !== expected)
    throw new Error(`a flood of ${from.fact.name} reaches '${names(to)}' instead of '${expected}'`);
}

function switches(probe: Probe, from: TopologyPort, to: TopologyPort): void {
  const frame = datagram(sender(from), sender(to));
  const arrived = probe.reaches(from, frame, to, 'a frame');
  if (Buffer.compare(arrived, frame) !== 0) throw new Error('a switched frame arrives changed');
  if (!from.fact.portSecurity) return;
  const forger = { mac: '02:00:00:00:00:99' as Mac, ip: ipOf(from.fact) };
  probe.reachesNobody(from, datagram(forger, sender(to)), 'a frame with a forged MAC');
  const thief = { mac: from.fact.mac, ip: '10.1.1.99' as Ip };
  probe.reachesNobody(from, datagram(thief, sender(to)), 'a frame with a forged address');
}

function routes(probe: Probe, world: Topology, from: TopologyPort, to: TopologyPort): void {
  const gateway = world.interfaces.find(
    ({ network, ip }) =>
      network === from.fact.network &&
      ip.endsWith('.1') &&
      ip ===
        at(
          world.subnets.filter((s) => s.network === network),
          0,
        ).gatewayIp,
  );
  if (!gateway) return;
  const router = world.routers.find(({ id }) => id === gateway.router);
  const far = world.interfaces.find((link) => link.router === gateway.router && link.network === to.fact.network);
  const frame = datagram(sender(from), { mac: gateway.mac, ip: ipOf(to.fact) });
  if (!router?.adminStateUp || !far) {
    probe.staysInside(from, frame, 'a frame without a route');
    return;
  }
  const arrived = decodeFrame(probe.reaches(from, frame, to, 'a routed frame'));
  if (arrived.source !== far.mac || arrived.destination !== to.fact.mac)
    throw new Error('a routed frame has wrong MACs');
  if (arrived.payload.kind !== 'ipv4' || arrived.payload.ttl !== 63 || arrived.payload.payload.kind !== 'udp') {
    throw new Error('a routed frame arrives broken');
  }
  for (const ip of [gateway.ip, far.ip]) {
    const echo = decodeFrame(probe.reaches(from, echoRequest(sender(from), { mac: gateway.mac, ip }), from, 'an echo'));
    if (echo.payload.kind !== 'ipv4' || echo.payload.source !== ip)
      throw new Error('a router answers with another address');
  }
}

const worlds = fc.tuple(topology, fc.array(odd, { minLength: 8, maxLength: 16 }));

/** All rows of these tables, as if this field were not in their matches. */
function ignoring(field: Field, tables: readonly TableName[]): (plan: Plan) => Plan {
  const numbers = tables.map(tableNumber);
  return (plan) => {
    const flows = new Map<string, Flow>();
    for (const flow of plan.flows) {
      const match: Match = numbers.includes(flow.table)
        ? Object.fromEntries(Object.entries(flow.match).filter(([name]) => name !== field))
        : flow.match;
      const place = `${flow.table} ${flow.priority} ${Object.entries(match)
        .map(([name, m]) => `${name}=${m.value}/${m.mask ?? ''}`)
        .join()}`;
      if (!flows.has(place)) flows.set(place, { ...flow, match });
    }
    return { ...plan, flows: [...flows.values()] };
  };
}

describe('any two projects with the same addresses and MACs', () => {
  it('have every pair talking that should, and nothing between them', () => {
    fc.assert(
      fc.property(worlds, ([world, oddities]) => holds(world, oddities)),
      { numRuns: TOPOLOGIES, seed: SEED },
    );
  });

  const reachesOther = /^a frame of port-(\d)\S* reaches port-(?!\1)/;
  const faults: [name: string, fault: (plan: Plan) => Plan, seen: RegExp][] = [
    [
      'the network key is matched nowhere',
      ignoring(
        'metadata',
        TABLES.map(({ name }) => name),
      ),
      /reaches|answer/,
    ],
    ['the network key is not matched when switching', ignoring('metadata', ['SWITCH']), reachesOther],
    [
      'the network key is not matched by the services',
      ignoring('metadata', ['SERVICES']),
      /which its network does not have/,
    ],
    ['the key of a tunnel is not matched', ignoring('tun_id', ['CLASSIFY']), /reaches/],
    ['the router is not matched when routing', ignoring('reg3', ['ROUTE']), /reaches/],
    ['the interface is not matched for the next hop', ignoring('reg9', ['NEIGHBOR']), /reaches|wrong MACs/],
    ['the source is not matched by port security', ignoring('ip_src', ['PORT_SECURITY']), /forged address/],
    ['frames from the fabric are not told apart', ignoring('reg0', ['SWITCH']), /flood/],
  ];
  it.each(faults)('are found out when %s', (_name, fault, seen) => {
    const found = fc.check(
      fc.property(worlds, ([world, oddities]) => holds(world, oddities, fault)),
      { numRuns: TOPOLOGIES, seed: SEED, endOnFailure: true },
    );
    expect(found.errorInstance).toMatchObject({ message: expect.stringMatching(seen) as unknown });
  });
});
