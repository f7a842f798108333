import { join } from 'node:path';
import { BROADCAST_MAC, type Ip, silentLogger, systemClock, systemRandom, systemTimers } from '@weir/kernel';
import { type Lab, type LabHost, ovsOfctl, ovsVsctl, startUdpProbe } from '@weir/lab';
import { deviceOf } from '@weir/local-controller';
import { OvsdbSwitchDatabase } from '@weir/ovsdb';
import { Compiler, type EnvironmentChange, KeyAllocator } from '@weir/pipeline';
import { arpRequest, datagram, echoRequest } from '@weir/testing/topology';
import type { FactChange, PlacedChange, SpanChange } from '@weir/topology';
import { Fabric } from './fabric';
import { flowsOf, groupsOf, ofportOf, settledRows, shape } from './flows';
import { delivered, receivers } from './wire';
import { ELSEWHERE, idOf, instanceFacts, type InstancePlan, networkFacts, type NetworkPlan } from './world';

jest.setTimeout(60_000);

/** Project acme has blue on three hosts and green on one, with a router; project beta has red with acme's addresses. */
const networks = {
  blue: { project: 'acme', cidr: '10.1.1.0/24', key: 10_001 },
  green: { project: 'acme', cidr: '10.1.2.0/24', key: 10_002 },
  red: { project: 'beta', cidr: '10.1.1.0/24', key: 10_003 },
} satisfies Record<string, NetworkPlan>;

describe('the control path', () => {
  let fabric: Fabric;
  let untouched: readonly string[];

  beforeAll(async () => {
    fabric = await Fabric.create(
      {
        networks,
        routers: { edge: { project: 'acme', networks: ['blue', 'green'] } },
        instances: {
          b1: { network: 'blue', host: 'paris-1', place: 11 },
          b4: { network: 'blue', host: 'paris-1', place: 14 },
          b2: { network: 'blue', host: 'paris-2', place: 12 },
          b3: { network: 'blue', host: 'tokyo-1', place: 13 },
          g1: { network: 'green', host: 'paris-1', place: 11 },
          r1: { network: 'red', host: 'paris-1', place: 11 },
          r4: { network: 'red', host: 'tokyo-2', place: 12 },
        },
      },
      {
        prepare: async (lab) => {
          const host = lab.host('paris-1');
          await ovsVsctl(host, ['add-br', 'br-other', '--', 'set', 'bridge', 'br-other', 'datapath_type=netdev']);
          await ovsOfctl(bridgeOf(host, 'br-other'), ['add-flow', 'priority=7,actions=drop']);
          untouched = await foreign(lab);
        },
      },
    );
  });

  afterAll(() => fabric.destroy());

  const hosts = (): readonly string[] => fabric.hosts.map(({ name }) => name);
  const switched = (from: string, to: string): Uint8Array => datagram(fabric.end(from), fabric.end(to));
  const routed = (from: string, to: string): Uint8Array =>
    datagram(fabric.end(from), { ...fabric.end(to), mac: fabric.gateway('blue').mac });
  const puntsOf = (): number[] => fabric.hosts.map(({ punts }) => punts.length);

  interface Cost {
    /** As the publisher counts them, and as its controller does. */
    readonly messages: number;
    readonly received: number;
    /** As its controller counts them. */
    readonly flowChanges: number;
    /** As they show on the switch. */
    readonly rows: number;
  }

  /** What a change costs each host. */
  async function costs(work: () => Promise<unknown>): Promise<Record<string, Cost>> {
    const rows = async (): Promise<ReadonlySet<string>[]> =>
      Promise.all(fabric.hosts.map(async ({ lab }) => new Set((await flowsOf(lab)).map(shape))));
    const counts = () =>
      hosts().map((host) => [fabric.messages(host), fabric.received(host), fabric.flowChanges(host)] as const);
    const [before, rowsBefore] = [counts(), await rows()];
    await work();
    const [after, rowsAfter] = [counts(), await rows()];
    return Object.fromEntries(
      hosts().map((host, index) => {
        const difference = (which: 0 | 1 | 2): number => (after[index]?.[which] ?? 0) - (before[index]?.[which] ?? 0);
        const [old, now] = [rowsBefore[index] ?? new Set<string>(), rowsAfter[index] ?? new Set<string>()];
        const changed = [...now].filter((row) => !old.has(row)).length + [...old].filter((row) => !now.has(row)).length;
        return [host, { messages: difference(0), received: difference(1), flowChanges: difference(2), rows: changed }];
      }),
    );
  }
  const NOTHING: Cost = { messages: 0, received: 0, flowChanges: 0, rows: 0 };

  it('C1: changes nothing on a host when a network is added elsewhere', async () => {
    const cost = await costs(() =>
      fabric.add({
        networks: { far: { project: 'acme', cidr: '10.8.0.0/24', key: 10_008 } },
        instances: { f4: { network: 'far', host: 'tokyo-2', place: 11 } },
      }),
    );
    for (const host of ['paris-1', 'paris-2', 'tokyo-1']) expect(cost[host]).toEqual(NOTHING);
    expect(cost['tokyo-2']?.messages).toBeGreaterThan(0);
    expect(cost['tokyo-2']?.rows).toBeGreaterThan(0);
    await fabric.remove('f4');
  });

  it("G10: sends a host nothing of a change in another project's network", async () => {
    const cost = await costs(() => fabric.add({ instances: { r5: { network: 'red', host: 'tokyo-2', place: 15 } } }));
    for (const host of ['paris-2', 'tokyo-1']) expect(cost[host]).toEqual(NOTHING);
    for (const host of ['paris-1', 'tokyo-2']) expect(cost[host]?.messages).toBeGreaterThan(0);
    expect(receivers(await fabric.send('r1', switched('r1', 'r5')))).toEqual(['r5']);
    await fabric.remove('r5');
  });

  it('needs as many messages and flow changes for a port among 500 as among 10, and none where its network is not', async () => {
    const among = async (name: string, octet: number, others: number): Promise<Record<string, Cost>> => {
      const plan = { project: 'acme', cidr: `10.${octet}.0.0/16`, key: 20_000 + octet };
      const elsewhere = (index: number): [string, InstancePlan] => [
        `${name}-${index}`,
        { network: name, host: 'elsewhere', place: 1000 + index },
      ];
      const crowd = Object.fromEntries(Array.from({ length: others }, (_, index) => elsewhere(index)));
      await fabric.add({
        networks: { [name]: plan },
        instances: {
          ...crowd,
          [`${name}-here`]: { network: name, host: 'paris-1', place: 11 },
          [`${name}-there`]: { network: name, host: 'tokyo-1', place: 12 },
        },
      });
      const added = `${name}-added`;
      const cost = await costs(() =>
        fabric.add({ instances: { [added]: { network: name, host: 'paris-1', place: 13 } } }),
      );
      expect(receivers(await fabric.send(`${name}-there`, switched(`${name}-there`, added)))).toEqual([added]);
      await fabric.remove(added, `${name}-here`, `${name}-there`);
      return cost;
    };
    const [few, many] = [await among('ten', 20, 10), await among('many', 21, 500)];
    for (const host of ['paris-2', 'tokyo-2']) expect([few[host], many[host]]).toEqual([NOTHING, NOTHING]);
    for (const host of ['paris-1', 'tokyo-1']) {
      expect(few[host]?.messages).toBeGreaterThan(0);
      expect(few[host]?.rows).toBeGreaterThan(0);
      expect(few[host]?.received).toBe(few[host]?.messages);
      expect(many[host]).toEqual(few[host]);
    }
  });

  it('C3: asks no controller for ARP, switching, routing or the router, from the first packet on', async () => {
    await fabric.add({
      networks: { fresh: { project: 'acme', cidr: '10.1.4.0/24', key: 10_004 } },
      routers: { inner: { project: 'acme', networks: ['fresh'] } },
      instances: {
        n1: { network: 'fresh', host: 'paris-1', place: 11 },
        n2: { network: 'fresh', host: 'paris-2', place: 12 },
      },
    });
    const before = puntsOf();
    const gateway = fabric.gateway('fresh');
    const journey = await fabric.send(
      'n1',
      arpRequest(fabric.end('n1'), gateway.ip),
      arpRequest(fabric.end('n1'), fabric.end('n2').ip),
      switched('n1', 'n2'),
      echoRequest(fabric.end('n1'), gateway),
      datagram(fabric.end('n1'), { ...fabric.end('n2'), mac: gateway.mac }),
    );
    expect(receivers(journey)).toEqual(['n1', 'n1', 'n1', 'n2', 'n2']);
    expect((await fabric.ping('b1', 'g1')).received).toBe(2);
    expect(puntsOf()).toEqual(before);
    await fabric.remove('n1', 'n2');
  });

  describe('G3: facts in any order', () => {
    const NETWORK: NetworkPlan = { project: 'acme', cidr: '10.6.0.0/24', key: 10_006 };
    const PLAN: InstancePlan = { network: 'orders', host: 'paris-2', place: 11 };
    const port = idOf<'port'>('port', 'ordered');

    /** The four things that a port needs: its network with its key, itself with its MAC, where it is, and its port on the switch. */
    const pieces = ['network', 'port', 'binding', 'device'] as const;
    type Piece = (typeof pieces)[number];

    function factsOf(piece: Piece, endpoint: Ip): FactChange[] {
      if (piece === 'network') return networkFacts('orders', NETWORK).filter(isFact);
      return instanceFacts('ordered', PLAN, { orders: NETWORK }, endpoint)
        .filter(isFact)
        .filter(({ kind }) => kind === piece);
    }

    function orders<T>(items: readonly T[]): T[][] {
      if (items.length === 0) return [[]];
      return items.flatMap((first) => orders(items.filter((item) => item !== first)).map((rest) => [first, ...rest]));
    }

    it('give the same plan in each of the 24 orders', () => {
      const plans = orders(pieces).map((order) => {
        const keys = new KeyAllocator();
        const compiler = new Compiler();
        compiler.apply([], [{ type: 'tunnel', port: 1, address: '198.51.100.2' as Ip }]);
        for (const piece of order) {
          const facts = factsOf(piece, '198.51.100.2' as Ip);
          const learned: EnvironmentChange[] = piece === 'device' ? [{ type: 'local-port', port, ofport: 7 }] : [];
          compiler.apply(facts, [...keys.follow(facts).changes, ...learned]);
        }
        return compiler.plan();
      });
      expect(plans).toHaveLength(24);
      expect(plans[0]?.flows.some(({ match }) => match.in_port?.value === 7n)).toBe(true);
      for (const plan of plans) expect(plan).toEqual(plans[0]);
    });

    it('give the same flows on the switch, and an older position changes nothing', async () => {
      const host = fabric.host('paris-2');
      const instance = await fabric.lab.addInstance({
        host: host.name,
        name: 'ordered',
        mac: 'fa:16:3e:06:00:0b',
        portId: port,
      });
      const ports = { clock: systemClock, timers: systemTimers, random: systemRandom, logger: silentLogger };
      const database = new OvsdbSwitchDatabase({ path: host.lab.ovsdb, owner: 'weir', ...ports });
      await database.synced();
      const programmed = async (): Promise<string[]> => {
        const ofport = await ofportOf(host.lab, deviceOf(port)).catch(() => -1);
        const rows = [...(await flowsOf(host.lab)).map(shape), ...(await groupsOf(host.lab))];
        // A port that comes again has another number.
        return rows
          .map((row) =>
            row
              .replace(`in_port=${ofport} `, 'in_port=own ')
              .replace(`in_port=${ofport},`, 'in_port=own,')
              .replace(`output:${ofport}`, 'output:own'),
          )
          .sort();
      };
      const tell = (changes: readonly FactChange[]): Promise<void> =>
        fabric.tell(changes.map((change): PlacedChange => ({ ...change, place: host.name })));
      const come = async (piece: Piece): Promise<void> => {
        if (piece !== 'device') return tell(factsOf(piece, host.lab.underlay as Ip));
        const externalIds = { 'iface-id': port, 'weir-server': idOf('server', 'ordered') };
        await database.ensurePort({ bridge: 'br-int', name: instance.hostInterface, externalIds });
      };
      const before = await programmed();
      const seen: string[][] = [];
      for (const order of [
        ['network', 'port', 'binding', 'device'],
        ['device', 'binding', 'port', 'network'],
        ['port', 'device', 'network', 'binding'],
        ['binding', 'network', 'device', 'port'],
      ] as const) {
        for (const piece of order) await come(piece);
        seen.push(await settledRows(programmed, (rows) => rows.some((row) => row.includes('output:own'))));
        const gone = pieces.flatMap((piece) => factsOf(piece, ELSEWHERE)).reverse();
        if (seen.length === 4) break;
        await tell(gone.map(({ kind, id }) => ({ op: 'delete', kind, id })));
        expect(await settledRows(programmed, (rows) => rows.length === before.length)).toEqual(before);
      }
      const [first] = seen;
      expect(first?.length).toBeGreaterThan(before.length);
      for (const rows of seen) expect(rows).toEqual(first);

      const { controller } = host;
      const [fact] = factsOf('port', ELSEWHERE);
      if (!controller || fact?.op !== 'upsert') throw new Error('No controller, or no port.');
      const body = { ...fact.body, mac: 'fa:16:3e:66:66:66' };
      const cursor = controller.cursor();
      await controller.apply([{ type: 'upsert', kind: 'port', id: port, position: 1, body }], {
        ...cursor,
        caughtUp: false,
      });
      expect(await programmed()).toEqual(first);
      const older = { ...cursor, position: cursor.position - 1, caughtUp: false };
      await expect(
        controller.apply([{ type: 'upsert', kind: 'port', id: port, position: older.position, body }], older),
      ).rejects.toThrow('behind the cursor');
      expect(await programmed()).toEqual(first);

      database.close();
      await tell(
        pieces
          .flatMap((piece) => factsOf(piece, ELSEWHERE))
          .reverse()
          .map(({ kind, id }) => ({ op: 'delete', kind, id })),
      );
      await fabric.lab.removeInstance('ordered');
    });
  });

  it('C5: loses nothing while a controller is away, and re-syncs without a gap when it is back', async () => {
    const host = fabric.host('paris-1');
    const instances = ['b1', 'b2', 'b4', 'g1'];
    await Promise.all(instances.map((name) => fabric.address(name)));
    const at = (name: string) => ({ netns: fabric.netns(name), address: fabric.end(name).ip });
    const probes = await Promise.all(
      ['b4', 'b2', 'g1'].map(async (to) => [to, await startUdpProbe({ from: at('b1'), to: at(to) })] as const),
    );
    const before = await flowsOf(host.lab);
    await host.stop();
    // Meanwhile its facts change. On another host: a new device makes Open vSwitch read its routes anew, which may cost its own tunnels a packet.
    await fabric.add({ instances: { b9: { network: 'blue', host: 'tokyo-2', place: 19 } } }, ['paris-1']);
    expect((await flowsOf(host.lab)).map(shape)).toEqual(before.map(shape));
    await host.start();
    await fabric.settled(['paris-1']);
    for (const [to, probe] of probes)
      expect([to, await probe.stop()]).toMatchObject([to, { missing: [], duplicates: 0, sendErrors: 0 }]);

    const after = new Map((await flowsOf(host.lab)).map((row) => [shape(row), row]));
    for (const row of before) {
      const now = after.get(shape(row));
      expect(now?.durationSeconds).toBeGreaterThan(row.durationSeconds);
      expect(now?.packets).toBeGreaterThanOrEqual(row.packets);
    }
    expect(after.size).toBeGreaterThan(before.length);
    await Promise.all(instances.map((name) => fabric.silence(name)));
    expect(receivers(await fabric.send('b1', switched('b1', 'b9')))).toEqual(['b9']);
    await fabric.remove('b9');
  });

  it('R32: makes its bridge fail-safe, and leaves those of others as they are', async () => {
    for (const { lab } of fabric.hosts) {
      expect((await ovsVsctl(lab, ['get-fail-mode', 'br-int'])).trim()).toBe('secure');
      expect((await ovsVsctl(lab, ['get-controller', 'br-int'])).trim()).toBe('');
    }
    expect(await foreign(fabric.lab)).toEqual(untouched);
    expect(untouched.join('\n')).toContain('br-other');
  });

  it('R32: passes nothing between instances before an agent has programmed anything', async () => {
    const host = fabric.host('paris-1');
    const everything = [
      switched('b1', 'b4'),
      routed('b1', 'g1'),
      datagram(fabric.end('b1'), { mac: BROADCAST_MAC, ip: '255.255.255.255' as Ip }),
      arpRequest(fabric.end('b1'), fabric.end('b4').ip),
    ];
    const silent = async (): Promise<void> => {
      expect(await flowsOf(host.lab)).toEqual([]);
      fabric.wire.clear();
      for (const from of ['b1', 'r1']) await fabric.inject(from, ...everything);
      expect(await fabric.journey()).toEqual({ deliveries: [], crossings: [] });
    };
    await host.stop();
    await ovsOfctl(host.lab, ['del-flows']);
    await silent();
    await fabric.lab.killVswitchd(host.lab);
    await fabric.lab.startVswitchd(host.lab);
    await silent();
    await host.start();
    const journey = await fabric.send('b1', ...everything);
    expect(receivers(journey)).toEqual(['b1', 'b2', 'b3', 'b4', 'b4', 'g1']);
    expect(
      delivered({ deliveries: journey.deliveries.filter(({ to }) => to === 'b1'), crossings: [] }).payload.kind,
    ).toBe('arp');
  });
});

function bridgeOf(host: LabHost, bridge: string): Pick<LabHost, 'openflow'> {
  return { openflow: join(host.rundir, `${bridge}.mgmt`) };
}

/** All that is configured on bridges that we did not make, and their flows. */
async function foreign(lab: Lab): Promise<string[]> {
  const described: string[] = [];
  for (const host of lab.hosts) {
    const bridges = (await ovsVsctl(host, ['list-br']))
      .trim()
      .split('\n')
      .filter((name) => name !== 'br-int');
    for (const bridge of bridges) {
      const columns = '--columns=name,datapath_type,fail_mode,controller,external_ids,other_config,ports,protocols';
      described.push(
        `${host.name} ${bridge}`,
        await ovsVsctl(host, [columns, 'list', 'bridge', bridge]),
        await ovsVsctl(host, ['list-ports', bridge]),
        await ovsOfctl(bridgeOf(host, bridge), ['--no-stats', 'dump-flows']),
      );
    }
  }
  return described;
}

function isFact(change: SpanChange): change is FactChange {
  return change.op === 'upsert' || change.op === 'delete';
}
