import { CandidateTaken, candidateSegment, createNetwork, InvalidInput, type Segment } from '@weir/domain';
import { BROADCAST_MAC, type Ip, type Mac, systemRandom } from '@weir/kernel';
import { inject, ovsVsctl, run, waitFor } from '@weir/lab';
import { deviceOf } from '@weir/local-controller';
import { encodeFrame, encodeVxlan, ipv4, udp, VXLAN_PORT } from '@weir/packet';
import { cookieOf, type Owner, TABLES } from '@weir/pipeline';
import { Log, sample } from '@weir/testing/domain';
import { arpRequest, datagram } from '@weir/testing/topology';
import { Fabric } from './fabric';
import { countedFlowsOf, flowsOf } from './flows';
import { type Crossing, delivered, receivers } from './wire';
import { idOf, type InstancePlan } from './world';

jest.setTimeout(30_000);

const NOBODY = '02:00:00:00:aa:77' as Mac;

/**
 * Project acme: blue with two instances in Paris (b1 and b4 on one host, b2) and one in Tokyo (b3), green with g1 and g2 in Paris, a router between them.
 * Project beta has acme's addresses and MACs: red with r1 beside b1, r4 on tokyo-2, and lone with l1 and l5 on one host only, a router between them.
 */
describe('tunnels', () => {
  let fabric: Fabric;

  beforeAll(async () => {
    fabric = await Fabric.create({
      networks: {
        blue: { project: 'acme', cidr: '10.1.1.0/24', key: 10_001 },
        green: { project: 'acme', cidr: '10.1.2.0/24', key: 10_002 },
        red: { project: 'beta', cidr: '10.1.1.0/24', key: 10_003 },
        lone: { project: 'beta', cidr: '10.1.2.0/24', key: 16_777_215 },
      },
      routers: {
        'acme-edge': { project: 'acme', networks: ['blue', 'green'] },
        'beta-edge': { project: 'beta', networks: ['red', 'lone'] },
      },
      instances: {
        b1: { network: 'blue', host: 'paris-1', place: 11 },
        b2: { network: 'blue', host: 'paris-2', place: 12 },
        b3: { network: 'blue', host: 'tokyo-1', place: 13 },
        b4: { network: 'blue', host: 'paris-1', place: 14 },
        g1: { network: 'green', host: 'paris-1', place: 11 },
        g2: { network: 'green', host: 'paris-2', place: 12 },
        r1: { network: 'red', host: 'paris-1', place: 11 },
        r4: { network: 'red', host: 'tokyo-2', place: 14 },
        l1: { network: 'lone', host: 'paris-1', place: 11 },
        l5: { network: 'lone', host: 'paris-1', place: 15 },
      },
    });
  });

  afterAll(() => fabric.destroy());

  const host = (name: string) => fabric.host(name).lab;
  const switched = (from: string, to: string): Uint8Array => datagram(fabric.end(from), fabric.end(to));
  const routed = (from: string, to: string, network: string): Uint8Array =>
    datagram(fabric.end(from), { ...fabric.end(to), mac: fabric.gateway(network).mac });
  const broadcast = (from: string): Uint8Array =>
    datagram(fabric.end(from), { mac: BROADCAST_MAC, ip: '255.255.255.255' as Ip });
  const ends = (crossings: readonly Crossing[]): string[] => crossings.map(({ from, to }) => `${from} to ${to}`);

  it('E1: puts the key of each network that the Top assigned on the wire, and no two alike', async () => {
    const log = new Log();
    const names = ['one', 'two', 'three'];
    const taken = new Set<number>();
    const assigned = names.map((name) => {
      const segment = candidateSegment('vxlan', taken, systemRandom);
      if (!segment) throw new Error('No key is left.');
      const networkId = idOf<'network'>('network', name);
      log.run(createNetwork(sample.createNetwork({ networkId, name, segment: { ...segment, picked: true } })));
      taken.add(segment.key);
      return [name, { project: 'acme', cidr: '10.9.0.0/24', key: segment.key }] as const;
    });
    expect(taken.size).toBe(names.length);
    const key = assigned[0]?.[1].key ?? 0;
    const again = sample.createNetwork({
      networkId: idOf('network', 'four'),
      segment: { type: 'vxlan', key, picked: true },
    });
    expect(() => log.run(createNetwork(again))).toThrow(CandidateTaken);

    const instances = names.flatMap((name): [string, InstancePlan][] => [
      [`${name}-1`, { network: name, host: 'paris-1', place: 11 }],
      [`${name}-2`, { network: name, host: 'tokyo-2', place: 12 }],
    ]);
    await fabric.add({ networks: Object.fromEntries(assigned), instances: Object.fromEntries(instances) });
    for (const [name, plan] of assigned) {
      const journey = await fabric.send(`${name}-1`, switched(`${name}-1`, `${name}-2`));
      expect(journey.crossings.map(({ vni }) => vni)).toEqual([plan.key]);
      expect(receivers(journey)).toEqual([`${name}-2`]);
    }
    await fabric.remove(...instances.map(([name]) => name));
  });

  it.each([
    ['vlan', 1, 4094, 12],
    ['vxlan', 10_000, 16_777_215, 24],
  ] as const)(
    'E1: knows of the keys of %s only their range, %i to %i, which %i bits hold',
    (type, first, last, bits) => {
      const named = (key: number) => () => new Log().run(createNetwork(requested({ type, key })));
      expect(last).toBeLessThan(2 ** bits);
      for (const key of [first, last]) expect(named(key)).not.toThrow();
      for (const key of [first - 1, last + 1]) expect(named(key)).toThrow(InvalidInput);
      // Down to the last free one.
      const free = new Set<number>([first, last]);
      expect(free).toContain(candidateSegment(type, (key) => !free.has(key), systemRandom)?.key);
      expect(candidateSegment(type, () => true, systemRandom)).toBeUndefined();
    },
  );

  it('E1: takes no key for a network that is isolated by MAC', () => {
    const segment = candidateSegment('mac', () => true, systemRandom);
    if (!segment) throw new Error('No segment.');
    const { writes, checks } = new Log().decide(createNetwork(requested(segment)));
    expect([...writes, ...checks].map(({ stream }) => stream.split('-')[0])).toEqual(['network']);
  });

  it('F1: shows the network between hosts nothing but their own addresses', async () => {
    await fabric.send('b1', switched('b1', 'b3'), routed('b1', 'g2', 'blue'), broadcast('b1'));
    const addresses = fabric.lab.hosts.map(({ underlay }) => underlay);
    const macs = new Set(await Promise.all(fabric.lab.hosts.map(({ netns }) => macOf(netns, 'br-phy'))));
    const router = `weir-${fabric.lab.id}-router`;
    for (const site of ['paris', 'tokyo']) macs.add(await macOf(router, site));
    for (const { name } of fabric.lab.hosts) {
      for (const { source, destination, payload } of fabric.wire.underlayFrames(name)) {
        expect(macs).toContain(source);
        expect(macs).toContain(destination);
        expect(payload).toMatchObject({ kind: 'ipv4', payload: { kind: 'udp', destinationPort: VXLAN_PORT } });
        if (payload.kind === 'ipv4') {
          expect(addresses).toContain(payload.source);
          expect(addresses).toContain(payload.destination);
        }
      }
    }
    expect(fabric.wire.underlayFrames('tokyo-1')).not.toEqual([]);
  });

  it('F2: tells the frames of networks apart by their tunnel keys, though addresses and MACs are equal', async () => {
    const blue = await fabric.send('b1', broadcast('b1'));
    expect(receivers(blue)).toEqual(['b2', 'b3', 'b4']);
    expect(blue.crossings.map(({ vni }) => vni)).toEqual([10_001, 10_001]);
    const red = await fabric.send('r1', switched('r1', 'r4'));
    expect(receivers(red)).toEqual(['r4']);
    expect(red.crossings.map(({ vni, frame }) => [vni, frame.source])).toEqual([[10_003, fabric.end('b1').mac]]);
  });

  it('F2, G11: drops and counts frames with an unknown key, and frames from an unknown host', async () => {
    const dropped = async (id: string): Promise<number> => {
      const cookie = `cookie=0x${cookieOf({ kind: 'pipeline', id }).toString(16)}/-1`;
      return (await countedFlowsOf(host('paris-2'), cookie)).reduce((sum, { packets }) => sum + packets, 0);
    };
    const before = { key: await dropped('unknown key'), peer: await dropped('unknown peer') };
    const frame = switched('b1', 'b2');
    fabric.wire.clear();
    await forge('paris-1', 'paris-2', [
      { vni: 99_999, frame },
      // A network of another project, which is not on that host.
      { vni: 10_003, frame },
      { vni: 10_001, frame, source: '198.51.100.66' as Ip },
      { vni: 10_001, frame },
    ]);
    await waitFor(() => fabric.wire.deliveries().length > 0, { what: 'the frame with a known key' });
    expect(receivers(await fabric.journey())).toEqual(['b2']);
    expect({ key: await dropped('unknown key'), peer: await dropped('unknown peer') }).toEqual({
      key: before.key + 2,
      peer: before.peer + 1,
    });
  });

  it('F3, G14: sends the very first frame to the one host that has the MAC', async () => {
    await fabric.add({
      networks: { fresh: { project: 'acme', cidr: '10.7.0.0/24', key: 10_007 } },
      instances: {
        f1: { network: 'fresh', host: 'paris-1', place: 11 },
        f2: { network: 'fresh', host: 'paris-2', place: 12 },
        f3: { network: 'fresh', host: 'tokyo-1', place: 13 },
      },
    });
    const journey = await fabric.send('f1', switched('f1', 'f3'));
    expect(ends(journey.crossings)).toEqual(['198.51.100.1 to 203.0.113.1']);
    expect(receivers(journey)).toEqual(['f3']);
    await fabric.remove('f1', 'f2', 'f3');
  });

  it('F4: sends broadcast and multicast only to hosts with members, and no unknown unicast at all', async () => {
    const blue = ['198.51.100.1 to 198.51.100.2', '198.51.100.1 to 203.0.113.1'];
    const group = datagram(fabric.end('b1'), { mac: '01:00:5e:00:00:fb' as Mac, ip: '224.0.0.251' as Ip });
    for (const frame of [broadcast('b1'), group])
      expect(ends((await fabric.send('b1', frame)).crossings)).toEqual(blue);
    const unknown = datagram(fabric.end('b1'), { mac: NOBODY, ip: fabric.end('b2').ip });
    expect(await fabric.send('b1', unknown)).toEqual({ deliveries: [], crossings: [] });
    expect(ends((await fabric.send('r1', broadcast('r1'))).crossings)).toEqual(['198.51.100.1 to 203.0.113.2']);
    expect(ends((await fabric.send('l1', broadcast('l1'))).crossings)).toEqual([]);
  });

  it('F5: answers ARP for known addresses on the host, so that none reaches a tunnel', async () => {
    for (const target of ['b2', 'b3', 'b4']) {
      const journey = await fabric.send('b1', arpRequest(fabric.end('b1'), fabric.end(target).ip));
      expect(journey.crossings).toEqual([]);
      expect(receivers(journey)).toEqual(['b1']);
      const { mac, ip } = fabric.end(target);
      expect(delivered(journey).payload).toMatchObject({ kind: 'arp', senderMac: mac, senderIp: ip });
    }
    // What nobody is known to have is asked for in the whole network.
    const asked = await fabric.send('b1', arpRequest(fabric.end('b1'), '10.1.1.99' as Ip));
    expect([receivers(asked), asked.crossings.length]).toEqual([['b2', 'b3', 'b4'], 2]);
  });

  it('F6: keeps networks of one host apart without a tunnel', async () => {
    const journey = await fabric.send('b1', switched('b1', 'g1'), broadcast('b1'));
    expect(receivers(journey)).toEqual(['b2', 'b3', 'b4']);
    const inside = await fabric.send('l1', switched('l1', 'l5'), broadcast('l1'));
    expect(receivers(inside)).toEqual(['l5', 'l5']);
    expect(inside.crossings).toEqual([]);
  });

  it('F7: shows names and cookies by which a person finds what was asked for', async () => {
    const here = ['b1', 'b4', 'g1', 'r1', 'l1', 'l5'];
    const shown = await ovsVsctl(host('paris-1'), ['show']);
    for (const instance of here) {
      const device = deviceOf(fabric.portOf(instance));
      expect(shown).toContain(`Port ${device}`);
      expect(await ovsVsctl(host('paris-1'), ['get', 'interface', device, 'external_ids:iface-id'])).toContain(
        fabric.portOf(instance),
      );
    }
    const owners: Owner[] = [
      ...TABLES.map(({ name }) => ({ kind: 'pipeline', id: `${name} miss` }) as const),
      ...['unknown peer', 'unknown key'].map((id) => ({ kind: 'pipeline', id }) as const),
      ...fabric.lab.hosts.map(({ underlay }) => ({ kind: 'peer', id: underlay }) as const),
      ...['blue', 'green', 'red', 'lone'].flatMap((name) => [
        { kind: 'network', id: idOf('network', name) } as const,
        { kind: 'subnet', id: idOf('subnet', name) } as const,
      ]),
      ...[
        ['acme-edge', 'blue', 'green'],
        ['beta-edge', 'red', 'lone'],
      ].flatMap(([router = '', ...networks]) => [
        { kind: 'router', id: idOf('router', router) } as const,
        ...networks.map(
          (name) => ({ kind: 'router-interface', id: idOf('router-interface', `${router} ${name}`) }) as const,
        ),
      ]),
      ...[...here, 'b2', 'b3', 'g2', 'r4'].map((name) => ({ kind: 'port', id: fabric.portOf(name) }) as const),
    ];
    const byCookie = new Map(owners.map((owner) => [cookieOf(owner), owner]));
    const flows = await flowsOf(host('paris-1'));
    expect(flows.filter(({ cookie }) => !byCookie.has(cookie))).toEqual([]);
    const b1 = flows.filter(({ cookie }) => cookie === cookieOf({ kind: 'port', id: fabric.portOf('b1') }));
    expect(b1.some(({ table, text }) => table === 'OUTPUT' && text.includes('output:'))).toBe(true);
  });

  it('G9: gives each of two projects with equal addresses and MACs its own ARP and routing answers', async () => {
    expect(fabric.end('r1')).toEqual(fabric.end('b1'));
    expect(fabric.gateway('red')).toEqual(fabric.gateway('blue'));
    // 10.1.1.12 is acme's alone, 10.1.1.14 everybody's, but elsewhere.
    const ask = (from: string, ip: string) => fabric.send(from, arpRequest(fabric.end(from), ip as Ip));
    expect(receivers(await ask('b1', '10.1.1.12'))).toEqual(['b1']);
    expect(receivers(await ask('r1', '10.1.1.12'))).toEqual(['r4']);
    expect(receivers(await fabric.send('b1', switched('b1', 'b4')))).toEqual(['b4']);
    expect(receivers(await fabric.send('r1', switched('r1', 'r4')))).toEqual(['r4']);
    expect(receivers(await fabric.send('b1', routed('b1', 'g1', 'blue')))).toEqual(['g1']);
    expect(receivers(await fabric.send('r1', routed('r1', 'l1', 'red')))).toEqual(['l1']);
    // acme's g2 has an address that beta's lone has not.
    expect(receivers(await fabric.send('b1', routed('b1', 'g2', 'blue')))).toEqual(['g2']);
    const answered = await fabric.send('r1', routed('r1', 'g2', 'red'));
    expect(answered.deliveries.map(({ to }) => to)).not.toContain('g2');
    for (const [from, to] of [
      ['b1', 'g1'],
      ['r1', 'l1'],
    ] as const)
      expect((await fabric.ping(from, to)).received).toBe(2);
  });

  it('G11: never sends a frame from the fabric into a tunnel, flooded or not', async () => {
    const from = { ...fabric.end('b1') };
    const frames = [
      datagram(from, { mac: BROADCAST_MAC, ip: '10.1.1.255' as Ip }),
      datagram(from, { mac: NOBODY, ip: '10.1.1.99' as Ip }),
      switched('b1', 'b3'),
      routed('b1', 'b3', 'blue'),
      switched('b1', 'b2'),
    ];
    fabric.wire.clear();
    await forge(
      'paris-1',
      'paris-2',
      frames.map((frame) => ({ vni: 10_001, frame })),
    );
    await waitFor(() => fabric.wire.deliveries().length >= 2, { what: 'the broadcast, and the last frame' });
    const journey = await fabric.journey();
    expect(receivers(journey)).toEqual(['b2', 'b2']);
    expect(journey.crossings.filter(({ host: sender }) => sender !== 'paris-1')).toEqual([]);
    // From an instance there, the same broadcast goes to both other hosts.
    expect((await fabric.send('b2', broadcast('b2'))).crossings).toHaveLength(2);
  });

  it('G12: works between hosts in different underlay subnets', async () => {
    const journey = await fabric.send('b1', switched('b1', 'b3'));
    expect(ends(journey.crossings)).toEqual(['198.51.100.1 to 203.0.113.1']);
    expect(receivers(journey)).toEqual(['b3']);
    const arrived = fabric.wire
      .underlayFrames('tokyo-1')
      .flatMap(({ payload }) => (payload.kind === 'ipv4' ? [payload.ttl] : []));
    expect(new Set(arrived)).toEqual(new Set([63]));
    expect((await fabric.ping('b1', 'b3')).received).toBe(2);
  });

  it('G14: drops what no row takes, or leads it to a named punt, and switches nothing as NORMAL', async () => {
    for (const { name } of fabric.lab.hosts) {
      const flows = await flowsOf(host(name));
      expect(flows.filter(({ text }) => /NORMAL|FLOOD|learn\(/i.test(text))).toEqual([]);
      const misses = flows
        .filter(({ priority }) => priority === 0)
        .map(({ table, text }) => [table, /actions=(.*)/.exec(text)?.[1]]);
      expect(misses).toEqual(
        TABLES.map((table) => {
          const { name: missed, miss } = table;
          return [
            missed,
            miss === 'drop' ? 'drop' : `goto_table:${TABLES.findIndex((other) => other.name === miss.goto)}`,
          ];
        }),
      );
      const punts = flows.filter(({ text }) => text.includes('controller('));
      expect(punts.every(({ text }) => text.includes('meter:') && text.includes('userdata='))).toBe(true);
    }
  });

  function requested(segment: Segment) {
    return sample.createNetwork({ segment: { ...segment, picked: false }, allowedSegmentTypes: [segment.type] });
  }

  interface Forged {
    readonly vni: number;
    readonly frame: Uint8Array;
    readonly source?: Ip;
  }

  /** Puts tunnel packets into the underlay, as if one host had sent them to another in its subnet. */
  async function forge(from: string, to: string, packets: readonly Forged[]): Promise<void> {
    const [sender, target] = [host(from), host(to)];
    const [source, destination] = [await macOf(sender.netns, 'br-phy'), await macOf(target.netns, 'br-phy')];
    const frames = packets.map(({ vni, frame, source: address = sender.underlay as Ip }) =>
      encodeFrame({
        source,
        destination,
        payload: ipv4({
          source: address,
          destination: target.underlay as Ip,
          payload: udp(50_000, VXLAN_PORT, encodeVxlan({ vni, frame })),
        }),
      }),
    );
    await inject(
      sender.netns,
      'eth0',
      frames.map((frame) => Buffer.from(frame)),
    );
  }

  async function macOf(netns: string, device: string): Promise<Mac> {
    const { stdout } = await run('ip', ['-n', netns, '-json', 'link', 'show', 'dev', device]);
    const [link] = JSON.parse(stdout) as { address: Mac }[];
    if (!link) throw new RangeError(`No ${device} in ${netns}.`);
    return link.address;
  }
});
