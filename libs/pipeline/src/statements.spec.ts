import type { Ip, Mac } from '@weir/kernel';
import {
  ARP_REPLY,
  decodeFrame,
  encodeFrame,
  type Frame,
  icmpTimeExceeded,
  type IcmpMessage,
  ipv4,
  type Ipv4Packet,
  tcp,
  udp,
} from '@weir/packet';
import {
  arpRequest,
  buildTopology,
  compilerAt,
  datagram,
  echoRequest,
  fabricOf,
  ofportOf,
  type Topology,
  TUNNEL_PORT,
  type TopologyPort,
} from '@weir/testing/topology';
import { type Fabric, type Journey, SwitchModel } from './interpreter';
import { cookieOf } from './owner';
import { FROM_FABRIC, KNOWN, REPLY, tableName, tableNumber } from './tables';

/**
 * The statements of `acceptance/dataplane.md` that are about flows, on the interpreter; the same names run on Open vSwitch in the lab.
 * Project A: blue 10.1.1.0/24 with a1 b1 (h1) and c2 (h2); green 10.1.2.0/24 with g1 (h1) and g2 (h2), a router between them; plain
 * 10.1.3.0/24 without DHCP or router: p1 (h1), p2 (h2), and q1 (h1) without port security. Project B has A's addresses and MACs: x1 (h1),
 * y3 (h3, where nobody of A is), z1 (h1).
 */
const on = (host: number, secure = true) => ({ host, up: true, secure });
const world: Topology = buildTopology({
  hosts: 3,
  projects: [
    {
      networks: [
        { dhcp: true, ports: [on(0), on(0), on(1)] },
        { dhcp: true, ports: [on(0), on(1)] },
        { dhcp: false, ports: [on(0), on(1), on(0, false)] },
      ],
      routers: [{ up: true, networks: [0, 1] }],
    },
    {
      networks: [
        { dhcp: true, ports: [on(0), on(2)] },
        { dhcp: true, ports: [on(0)] },
      ],
      routers: [{ up: true, networks: [0, 1] }],
    },
  ],
});
const names = ['a1', 'b1', 'c2', 'g1', 'g2', 'p1', 'p2', 'q1', 'x1', 'y3', 'z1'];

const GATEWAY = { blue: '10.1.1.1' as Ip, green: '10.1.2.1' as Ip };
const GATEWAY_MAC = { blue: 'fa:16:3e:00:01:01' as Mac, green: 'fa:16:3e:00:02:01' as Mac };
const NOBODY = '02:00:00:00:00:77' as Mac;
const BROADCAST = 'ff:ff:ff:ff:ff:ff' as Mac;

function port(name: string): TopologyPort {
  const found = world.ports[names.indexOf(name)];
  if (!found) throw new RangeError(`No port ${name}.`);
  return found;
}

function own(name: string): { mac: Mac; ip: Ip } {
  const { fact } = port(name);
  return { mac: fact.mac, ip: fact.fixedIps[0]?.ip ?? ('0.0.0.0' as Ip) };
}

let fabric: Fabric;
beforeEach(() => {
  fabric = fabricOf(world);
});

function send(from: string, frame: Uint8Array): Journey {
  const { host } = port(from);
  return fabric.send(host.name, ofportOf(world, port(from)), frame);
}

/** Who gets a copy, in order. */
function receivers(journey: Journey): string[] {
  return journey.deliveries
    .map(
      ({ host, port: number }) =>
        names.find((name) => port(name).host.name === host && ofportOf(world, port(name)) === number) ?? '?',
    )
    .sort();
}

function onlyFrame(journey: Journey): Frame {
  const [delivery, ...others] = journey.deliveries;
  if (!delivery || others.length > 0) throw new Error(`${journey.deliveries.length} copies instead of one.`);
  return decodeFrame(delivery.frame);
}

function ipOf(frame: Frame): Ipv4Packet {
  if (frame.payload.kind !== 'ipv4') throw new Error('No IPv4 packet, or a broken one.');
  return frame.payload;
}

/** Frames on tunnels: from which host, under which key, to which endpoint, and the frame. */
function onTunnels(journey: Journey): { host: string; id: number; dst: Ip; frame: Frame }[] {
  return journey.hops.flatMap(({ host, result }) =>
    result.outputs.flatMap(({ tunnel, frame }) => (tunnel ? [{ host, ...tunnel, frame: decodeFrame(frame) }] : [])),
  );
}

/** The tables that a frame went through on its first host, in order. */
function path(journey: Journey): string[] {
  return journey.hops[0]?.result.trace.map(({ table }) => tableName(table)) ?? [];
}

function toGateway(from: string, packet: Partial<Omit<Ipv4Packet, 'kind'>>): Uint8Array {
  const source = own(from);
  const payload = udp(4000, 4001, new Uint8Array(8));
  const whole = ipv4({ source: source.ip, destination: own('g2').ip, payload, ...packet });
  return encodeFrame({ source: source.mac, destination: GATEWAY_MAC.blue, payload: whole });
}

function dhcp(
  from: string,
  change: { source?: Ip; mac?: Mac; ports?: [number, number]; moreFragments?: boolean } = {},
): Uint8Array {
  const [source, destination] = change.ports ?? [68, 67];
  return encodeFrame({
    source: change.mac ?? own(from).mac,
    destination: BROADCAST,
    payload: ipv4({
      source: change.source ?? ('0.0.0.0' as Ip),
      destination: '255.255.255.255' as Ip,
      payload: udp(source, destination, new Uint8Array(240)),
      moreFragments: change.moreFragments ?? false,
    }),
  });
}

describe('distributed routing', () => {
  it('A3: answers ARP for the gateway, and a routed packet leaves its host with the MACs of the target network and one hop less', () => {
    const answer = onlyFrame(send('a1', arpRequest(own('a1'), GATEWAY.blue)));
    expect(answer.payload).toMatchObject({
      kind: 'arp',
      operation: ARP_REPLY,
      senderMac: GATEWAY_MAC.blue,
      senderIp: GATEWAY.blue,
    });

    const journey = send('a1', datagram(own('a1'), { ...own('g2'), mac: GATEWAY_MAC.blue }));
    const [crossing, ...others] = onTunnels(journey);
    expect(others).toEqual([]);
    expect(crossing).toMatchObject({
      host: 'h1',
      id: 10_001,
      dst: '198.51.100.2',
      frame: { source: GATEWAY_MAC.green, destination: own('g2').mac, payload: { ttl: 63 } },
    });
    expect(receivers(journey)).toEqual(['g2']);
    expect(onlyFrame(journey)).toEqual(crossing?.frame);
    const there = journey.hops[1]?.result.trace.map(({ table }) => tableName(table));
    expect(there).toEqual(['CLASSIFY', 'CLASSIFY', 'SWITCH', 'DELIVER', 'OUTPUT']);
  });

  it("A5: takes frames to the gateway's MAC out of switching, and no others", () => {
    expect(path(send('a1', datagram(own('a1'), { ...own('b1'), mac: GATEWAY_MAC.blue })))).toContain('ROUTE');
    expect(path(send('a1', datagram(own('a1'), own('b1'))))).not.toContain('ROUTE');
    const foreign = send('a1', datagram(own('a1'), { ...own('g1'), mac: GATEWAY_MAC.green }));
    expect(path(foreign)).not.toContain('ROUTE');
    expect(receivers(foreign)).toEqual([]);
  });

  it('A6: sends a frame to a known MAC to its port only, and an unknown one to nobody, or where a member may have any address into its segment only', () => {
    expect(receivers(send('a1', datagram(own('a1'), own('c2'))))).toEqual(['c2']);
    expect(receivers(send('a1', datagram(own('a1'), { mac: NOBODY, ip: own('c2').ip })))).toEqual([]);
    expect(receivers(send('p1', datagram(own('p1'), { mac: NOBODY, ip: own('p2').ip })))).toEqual(['p2', 'q1']);
    expect(receivers(send('p2', datagram(own('p2'), { mac: NOBODY, ip: own('p1').ip })))).toEqual(['p1', 'q1']);
  });

  it('A12, G1: routes between ports of one host without a frame on any tunnel', () => {
    const journey = send('a1', datagram(own('a1'), { ...own('g1'), mac: GATEWAY_MAC.blue }));
    expect(receivers(journey)).toEqual(['g1']);
    expect(ipOf(onlyFrame(journey)).ttl).toBe(63);
    expect(onTunnels(journey)).toEqual([]);
  });

  it('leads what has no route, no neighbour or no time left to the controller, with the router and behind its meter', () => {
    const router = cookieOf({ kind: 'router', id: world.routers[0]?.id ?? '' });
    const why = (frame: Uint8Array) => {
      const journey = send('a1', frame);
      expect(journey.deliveries).toEqual([]);
      expect(journey.punts).toHaveLength(1);
      const [punt] = journey.punts;
      expect(punt?.meter).toBeGreaterThan(0);
      expect(punt?.registers.reg3).toBeGreaterThan(0n);
      return { reason: punt?.userdata, ofRouter: punt?.cookie === router };
    };
    expect(why(toGateway('a1', { destination: '192.0.2.1' as Ip }))).toEqual({
      reason: 'net unreachable',
      ofRouter: true,
    });
    expect(why(toGateway('a1', { destination: '10.1.2.99' as Ip }))).toEqual({
      reason: 'host unreachable',
      ofRouter: true,
    });
    expect(why(toGateway('a1', { ttl: 1 }))).toEqual({ reason: 'time exceeded', ofRouter: true });
    expect(why(toGateway('a1', { ttl: 0 }))).toEqual({ reason: 'time exceeded', ofRouter: true });
  });

  it('G18: leads a packet to the controller that is a byte larger than the target network takes', () => {
    const sized = (bytes: number) => toGateway('a1', { payload: udp(1, 2, new Uint8Array(bytes - 28)) });
    expect(receivers(send('a1', sized(1450)))).toEqual(['g2']);
    const journey = send('a1', sized(1451));
    expect(journey.deliveries).toEqual([]);
    expect(journey.punts.map(({ userdata }) => userdata)).toEqual(['too big']);
  });

  it("sends the controller's answer back by the router, past the check of its own addresses", () => {
    const punt = send('a1', toGateway('a1', { ttl: 1 })).punts[0];
    const answer = punt && icmpTimeExceeded(decodeFrame(punt.frame), { mac: GATEWAY_MAC.blue, ip: GATEWAY.blue });
    if (!punt || !answer) throw new Error('No answer.');
    const compiler = compilerAt(world, port('a1').host);
    const ports = [{ number: TUNNEL_PORT, tunnel: true }, { number: ofportOf(world, port('a1')) }];
    const { outputs } = new SwitchModel({ ...compiler.plan(), ports }).execute(encodeFrame(answer), [
      { type: 'set_field', field: 'reg3', value: punt.registers.reg3 ?? 0n },
      { type: 'set_field', field: 'reg0', value: BigInt(REPLY) },
      { type: 'resubmit', table: tableNumber('ROUTE') },
    ]);
    expect(outputs.map((output) => output.port)).toEqual([ofportOf(world, port('a1'))]);
    expect(ipOf(decodeFrame(outputs[0]?.frame ?? new Uint8Array()))).toMatchObject({
      source: GATEWAY.blue,
      destination: own('a1').ip,
    });
  });

  it('follows static routes: to an instance as next hop, and through another router', () => {
    const transit = buildTopology({
      hosts: 2,
      projects: [
        {
          networks: [
            { dhcp: true, ports: [on(0)] },
            { dhcp: true, ports: [on(1)] },
            { dhcp: true, ports: [on(1)] },
          ],
          routers: [
            { up: true, networks: [0, 1] },
            { up: true, networks: [1, 2] },
          ],
        },
      ],
    });
    const [near, middle, far] = transit.ports;
    const [first, second] = transit.routers;
    if (!near || !middle || !far || !first || !second) throw new Error('No such world.');
    const routed: Topology = {
      ...transit,
      routers: [
        {
          ...first,
          routes: [
            { destination: '10.1.3.0/24' as never, nexthop: '10.1.2.200' as Ip },
            { destination: '172.16.0.0/12' as never, nexthop: '10.1.2.11' as Ip },
          ],
        },
        { ...second, routes: [{ destination: '10.1.1.0/24' as never, nexthop: '10.1.2.1' as Ip }] },
      ],
    };
    const hosts = fabricOf(routed);
    const to = (ip: string) =>
      hosts.send(
        near.host.name,
        ofportOf(routed, near),
        datagram({ mac: near.fact.mac, ip: '10.1.1.11' as Ip }, { mac: GATEWAY_MAC.blue, ip: ip as Ip }),
      );
    const through = to('10.1.3.11');
    expect(through.deliveries.map(({ host, port: number }) => [host, number])).toEqual([['h2', ofportOf(routed, far)]]);
    expect(ipOf(onlyFrame(through)).ttl).toBe(62);
    const by = to('172.16.9.9');
    expect(by.deliveries.map(({ host, port: number }) => [host, number])).toEqual([['h2', ofportOf(routed, middle)]]);
    expect(onlyFrame(by)).toMatchObject({
      destination: middle.fact.mac,
      payload: { destination: '172.16.9.9', ttl: 63 },
    });
  });

  it('ends a packet that two routers send to each other when its time is over', () => {
    const ring = buildTopology({
      hosts: 1,
      projects: [
        {
          networks: [{ dhcp: true, ports: [on(0)] }],
          routers: [
            { up: true, networks: [0] },
            { up: true, networks: [0] },
          ],
        },
      ],
    });
    const [first, second] = ring.routers;
    const [from] = ring.ports;
    if (!first || !second || !from) throw new Error('No such world.');
    const everywhere = '0.0.0.0/0' as never;
    const looped = fabricOf({
      ...ring,
      routers: [
        { ...first, routes: [{ destination: everywhere, nexthop: '10.1.1.200' as Ip }] },
        { ...second, routes: [{ destination: everywhere, nexthop: '10.1.1.1' as Ip }] },
      ],
    });
    const frame = datagram(
      { mac: from.fact.mac, ip: '10.1.1.11' as Ip },
      { mac: GATEWAY_MAC.blue, ip: '192.0.2.1' as Ip },
    );
    const journey = looped.send('h1', ofportOf(ring, from), frame);
    expect(journey.deliveries).toEqual([]);
    expect(journey.punts.map(({ userdata }) => userdata)).toEqual(['time exceeded']);
  });
});

describe('DHCP', () => {
  it('B1, B2, B4: leads a client of a subnet with DHCP to the controller, by its port, behind its own meter, and to nobody else', () => {
    for (const source of ['0.0.0.0' as Ip, own('a1').ip]) {
      const journey = send('a1', dhcp('a1', { source }));
      expect(journey.deliveries).toEqual([]);
      expect(onTunnels(journey)).toEqual([]);
      const key = compilerAt(world, port('a1').host).environment.keys.port.get(port('a1').fact.id);
      expect(journey.punts).toMatchObject([
        { userdata: 'dhcp', inPort: ofportOf(world, port('a1')), registers: { reg1: BigInt(key ?? 0) }, meter: key },
      ]);
      expect(journey.punts[0]?.cookie).toBe(cookieOf({ kind: 'port', id: port('a1').fact.id }));
      expect(path(journey)).not.toContain('SWITCH');
    }
  });

  it("B3: leaves it to a tenant's own server where a subnet has none", () => {
    const journey = send('p1', dhcp('p1'));
    expect(journey.punts).toEqual([]);
    expect(receivers(journey)).toEqual(['p2', 'q1']);
    const answer = dhcp('p2', { source: own('p2').ip, ports: [67, 68] });
    expect(receivers(send('p2', answer))).toEqual(['p1', 'q1']);
  });

  it('B3: drops the answers of a server in an instance where we answer, and a client with a forged source', () => {
    for (const moreFragments of [false, true]) {
      const answer = dhcp('a1', { source: own('a1').ip, ports: [67, 68], moreFragments });
      expect(receivers(send('a1', answer))).toEqual([]);
    }
    expect(send('a1', dhcp('a1', { source: own('b1').ip })).punts).toEqual([]);
    expect(send('a1', dhcp('a1', { mac: own('b1').mac })).punts).toEqual([]);
  });
});

describe('the router in flows', () => {
  it('D1: classifies, then asks port security, then the services, then switches or routes, then delivers', () => {
    expect(path(send('a1', datagram(own('a1'), own('b1'))))).toEqual([
      'CLASSIFY',
      'PORT_SECURITY',
      'SERVICES',
      'SWITCH',
      'DELIVER',
      'OUTPUT',
    ]);
    expect(path(send('a1', datagram(own('a1'), { ...own('g1'), mac: GATEWAY_MAC.blue })))).toEqual([
      'CLASSIFY',
      'PORT_SECURITY',
      'SERVICES',
      'SWITCH',
      'NAT_IN',
      'ACL_OUT',
      'ROUTE',
      'NEIGHBOR',
      'ACL_IN',
      'NAT_OUT',
      'DELIVER',
      'OUTPUT',
    ]);
  });

  it('D2: does not ask traffic from a tunnel for its sender or for services again', () => {
    const there = send('a1', datagram(own('a1'), own('c2'))).hops[1];
    expect(there?.result.trace.map(({ table }) => tableName(table))).toEqual([
      'CLASSIFY',
      'CLASSIFY',
      'SWITCH',
      'DELIVER',
      'OUTPUT',
    ]);
  });

  it('D3: answers ARP for every router interface in the switch, and lets other ARP go on', () => {
    for (const [from, ip, mac] of [
      ['a1', GATEWAY.blue, GATEWAY_MAC.blue],
      ['g2', GATEWAY.green, GATEWAY_MAC.green],
    ] as const) {
      const journey = send(from, arpRequest(own(from), ip));
      expect(receivers(journey)).toEqual([from]);
      expect(journey.punts).toEqual([]);
      expect(onlyFrame(journey)).toMatchObject({ source: mac, destination: own(from).mac });
    }
    expect(receivers(send('a1', arpRequest(own('a1'), GATEWAY.green)))).toEqual(['b1', 'c2']);
  });

  it('D4: switches broadcast and multicast', () => {
    for (const mac of [BROADCAST, '01:00:5e:00:00:fb' as Mac]) {
      const journey = send('a1', datagram(own('a1'), { mac, ip: '224.0.0.251' as Ip }));
      expect(receivers(journey)).toEqual(['b1', 'c2']);
      expect(path(journey)).not.toContain('ROUTE');
    }
  });

  it('D5, G1: never routes inside a subnet, where MACs and hops stay', () => {
    for (const to of ['b1', 'c2']) {
      const frame = datagram(own('a1'), own(to));
      const journey = send('a1', frame);
      expect(receivers(journey)).toEqual([to]);
      expect(journey.deliveries[0]?.frame).toEqual(frame);
      expect(path(journey)).not.toContain('NAT_IN');
      expect(onTunnels(journey)).toHaveLength(to === 'c2' ? 1 : 0);
    }
  });

  it("D6: answers a ping to each of the router's addresses on the asking host", () => {
    for (const [from, mac] of [
      ['a1', GATEWAY_MAC.blue],
      ['g2', GATEWAY_MAC.green],
    ] as const) {
      for (const ip of [GATEWAY.blue, GATEWAY.green]) {
        const journey = send(from, echoRequest(own(from), { mac, ip }));
        expect(receivers(journey)).toEqual([from]);
        expect(onTunnels(journey)).toEqual([]);
        const answer = ipOf(onlyFrame(journey));
        expect(answer).toMatchObject({ source: ip, destination: own(from).ip, ttl: 254 });
        expect(answer.payload).toMatchObject({
          type: 'echo-reply',
          identifier: 7,
          sequence: 1,
        } satisfies Partial<IcmpMessage>);
      }
    }
  });

  it("G6: leads other packets to the router's address to the controller, as port unreachable, and drops those that come from it", () => {
    for (const payload of [
      udp(5000, 53, new Uint8Array(4)),
      tcp({ sourcePort: 5000, destinationPort: 22, flags: { syn: true } }),
    ]) {
      const journey = send('a1', toGateway('a1', { destination: GATEWAY.blue, payload }));
      expect(journey.deliveries).toEqual([]);
      expect(journey.punts.map(({ userdata }) => userdata)).toEqual(['port unreachable']);
    }

    const trusting = buildTopology({
      hosts: 1,
      projects: [{ networks: [{ dhcp: true, ports: [on(0, false), on(0)] }], routers: [{ up: true, networks: [0] }] }],
    });
    const [from, to] = trusting.ports;
    if (!from || !to) throw new Error('No such world.');
    const frame = (ip: Ip) => datagram({ mac: from.fact.mac, ip }, { mac: GATEWAY_MAC.blue, ip: '10.1.1.12' as Ip });
    const sent = (ip: Ip) => fabricOf(trusting).send('h1', ofportOf(trusting, from), frame(ip)).deliveries.length;
    expect(sent('10.9.9.9' as Ip)).toBe(1);
    expect(sent(GATEWAY.blue)).toBe(0);
  });
});

describe('port security', () => {
  it.each([
    ['another MAC', { mac: NOBODY }],
    ["another port's MAC", { mac: own('b1').mac }],
    ['another address', { ip: '10.1.1.66' as Ip }],
    ["another port's address", { ip: own('b1').ip }],
    ["the gateway's address", { ip: GATEWAY.blue }],
  ])('drops a datagram and an ARP request with %s', (_what, forged) => {
    const liar = { ...own('a1'), ...forged };
    for (const frame of [datagram(liar, own('c2')), arpRequest(liar, '10.1.1.77' as Ip)]) {
      const journey = send('a1', frame);
      expect(journey.deliveries).toEqual([]);
      expect(path(journey).at(-1)).toBe('PORT_SECURITY');
    }
  });

  it('drops ARP whose sender MAC is not that of its frame, and lets probes and RARP of the own MAC through', () => {
    const lying = decodeFrame(arpRequest({ mac: own('b1').mac, ip: own('a1').ip }, own('c2').ip));
    expect(receivers(send('a1', encodeFrame({ ...lying, source: own('a1').mac })))).toEqual([]);
    expect(receivers(send('a1', arpRequest({ mac: own('a1').mac, ip: '0.0.0.0' as Ip }, '10.1.1.50' as Ip)))).toEqual([
      'b1',
      'c2',
    ]);
    const rarp = encodeFrame({
      source: own('a1').mac,
      destination: BROADCAST,
      payload: {
        kind: 'rarp',
        operation: 3,
        senderMac: own('a1').mac,
        senderIp: '0.0.0.0' as Ip,
        targetMac: own('a1').mac,
        targetIp: '0.0.0.0' as Ip,
      },
    });
    expect(receivers(send('a1', rarp))).toEqual(['b1', 'c2']);
  });

  it("tells a network of a port's own address, which nobody answers", () => {
    expect(receivers(send('a1', arpRequest(own('a1'), own('a1').ip)))).toEqual(['b1', 'c2']);
    expect(receivers(send('a1', arpRequest({ ...own('a1'), ip: '0.0.0.0' as Ip }, own('a1').ip)))).toEqual([
      'b1',
      'c2',
    ]);
  });

  it('drops IPv6, and lets a port without it send what it likes inside its network', () => {
    const ipv6 = (from: string) =>
      encodeFrame({
        source: own(from).mac,
        destination: BROADCAST,
        payload: { kind: 'raw', etherType: 0x86dd, bytes: new Uint8Array(60) },
      });
    expect(receivers(send('a1', ipv6('a1')))).toEqual([]);
    expect(receivers(send('q1', ipv6('q1')))).toEqual(['p1', 'p2']);
    expect(receivers(send('q1', datagram({ mac: NOBODY, ip: '8.8.8.8' as Ip }, own('p2'))))).toEqual(['p2']);
  });
});

describe('tunnels', () => {
  it('F2, G11: takes the keys of its networks from its peers, drops unknown ones, and counts them', () => {
    const host = port('c2').host;
    const plan = compilerAt(world, host).plan();
    const ports = [{ number: TUNNEL_PORT, tunnel: true }, { number: ofportOf(world, port('c2')) }];
    const model = new SwitchModel({ ...plan, ports });
    const arrive = (id: number, src: string) =>
      model.process({ inPort: TUNNEL_PORT, frame: datagram(own('a1'), own('c2')), tunnel: { id, src: src as Ip } })
        .outputs.length;
    const dropped = (what: string) => model.packetsOf(cookieOf({ kind: 'pipeline', id: what }));

    expect(arrive(10_000, '198.51.100.1')).toBe(1);
    expect(dropped('unknown key')).toBe(0n);
    expect(arrive(99_999, '198.51.100.1')).toBe(0);
    expect(arrive(10_003, '198.51.100.1')).toBe(0);
    expect(dropped('unknown key')).toBe(2n);
    expect(arrive(10_000, '198.51.100.66')).toBe(0);
    expect(dropped('unknown peer')).toBe(1n);
  });

  it('F3, G14: sends the first frame to the one host that has the MAC', () => {
    const journey = send('a1', datagram(own('a1'), own('c2')));
    expect(onTunnels(journey)).toMatchObject([{ id: 10_000, dst: '198.51.100.2' }]);
    expect(journey.hops.map(({ host }) => host)).toEqual(['h1', 'h2']);
  });

  it('F4: floods to hosts with members only, once each', () => {
    const unanswered = (from: string) => send(from, arpRequest(own(from), '10.1.9.9' as Ip));
    expect(onTunnels(unanswered('a1')).map(({ dst }) => dst)).toEqual(['198.51.100.2']);
    expect(onTunnels(unanswered('x1')).map(({ dst }) => dst)).toEqual(['198.51.100.3']);
    expect(onTunnels(unanswered('z1'))).toEqual([]);
  });

  it('F5: answers ARP for known addresses on the host, so that none reaches a tunnel', () => {
    for (const target of ['b1', 'c2']) {
      const journey = send('a1', arpRequest(own('a1'), own(target).ip));
      expect(onTunnels(journey)).toEqual([]);
      expect(receivers(journey)).toEqual(['a1']);
      expect(onlyFrame(journey).payload).toMatchObject({ senderMac: own(target).mac, senderIp: own(target).ip });
    }
  });

  it('F6: keeps networks of one host apart without a tunnel', () => {
    const journey = send('a1', datagram(own('a1'), own('g1')));
    expect(journey.deliveries).toEqual([]);
    expect(onTunnels(journey)).toEqual([]);
    expect(receivers(send('a1', datagram(own('a1'), { mac: BROADCAST, ip: '255.255.255.255' as Ip })))).toEqual([
      'b1',
      'c2',
    ]);
  });

  it('G11: never sends a frame from the fabric into a tunnel, flooded or not', () => {
    for (const destination of [BROADCAST, own('c2').mac, GATEWAY_MAC.blue, NOBODY]) {
      for (const src of ['198.51.100.2', '198.51.100.1'] as Ip[]) {
        for (const host of ['h1', 'h2']) {
          const journey = fabric.receive(
            host,
            { id: 10_000, src },
            datagram(own('c2'), { mac: destination, ip: own('g2').ip }),
          );
          expect(onTunnels(journey)).toEqual([]);
        }
      }
    }
  });

  it('G11: tells frames from the fabric apart from those that were routed here', () => {
    const step = send('a1', datagram(own('a1'), own('c2'))).hops[1]?.result.trace[0];
    expect(step?.flow?.actions[0]).toMatchObject({ field: 'reg0', value: BigInt(FROM_FABRIC | KNOWN) });
  });
});

describe('two projects with equal addresses and MACs (G9)', () => {
  it('get each its own ARP answers, DHCP port and routed packets', () => {
    expect(own('a1')).toEqual(own('x1'));
    expect(receivers(send('x1', arpRequest(own('x1'), own('b1').ip)))).toEqual(['x1']);
    expect(receivers(send('x1', arpRequest(own('x1'), own('c2').ip)))).toEqual(['y3']);
    expect(send('x1', dhcp('x1')).punts[0]?.cookie).toBe(cookieOf({ kind: 'port', id: port('x1').fact.id }));
    expect(receivers(send('a1', datagram(own('a1'), { ...own('g1'), mac: GATEWAY_MAC.blue })))).toEqual(['g1']);
    expect(receivers(send('x1', datagram(own('x1'), { ...own('z1'), mac: GATEWAY_MAC.blue })))).toEqual(['z1']);
    expect(receivers(send('x1', datagram(own('x1'), { ...own('g2'), mac: GATEWAY_MAC.blue })))).toEqual([]);
    expect(receivers(send('a1', datagram(own('a1'), own('b1'))))).toEqual(['b1']);
    expect(receivers(send('x1', datagram(own('x1'), own('y3'))))).toEqual(['y3']);
  });

  it('leave no row of one on a host that only the other is on (G10)', () => {
    const plan = compilerAt(world, port('y3').host).plan();
    const keys = plan.flows.flatMap(({ match }) => (match.tun_id ? [match.tun_id.value] : []));
    expect(keys).toEqual([10_003n]);
    expect(plan.flows.filter(({ match }) => match.tun_src).map(({ match }) => match.tun_src?.value)).toEqual([
      0xc6336401n,
    ]);
  });
});
