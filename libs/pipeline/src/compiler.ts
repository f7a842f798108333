import { type Flow, type FlowChange, flowKey, type Group, type Meter } from '@weir/openflow';
import { type Ip, type PortId, unreachable, WeirError } from '@weir/kernel';
import { type FactChange, Rehearsal, RehearsedMap, RehearsedSet } from '@weir/topology';
import { Contributions } from './contributions';
import { type Environment, type EnvironmentChange, environmentChanges, type KeyKind } from './environment';
import { PORT_METER, ROUTER_METER } from './limits';
import { Members } from './members';
import { cookieOf, type Owner, ownerKey, type OwnerKind } from './owner';
import { type Network, type Port, Resolver, type Router, type RouterInterface, type Subnet } from './resolve';
import type { Row } from './row';
import { networkGroups, networkRows } from './rows/network';
import { MISS_ROWS, peerRow, tunnelRows } from './rows/pipeline';
import { portMeter, portRows } from './rows/port';
import { interfaceRows, routerMeter, routerRows } from './rows/router';
import { subnetRows } from './rows/subnet';
import { same } from './same';
import { HostSlice } from './slice';

/** All that a switch should have, in a fixed order. */
export interface Plan {
  readonly flows: readonly Flow[];
  readonly groups: readonly Group[];
  readonly meters: readonly Meter[];
}

/** A thing whose facts passed their schema and still cannot be compiled; the cause says why. */
export class UnusableFact extends WeirError {
  constructor({ kind, id }: Owner, cause: unknown) {
    super('invalid', `The ${kind} ${id} cannot be programmed.`, { cause });
  }
}

/** What changed, or may have, kind by kind; `owners` are to be compiled anew. */
class Dirty {
  readonly network = new Set<string>();
  readonly router = new Set<string>();
  readonly subnet = new Set<string>();
  readonly 'router-interface' = new Set<string>();
  readonly port = new Set<string>();
  readonly peers = new Set<Ip>();
  readonly owners = new Map<string, Owner>();

  own(kind: OwnerKind, ids: Iterable<string>): void {
    for (const id of ids) {
      const owner = { kind, id };
      this.owners.set(ownerKey(owner), owner);
    }
  }
}

function addAll<T>(set: Set<T>, values: Iterable<T>): void {
  for (const value of values) set.add(value);
}

function put<T>(map: Map<string, T>, id: string, value: T | undefined): void {
  if (value === undefined) map.delete(id);
  else map.set(id, value);
}

/**
 * Keeps the flows, groups and meters of one host's slice. A change is followed to what depends on it, kind by kind (networks,
 * routers, subnets, interfaces, ports), stopping where nothing came out different; then the owners that it reached are compiled anew.
 * Law: after any sequence of changes the plan equals `compileAll` of the slice and environment that they lead to.
 */
export class Compiler {
  private readonly rehearsal = new Rehearsal();
  /** All facts that were applied. */
  readonly slice = new HostSlice(this.rehearsal);

  private readonly localPorts = new RehearsedMap<PortId, { ofport: number }>(this.rehearsal);
  private readonly keys: { readonly [K in KeyKind]: Map<string, number> } = {
    network: new RehearsedMap(this.rehearsal),
    router: new RehearsedMap(this.rehearsal),
    'router-interface': new RehearsedMap(this.rehearsal),
    port: new RehearsedMap(this.rehearsal),
  };
  private readonly idsByKey: { readonly [K in KeyKind]: Map<number, string> } = {
    network: new RehearsedMap(this.rehearsal),
    router: new RehearsedMap(this.rehearsal),
    'router-interface': new RehearsedMap(this.rehearsal),
    port: new RehearsedMap(this.rehearsal),
  };
  private readonly host: { -readonly [K in keyof Environment]: Environment[K] } = {
    localPorts: this.localPorts,
    keys: this.keys,
    tunnelPort: undefined,
    tunnelAddress: undefined,
  };
  private readonly resolver = new Resolver(this.slice, this.host);

  private readonly networks = new RehearsedMap<string, Network>(this.rehearsal);
  private readonly routers = new RehearsedMap<string, Router>(this.rehearsal);
  private readonly subnets = new RehearsedMap<string, Subnet>(this.rehearsal);
  private readonly interfaces = new RehearsedMap<string, RouterInterface>(this.rehearsal);
  private readonly ports = new RehearsedMap<string, Port>(this.rehearsal);
  private readonly members = new RehearsedMap<string, Members>(this.rehearsal);
  /** The ports whose rows lead to another host, by its endpoint. */
  private readonly portsByPeer = new RehearsedMap<Ip, Set<string>>(this.rehearsal);
  private readonly peerByPort = new RehearsedMap<string, Ip>(this.rehearsal);
  private readonly refused = new RehearsedMap<string, WeirError>(this.rehearsal);

  private readonly flows = new Contributions<Flow>(this.rehearsal);
  private readonly groups = new Contributions<Group>(this.rehearsal);
  private readonly meters = new Contributions<Meter>(this.rehearsal);
  private readonly ownersByCookie = new RehearsedMap<bigint, Owner>(this.rehearsal);

  constructor() {
    for (const [id, row] of MISS_ROWS) this.contribute({ kind: 'pipeline', id }, [row]);
  }

  /**
   * Takes over changes in any order and answers what a switch needs that had the plan before (the first time: an empty one).
   * Applying a change again changes nothing. Never throws for what a fact says: see `refusals`.
   */
  apply(facts: readonly FactChange[], environment: readonly EnvironmentChange[] = []): FlowChange {
    const dirty = new Dirty();
    for (const change of environment) this.takeEnvironment(change, dirty);
    for (const change of facts) {
      this.slice.apply(change);
      if (change.kind === 'binding') dirty.port.add(change.id);
      else if (change.kind !== 'server' && change.kind !== 'departure') dirty[change.kind].add(change.id);
    }
    for (const id of dirty.network) this.followNetwork(id, dirty);
    for (const id of dirty.router) this.followRouter(id, dirty);
    for (const id of dirty.subnet) this.followSubnet(id, dirty);
    for (const id of dirty['router-interface']) this.followInterface(id, dirty);
    this.followPorts(dirty);
    for (const owner of dirty.owners.values()) this.tryCompile(owner, dirty);
    for (const endpoint of dirty.peers) this.compilePeer(endpoint);
    return this.takeDifference();
  }

  /** Takes back afterwards whatever `work` has applied; the answers stand. */
  rehearse<T>(work: () => T): T {
    return this.rehearsal.run(work);
  }

  plan(): Plan {
    const flows = [...this.flows.entries()].sort(
      ([leftPlace, left], [rightPlace, right]) =>
        left.table - right.table || right.priority - left.priority || (leftPlace < rightPlace ? -1 : 1),
    );
    const byId = (left: { id: number }, right: { id: number }) => left.id - right.id;
    return {
      flows: flows.map(([, flow]) => flow),
      groups: [...this.groups.entries()].map(([, group]) => group).sort(byId),
      meters: [...this.meters.entries()].map(([, meter]) => meter).sort(byId),
    };
  }

  /** What the compiler was told of this host. */
  get environment(): Environment {
    return this.host;
  }

  /** Who a flow is there for: from a cookie to the thing that somebody asked for. */
  ownerOf(cookie: bigint): Owner | undefined {
    return this.ownersByCookie.get(cookie);
  }

  flowsOf(owner: Owner): Flow[] {
    return [...this.flows.of(ownerKey(owner)).values()];
  }

  /** What a number in a register or in metadata stands for. */
  idOf(kind: KeyKind, key: number): string | undefined {
    return this.idsByKey[kind].get(key);
  }

  /** What was asked for and cannot be programmed here (UnsupportedSegment, UnsupportedEndpoint, UnusableFact); it has no rows. */
  refusals(): WeirError[] {
    return [...this.refused.values()];
  }

  private takeEnvironment(change: EnvironmentChange, dirty: Dirty): void {
    switch (change.type) {
      case 'local-port':
        if (change.ofport === undefined) this.localPorts.delete(change.port);
        else this.localPorts.set(change.port, { ofport: change.ofport });
        dirty.port.add(change.port);
        return;
      case 'key': {
        const byKey = this.idsByKey[change.kind];
        const old = this.keys[change.kind].get(change.id);
        if (old !== undefined && byKey.get(old) === change.id) byKey.delete(old);
        put(this.keys[change.kind], change.id, change.key);
        if (change.key !== undefined) byKey.set(change.key, change.id);
        dirty[change.kind].add(change.id);
        return;
      }
      case 'tunnel': {
        const { port, address } = change;
        const { tunnelPort, tunnelAddress } = this.host;
        if (port === tunnelPort && address === tunnelAddress) return;
        this.rehearsal.before(() => Object.assign(this.host, { tunnelPort, tunnelAddress }));
        this.host.tunnelPort = port;
        this.host.tunnelAddress = address;
        addAll(dirty.network, this.slice.ids('network'));
        addAll(dirty.port, this.slice.ids('port'));
        addAll(dirty.peers, this.portsByPeer.keys());
        for (const id of ['unknown peer', 'unknown key'] as const) {
          this.contribute({ kind: 'pipeline', id }, port === undefined ? [] : [tunnelRows[id](port)]);
        }
        return;
      }
      default:
        unreachable(change);
    }
  }

  private followNetwork(id: string, dirty: Dirty): void {
    const next = this.resolver.network(id);
    put<WeirError>(this.refused, `network ${id}`, this.resolver.refusedNetwork(id));
    // Their MTU is the network's.
    addAll(dirty['router-interface'], this.slice.interfacesOfNetwork.of(id));
    if (same(this.networks.get(id), next)) return;
    put(this.networks, id, next);
    dirty.own('network', [id]);
    addAll(dirty.subnet, this.slice.subnetsOfNetwork.of(id));
    addAll(dirty.port, this.slice.portsOfNetwork.of(id));
  }

  private followRouter(id: string, dirty: Dirty): void {
    const next = this.resolver.router(id);
    const old = this.routers.get(id);
    if (same(old, next)) return;
    put(this.routers, id, next);
    dirty.own('router', [id]);
    if (old?.key !== next?.key) addAll(dirty['router-interface'], this.slice.interfacesOfRouter.of(id));
  }

  private followSubnet(id: string, dirty: Dirty): void {
    const next = this.resolver.subnet(id);
    const old = this.subnets.get(id);
    if (same(old, next)) return;
    put(this.subnets, id, next);
    dirty.own('subnet', [id]);
    addAll(dirty['router-interface'], this.slice.interfacesOfSubnet.of(id));
    for (const subnet of [old, next]) if (subnet) dirty.own('port', this.members.get(subnet.network)?.local ?? []);
  }

  private followInterface(id: string, dirty: Dirty): void {
    const next = this.resolver.routerInterface(id);
    const old = this.interfaces.get(id);
    if (same(old, next)) return;
    put(this.interfaces, id, next);
    dirty.own('router-interface', [id]);
    const sameNeighbors = old && next && same(asNeighbor(old), asNeighbor(next));
    for (const link of [old, next]) {
      if (!link) continue;
      dirty.own('router', [link.router]);
      dirty.own('network', [link.network]);
      dirty.own('router-interface', this.slice.interfacesOfSubnet.of(link.subnet));
      if (!sameNeighbors) dirty.own('port', this.slice.portsOfSubnet.of(link.subnet));
    }
  }

  private followPorts(dirty: Dirty): void {
    const hadLocal = new Map<string, boolean>();
    for (const id of dirty.port) {
      const next = this.resolver.port(id);
      put<WeirError>(this.refused, `port ${id}`, this.resolver.refusedPort(id));
      const old = this.ports.get(id);
      if (same(old, next)) continue;
      put(this.ports, id, next);
      dirty.own('port', [id]);
      for (const port of [old, next]) {
        if (!port) continue;
        const members = this.members.get(port.network) ?? new Members(this.rehearsal);
        this.members.set(port.network, members);
        if (!hadLocal.has(port.network)) hadLocal.set(port.network, members.hasLocal);
        const affected = port === old ? members.leave(id, port) : members.join(id, port);
        if (affected) dirty.own('network', [port.network]);
      }
    }
    for (const [network, before] of hadLocal) {
      const members = this.members.get(network);
      if (members?.isEmpty) this.members.delete(network);
      if (before === (members?.hasLocal ?? false)) continue;
      // The first local port came, or the last one went: the network's rows come or go as a whole.
      dirty.own('subnet', this.slice.subnetsOfNetwork.of(network));
      dirty.own('router-interface', this.slice.interfacesOfNetwork.of(network));
      dirty.own('port', this.slice.portsOfNetwork.of(network));
    }
  }

  /** A fact that nobody can make rows of costs the rows of its own things, never those of others. */
  private tryCompile(owner: Owner, dirty: Dirty): void {
    const name = `owner ${ownerKey(owner)}`;
    this.refused.delete(name);
    try {
      this.compile(owner, dirty);
    } catch (cause) {
      this.refused.set(name, new UnusableFact(owner, cause));
      this.contribute(owner, []);
      if (owner.kind === 'port') this.leadTo(undefined, owner.id, dirty);
    }
  }

  private compile(owner: Owner, dirty: Dirty): void {
    const { kind, id } = owner;
    switch (kind) {
      case 'network': {
        const network = this.networks.get(id);
        if (!network) return this.contribute(owner, []);
        const members = this.members.get(id) ?? new Members(this.rehearsal);
        const routed = this.resolved(this.interfaces, this.slice.interfacesOfNetwork.of(id)).length > 0;
        return this.contribute(owner, networkRows(network, members, routed), networkGroups(network, members));
      }
      case 'subnet': {
        const subnet = this.subnets.get(id);
        return this.contribute(owner, subnet ? subnetRows(subnet, this.hasLocal(subnet.network)) : []);
      }
      case 'router': {
        const router = this.routers.get(id);
        if (!router) return this.contribute(owner, []);
        const interfaces = this.resolved(this.interfaces, this.slice.interfacesOfRouter.of(id));
        return this.contribute(
          owner,
          routerRows(router, interfaces),
          [],
          [{ id: routerMeter(router.key), ...ROUTER_METER }],
        );
      }
      case 'router-interface': {
        const own = this.interfaces.get(id);
        if (!own) return this.contribute(owner, []);
        const others = this.resolved(this.interfaces, this.slice.interfacesOfSubnet.of(own.subnet)).filter(
          (other) => other.router !== own.router,
        );
        return this.contribute(owner, interfaceRows(own, this.hasLocal(own.network), others));
      }
      case 'port':
        return this.compilePort(owner, dirty);
      case 'peer':
      case 'pipeline':
        return;
      default:
        return unreachable(kind);
    }
  }

  private compilePort(owner: Owner, dirty: Dirty): void {
    const port = this.ports.get(owner.id);
    const rows = port ? this.portRows(port) : [];
    const meters = port?.place.type === 'local' ? [{ id: portMeter(port.key), ...PORT_METER }] : [];
    this.contribute(owner, rows, [], meters);
    this.leadTo(port?.place.type === 'remote' && rows.length > 0 ? port.place.endpoint : undefined, owner.id, dirty);
  }

  private portRows(port: Port): Row[] {
    const subnets = [...new Set(port.fixedIps.map(({ subnet }) => subnet))];
    return portRows(port, {
      hasLocalMembers: this.hasLocal(port.network),
      networkHasDhcp: this.resolved(this.subnets, this.slice.subnetsOfNetwork.of(port.network)).some(
        ({ dhcp }) => dhcp,
      ),
      hasDhcp: this.resolved(this.subnets, subnets).some(({ dhcp }) => dhcp),
      interfaces: subnets.flatMap((subnet) => this.resolved(this.interfaces, this.slice.interfacesOfSubnet.of(subnet))),
    });
  }

  /** A host is a peer while the rows of some port lead to it. */
  private leadTo(endpoint: Ip | undefined, port: string, dirty: Dirty): void {
    const old = this.peerByPort.get(port);
    if (old === endpoint) return;
    if (old !== undefined) {
      const ports = this.portsByPeer.get(old);
      ports?.delete(port);
      if (ports?.size === 0) this.portsByPeer.delete(old);
      dirty.peers.add(old);
    }
    put(this.peerByPort, port, endpoint);
    if (endpoint !== undefined) {
      const ports = this.portsByPeer.get(endpoint) ?? new RehearsedSet<string>(this.rehearsal);
      this.portsByPeer.set(endpoint, ports.add(port));
      dirty.peers.add(endpoint);
    }
  }

  private compilePeer(endpoint: Ip): void {
    const port = this.host.tunnelPort;
    const rows = port !== undefined && this.portsByPeer.has(endpoint) ? [peerRow(port, endpoint)] : [];
    this.contribute({ kind: 'peer', id: endpoint }, rows);
  }

  private hasLocal(network: string): boolean {
    return this.members.get(network)?.hasLocal ?? false;
  }

  /** In the order of their ids, so that nothing depends on who came first. */
  private resolved<T>(things: ReadonlyMap<string, T>, ids: Iterable<string>): T[] {
    const found: T[] = [];
    for (const id of [...ids].sort()) {
      const thing = things.get(id);
      if (thing !== undefined) found.push(thing);
    }
    return found;
  }

  private contribute(
    owner: Owner,
    rows: readonly Row[],
    groups: readonly Group[] = [],
    meters: readonly Meter[] = [],
  ): void {
    const key = ownerKey(owner);
    const cookie = cookieOf(owner);
    const flows = rows.map((row) => ({ ...row, cookie }));
    this.flows.replace(key, new Map(flows.map((flow) => [flowKey(flow), flow])));
    this.groups.replace(key, new Map(groups.map((group) => [String(group.id), group])));
    this.meters.replace(key, new Map(meters.map((meter) => [String(meter.id), meter])));
    if (rows.length > 0) this.ownersByCookie.set(cookie, owner);
    else this.ownersByCookie.delete(cookie);
  }

  private takeDifference(): FlowChange {
    const flows = this.flows.takeDifference();
    const groups = this.groups.takeDifference();
    const meters = this.meters.takeDifference();
    // The tail of a chain comes before the group that names it.
    const tailFirst = (left: Group, right: Group) => right.id - left.id;
    return {
      // OpenFlow cannot change a cookie: a row that came to another owner is added anew.
      add: [...flows.added, ...flows.changed.filter(({ from, to }) => from.cookie !== to.cookie).map(({ to }) => to)],
      modify: flows.changed.filter(({ from, to }) => from.cookie === to.cookie).map(({ to }) => to),
      remove: flows.removed,
      addGroups: [...groups.added].sort(tailFirst),
      modifyGroups: groups.changed.map(({ to }) => to).sort(tailFirst),
      removeGroups: groups.removed.map(({ id }) => id),
      addMeters: [...meters.added, ...meters.changed.map(({ to }) => to)],
      removeMeters: [...meters.removed, ...meters.changed.map(({ from }) => from)].map(({ id }) => id),
    };
  }
}

/** What the rows of an interface's neighbours are made of. */
function asNeighbor({ key, mac, networkKey, subnet }: RouterInterface): Partial<RouterInterface> {
  return { key, mac, networkKey, subnet };
}

/** The plan of a slice from nothing: what any sequence of changes that leads there gives too. */
export function compileAll(slice: HostSlice, environment: Environment): Plan {
  const compiler = new Compiler();
  const facts: FactChange[] = [...slice.facts()].map((fact) => ({ op: 'upsert', ...fact }));
  compiler.apply(facts, environmentChanges(environment));
  return compiler.plan();
}
