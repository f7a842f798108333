import { inspect } from 'node:util';
import { type Mac, parseIp, silentLogger } from '@weir/kernel';
import type { FactLine } from '@weir/cascade';
import { MemorySlice } from '@weir/cascade/memory';
import { type FlowChange, flowKey, formatFlow, formatGroup, formatMeter } from '@weir/openflow';
import { MemorySwitchDatabase } from '@weir/ovsdb/memory';
import { VirtualTime } from '@weir/testing/time';
import { address, buildTopology, factsAt, type Topology, topology, type TopologyHost } from '@weir/testing/topology';
import type { FactBody, FactChange, FlowChanges, PortFact } from '@weir/topology';
import fc from 'fast-check';
import { deviceOf, LocalController, STATE_HOLDING } from './index';
import { MemoryControllerState, MemoryInstances, MemorySwitch } from './memory';

const ROOM = 1_000_000;

function first<T>(list: readonly T[]): T {
  const item = list[0];
  if (item === undefined) throw new RangeError('An empty list has no first item.');
  return item;
}

/** One host of a topology, over a switch in memory. */
class World {
  readonly time = new VirtualTime();
  readonly switch = new MemorySwitch({ keepsCommits: true });
  readonly database = new MemorySwitchDatabase();
  readonly instances = new MemoryInstances({ plugged: (device) => this.database.addDevice(device) });
  readonly slice = new MemorySlice({ stateHolding: STATE_HOLDING });
  readonly state = new MemoryControllerState();
  readonly controller: LocalController;
  private position = 0;

  constructor(host: TopologyHost) {
    this.database.onPortsChanged((ports) => {
      for (const { ofport, type } of ports) if (ofport !== undefined) this.switch.addPort(ofport, type === 'vxlan');
    });
    this.controller = new LocalController({
      host: { ...host, zone: 'a', vcpus: 8, ramMb: 16_384, diskGb: 100, hypervisor: 'namespace' },
      bridge: { name: 'br-int', datapathType: 'netdev' },
      ...{ slice: this.slice, state: this.state, database: this.database, instances: this.instances },
      connect: () => this.switch.connect(),
      ...{ clock: this.time, timers: this.time, logger: silentLogger },
      outlets: { observed: () => undefined, settled: () => undefined },
    });
    this.controller.start();
  }

  /** One mark's worth; resolves when all is done that follows from it. */
  async tell(changes: readonly FactChange[]): Promise<void> {
    if (this.position === 0) await this.controller.newGeneration(1);
    const position = ++this.position;
    const lines = changes.map(({ kind, id, ...change }): FactLine =>
      change.op === 'delete'
        ? { type: 'delete', kind, id, position }
        : { type: 'upsert', kind, id, position, body: change.body as unknown as Record<string, unknown> },
    );
    await this.controller.apply(lines, { position, digest: `d${position}`, generation: 1, caughtUp: true });
    await this.time.advance(10);
  }

  async preview(changes: readonly FactChange[], maxCharacters = ROOM): Promise<FlowChanges> {
    return (await this.controller.query('preview', { changes, maxCharacters }, 1000)) as FlowChanges;
  }

  /** What a switch has, row by row; ports of these devices by their names. */
  rows(named: readonly string[] = []): Rows {
    const names = new Map<number, string>();
    for (const { name, ofport } of this.database.ports())
      if (ofport !== undefined && named.includes(name)) names.set(ofport, name);
    const text = (row: string) =>
      row.replaceAll(/\b(in_port=|output:)(\d+)/g, (_, before: string, port: string) => before + nameOf(port));
    const nameOf = (port: string) => names.get(Number(port)) ?? port;
    return {
      flows: new Map(this.switch.flows.map(({ flow }) => [`${flowKey(flow)} ${flow.cookie}`, text(formatFlow(flow))])),
      groups: new Map(this.switch.groupList.map((group) => [`group_id=${group.id}`, text(formatGroup(group))])),
      meters: new Map(this.switch.meterList.map((meter) => [`meter=${meter.id}`, formatMeter(meter)])),
    };
  }

  devices(): string[] {
    return this.database.ports().map(({ name }) => name);
  }
}

type Rows = Readonly<Record<'flows' | 'groups' | 'meters', ReadonlyMap<string, string>>>;

/** What differs between two looks at a switch, sorted. */
function differs(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>, removedAs: 'row' | 'key') {
  return {
    added: [...after].filter(([key]) => !before.has(key)).map(([, row]) => row),
    changed: [...after].filter(([key, row]) => before.has(key) && before.get(key) !== row).map(([, row]) => row),
    removed: [...before].filter(([key]) => !after.has(key)).map(([key, row]) => (removedAs === 'row' ? row : key)),
  };
}

const sorted = ({ added, changed, removed }: Readonly<Record<'added' | 'changed' | 'removed', readonly string[]>>) => ({
  ...{ added: [...added].sort(), changed: [...changed].sort(), removed: [...removed].sort() },
});

/** A row that another owner gets is added over the old one: it is not removed. */
function withoutReplaced(difference: ReturnType<typeof differs>): ReturnType<typeof differs> {
  const bare = (row: string) => row.replace(/cookie=0x[0-9a-f]+, /, '').replace(/ actions=.*/, '');
  const added = new Set(difference.added.map(bare));
  return { ...difference, removed: difference.removed.filter((row) => !added.has(bare(row))) };
}

function expectTold(told: FlowChanges, before: Rows, after: Rows): void {
  expect(sorted(told.flows)).toEqual(sorted(withoutReplaced(differs(before.flows, after.flows, 'row'))));
  expect(sorted(told.groups)).toEqual(sorted(differs(before.groups, after.groups, 'key')));
  expect(sorted(told.meters)).toEqual(sorted(differs(before.meters, after.meters, 'key')));
}

/** The server of each port that a host has. */
function serversAt(world: Topology, host: TopologyHost): FactChange[] {
  return world.ports
    .filter((port) => port.host === host)
    .map(({ fact }): FactChange => {
      const body: FactBody<'server'> = {
        ...{ id: fact.server, project: fact.project, name: 'web', site: fact.server as never, zone: 'a' },
        ...{ vcpus: 1, ramMb: 128, diskGb: 1, image: 'weir-instance', ports: [fact.id], power: 'on' },
      };
      return { op: 'upsert', kind: 'server', id: fact.server, body };
    });
}

/** A device is named for the first digits of its port's id, which those of a topology have in common. */
function withDevices(facts: readonly FactChange[]): FactChange[] {
  const ids = /00000005-(....)-4000-8000-(....)(........)/g;
  const told = (id: string, project: string, network: string, port: string) =>
    `5${project.slice(-2)}${network.slice(-2)}${port.slice(-3)}${id.slice(8)}`;
  return JSON.parse(JSON.stringify(facts).replaceAll(ids, told)) as FactChange[];
}

/** Other bodies that an update may give a fact. */
function variants(fact: FactChange): FactChange[] {
  if (fact.op === 'delete') return [];
  const as = (changed: object) => ({ ...fact, body: { ...fact.body, ...changed } }) as FactChange;
  switch (fact.kind) {
    case 'network':
      return [as({ mtu: 1400 }), as({ name: 'renamed' })];
    case 'subnet':
      return [as({ enableDhcp: !fact.body.enableDhcp })];
    case 'router':
      return [
        as({ adminStateUp: !fact.body.adminStateUp }),
        as({ routes: [{ destination: '172.16.0.0/12', nexthop: '10.1.1.11' }] }),
      ];
    case 'port':
      return [as({ adminStateUp: !fact.body.adminStateUp }), as({ portSecurity: !fact.body.portSecurity })];
    default:
      return [];
  }
}

/** As the cascade tells a batch: of each fact the last state, in order of kind and id. */
function batch(changes: readonly FactChange[]): FactChange[] {
  const last = new Map(changes.map((change) => [`${change.kind}\n${change.id}`, change]));
  return [...last].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, change]) => change);
}

const unknown: FactChange = { op: 'delete', kind: 'network', id: '00000001-ffff-4000-8000-000000000000' };

const histories = topology.chain((world) => {
  const host = first(world.hosts);
  const facts = withDevices([...factsAt(world, host), ...serversAt(world, host)]);
  const removal = ({ kind, id }: FactChange): FactChange => ({ op: 'delete', kind, id });
  const sayable = [unknown, ...facts.flatMap((fact) => [fact, ...variants(fact), removal(fact)])];
  const batches = fc.array(fc.array(fc.constantFrom(...sayable), { minLength: 1, maxLength: 6 }), { maxLength: 6 });
  return fc.tuple(fc.constant(host), fc.subarray(facts), batches);
});

const two = buildTopology({
  hosts: 2,
  projects: [
    {
      networks: [{ dhcp: true, ports: [0, 0, 1].map((host) => ({ host, up: true, secure: true })) }],
      routers: [{ up: true, networks: [0] }],
    },
  ],
});
const here = first(two.hosts);
const all = withDevices([...factsAt(two, here), ...serversAt(two, here)]);
const ports = all.flatMap((fact) => (fact.op === 'upsert' && fact.kind === 'port' ? [fact.body] : []));

describe('a preview', () => {
  it('tells what the switch gets then, and leaves everything as it was', async () => {
    await fc.assert(
      fc.asyncProperty(histories, async ([host, beginning, batches]) => {
        const world = new World(host);
        await world.tell(batch(beginning));
        for (const [n, changes] of batches.map(batch).entries()) {
          // Everything that it holds is much to look at.
          const isLast = n === batches.length - 1;
          const whole = () => isLast && inspect([world.controller, world.slice, world.state], { depth: Infinity });
          const [before, commits] = [whole(), world.switch.commits.length];
          const told = await world.preview(changes);
          expect(whole()).toBe(before);
          expect(world.switch.commits.length).toBe(commits);
          const devices = world.devices();
          const had = world.rows();
          await world.tell(changes);
          expectTold(told, had, world.rows(world.devices().filter((device) => !devices.includes(device))));
        }
        await world.controller.stop();
      }),
      { numRuns: 30, seed: 5 },
    );
  }, 30_000);

  describe('of a host with servers', () => {
    let world: World;
    beforeEach(async () => {
      world = new World(here);
      await world.tell(batch(all));
    });
    afterEach(() => world.controller.stop());

    const asRows = (change: FlowChange) => ({
      ...{ added: change.add.map((flow) => formatFlow(flow)), changed: change.modify.map((flow) => formatFlow(flow)) },
      removed: change.remove.map((flow) => formatFlow(flow)),
    });

    it('is the next bundle, row by row, where no port is plugged in or out', async () => {
      const port = all.filter((fact) => fact.kind === 'port').at(-1);
      const link = all.find((fact) => fact.kind === 'router-interface');
      const open = { ...port, body: { ...(port as { body: PortFact }).body, portSecurity: false } } as FactChange;
      const unlink: FactChange = { op: 'delete', kind: 'router-interface', id: link?.id ?? '' };
      for (const change of [open, unlink, link as FactChange, { ...unlink, kind: 'port', id: port?.id ?? '' }]) {
        const told = await world.preview([change as FactChange]);
        const from = world.switch.commits.length;
        await world.tell([change as FactChange]);
        const bundle = first(world.switch.commits.slice(from));
        expect(sorted(told.flows)).toEqual(sorted(asRows(bundle)));
        const { added, changed, removed } = told.flows.counts;
        expect(added + changed + removed).toBeGreaterThan(0);
      }
    });

    it('names ports that are still to be plugged in', async () => {
      const port = first(ports);
      const removal = batch(
        (['server', 'port', 'binding'] as const).map((kind): FactChange => ({
          op: 'delete',
          kind,
          id: kind === 'server' ? port.server : port.id,
        })),
      );
      await world.tell(removal);
      const again = batch(all.filter(({ id }) => id === port.id || id === port.server));
      const told = await world.preview(again);
      expect(told.flows.added.filter((row) => row.includes(`in_port=${deviceOf(port.id)}`))).toHaveLength(2);
      expect(told.flows.added.filter((row) => row.includes(`output:${deviceOf(port.id)}`))).toHaveLength(1);
      expect(told.meters.added).toHaveLength(1);
    });

    it('lists as much as there is room for, and says how much it leaves out', async () => {
      const gone = all
        .filter(({ kind }) => kind === 'network')
        .map(({ kind, id }) => ({ op: 'delete', kind, id }) as const);
      const whole = await world.preview(gone);
      expect(whole.leftOut).toBe(0);
      const some = await world.preview(gone, 500);
      expect(some.flows.counts).toEqual(whole.flows.counts);
      const rows = [some.flows, some.groups, some.meters].flatMap(({ added, changed, removed }) => [
        ...added,
        ...changed,
        ...removed,
      ]);
      expect(JSON.stringify(rows).length).toBeLessThanOrEqual(501);
      const { added, changed, removed } = whole.flows.counts;
      const others = whole.groups.removed.length + whole.groups.changed.length + whole.meters.removed.length;
      expect(some.leftOut).toBe(added + changed + removed + others - rows.length);
      expect(some.leftOut).toBeGreaterThan(0);
    });

    it('takes a fact that is not as agreed for no question', async () => {
      const port = first(ports);
      const changes = [{ op: 'upsert', kind: 'port', id: port.id, body: { ...port, mac: 'x' as Mac } }] as const;
      await expect(world.preview(changes)).rejects.toThrow('A preview is asked for');
    });
  });

  it('is not given by a host that has not heard yet what it is to have', async () => {
    const world = new World({ ...here, endpoint: parseIp(address(0, 9)) });
    await expect(world.preview(all)).rejects.toThrow('has not heard yet');
    await world.controller.stop();
  });
});
