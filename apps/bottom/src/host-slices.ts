import { canonicalJson, type PortId, type ServerId } from '@weir/kernel';
import {
  hostPlacement,
  Rehearsal,
  RehearsedMap,
  RehearsedSet,
  Span,
  type BindingFact,
  type FactChange,
  type FactKind,
  type PlacedChange,
  type PortFact,
  type SpanChange,
} from '@weir/topology';

/** Where an own server is; the endpoint is unknown until its host has said who it is. */
export interface Place {
  readonly host: string;
  readonly endpoint: BindingFact['endpoint'] | undefined;
}

/**
 * The slices of the hosts: the site's facts, and our own placements. Of a port in the own site our placement says where it is, whatever
 * the Top says; of other sites' ports the Top alone.
 */
export class HostSlices {
  private readonly rehearsal = new Rehearsal();
  private readonly span = new Span(hostPlacement);
  private readonly ports = new RehearsedMap<string, PortFact>(this.rehearsal);
  private readonly portsOfServer = new RehearsedMap<string, Set<PortId>>(this.rehearsal);
  private readonly servers = new RehearsedSet<string>(this.rehearsal);
  private readonly places = new RehearsedMap<string, Place>(this.rehearsal);
  /** As the Top tells them. */
  private readonly told = new RehearsedMap<string, BindingFact>(this.rehearsal);
  /** As they stand in the span. */
  private readonly bindings = new RehearsedMap<string, BindingFact>(this.rehearsal);
  private pending: SpanChange[] = [];

  /** Takes back afterwards whatever `work` has applied and placed; the answers stand. */
  rehearse<T>(work: () => T): T {
    return this.rehearsal.run(() => {
      const { pending } = this;
      this.rehearsal.before(() => (this.pending = pending));
      this.pending = [...pending];
      return this.span.rehearse(work);
    });
  }

  apply(change: FactChange): void {
    if (change.op === 'delete') return this.delete(change.kind, change.id);
    switch (change.kind) {
      case 'binding':
        this.told.set(change.id, change.body);
        this.bind(change.id as PortId);
        return;
      case 'port': {
        this.unlink(change.id);
        this.ports.set(change.id, change.body);
        const siblings = this.portsOfServer.get(change.body.server) ?? new RehearsedSet<PortId>(this.rehearsal);
        this.portsOfServer.set(change.body.server, siblings.add(change.body.id));
        this.pending.push(change);
        this.bind(change.body.id);
        return;
      }
      case 'server':
        this.servers.add(change.id);
        this.pending.push(change);
        this.bindPortsOf(change.id);
        return;
      default:
        this.pending.push(change);
    }
  }

  place(server: ServerId, place: Place): void {
    this.places.set(server, place);
    this.pending.push({ op: 'place', server, place: place.host });
    this.bindPortsOf(server);
  }

  /** It is known to be there, and its host is not told of it. */
  locate(server: ServerId, place: Place): void {
    this.places.set(server, place);
    this.bindPortsOf(server);
  }

  unplace(server: ServerId): void {
    this.places.delete(server);
    this.pending.push({ op: 'unplace', server });
    this.bindPortsOf(server);
  }

  /** What changed for whom since the last call. */
  flush(): PlacedChange[] {
    const { pending } = this;
    this.pending = [];
    return this.span.apply(pending);
  }

  portsAt(server: string): readonly PortId[] {
    return [...(this.portsOfServer.get(server) ?? [])];
  }

  /** Where an own port is; undefined for those of other sites, and until it is placed. */
  ownBinding(port: string): BindingFact | undefined {
    const server = this.ports.get(port)?.server;
    const place = server === undefined ? undefined : this.places.get(server);
    return place?.endpoint === undefined
      ? undefined
      : { port: port as PortId, host: place.host, endpoint: place.endpoint };
  }

  serverOf(port: string): ServerId | undefined {
    return this.ports.get(port)?.server;
  }

  isPlaced(server: string): boolean {
    return this.places.has(server);
  }

  /** Facts that name something that is not there. */
  waiting(): number {
    return this.span.waiting();
  }

  private delete(kind: FactKind, id: string): void {
    switch (kind) {
      case 'binding':
        this.told.delete(id);
        this.bind(id as PortId);
        return;
      case 'port':
        this.unlink(id);
        this.ports.delete(id);
        this.pending.push({ op: 'delete', kind, id });
        this.bind(id as PortId);
        return;
      case 'server':
        this.servers.delete(id);
        this.pending.push({ op: 'delete', kind, id });
        this.bindPortsOf(id);
        return;
      default:
        this.pending.push({ op: 'delete', kind, id });
    }
  }

  private unlink(port: string): void {
    const server = this.ports.get(port)?.server;
    if (server === undefined) return;
    const siblings = this.portsOfServer.get(server);
    siblings?.delete(port as PortId);
    if (siblings?.size === 0) this.portsOfServer.delete(server);
  }

  private bindPortsOf(server: string): void {
    for (const port of this.portsAt(server)) this.bind(port);
  }

  private bind(port: PortId): void {
    const binding = this.bindingOf(port);
    const known = this.bindings.get(port);
    if (binding) {
      if (known && canonicalJson(known) === canonicalJson(binding)) return;
      this.bindings.set(port, binding);
      this.pending.push({ op: 'upsert', kind: 'binding', id: port, body: binding });
    } else if (known) {
      this.bindings.delete(port);
      this.pending.push({ op: 'delete', kind: 'binding', id: port });
    }
  }

  private bindingOf(port: PortId): BindingFact | undefined {
    const server = this.ports.get(port)?.server;
    const own = server !== undefined && (this.servers.has(server) || this.places.has(server));
    return own ? this.ownBinding(port) : this.told.get(port);
  }
}
