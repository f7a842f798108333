import fc from 'fast-check';
import { MemoryEventStore } from '@weir/event-store/memory';
import { fold, type Ip, type PortId, type Random, type ServerId, type SubnetId, WeirError } from '@weir/kernel';
import { idOf, ip, Log, mac, cidr, sample, seededRandom } from '@weir/testing/domain';
import * as domain from './index';
import { at, type AnyStream, streams, type Transaction } from './index';

/** Few enough of each thing that histories meet again and again. */
const NETWORKS = [1, 2];
const SUBNETS = [1, 2, 3, 4];
const ROUTERS = [1, 2];
const FLAVOR = { id: '1', name: 'weir.small', vcpus: 1, ramMb: 512, diskGb: 1 };
const siteId = idOf('site');
const ofSubnet = (n: number) => ({ networkId: idOf('network', n > 2 ? 2 : 1), subnetId: idOf('subnet', n) });
const ofNetwork = (n: number) => ({ networkId: idOf('network', n) });
/** Nothing longer than a /28, so that addresses run out. */
const ranges = ['10.0.0.0/28', '10.0.0.16/28', '10.0.0.0/28', '10.0.1.0/28'];

interface Step {
  readonly action: string;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly wait: number;
}

/** What an action may choose from: the log, ids never used before, and its step's numbers. */
class World {
  readonly log = new Log();
  private made = 0;

  constructor() {
    this.log.run(domain.addSite(sample.addSite({ availabilityZones: ['a'] })));
    this.log.run(domain.joinSite({ siteId, tokenHash: sample.addSite().joinTokenHash, keyHash: 'cd'.repeat(32) }));
    this.log.run(domain.activateSite({ siteId }));
    this.log.run(domain.changeCapacity({ siteId, zone: 'a', totals: { vcpus: 3, ramMb: 4096, diskGb: 10 } }));
    for (const n of NETWORKS) {
      const segment = { type: 'vxlan', key: 20_000 + n, picked: true } as const;
      this.log.run(domain.createNetwork(sample.createNetwork({ ...ofNetwork(n), segment })));
      this.log.run(domain.createRouter(sample.createRouter({ routerId: idOf('router', n) })));
    }
    for (const n of SUBNETS) {
      const serverMac = mac(`fa:16:3e:00:00:a${n}`);
      const gateway = n === 2 ? { gatewayIp: null } : {};
      const over = {
        ...ofSubnet(n),
        ...gateway,
        cidr: cidr(ranges[n - 1] ?? ''),
        serverMac,
        dhcpPortId: idOf('port', n),
      };
      this.log.run(domain.addSubnet(sample.addSubnet(over)));
    }
  }

  next(): number {
    return ++this.made + 1000;
  }

  state<State>(ref: {
    readonly stream: string;
    readonly decider: { readonly initial: State; evolve(state: State, event: never): State };
  }): State {
    return fold(ref.decider as AnyStream['decider'], this.log.eventsOf(ref.stream)) as State;
  }

  ids(kind: 'port' | 'server') {
    const names = new Set(this.log.all.map(({ stream }) => stream).filter((stream) => stream.startsWith(`${kind}-`)));
    return [...names].map((stream) => stream.slice(kind.length + 1));
  }

  ports() {
    return (this.ids('port') as PortId[]).flatMap((id) => {
      const state = this.state(at.port(id));
      return state.exists ? [{ id, ...state }] : [];
    });
  }

  servers() {
    return (this.ids('server') as ServerId[]).flatMap((id) => {
      const state = this.state(at.server(id));
      return state.exists ? [{ id, ...state }] : [];
    });
  }

  blocking() {
    return this.ports().filter(({ deviceOwner }) => deviceOwner !== domain.DHCP_OWNER);
  }

  held(kind: string) {
    const names = [
      ...new Set(this.log.all.map(({ stream }) => stream).filter((stream) => stream.startsWith(`${kind}-`))),
    ];
    return names.filter((stream) => fold(domain.scarce, this.log.eventsOf(stream) as domain.ScarceEvent[]).held);
  }
}

/** Each turns the world and a step's numbers into one command. */
const actions: Readonly<Record<string, (world: World, step: Step) => Transaction<unknown>>> = {
  createNetwork: (_, { a, b }) =>
    domain.createNetwork(
      sample.createNetwork({
        ...ofNetwork(one(NETWORKS, a)),
        segment: { type: 'vxlan', key: 10_000 + (b % 3), picked: b % 2 === 0 },
      }),
    ),
  addSubnet: (world, { a, b, c }) => {
    const n = one(SUBNETS, a);
    return domain.addSubnet(
      sample.addSubnet({
        ...ofSubnet(n),
        cidr: cidr(ranges[n - 1] ?? ''),
        gatewayIp: b % 2 === 0 ? undefined : null,
        enableDhcp: c % 3 > 0,
        serverMac: someMac(c),
        dhcpPortId: idOf('port', world.next()),
      }),
    );
  },
  updateSubnet: (world, { a, b, c }) =>
    domain.updateSubnet({
      ...ofSubnet(one(SUBNETS, a)),
      changes: {
        enableDhcp: b % 2 === 0,
        gatewayIp: [undefined, null, someIp(a, c)][b % 3],
        allocationPools: c % 2 === 0 ? [] : undefined,
      },
      dhcpPort: { portId: idOf('port', world.next()), ip: someIp(a, c) },
    }),
  createRouter: (_, { a, b }) =>
    domain.createRouter(sample.createRouter({ routerId: idOf('router', one(ROUTERS, a)), name: `r${b}` })),
  addInterfaceBySubnet: (world, { a, b }) =>
    domain.addRouterInterface({
      routerId: idOf('router', one(ROUTERS, a)),
      target: { by: 'subnet', ...ofSubnet(one(SUBNETS, b)), newPortId: idOf('port', world.next()) },
    }),
  addInterfaceByPort: (world, { a, b }) =>
    domain.addRouterInterface({
      routerId: idOf('router', one(ROUTERS, a)),
      target: { by: 'port', portId: one(world.ports(), b).id },
    }),
  removeInterface: (_, { a, b }) =>
    domain.removeRouterInterface({
      routerId: idOf('router', one(ROUTERS, a)),
      subnetId: idOf('subnet', one(SUBNETS, b)),
    }),
  deleteRouter: (_, { a }) => domain.deleteRouter({ routerId: idOf('router', one(ROUTERS, a)) }),
  createPort: (world, { a, b, c }) =>
    domain.createPort(
      sample.createPort({
        portId: idOf('port', world.next()),
        ...ofNetwork(ofSubnet(one(SUBNETS, a)).networkId === idOf('network', 1) ? 1 : 2),
        fixedIps:
          b % 5 === 0 ? [] : [{ subnetId: idOf('subnet', one(SUBNETS, a)), ip: someIp(a, b), picked: b % 2 === 0 }],
        mac: { mac: someMac(c), picked: c % 2 === 0 },
      }),
    ),
  updatePort: (world, { a, b, c }) => {
    const { id, fixedIps } = one(world.ports(), a);
    const [kept] = fixedIps;
    const added = { ip: someIp(b, c), picked: false };
    return domain.updatePort({
      portId: id,
      changes: { fixedIps: [...(kept && b % 2 === 0 ? [{ ...kept, picked: false }] : []), added] },
    });
  },
  deletePort: (world, { a }) => domain.deletePort({ portId: one(world.ports(), a).id }),
  completePortDeletion: (world, { a }) => domain.completePortDeletion({ portId: one(world.ports(), a).id }),
  bindPort: (world, { a, b }) =>
    domain.bindPort({ portId: one(world.ports(), a).id, siteId, host: `h${b % 2}`, endpoint: ip('198.51.100.1') }),
  createServer: (world, { a, b, c }) => {
    const n = one(SUBNETS, a);
    const existing = world.ports();
    return domain.createServer(
      sample.createServer({
        serverId: idOf('server', world.next()),
        flavor: FLAVOR,
        ports:
          c % 3 === 0 && existing.length > 0
            ? [{ kind: 'existing', portId: one(existing, b).id }]
            : [
                {
                  kind: 'new',
                  portId: idOf('port', world.next()),
                  networkId: ofSubnet(n).networkId,
                  fixedIps: [{ subnetId: idOf('subnet', n), ip: someIp(a, b), picked: true }],
                  mac: { mac: someMac(c), picked: true },
                },
              ],
      }),
    );
  },
  reportActive: (world, { a }) => domain.reportServerActive({ serverId: one(world.servers(), a).id, host: 'h1' }),
  reportFailed: (world, { a, b }) =>
    domain.reportServerFailed({
      serverId: one(world.servers(), a).id,
      fault: { host: 'h1', message: 'x' },
      freeCapacity: b % 2 === 0,
    }),
  deleteServer: (world, { a, b }) =>
    domain.deleteServer({ serverId: one(world.servers(), a).id, neverPublished: b % 3 === 0 }),
  completeServerDeletion: (world, { a }) => domain.completeServerDeletion({ serverId: one(world.servers(), a).id }),
  changeCapacity: (_, { a }) =>
    domain.changeCapacity({ siteId, zone: 'a', totals: { vcpus: a % 5, ramMb: 4096, diskGb: 10 } }),
  closeNetwork: (_, { a }) => domain.closeNetwork(ofNetwork(one(NETWORKS, a))),
  deleteNetwork: (world, { a }) => {
    const { networkId } = ofNetwork(one(NETWORKS, a));
    return domain.deleteNetwork({
      networkId,
      closing: closings(world.state(at.network(networkId))),
      portsLeft: portsIn(world, networkId),
    });
  },
  reopenNetwork: (world, { a }) => {
    const { networkId } = ofNetwork(one(NETWORKS, a));
    return domain.reopenNetwork({ networkId, closing: closings(world.state(at.network(networkId))) });
  },
  closeSubnet: (_, { a }) => domain.closeSubnet(ofSubnet(one(SUBNETS, a))),
  removeSubnet: (world, { a }) => removeSubnet(world, one(SUBNETS, a)),
  reopenSubnet: (world, { a }) => {
    const of = ofSubnet(one(SUBNETS, a));
    return domain.reopenSubnet({ ...of, closing: subnetClosings(world, of.subnetId) });
  },
};

/** Closing races best when little else happens. */
const CLOSING = [
  'createPort',
  'createServer',
  'closeNetwork',
  'deleteNetwork',
  'reopenNetwork',
  'closeSubnet',
  'removeSubnet',
  'reopenSubnet',
  'deletePort',
];

function one<Item>(items: readonly Item[], n: number): Item {
  const item = items[n % items.length];
  if (item === undefined) throw new NothingThere();
  return item;
}
class NothingThere extends Error {}

function someIp(subnet: number, n: number) {
  return ip(`10.0.${one(SUBNETS, subnet) === 4 ? 1 : 0}.${(one(SUBNETS, subnet) === 2 ? 16 : 0) + 1 + (n % 14)}`);
}
function someMac(n: number) {
  return mac(`fa:16:3e:00:00:${(n % 6).toString(16).padStart(2, '0')}`);
}
function portsIn(world: World, networkId: domain.OfNetwork['networkId']) {
  return world
    .blocking()
    .filter((port) => port.networkId === networkId)
    .map(({ id }) => id);
}
function closings(state: domain.NetworkState): number {
  return state.exists ? state.closings : 0;
}
function subnetClosings(world: World, subnetId: SubnetId): number {
  for (const n of NETWORKS) {
    const state = world.state(at.network(idOf('network', n)));
    const subnet = state.exists ? state.subnets.get(subnetId) : undefined;
    if (subnet) return subnet.closings;
  }
  return 0;
}
function removeSubnet(world: World, n: number) {
  const of = ofSubnet(n);
  const left = world.blocking().filter(({ fixedIps }) => fixedIps.some(({ subnetId }) => subnetId === of.subnetId));
  return domain.removeSubnet({
    ...of,
    closing: subnetClosings(world, of.subnetId),
    portsLeft: left.map(({ id }) => id),
  });
}

/** A refusal is an answer; anything else is a bug. */
function attempt<Value>(action: () => Value): Value | undefined {
  try {
    return action();
  } catch (error) {
    if (error instanceof WeirError || error instanceof NothingThere) return undefined;
    throw error;
  }
}

/**
 * A request takes its time: what it counted or picked is decided on some steps later, and appended later still, if no stream
 * that it read or writes moved in between.
 */
function play(world: World, steps: readonly Step[]): void {
  const agenda: { readonly due: number; readonly work: () => void }[] = [];
  steps.forEach((step, now) => {
    const command = attempt(() => actions[step.action]?.(world, step));
    const decide = () => {
      const change = command && attempt(() => world.log.decide(command));
      if (change) agenda.push({ due: now + 2 * step.wait, work: () => world.log.commit(change) });
    };
    agenda.push({ due: now + step.wait, work: decide });
    // What one work adds for now is done now; what is still under way at the end is lost, as in a crash.
    for (let at = 0; at < agenda.length; at++) {
      const next = agenda[at];
      if (next?.due !== now) continue;
      agenda.splice(at--, 1);
      next.work();
    }
  });
}

function expectSound(world: World): void {
  const ports = world.ports();
  const addresses = ports.flatMap(({ fixedIps }) =>
    fixedIps.map(({ subnetId, ip: address }) => streams.address(subnetId, address)),
  );
  expect(new Set(addresses).size).toBe(addresses.length);
  expect(world.held('address').sort()).toEqual(addresses.sort());

  // A subnet has one MAC, which its router interface and its DHCP server share; every other is one port's.
  const ofSubnets = NETWORKS.flatMap((n) => {
    const { networkId } = ofNetwork(n);
    const network = world.state(at.network(networkId));
    return network.exists
      ? [...network.subnets.values()].map(({ serverMac }) => streams.mac(networkId, serverMac))
      : [];
  });
  const ofPorts = ports
    .map(({ networkId, mac: address }) => streams.mac(networkId, address))
    .filter((name) => !ofSubnets.includes(name));
  expect(world.held('mac').sort()).toEqual([...ofSubnets, ...ofPorts].sort());

  for (const { networkId, fixedIps } of ports) {
    const network = world.state(at.network(networkId));
    expect(network.exists && fixedIps.every(({ subnetId }) => network.subnets.has(subnetId))).toBe(true);
  }
  const holding = world.servers().filter(({ holdsCapacity }) => holdsCapacity);
  const { taken, servers } = world.state(at.capacity(siteId, 'a'));
  expect([servers, taken.vcpus]).toEqual([holding.length, holding.length * FLAVOR.vcpus]);
}

/** As users and sites would, thing by thing; nothing may be left that cannot go. */
function deleteEverything(world: World): void {
  const { log } = world;
  for (const { id } of world.servers()) {
    log.run(domain.deleteServer({ serverId: id, neverPublished: false }));
    log.run(domain.completeServerDeletion({ serverId: id }));
  }
  for (const n of ROUTERS) {
    const routerId = idOf('router', n);
    const state = world.state(at.router(routerId));
    if (!state.exists) continue;
    for (const portId of state.interfaces.keys()) log.run(domain.removeRouterInterface({ routerId, portId }));
    log.run(domain.deleteRouter({ routerId }));
  }
  for (const { id } of world.blocking()) {
    log.run(domain.deletePort({ portId: id }));
    log.run(domain.completePortDeletion({ portId: id }));
  }
  for (const n of NETWORKS) {
    const { networkId } = ofNetwork(n);
    if (!world.state(at.network(networkId)).exists) continue;
    const { closing } = log.run(domain.closeNetwork({ networkId }));
    log.run(domain.deleteNetwork({ networkId, closing, portsLeft: portsIn(world, networkId) }));
  }
  log.run(domain.removeSite({ siteId }));
}

function randomWorld(random: Random): World {
  const world = new World();
  const number = () => random.integer(1000);
  const steps = Array.from({ length: 80 }, () => {
    const action = Object.keys(actions)[random.integer(Object.keys(actions).length)] ?? '';
    return { action, a: number(), b: number(), c: number(), wait: 0 };
  });
  play(world, steps);
  return world;
}

describe('any history of commands, also such that race', () => {
  const step = (names: readonly string[], numbers: fc.Arbitrary<number>) =>
    fc.record({ action: fc.constantFrom(...names), a: numbers, b: numbers, c: numbers, wait: fc.nat(3) });
  const history = fc.oneof(
    fc.array(step(Object.keys(actions), fc.nat(1000)), { maxLength: 120, size: 'max' }),
    fc.array(step(CLOSING, fc.constantFrom(0, 10, 20, 30, 42)), { maxLength: 60, size: 'max' }),
  );

  it('takes no address or MAC twice, counts capacity exactly, and leaves everything deletable', () => {
    fc.assert(
      fc.property(history, (steps) => {
        const world = new World();
        play(world, steps);
        expectSound(world);
        deleteEverything(world);
        for (const kind of ['address', 'mac', 'segment', 'site-name', 'zone']) expect(world.held(kind)).toEqual([]);
        expect(world.ports()).toEqual([]);
        expect(world.state(at.capacity(siteId, 'a'))).toMatchObject({
          servers: 0,
          taken: { vcpus: 0, ramMb: 0, diskGb: 0 },
        });
      }),
      { numRuns: 150 },
    );
  });

  it('shows in the tables what the streams say', async () => {
    for (let seed = 1; seed <= 5; seed++) {
      const world = randomWorld(seededRandom(seed));
      const store = new MemoryEventStore({ views: domain.views });
      for (const append of world.log.appends()) await store.append(append);
      const column = (table: string, name: string) => store.reader.live(table).map((row) => row[name]);
      expect(column('rm_ports', 'id').sort()).toEqual(
        world
          .ports()
          .map(({ id }) => id)
          .sort(),
      );
      expect(column('rm_servers', 'id').sort()).toEqual(
        world
          .servers()
          .map(({ id }) => id)
          .sort(),
      );
      const addresses = store.reader
        .live('rm_addresses')
        .map(({ subnet_id, ip_address }) => streams.address(subnet_id as SubnetId, ip_address as Ip));
      expect(addresses.sort()).toEqual(world.held('address').sort());
      const { taken, servers } = world.state(at.capacity(siteId, 'a'));
      expect(store.reader.live('rm_zones')).toMatchObject([
        { servers, taken_vcpus: taken.vcpus, taken_ram_mb: taken.ramMb },
      ]);
    }
  });

  it('reaches every kind of change', () => {
    const random = seededRandom(7);
    const seen = new Set<string>();
    for (let history = 0; history < 40; history++) {
      for (const { event } of randomWorld(random).log.all) seen.add(event.type);
    }
    const wanted: domain.DomainEventType[] = [
      ...(['NetworkCreated', 'NetworkClosing', 'NetworkReopened', 'NetworkDeleted'] as const),
      ...(['SubnetAdded', 'SubnetUpdated', 'SubnetClosing', 'SubnetReopened', 'SubnetRemoved'] as const),
      ...(['RouterCreated', 'RouterInterfaceAdded', 'RouterInterfaceRemoved', 'RouterDeleted'] as const),
      ...(['PortCreated', 'PortUpdated', 'PortBound', 'PortDeleting', 'PortDeleted', 'Taken', 'Freed'] as const),
      ...(['ServerRequested', 'ServerActive', 'ServerFailed', 'ServerDeleting', 'ServerDeleted'] as const),
      ...(['CapacityChanged', 'CapacityTaken', 'CapacityFreed'] as const),
    ];
    expect(wanted.filter((type) => !seen.has(type))).toEqual([]);
  });
});
