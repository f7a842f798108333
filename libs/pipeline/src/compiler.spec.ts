import { inspect } from 'node:util';
import type { Flow, FlowChange } from '@weir/openflow';
import { flowKey } from '@weir/openflow';
import { type Cidr, type Ip, type Mac, macFromNumber, type PortId } from '@weir/kernel';
import type { FactBody, FactChange, FactKind, PortFact } from '@weir/topology';
import {
  buildTopology,
  compilerAt,
  environmentAt,
  factsAt,
  factsOf,
  type Topology,
  type TopologyHost,
  topology,
  TUNNEL_PORT,
} from '@weir/testing/topology';
import fc from 'fast-check';
import { compileAll, Compiler, type Plan } from './compiler';
import { type EnvironmentChange } from './environment';
import { KeyAllocator } from './keys';
import { UnsupportedEndpoint, UnsupportedSegment } from './resolve';
import { HostSlice } from './slice';
import { tableNumber, type TableName } from './tables';

const up = { up: true, secure: true };
const H1 = 0;
const H2 = 1;

function first<T>(list: readonly T[]): T {
  const item = list[0];
  if (item === undefined) throw new RangeError('An empty list has no first item.');
  return item;
}

function hostOf(world: Topology, index: number): TopologyHost {
  return first(world.hosts.slice(index));
}

type Change = { fact: FactChange } | { environment: EnvironmentChange };

function applyAll(compiler: Compiler, changes: readonly Change[]): FlowChange {
  return compiler.apply(
    changes.flatMap((change) => ('fact' in change ? [change.fact] : [])),
    changes.flatMap((change) => ('environment' in change ? [change.environment] : [])),
  );
}

/** A switch that is told changes, as a set of rows. */
class Mirror {
  readonly flows = new Map<string, Flow>();
  readonly groups = new Map<number, unknown>();
  readonly meters = new Map<number, unknown>();

  take(change: FlowChange): void {
    for (const flow of change.remove) {
      if (!this.flows.delete(flowKey(flow))) throw new Error('removes a row that is not there');
    }
    for (const flow of change.add) this.flows.set(flowKey(flow), flow);
    for (const flow of change.modify) {
      if (this.flows.get(flowKey(flow))?.cookie !== flow.cookie) throw new Error('modifies a row that is not there');
      this.flows.set(flowKey(flow), flow);
    }
    for (const id of change.removeGroups) this.groups.delete(id);
    for (const group of [...change.addGroups, ...change.modifyGroups]) this.groups.set(group.id, group);
    for (const id of change.removeMeters) this.meters.delete(id);
    for (const meter of change.addMeters) this.meters.set(meter.id, meter);
  }

  expectToBe(plan: Plan): void {
    expect(this.flows).toEqual(new Map(plan.flows.map((flow) => [flowKey(flow), flow])));
    expect(this.groups).toEqual(new Map(plan.groups.map((group) => [group.id, group])));
    expect(this.meters).toEqual(new Map(plan.meters.map((meter) => [meter.id, meter])));
  }
}

function sizeOf(change: FlowChange): number {
  return Object.values<readonly unknown[]>({ ...change }).reduce((sum, part) => sum + part.length, 0);
}

function rowsIn(plan: Plan, table: TableName): Flow[] {
  return plan.flows.filter((flow) => flow.table === tableNumber(table));
}

function body<K extends FactKind>(facts: readonly FactChange[], kind: K, id: string): FactBody<K> {
  const fact = facts.find((change) => change.kind === kind && change.id === id);
  if (fact?.op !== 'upsert') throw new RangeError(`No ${kind} ${id}.`);
  return fact.body as FactBody<K>;
}

/** Other bodies for a fact: what an update may change. */
function variants(fact: FactChange): FactChange[] {
  if (fact.op === 'delete') return [];
  const { kind, id } = fact;
  const as = (changed: object): FactChange =>
    ({ op: 'upsert', kind, id, body: { ...fact.body, ...changed } }) as FactChange;
  switch (kind) {
    case 'network':
      return [
        as({ mtu: 1400 }),
        as({ name: 'renamed' }),
        as({ segment: { type: 'vxlan', key: 77 } }),
        as({ segment: { type: 'gre', key: 78 } }),
      ];
    case 'subnet':
      return [
        as({ enableDhcp: !fact.body.enableDhcp }),
        as({ cidr: '10.1.0.0/16' }),
        as({ serverMac: 'fa:16:3e:77:77:77' }),
      ];
    case 'router':
      return [
        as({ adminStateUp: !fact.body.adminStateUp }),
        as({
          routes: [
            { destination: '172.16.0.0/12', nexthop: '10.1.1.11' },
            { destination: '0.0.0.0/0', nexthop: '10.1.2.11' },
          ],
        }),
      ];
    case 'router-interface':
      return [as({ mac: 'fa:16:3e:66:66:66' }), as({ ip: '10.1.1.254' })];
    case 'port':
      return [
        as({ adminStateUp: !fact.body.adminStateUp }),
        as({ portSecurity: !fact.body.portSecurity }),
        as({ mac: 'fa:16:3e:55:55:55' }),
        as({ fixedIps: [] }),
        as({ fixedIps: fact.body.fixedIps.map((fixed) => ({ ...fixed, ip: '10.1.1.11' as Ip })) }),
      ];
    case 'binding':
      return [as({ endpoint: '198.51.100.2' }), as({ endpoint: '198.51.100.9' }), as({ endpoint: 'fd00::9' })];
    case 'server':
    case 'departure':
      return [];
  }
}

/** Everything that may ever be said of a host in a topology: each fact and what the host learns, changed and taken back too. */
function sayable(world: Topology, host: TopologyHost): Change[] {
  const facts = factsOf(world);
  const environment = [...new KeyAllocator().follow(facts).changes, ...environmentAt(world, host)];
  const undo = (change: EnvironmentChange): EnvironmentChange => {
    switch (change.type) {
      case 'key':
        return { ...change, key: undefined };
      case 'local-port':
        return { ...change, ofport: undefined };
      case 'tunnel':
        return { ...change, port: undefined, address: undefined };
    }
  };
  return [
    ...facts.flatMap((fact) =>
      [fact, fact, ...variants(fact), { op: 'delete', kind: fact.kind, id: fact.id } as const].map((said) => ({
        fact: said,
      })),
    ),
    ...environment.flatMap((change) => [change, change, undo(change)].map((said) => ({ environment: said }))),
    { environment: { type: 'tunnel', port: TUNNEL_PORT + 1, address: host.endpoint } },
    { environment: { type: 'tunnel', port: TUNNEL_PORT, address: '198.51.100.2' as Ip } },
  ];
}

const two = buildTopology({
  hosts: 2,
  projects: [
    {
      networks: [
        {
          dhcp: true,
          ports: [
            { host: H1, ...up },
            { host: H2, ...up },
          ],
        },
        { dhcp: false, ports: [{ host: H2, ...up }] },
      ],
      routers: [{ up: true, networks: [0, 1] }],
    },
  ],
});
const [h1, h2] = [hostOf(two, H1), hostOf(two, H2)];

/** More ports in the first network, without addresses of their own plan, dealt out to these hosts. */
function crowd(world: Topology, count: number, hosts: readonly TopologyHost[]): FactChange[] {
  const like = first(world.ports).fact;
  return Array.from({ length: count }, (_, index): FactChange[] => {
    const number = 0x10000 + index;
    const id = `00000005-0000-4000-8000-${number.toString(16).padStart(12, '0')}` as PortId;
    const fixedIps = [{ subnet: first(like.fixedIps).subnet, ip: `10.2.${index >> 8}.${index & 255}` as Ip }];
    const host = first(hosts.slice(index % hosts.length));
    return [
      { op: 'upsert', kind: 'port', id, body: { ...like, id, mac: macFromNumber(0xfa163e000000 + number), fixedIps } },
      { op: 'upsert', kind: 'binding', id, body: { port: id, host: host.name, endpoint: host.endpoint } },
    ];
  }).flat();
}

/** The facts of one more port and where it is, not of this world yet. */
function newcomer(world: Topology, host: TopologyHost): FactChange[] {
  const like = first(world.ports).fact;
  const id = '00000005-0000-4000-8000-00000000ffff' as PortId;
  const fact: PortFact = {
    ...like,
    id,
    mac: 'fa:16:3e:00:99:99' as Mac,
    fixedIps: [{ subnet: first(like.fixedIps).subnet, ip: '10.1.1.250' as Ip }],
  };
  return [
    { op: 'upsert', kind: 'port', id, body: fact },
    { op: 'upsert', kind: 'binding', id, body: { port: id, host: host.name, endpoint: host.endpoint } },
  ];
}

/** A world, and whatever may happen to its first host. */
const histories = topology.chain((world) =>
  fc.tuple(
    fc.constant(world),
    fc.array(fc.array(fc.constantFrom(...sayable(world, first(world.hosts))), { maxLength: 6 }), {
      minLength: 1,
      maxLength: 30,
    }),
  ),
);

/** What the first host of a world has at first. */
function beginning(world: Topology): [FactChange[], EnvironmentChange[]] {
  const facts = factsAt(world, first(world.hosts));
  return [facts, [...new KeyAllocator().follow(facts).changes, ...environmentAt(world, first(world.hosts))]];
}

describe('a compiler', () => {
  it('has after any sequence of changes what it would have from nothing, and told the switch exactly that', () => {
    fc.assert(
      fc.property(histories, ([world, batches]) => {
        const compiler = new Compiler();
        const mirror = new Mirror();
        mirror.take(compiler.apply(...beginning(world)));
        for (const batch of batches) mirror.take(applyAll(compiler, batch));
        const fresh = compileAll(compiler.slice, compiler.environment);
        expect(compiler.plan()).toEqual(fresh);
        mirror.expectToBe(fresh);
      }),
      { numRuns: 150, seed: 7 },
    );
  });

  it('rehearses what changes would lead to, and is then as if it had not, also where that was broken off', () => {
    // Errors that are kept know the line from which they came.
    const whole = (compiler: Compiler) =>
      inspect(compiler, { depth: Infinity, maxArrayLength: Infinity }).replaceAll(/^ *at .*$/gm, '');
    fc.assert(
      fc.property(histories, ([world, batches]) => {
        const [compiler, twin] = [new Compiler(), new Compiler()];
        for (const one of [compiler, twin]) one.apply(...beginning(world));
        const [before, after] = [batches.slice(0, -1), batches.slice(-1)];
        for (const batch of before) {
          const breaksOff = () =>
            compiler.rehearse(() => {
              applyAll(compiler, batch);
              throw new Error('half way');
            });
          expect(breaksOff).toThrow('half way');
          const expected = compiler.rehearse(() => applyAll(compiler, batch));
          expect(applyAll(compiler, batch)).toEqual(expected);
          applyAll(twin, batch);
        }
        const all = () => after.map((batch) => applyAll(compiler, batch));
        const expected = compiler.rehearse(all);
        expect(whole(compiler)).toBe(whole(twin));
        expect(all()).toEqual(expected);
      }),
      { numRuns: 40, seed: 11 },
    );
  });

  it('makes the same of facts in any order and in any batches (G3)', () => {
    const host = first(two.hosts);
    const facts = factsAt(two, host);
    const all: Change[] = [
      ...facts.map((fact) => ({ fact })),
      ...[...new KeyAllocator().follow(facts).changes, ...environmentAt(two, host)].map((environment) => ({
        environment,
      })),
    ];
    const expected = compilerAt(two, host).plan();
    const orders = fc.tuple(fc.shuffledSubarray(all, { minLength: all.length }), fc.integer({ min: 1, max: 5 }));
    fc.assert(
      fc.property(orders, ([order, size]) => {
        const compiler = new Compiler();
        for (let i = 0; i < order.length; i += size) applyAll(compiler, order.slice(i, i + size));
        expect(compiler.plan()).toEqual(expected);
      }),
      { numRuns: 50, seed: 3 },
    );
  });

  it("makes the same rows of a port's facts in each of their 24 orders, and nothing before the last (G3)", () => {
    const host = first(two.hosts);
    const port = first(two.ports).fact;
    const isOf = (change: FactChange) => change.id === port.id;
    const facts = factsAt(two, host);
    const keys = new KeyAllocator().follow(facts).changes;
    const environment = environmentAt(two, host);
    const parts: Change[] = [
      { fact: first(facts.filter((change) => isOf(change) && change.kind === 'port')) },
      { fact: first(facts.filter((change) => isOf(change) && change.kind === 'binding')) },
      { environment: first(keys.filter((change) => change.type === 'key' && change.id === port.id)) },
      { environment: first(environment.filter((change) => change.type === 'local-port')) },
    ];
    const without = [...keys, ...environment].filter(
      (change) => !parts.some((part) => 'environment' in part && part.environment === change),
    );
    const expected = compilerAt(two, host).plan();
    const orders = permutations(parts);
    expect(orders).toHaveLength(24);
    for (const order of orders) {
      const compiler = new Compiler();
      compiler.apply(
        facts.filter((change) => !isOf(change)),
        without,
      );
      const needed = order.filter((part) => !('fact' in part && part.fact.kind === 'binding'));
      for (const part of order) {
        applyAll(compiler, [part]);
        if (part === needed.at(-1)) break;
        expect(rowsIn(compiler.plan(), 'OUTPUT')).toHaveLength(1);
      }
      for (const part of order) applyAll(compiler, [part]);
      expect(compiler.plan()).toEqual(expected);
    }
  });

  it('changes nothing when it is told again what it knows', () => {
    const compiler = compilerAt(two, h1);
    const facts = factsAt(two, h1);
    expect(sizeOf(compiler.apply(facts, environmentAt(two, h1)))).toBe(0);
    const renamed = { ...body(facts, 'network', first(two.networks).id), name: 'another name' };
    expect(sizeOf(compiler.apply([{ op: 'upsert', kind: 'network', id: renamed.id, body: renamed }]))).toBe(0);
  });

  it.each([
    ['on another host', 1],
    ['here', 0],
  ])('changes as many rows for a port %s with 10 ports present as with 500', (_where, at) => {
    const changes = [10, 500].map((count) => {
      const keys = new KeyAllocator();
      const present = [...factsAt(two, h1), ...crowd(two, count, [h1, h2])];
      const plugged = present.flatMap((fact, index): EnvironmentChange[] => {
        const isHere = fact.op === 'upsert' && fact.kind === 'binding' && fact.body.host === h1.name;
        return isHere ? [{ type: 'local-port', port: fact.body.port, ofport: 100 + index }] : [];
      });
      const compiler = new Compiler();
      compiler.apply(present, [...keys.follow(present).changes, ...environmentAt(two, h1), ...plugged]);
      const facts = newcomer(two, hostOf(two, at));
      const plug: EnvironmentChange[] =
        at === H1 ? [{ type: 'local-port', port: first(facts).id as PortId, ofport: 99 }] : [];
      const change = compiler.apply(facts, [...keys.follow(facts).changes, ...plug]);
      return Object.fromEntries(
        Object.entries(change).map(([part, list]: [string, readonly unknown[]]) => [part, list.length]),
      );
    });
    expect(changes[0]).toEqual(changes[1]);
    expect(changes[0]).toMatchObject({ remove: 0, modify: 0, modifyGroups: at === H1 ? 2 : 0 });
  });

  it('holds no row of a network in which nobody is here, but those by which a router reaches its members', () => {
    const plan = compilerAt(two, h1).plan();
    const key = compilerAt(two, h1).environment.keys.network.get(first(two.networks.slice(1)).id);
    const rowsOfGreen = plan.flows.filter(({ match }) => match.metadata?.value === BigInt(key ?? -1));
    expect(rowsOfGreen.map(({ table }) => table).sort((a, b) => a - b)).toEqual(
      (['SWITCH', 'ACL_OUT', 'ACL_IN'] as const).map(tableNumber),
    );
    expect(plan.groups).toHaveLength(2);
  });

  it('takes a network up with its first port here and gives it up with the last', () => {
    const compiler = compilerAt(two, h1);
    const before = compiler.plan();
    const port = first(two.ports).fact.id;
    compiler.apply([], [{ type: 'local-port', port, ofport: undefined }]);
    const gone = compiler.plan();
    expect(gone.groups).toEqual([]);
    expect(rowsIn(gone, 'SERVICES')).toHaveLength(1);
    expect(rowsIn(gone, 'OUTPUT')).toHaveLength(1);
    compiler.apply([], environmentAt(two, h1));
    expect(compiler.plan()).toEqual(before);
  });

  it('joins two hosts exactly while rows of one lead to the other', () => {
    const peers = (plan: Plan) => plan.flows.filter(({ priority, match }) => priority === 120 && match.tun_src).length;
    const compiler = compilerAt(two, h1);
    expect(peers(compiler.plan())).toBe(1);
    for (const { fact, host } of two.ports) {
      if (host === h2) compiler.apply([{ op: 'delete', kind: 'port', id: fact.id }]);
    }
    expect(peers(compiler.plan())).toBe(0);
  });

  it('gives nothing to a port that is down, and no row to a router that is', () => {
    const compiler = compilerAt(two, h1);
    const facts = factsAt(two, h1);
    const [port, router] = [first(two.ports).fact, first(two.routers)];
    compiler.apply([{ op: 'upsert', kind: 'router', id: router.id, body: { ...router, adminStateUp: false } }]);
    expect(compiler.flowsOf({ kind: 'router', id: router.id })).toEqual([]);
    expect(two.interfaces.flatMap(({ id }) => compiler.flowsOf({ kind: 'router-interface', id }))).toEqual([]);
    expect(rowsIn(compiler.plan(), 'NEIGHBOR')).toHaveLength(1);
    compiler.apply([{ op: 'upsert', kind: 'port', id: port.id, body: { ...port, adminStateUp: false } }]);
    expect(compiler.flowsOf({ kind: 'port', id: port.id })).toEqual([]);
    compiler.apply(facts);
    expect(compiler.plan()).toEqual(compilerAt(two, h1).plan());
  });

  it('lets the DHCP server answer for the address that it shares with a router, whether the router is there or not', () => {
    const compiler = compilerAt(two, h1);
    const asks = () => rowsIn(compiler.plan(), 'SERVICES').filter(({ match }) => match.arp_tpa?.value === 0x0a010101n);
    const before = asks();
    expect(before).toHaveLength(1);
    const change = compiler.apply(two.interfaces.map(({ id }) => ({ op: 'delete', kind: 'router-interface', id })));
    expect(asks()).toEqual(before);
    expect([...change.add, ...change.modify, ...change.remove]).not.toContainEqual(first(before));
  });

  it('refuses a network that it cannot isolate by name, and programs the others', () => {
    const compiler = compilerAt(two, h1);
    const network = first(two.networks.slice(1));
    const gre = { ...network, segment: { type: 'gre', key: 5 } } as const;
    compiler.apply([{ op: 'upsert', kind: 'network', id: network.id, body: gre }]);
    expect(compiler.refusals()).toEqual([expect.any(UnsupportedSegment)]);
    expect(compiler.refusals()[0]?.message).toContain('isolated by gre');
    expect(compiler.flowsOf({ kind: 'network', id: network.id })).toEqual([]);
    expect(compiler.flowsOf({ kind: 'network', id: first(two.networks).id })).not.toEqual([]);
    compiler.apply([{ op: 'upsert', kind: 'network', id: network.id, body: network }]);
    expect(compiler.refusals()).toEqual([]);
    expect(compiler.plan()).toEqual(compilerAt(two, h1).plan());
  });

  it('refuses an endpoint that no tunnel of ours reaches', () => {
    const compiler = compilerAt(two, h1);
    const port = first(two.ports.filter(({ host }) => host === h2)).fact.id;
    compiler.apply([
      { op: 'upsert', kind: 'binding', id: port, body: { port, host: 'h9', endpoint: 'fd00::9' as Ip } },
    ]);
    expect(compiler.refusals()).toEqual([expect.any(UnsupportedEndpoint)]);
    expect(compiler.flowsOf({ kind: 'port', id: port })).toEqual([]);
  });

  it('chains groups where a flood has more than 1,000 buckets', () => {
    const compiler = compilerAt(two, h1);
    const far = Array.from({ length: 1500 }, (_, index) => ({
      name: `far-${index}`,
      endpoint: `198.18.${index >> 8}.${index & 255}` as Ip,
    }));
    const facts = crowd(two, far.length, far);
    const known = KeyAllocator.restore({ port: Object.fromEntries(compiler.environment.keys.port) });
    const change = compiler.apply(facts, known.follow(facts).changes);
    const sizes = compiler.plan().groups.map(({ buckets }) => buckets.length);
    expect(sizes).toEqual([1000, 503, 1]);
    const tail = first(change.addGroups);
    expect(first(change.modifyGroups).buckets.at(-1)).toEqual({ actions: [{ type: 'group', group: tail.id }] });
  });

  it('knows who owns a flow, and what a number stands for', () => {
    const compiler = compilerAt(two, h1);
    for (const flow of compiler.plan().flows) {
      const owner = compiler.ownerOf(flow.cookie);
      expect(owner && compiler.flowsOf(owner)).toContainEqual(flow);
    }
    const port = first(two.ports).fact.id;
    const key = compiler.environment.keys.port.get(port) ?? 0;
    expect(compiler.idOf('port', key)).toBe(port);
    const cookie = first(compiler.flowsOf({ kind: 'port', id: port })).cookie;
    expect(compiler.ownerOf(cookie)).toEqual({ kind: 'port', id: port });
    expect(cookie >> 48n).toBe(7n);
  });

  it('gives a number that was released to another thing without leaving a row of the old one', () => {
    const compiler = compilerAt(two, h1);
    const keys = new KeyAllocator();
    keys.follow(factsAt(two, h1));
    const facts: FactChange[] = [{ op: 'delete', kind: 'port', id: first(two.ports).fact.id }];
    const batch = keys.follow(facts);
    compiler.apply(facts, batch.changes);
    compiler.apply([], batch.release());
    const next = newcomer(two, h2);
    compiler.apply(next, keys.follow(next).changes);
    expect(compiler.plan()).toEqual(compileAll(compiler.slice, compiler.environment));
  });

  it('leads a static route by the interface whose subnet has the next hop, the longest prefix first', () => {
    const router = first(two.routers);
    const compiler = compilerAt(two, h1);
    const routes = [
      { destination: '172.16.0.0/12' as Cidr, nexthop: '10.1.2.11' as Ip },
      { destination: '172.16.5.0/24' as Cidr, nexthop: '10.1.1.12' as Ip },
      { destination: '192.168.0.0/16' as Cidr, nexthop: '203.0.113.1' as Ip },
      { destination: '0.0.0.0/0' as Cidr, nexthop: '10.1.1.11' as Ip },
    ];
    compiler.apply([{ op: 'upsert', kind: 'router', id: router.id, body: { ...router, routes } }]);
    const rows = compiler
      .flowsOf({ kind: 'router', id: router.id })
      .filter(({ goto }) => goto === tableNumber('NEIGHBOR'));
    expect(rows.map(({ priority }) => priority).sort((a, b) => a - b)).toEqual([2, 38, 74]);
    const unreachableRow = compiler.flowsOf({ kind: 'router', id: router.id }).filter(({ priority }) => priority === 1);
    expect(unreachableRow).toHaveLength(2);
  });

  it('needs no tunnel for what is here, and starts with the tunnel what is elsewhere', () => {
    const facts = factsAt(two, h1);
    const keys = new KeyAllocator().follow(facts).changes;
    const local = environmentAt(two, h1).filter(({ type }) => type === 'local-port');
    const compiler = new Compiler();
    compiler.apply(facts, [...keys, ...local]);
    expect(compiler.plan().flows.some(({ match }) => match.in_port?.value === BigInt(TUNNEL_PORT))).toBe(false);
    expect(rowsIn(compiler.plan(), 'OUTPUT')).toHaveLength(2);
    compiler.apply([], environmentAt(two, h1));
    expect(compiler.plan()).toEqual(compilerAt(two, h1).plan());
  });

  it('refuses a fact that makes no sense, and goes on with the others', () => {
    const compiler = compilerAt(two, h1);
    const subnet = first(two.subnets);
    compiler.apply([{ op: 'upsert', kind: 'subnet', id: subnet.id, body: { ...subnet, cidr: 'nonsense/24' as Cidr } }]);
    expect(compiler.refusals().map(({ name }) => name)).toEqual(['UnusableFact']);
    expect(rowsIn(compiler.plan(), 'OUTPUT')).toHaveLength(2);
    compiler.apply([{ op: 'upsert', kind: 'subnet', id: subnet.id, body: subnet }]);
    expect(compiler.refusals()).toEqual([]);
    expect(compiler.plan()).toEqual(compilerAt(two, h1).plan());
  });

  it('lists what waits for facts that have not come', () => {
    const facts = factsAt(two, h1);
    const slice = HostSlice.of(facts.filter(({ kind }) => kind !== 'subnet' && kind !== 'router'));
    const missing = new Set([...slice.waiting()].map((waiting) => waiting.missing.kind));
    expect(missing).toEqual(new Set(['subnet', 'router']));
    expect([...HostSlice.of(facts).waiting()]).toEqual([]);
  });
});

function permutations<T>(list: readonly T[]): T[][] {
  if (list.length === 0) return [[]];
  return list.flatMap((item, index) => permutations(list.toSpliced(index, 1)).map((rest) => [item, ...rest]));
}
