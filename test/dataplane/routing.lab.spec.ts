import { BROADCAST_MAC, type Ip, type Mac } from '@weir/kernel';
import { ovsVsctl, run } from '@weir/lab';
import { deviceOf } from '@weir/local-controller';
import { ARP_REPLY } from '@weir/packet';
import { arpRequest, datagram, echoRequest } from '@weir/testing/topology';
import { Fabric } from './fabric';
import { ofportOf, packetsDuring, pathOf } from './flows';
import { delivered, ipOf, receivers } from './wire';
import type { End, RouterPlan } from './world';

jest.setTimeout(30_000);

const NOBODY = '02:00:00:00:aa:77' as Mac;

/** Blue and green with a router between them; plain without one, in which q1 may send from any address. */
describe('the router in flows', () => {
  let fabric: Fabric;

  beforeAll(async () => {
    fabric = await Fabric.create({
      networks: {
        blue: { project: 'acme', cidr: '10.1.1.0/24', key: 10_001 },
        green: { project: 'acme', cidr: '10.1.2.0/24', key: 10_002 },
        plain: { project: 'acme', cidr: '10.1.3.0/24', key: 10_003, dhcp: false },
      },
      routers: { edge: { project: 'acme', networks: ['blue', 'green'] } },
      instances: {
        b1: { network: 'blue', host: 'paris-1', place: 11 },
        b2: { network: 'blue', host: 'paris-2', place: 12 },
        b4: { network: 'blue', host: 'paris-1', place: 14 },
        g1: { network: 'green', host: 'paris-1', place: 11 },
        g3: { network: 'green', host: 'tokyo-1', place: 13 },
        p1: { network: 'plain', host: 'paris-1', place: 11 },
        p2: { network: 'plain', host: 'paris-2', place: 12 },
        q1: { network: 'plain', host: 'paris-1', place: 13, portSecurity: false },
      },
    });
  });

  afterAll(() => fabric.destroy());

  /** A datagram that its sender gives to the gateway. */
  const routed = (from: string, to: string): Uint8Array =>
    datagram(fabric.end(from), { ...fabric.end(to), mac: fabric.gateway('blue').mac });
  const switched = (from: string, to: string): Uint8Array => datagram(fabric.end(from), fabric.end(to));
  const hostOf = (instance: string) => fabric.hostOf(instance).lab;

  it('A3: answers ARP for the gateway, and a routed packet leaves its host with the MACs of the target network and one hop less; the other host only switches it', async () => {
    const asked = await fabric.send('b1', arpRequest(fabric.end('b1'), fabric.gateway('blue').ip));
    expect(asked.crossings).toEqual([]);
    expect(receivers(asked)).toEqual(['b1']);
    expect(delivered(asked).payload).toMatchObject({
      kind: 'arp',
      operation: ARP_REPLY,
      senderMac: fabric.gateway('blue').mac,
      senderIp: fabric.gateway('blue').ip,
    });

    const tables = await packetsDuring(hostOf('g3'), async () => {
      const journey = await fabric.send('b1', routed('b1', 'g3'));
      expect(journey.crossings).toMatchObject([
        {
          host: 'paris-1',
          to: hostOf('g3').underlay,
          vni: 10_002,
          frame: { source: fabric.gateway('green').mac, destination: fabric.end('g3').mac, payload: { ttl: 63 } },
        },
      ]);
      expect(receivers(journey)).toEqual(['g3']);
      expect(delivered(journey)).toEqual(journey.crossings[0]?.frame);
    });
    expect(tables).toEqual({ CLASSIFY: 2, SWITCH: 1, DELIVER: 1, OUTPUT: 1 });
    expect((await fabric.ping('b1', 'g3')).received).toBe(2);
  });

  it("A5: takes frames to the gateway's MAC out of switching, and no others", async () => {
    const journey = await fabric.send('b1', routed('b1', 'b4'), switched('b1', 'b4'));
    expect(receivers(journey)).toEqual(['b4', 'b4']);
    expect(journey.deliveries.map(({ frame }) => [frame.source, ipOf(frame).ttl])).toEqual([
      [fabric.gateway('blue').mac, 63],
      [fabric.end('b1').mac, 64],
    ]);
    const foreign = datagram(fabric.end('b1'), { ...fabric.end('g1'), mac: fabric.gateway('green').mac });
    expect(await fabric.send('b1', foreign)).toEqual({ deliveries: [], crossings: [] });
  });

  it('A6: sends a frame to a known MAC to its port only, and an unknown one to nobody, or where a member may have any address into its segment only', async () => {
    const known = await fabric.send('b1', switched('b1', 'b2'));
    expect(receivers(known)).toEqual(['b2']);
    expect(known.crossings.map(({ to }) => to)).toEqual([hostOf('b2').underlay]);

    const unknown = (from: string): Uint8Array => datagram(fabric.end(from), { mac: NOBODY, ip: fabric.end(from).ip });
    expect(await fabric.send('b1', unknown('b1'))).toEqual({ deliveries: [], crossings: [] });
    const flooded = await fabric.send('p1', unknown('p1'));
    expect(receivers(flooded)).toEqual(['p2', 'q1']);
    expect(flooded.crossings.map(({ to, vni }) => [to, vni])).toEqual([[hostOf('p2').underlay, 10_003]]);
  });

  it.each([
    ['another MAC', { mac: NOBODY }],
    ["another instance's MAC", { mac: 'fa:16:3e:01:01:0e' as Mac }],
    ["another instance's address", { ip: '10.1.1.14' as Ip }],
    ["the gateway's address", { ip: '10.1.1.1' as Ip }],
  ])(
    'drops a datagram and an ARP request from %s, and lets the honest ones behind them through',
    async (_what, forged) => {
      const liar = { ...fabric.end('b1'), ...forged };
      const frames = (from: End): Uint8Array[] => [
        datagram(from, fabric.end('b2')),
        arpRequest(from, '10.1.1.99' as Ip),
      ];
      expect(await fabric.send('b1', ...frames(liar))).toEqual({ deliveries: [], crossings: [] });
      expect(receivers(await fabric.send('b1', ...frames(fabric.end('b1'))))).toEqual(['b2', 'b2', 'b4']);
    },
  );

  it('D1: classifies, then asks port security, then the services, then switches or routes, then delivers', async () => {
    const host = hostOf('b1');
    const inPort = await ofportOf(host, deviceOf(fabric.portOf('b1')));
    expect(await pathOf(host, inPort, switched('b1', 'b4'))).toEqual([
      'CLASSIFY',
      'PORT_SECURITY',
      'SERVICES',
      'SWITCH',
      'DELIVER',
      'OUTPUT',
    ]);
    expect(await pathOf(host, inPort, routed('b1', 'g1'))).toEqual([
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

  it('D2: does not ask traffic from a tunnel for its sender or for services again', async () => {
    let journey;
    const tables = await packetsDuring(
      hostOf('b2'),
      async () => (journey = await fabric.send('b1', switched('b1', 'b2'))),
    );
    expect(journey).toMatchObject({ deliveries: [{ to: 'b2' }] });
    // With the broadcast behind it two packets, each of which goes through CLASSIFY twice.
    expect(tables).toEqual({ CLASSIFY: 4, SWITCH: 2, DELIVER: 2, OUTPUT: 2 });
  });

  it('D3: answers ARP for every router interface in the switch, and lets other ARP go on', async () => {
    const host = fabric.hostOf('b1');
    const punts = host.punts.length;
    for (const [from, network] of [
      ['b1', 'blue'],
      ['g1', 'green'],
    ] as const) {
      const { ip, mac } = fabric.gateway(network);
      const journey = await fabric.send(from, arpRequest(fabric.end(from), ip));
      expect(receivers(journey)).toEqual([from]);
      expect(delivered(journey)).toMatchObject({ source: mac, destination: fabric.end(from).mac });
      expect(journey.crossings).toEqual([]);
    }
    const other = await fabric.send('b1', arpRequest(fabric.end('b1'), fabric.gateway('green').ip));
    expect(receivers(other)).toEqual(['b2', 'b4']);
    expect(host.punts).toHaveLength(punts);
  });

  it.each([
    ['broadcast', BROADCAST_MAC],
    ['multicast', '01:00:5e:00:00:fb' as Mac],
  ])('D4: switches %s to all others in its network, and does not route it', async (_what, mac) => {
    let journey;
    const frame = datagram(fabric.end('b1'), { mac, ip: '224.0.0.251' as Ip });
    const tables = await packetsDuring(hostOf('b1'), async () => (journey = await fabric.send('b1', frame)));
    expect(journey).toMatchObject({ deliveries: [{ to: 'b2' }, { to: 'b4' }], crossings: [{ host: 'paris-1' }] });
    expect(tables).toMatchObject({ SWITCH: 2 });
    expect(tables).not.toHaveProperty('ROUTE');
  });

  it('D5: never routes inside a subnet, where MACs and hops stay', async () => {
    const tables = await packetsDuring(hostOf('b1'), async () => {
      const journey = await fabric.send('b1', switched('b1', 'b2'), switched('b1', 'b4'));
      expect(receivers(journey)).toEqual(['b2', 'b4']);
      for (const { to, frame } of journey.deliveries) {
        expect(frame).toMatchObject({ source: fabric.end('b1').mac, destination: fabric.end(to).mac });
        expect(ipOf(frame).ttl).toBe(64);
      }
    });
    expect(tables).not.toHaveProperty('NAT_IN');
    expect(tables).not.toHaveProperty('ROUTE');
  });

  it("D6: answers a ping to each of the router's addresses on the asking host, in flow", async () => {
    const host = fabric.hostOf('g3');
    const punts = host.punts.length;
    for (const network of ['blue', 'green']) {
      const { ip } = fabric.gateway(network);
      const journey = await fabric.send('b1', echoRequest(fabric.end('b1'), { mac: fabric.gateway('blue').mac, ip }));
      expect(journey.crossings).toEqual([]);
      expect(receivers(journey)).toEqual(['b1']);
      expect(ipOf(delivered(journey))).toMatchObject({
        source: ip,
        destination: fabric.end('b1').ip,
        payload: { kind: 'icmp', type: 'echo-reply', identifier: 7, sequence: 1 },
      });
      expect((await fabric.ping('g3', ip)).received).toBe(2);
    }
    expect(host.punts).toHaveLength(punts);
  });

  it('D9: makes no namespace, bridge, port or device for a router', async () => {
    const traces = async () => {
      const { stdout: namespaces } = await run('ip', ['netns', 'list']);
      const { netns } = hostOf('b1');
      const { stdout: links } = await run('ip', ['-n', netns, '-brief', 'link']);
      return {
        namespaces: namespaces.split('\n').filter((line) => line.includes(fabric.lab.id)).length,
        links: links.trim().split('\n').length,
        bridges: await ovsVsctl(hostOf('b1'), ['list-br']),
        ports: await ovsVsctl(hostOf('b1'), ['list-ports', 'br-int']),
      };
    };
    const before = await traces();
    const further = (index: number): [string, RouterPlan] => [
      `further-${index}`,
      { project: 'acme', networks: ['blue', 'plain'], place: 200 + index },
    ];
    await fabric.add({ routers: Object.fromEntries(Array.from({ length: 20 }, (_, index) => further(index))) });
    for (const [from, ip] of [
      ['b1', '10.1.1.200'],
      ['b1', '10.1.1.219'],
      ['p1', '10.1.3.219'],
    ] as const)
      expect((await fabric.ping(from, ip as Ip)).received).toBe(2);
    expect(await traces()).toEqual(before);
  });

  it('G1: sends nothing into a tunnel between two instances of one host, switched or routed; inside the subnet MACs and hops stay', async () => {
    const journey = await fabric.send('b1', switched('b1', 'b4'), routed('b1', 'g1'));
    expect(receivers(journey)).toEqual(['b4', 'g1']);
    expect(journey.crossings).toEqual([]);
    expect(journey.deliveries.map(({ to, frame }) => [to, frame.source, ipOf(frame).ttl])).toEqual([
      ['b4', fabric.end('b1').mac, 64],
      ['g1', fabric.gateway('green').mac, 63],
    ]);
    fabric.wire.clear();
    for (const to of ['b4', 'g1']) expect((await fabric.ping('b1', to)).received).toBe(2);
    expect((await fabric.journey()).crossings).toEqual([]);
    // The tunnels are there all the same.
    expect((await fabric.ping('b1', 'b2')).received).toBe(2);
    expect((await fabric.journey()).crossings).not.toEqual([]);
  });
});
