import { canonicalJson, type ServerId, unreachable } from '@weir/kernel';
import type { FactChange, FactKind, PlacedChange } from './facts';
import { Rehearsal, RehearsedMap, RehearsedSet } from './rehearsal';

/**
 * Where a server is. Known apart from the server's fact: a deleted server stays where it is, and keeps its networks there, until it was seen gone;
 * and a server without a port has a place too.
 */
export type PlacementChange =
  | { readonly op: 'place'; readonly server: ServerId; readonly place: string }
  | { readonly op: 'unplace'; readonly server: ServerId };

export type SpanChange = FactChange | PlacementChange;

/** What differs between the levels: whether the place of a port is told where that port is. */
export interface SpanLevel {
  readonly bindingAtOwnPlace: boolean;
}

/** At the Top places are sites: a site decides itself where its own ports are, so it is told of the others' only. */
export const sitePlacement: SpanLevel = { bindingAtOwnPlace: false };
/** At a Bottom places are hosts: a host is told of its own ports too. Bindings of other sites name hosts that are no places here. */
export const hostPlacement: SpanLevel = { bindingAtOwnPlace: true };

type Fact = Extract<FactChange, { op: 'upsert' }>;
type FactOf<K extends FactKind> = Extract<Fact, { kind: K }>;

const KIND_ORDER: Readonly<Record<FactKind, number>> = {
  network: 0,
  subnet: 1,
  router: 2,
  'router-interface': 3,
  port: 4,
  server: 5,
  binding: 6,
  departure: 7,
};

/** Networks that routers join, with everything on them: one place needs either all of it or nothing. */
class Component {
  readonly networks: Set<string>;
  readonly routers: Set<string>;
  /** How many ports of this component are at a place; a place without any has no entry. */
  readonly places: Map<string, number>;

  constructor(rehearsal: Rehearsal) {
    this.networks = new RehearsedSet(rehearsal);
    this.routers = new RehearsedSet(rehearsal);
    this.places = new RehearsedMap(rehearsal);
  }

  get size(): number {
    return this.networks.size + this.routers.size;
  }
}

/** Which facts name a thing, whether the thing is there or not. */
class Referrers {
  private readonly sets: Map<string, Set<string>>;

  constructor(private readonly rehearsal: Rehearsal) {
    this.sets = new RehearsedMap(rehearsal);
  }

  of(target: string): readonly string[] {
    return [...(this.sets.get(target) ?? [])];
  }

  add(target: string, referrer: string): void {
    const set = this.sets.get(target);
    if (set) set.add(referrer);
    else this.sets.set(target, new RehearsedSet(this.rehearsal, referrer));
  }

  remove(target: string, referrer: string): void {
    const set = this.sets.get(target);
    set?.delete(referrer);
    if (set?.size === 0) this.sets.delete(target);
  }
}

/** What one call changed: what a place had of a fact before it, and what it has after it. */
class Moves {
  private readonly moves = new Map<
    string,
    { place: string; before: Fact | undefined; after: Fact | undefined; named: Fact }
  >();

  give(place: string, fact: Fact): void {
    this.record(place, fact, undefined, fact);
  }

  replace(place: string, before: Fact, after: Fact): void {
    this.record(place, after, before, after);
  }

  take(place: string, fact: Fact): void {
    this.record(place, fact, fact, undefined);
  }

  changes(): PlacedChange[] {
    const upserts: PlacedChange[] = [];
    const deletes: PlacedChange[] = [];
    for (const { place, before, after, named } of this.moves.values()) {
      if (after) {
        if (!before || !sameBody(before, after)) upserts.push({ ...after, place });
      } else if (before) deletes.push({ op: 'delete', kind: named.kind, id: named.id, place });
    }
    return [...upserts.sort(inOrder), ...deletes.sort((a, b) => inOrder(b, a))];
  }

  private record(place: string, named: Fact, before: Fact | undefined, after: Fact | undefined): void {
    const key = `${place}\n${named.kind}/${named.id}`;
    const known = this.moves.get(key);
    if (known) known.after = after;
    else this.moves.set(key, { place, before, after, named });
  }
}

/**
 * Which place needs to know which fact, kept up to date change by change. A network is in a place's span while a port at that place is on it, or on a
 * network that routers join with it. Facts come in any order; one that names what is not there yet waits. The same facts give the same result, whatever
 * their order, and work follows what a change alters: a further port costs its own deliveries, a place that joins a span gets everything in it once.
 */
export class Span {
  private readonly rehearsal = new Rehearsal();
  private readonly networks = new RehearsedMap<string, FactOf<'network'>>(this.rehearsal);
  private readonly subnets = new RehearsedMap<string, FactOf<'subnet'>>(this.rehearsal);
  private readonly routers = new RehearsedMap<string, FactOf<'router'>>(this.rehearsal);
  private readonly interfaces = new RehearsedMap<string, FactOf<'router-interface'>>(this.rehearsal);
  private readonly ports = new RehearsedMap<string, FactOf<'port'>>(this.rehearsal);
  private readonly servers = new RehearsedMap<string, FactOf<'server'>>(this.rehearsal);
  private readonly bindings = new RehearsedMap<string, FactOf<'binding'>>(this.rehearsal);
  private readonly departures = new RehearsedMap<string, FactOf<'departure'>>(this.rehearsal);
  private readonly placements = new RehearsedMap<string, string>(this.rehearsal);

  private readonly subnetsOfNetwork = new Referrers(this.rehearsal);
  private readonly portsOfNetwork = new Referrers(this.rehearsal);
  private readonly portsOfServer = new Referrers(this.rehearsal);
  private readonly departuresOfServer = new Referrers(this.rehearsal);
  private readonly interfacesOfNetwork = new Referrers(this.rehearsal);
  private readonly interfacesOfSubnet = new Referrers(this.rehearsal);
  private readonly interfacesOfRouter = new Referrers(this.rehearsal);

  /** Subnets, interfaces, ports and bindings whose references are all there; the others wait. */
  private readonly live = new RehearsedSet<Fact>(this.rehearsal);
  private readonly componentOfNetwork = new RehearsedMap<string, Component>(this.rehearsal);
  private readonly componentOfRouter = new RehearsedMap<string, Component>(this.rehearsal);
  private readonly portsAt = new RehearsedMap<string, Map<string, number>>(this.rehearsal);
  private moves = new Moves();

  constructor(private readonly level: SpanLevel) {}

  /** Takes over a batch and answers what it changes for which place: upserts in order of kind, deletes last. */
  apply(changes: readonly SpanChange[]): PlacedChange[] {
    this.moves = new Moves();
    for (const change of changes) {
      switch (change.op) {
        case 'upsert':
          this.upsert(change);
          break;
        case 'delete': {
          const known = this.known(change.kind, change.id);
          if (known) this.remove(known);
          break;
        }
        case 'place':
          this.move(change.server, change.place);
          break;
        case 'unplace':
          this.move(change.server, undefined);
          break;
        default:
          unreachable(change);
      }
    }
    return this.moves.changes();
  }

  /** Takes back afterwards whatever `work` has applied; the answers stand. */
  rehearse<T>(work: () => T): T {
    return this.rehearsal.run(() => {
      const { moves } = this;
      this.rehearsal.before(() => (this.moves = moves));
      return work();
    });
  }

  /** How many facts name something that is not there. */
  waiting(): number {
    return this.subnets.size + this.interfaces.size + this.ports.size + this.bindings.size - this.live.size;
  }

  /** The places that need to know a network, sorted; [] for one that is not there. */
  placesOf(network: string): string[] {
    return [...(this.componentOfNetwork.get(network)?.places.keys() ?? [])].sort();
  }

  /** The networks in a place's span, sorted. */
  networksAt(place: string): string[] {
    return [...this.componentOfNetwork]
      .filter(([, component]) => component.places.has(place))
      .map(([id]) => id)
      .sort();
  }

  private upsert(fact: Fact): void {
    const known = this.known(fact.kind, fact.id);
    if (!known) return this.insert(fact);
    if (sameBody(known, fact)) return;
    if (references(known) !== references(fact)) {
      this.remove(known);
      return this.insert(fact);
    }
    for (const place of this.deliveredTo(known)) this.moves.replace(place, known, fact);
    if (this.live.delete(known)) this.live.add(fact);
    this.keep(fact);
  }

  private insert(fact: Fact): void {
    this.keep(fact);
    switch (fact.kind) {
      case 'network': {
        const component = new Component(this.rehearsal);
        component.networks.add(fact.id);
        this.componentOfNetwork.set(fact.id, component);
        this.portsAt.set(fact.id, new RehearsedMap(this.rehearsal));
        for (const id of this.subnetsOfNetwork.of(fact.id)) this.show(this.subnets.get(id));
        for (const id of this.portsOfNetwork.of(fact.id)) this.plug(this.ports.get(id));
        for (const id of this.interfacesOfNetwork.of(fact.id)) this.join(this.interfaces.get(id));
        return;
      }
      case 'subnet':
        this.subnetsOfNetwork.add(fact.body.network, fact.id);
        if (this.networks.has(fact.body.network)) this.show(fact);
        for (const id of this.interfacesOfSubnet.of(fact.id)) this.join(this.interfaces.get(id));
        return;
      case 'router':
        for (const id of this.interfacesOfRouter.of(fact.id)) this.join(this.interfaces.get(id));
        return;
      case 'router-interface':
        this.interfacesOfNetwork.add(fact.body.network, fact.id);
        this.interfacesOfSubnet.add(fact.body.subnet, fact.id);
        this.interfacesOfRouter.add(fact.body.router, fact.id);
        this.join(fact);
        return;
      case 'port':
        this.portsOfNetwork.add(fact.body.network, fact.id);
        this.portsOfServer.add(fact.body.server, fact.id);
        this.plug(fact);
        return;
      case 'server':
        for (const place of this.deliveredTo(fact)) this.moves.give(place, fact);
        return;
      case 'departure':
        this.departuresOfServer.add(fact.body.server, fact.id);
        for (const place of this.deliveredTo(fact)) this.moves.give(place, fact);
        return;
      case 'binding':
        this.bind(fact);
        return;
      default:
        unreachable(fact);
    }
  }

  private remove(fact: Fact): void {
    switch (fact.kind) {
      case 'network':
        for (const id of this.interfacesOfNetwork.of(fact.id)) this.part(this.interfaces.get(id));
        for (const id of this.portsOfNetwork.of(fact.id)) this.unplug(this.ports.get(id));
        for (const id of this.subnetsOfNetwork.of(fact.id)) this.hide(this.subnets.get(id));
        this.componentOfNetwork.delete(fact.id);
        this.portsAt.delete(fact.id);
        this.networks.delete(fact.id);
        return;
      case 'subnet':
        for (const id of this.interfacesOfSubnet.of(fact.id)) this.part(this.interfaces.get(id));
        this.hide(fact);
        this.subnetsOfNetwork.remove(fact.body.network, fact.id);
        this.subnets.delete(fact.id);
        return;
      case 'router':
        for (const id of this.interfacesOfRouter.of(fact.id)) this.part(this.interfaces.get(id));
        this.routers.delete(fact.id);
        return;
      case 'router-interface':
        this.part(fact);
        this.interfacesOfNetwork.remove(fact.body.network, fact.id);
        this.interfacesOfSubnet.remove(fact.body.subnet, fact.id);
        this.interfacesOfRouter.remove(fact.body.router, fact.id);
        this.interfaces.delete(fact.id);
        return;
      case 'port':
        this.unplug(fact);
        this.portsOfNetwork.remove(fact.body.network, fact.id);
        this.portsOfServer.remove(fact.body.server, fact.id);
        this.ports.delete(fact.id);
        return;
      case 'server':
        for (const place of this.deliveredTo(fact)) this.moves.take(place, fact);
        this.servers.delete(fact.id);
        return;
      case 'departure':
        for (const place of this.deliveredTo(fact)) this.moves.take(place, fact);
        this.departuresOfServer.remove(fact.body.server, fact.id);
        this.departures.delete(fact.id);
        return;
      case 'binding':
        this.hide(fact);
        this.bindings.delete(fact.id);
        return;
      default:
        unreachable(fact);
    }
  }

  /** A subnet, port, interface or binding whose references are there goes to everyone who needs it. */
  private show(fact: Fact | undefined): void {
    if (!fact || this.live.has(fact)) return;
    this.live.add(fact);
    for (const place of this.deliveredTo(fact)) this.moves.give(place, fact);
  }

  private hide(fact: Fact | undefined): void {
    if (!fact || !this.live.has(fact)) return;
    for (const place of this.deliveredTo(fact)) this.moves.take(place, fact);
    this.live.delete(fact);
  }

  private plug(port: FactOf<'port'> | undefined): void {
    if (!port || !this.networks.has(port.body.network)) return;
    this.show(port);
    const place = this.placements.get(port.body.server);
    if (place !== undefined) this.occupy(port.body.network, place);
    this.bind(this.bindings.get(port.id));
  }

  private unplug(port: FactOf<'port'> | undefined): void {
    if (!port || !this.live.has(port)) return;
    this.hide(this.bindings.get(port.id));
    const place = this.placements.get(port.body.server);
    if (place !== undefined) this.vacate(port.body.network, place);
    this.hide(port);
  }

  private bind(binding: FactOf<'binding'> | undefined): void {
    const port = binding && this.ports.get(binding.id);
    if (port && this.live.has(port)) this.show(binding);
  }

  private move(server: ServerId, place: string | undefined): void {
    const before = this.placements.get(server);
    if (before === place) return;
    const fact = this.servers.get(server);
    const ports = this.portsOfServer
      .of(server)
      .map((id) => this.ports.get(id))
      .filter((port) => port !== undefined)
      .filter((port) => this.live.has(port));

    const own = [fact, ...this.departuresOfServer.of(server).map((id) => this.departures.get(id))];

    for (const port of ports) this.hide(this.bindings.get(port.id));
    if (before !== undefined) {
      for (const each of own) if (each) this.moves.take(before, each);
      for (const port of ports) this.vacate(port.body.network, before);
    }
    if (place === undefined) this.placements.delete(server);
    else this.placements.set(server, place);
    if (place !== undefined) {
      for (const each of own) if (each) this.moves.give(place, each);
      for (const port of ports) this.occupy(port.body.network, place);
    }
    for (const port of ports) this.bind(this.bindings.get(port.id));
  }

  private occupy(network: string, place: string): void {
    const component = this.componentOfNetwork.get(network);
    const here = this.portsAt.get(network);
    if (!component || !here) return;
    add(here, place, 1);
    if (add(component.places, place, 1) === 1) this.enter(place, component);
  }

  private vacate(network: string, place: string): void {
    const component = this.componentOfNetwork.get(network);
    const here = this.portsAt.get(network);
    if (!component || !here) return;
    add(here, place, -1);
    if (add(component.places, place, -1) === 0) this.leave(place, component);
  }

  private join(link: FactOf<'router-interface'> | undefined): void {
    if (!link || this.live.has(link)) return;
    const { network, router, subnet } = link.body;
    const near = this.componentOfNetwork.get(network);
    if (!near || !this.routers.has(router) || !this.subnets.has(subnet)) return;
    let far = this.componentOfRouter.get(router);
    if (!far) {
      far = new Component(this.rehearsal);
      far.routers.add(router);
      this.componentOfRouter.set(router, far);
    }
    if (near !== far) this.merge(near, far);
    this.show(link);
  }

  private part(link: FactOf<'router-interface'> | undefined): void {
    if (!link || !this.live.has(link)) return;
    this.hide(link);
    const whole = this.componentOfRouter.get(link.body.router);
    const far = this.reach(link.body.router);
    if (whole && !far.networks.has(link.body.network)) this.split(whole, far);
  }

  private merge(one: Component, other: Component): void {
    const newToOne = [...other.places.keys()].filter((place) => !one.places.has(place));
    const newToOther = [...one.places.keys()].filter((place) => !other.places.has(place));
    for (const place of newToOne) this.enter(place, one);
    for (const place of newToOther) this.enter(place, other);
    const [into, from] = one.size < other.size ? [other, one] : [one, other];
    for (const [place, count] of from.places) add(into.places, place, count);
    for (const id of from.networks) {
      into.networks.add(id);
      this.componentOfNetwork.set(id, into);
    }
    for (const id of from.routers) {
      into.routers.add(id);
      this.componentOfRouter.set(id, into);
    }
  }

  /** Takes `part` out of `whole`, which keeps the rest. */
  private split(whole: Component, part: Component): void {
    const before = [...whole.places.keys()];
    for (const id of part.networks) {
      whole.networks.delete(id);
      this.componentOfNetwork.set(id, part);
    }
    for (const id of part.routers) {
      whole.routers.delete(id);
      this.componentOfRouter.set(id, part);
    }
    for (const [place, count] of part.places) add(whole.places, place, -count);
    for (const place of before) {
      if (!whole.places.has(place)) this.leave(place, whole);
      if (!part.places.has(place)) this.leave(place, part);
    }
    if (part.networks.size === 0) for (const id of part.routers) this.componentOfRouter.delete(id);
  }

  /** Everything that routers join with this one. */
  private reach(router: string): Component {
    const found = new Component(this.rehearsal);
    found.routers.add(router);
    const open = [router];
    for (let id = open.pop(); id !== undefined; id = open.pop()) {
      for (const network of this.liveInterfaces(this.interfacesOfRouter, id).map((link) => link.body.network)) {
        if (found.networks.has(network)) continue;
        found.networks.add(network);
        for (const [place, count] of this.portsAt.get(network) ?? []) add(found.places, place, count);
        for (const next of this.liveInterfaces(this.interfacesOfNetwork, network).map((link) => link.body.router)) {
          if (found.routers.has(next)) continue;
          found.routers.add(next);
          open.push(next);
        }
      }
    }
    return found;
  }

  private liveInterfaces(of: Referrers, target: string): FactOf<'router-interface'>[] {
    return of
      .of(target)
      .map((id) => this.interfaces.get(id))
      .filter((link) => link !== undefined)
      .filter((link) => this.live.has(link));
  }

  private enter(place: string, component: Component): void {
    for (const fact of this.content(place, component)) this.moves.give(place, fact);
  }

  private leave(place: string, component: Component): void {
    for (const fact of this.content(place, component)) this.moves.take(place, fact);
  }

  /** What a place in the span of this component has of it. */
  private *content(place: string, component: Component): Iterable<Fact> {
    for (const id of component.networks) {
      const network = this.networks.get(id);
      if (network) yield network;
      for (const subnet of this.subnetsOfNetwork.of(id)) yield* this.ifLive(this.subnets.get(subnet));
      for (const portId of this.portsOfNetwork.of(id)) {
        const port = this.ports.get(portId);
        if (!port) continue;
        yield* this.ifLive(port);
        if (this.mayKnowBinding(place, port)) yield* this.ifLive(this.bindings.get(portId));
      }
    }
    for (const id of component.routers) {
      const router = this.routers.get(id);
      if (router) yield router;
      yield* this.liveInterfaces(this.interfacesOfRouter, id);
    }
  }

  private *ifLive(fact: Fact | undefined): Iterable<Fact> {
    if (fact && this.live.has(fact)) yield fact;
  }

  private mayKnowBinding(place: string, port: FactOf<'port'>): boolean {
    return this.level.bindingAtOwnPlace || this.placements.get(port.body.server) !== place;
  }

  private deliveredTo(fact: Fact): readonly string[] {
    switch (fact.kind) {
      case 'network':
        return this.placesIn(this.componentOfNetwork.get(fact.id));
      case 'router':
        return this.placesIn(this.componentOfRouter.get(fact.id));
      case 'subnet':
      case 'router-interface':
      case 'port':
        return this.live.has(fact) ? this.placesIn(this.componentOfNetwork.get(fact.body.network)) : [];
      case 'server':
      case 'departure': {
        const place = this.placements.get(fact.kind === 'server' ? fact.id : fact.body.server);
        return place === undefined ? [] : [place];
      }
      case 'binding': {
        const port = this.ports.get(fact.id);
        if (!port || !this.live.has(fact)) return [];
        return this.placesIn(this.componentOfNetwork.get(port.body.network)).filter((place) =>
          this.mayKnowBinding(place, port),
        );
      }
      default:
        return unreachable(fact);
    }
  }

  private placesIn(component: Component | undefined): readonly string[] {
    return [...(component?.places.keys() ?? [])];
  }

  private known(kind: FactKind, id: string): Fact | undefined {
    return this.mapOf(kind).get(id);
  }

  private mapOf(kind: FactKind): Map<string, Fact> {
    const maps = {
      network: this.networks,
      subnet: this.subnets,
      router: this.routers,
      'router-interface': this.interfaces,
      port: this.ports,
      server: this.servers,
      binding: this.bindings,
      departure: this.departures,
    };
    return maps[kind];
  }

  private keep(fact: Fact): void {
    this.mapOf(fact.kind).set(fact.id, fact);
  }
}

/** What a fact hangs on: when it changes, the fact is taken out and put in anew. */
function references(fact: Fact): string {
  switch (fact.kind) {
    case 'subnet':
      return fact.body.network;
    case 'router-interface':
      return `${fact.body.router} ${fact.body.network} ${fact.body.subnet}`;
    case 'port':
      return `${fact.body.network} ${fact.body.server}`;
    case 'departure':
      return fact.body.server;
    default:
      return '';
  }
}

function sameBody(one: Fact, other: Fact): boolean {
  return one === other || canonicalJson(one.body) === canonicalJson(other.body);
}

/** Adds to a count, which goes at 0; answers the new count. */
function add(counts: Map<string, number>, key: string, amount: number): number {
  const count = (counts.get(key) ?? 0) + amount;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
  return count;
}

function inOrder(one: PlacedChange, other: PlacedChange): number {
  return KIND_ORDER[one.kind] - KIND_ORDER[other.kind] || compare(one.id, other.id) || compare(one.place, other.place);
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
