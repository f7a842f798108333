import { type FactBody, type FactChange, type FactKind, Rehearsal, RehearsedMap, RehearsedSet } from '@weir/topology';

/** Ids by what they refer to. */
class Index {
  private readonly sets: Map<string, Set<string>>;

  constructor(private readonly rehearsal: Rehearsal) {
    this.sets = new RehearsedMap(rehearsal);
  }

  of(id: string): ReadonlySet<string> {
    return this.sets.get(id) ?? NONE;
  }

  add(id: string, member: string): void {
    const set = this.sets.get(id);
    if (set) set.add(member);
    else this.sets.set(id, new RehearsedSet(this.rehearsal, member));
  }

  remove(id: string, member: string): void {
    const set = this.sets.get(id);
    set?.delete(member);
    if (set?.size === 0) this.sets.delete(id);
  }
}

const NONE: ReadonlySet<string> = new Set();

export type Fact = { [K in FactKind]: { readonly kind: K; readonly id: string; readonly body: FactBody<K> } }[FactKind];

/** A reference of one fact to another that is not there yet. */
export interface Waiting {
  readonly kind: FactKind;
  readonly id: string;
  readonly missing: { readonly kind: FactKind; readonly id: string };
}

/**
 * All facts that this host has, by kind and id, with the indexes that the compiler asks. Facts come in any order; one may come before
 * what it refers to. Applying a change twice is harmless.
 */
export class HostSlice {
  private readonly kinds: Map<FactKind, Map<string, Fact>>;
  readonly portsOfNetwork: Index;
  readonly portsOfSubnet: Index;
  readonly subnetsOfNetwork: Index;
  readonly interfacesOfNetwork: Index;
  readonly interfacesOfSubnet: Index;
  readonly interfacesOfRouter: Index;

  constructor(private readonly rehearsal = new Rehearsal()) {
    this.kinds = new RehearsedMap(rehearsal);
    this.portsOfNetwork = new Index(rehearsal);
    this.portsOfSubnet = new Index(rehearsal);
    this.subnetsOfNetwork = new Index(rehearsal);
    this.interfacesOfNetwork = new Index(rehearsal);
    this.interfacesOfSubnet = new Index(rehearsal);
    this.interfacesOfRouter = new Index(rehearsal);
  }

  static of(changes: Iterable<FactChange>): HostSlice {
    const slice = new HostSlice();
    for (const change of changes) slice.apply(change);
    return slice;
  }

  get<K extends FactKind>(kind: K, id: string): FactBody<K> | undefined {
    return this.kinds.get(kind)?.get(id)?.body as FactBody<K> | undefined;
  }

  ids(kind: FactKind): Iterable<string> {
    return this.kinds.get(kind)?.keys() ?? [];
  }

  *facts(): Generator<Fact> {
    for (const facts of this.kinds.values()) yield* facts.values();
  }

  apply(change: FactChange): void {
    const facts = this.kinds.get(change.kind) ?? new RehearsedMap<string, Fact>(this.rehearsal);
    this.kinds.set(change.kind, facts);
    const old = facts.get(change.id);
    if (old) for (const [index, id] of this.indexed(old)) index.remove(id, old.id);
    if (change.op === 'delete') {
      facts.delete(change.id);
      return;
    }
    const fact = { kind: change.kind, id: change.id, body: change.body } as Fact;
    facts.set(change.id, fact);
    for (const [index, id] of this.indexed(fact)) index.add(id, fact.id);
  }

  /** Every fact that refers to one which has not come: programmed when it comes, and until then counted. */
  *waiting(): Generator<Waiting> {
    for (const fact of this.facts()) {
      for (const missing of references(fact)) {
        if (this.get(missing.kind, missing.id) === undefined) yield { kind: fact.kind, id: fact.id, missing };
      }
    }
  }

  private indexed(fact: Fact): (readonly [Index, string])[] {
    switch (fact.kind) {
      case 'port':
        return [
          [this.portsOfNetwork, fact.body.network],
          ...fact.body.fixedIps.map(({ subnet }) => [this.portsOfSubnet, subnet] as const),
        ];
      case 'subnet':
        return [[this.subnetsOfNetwork, fact.body.network]];
      case 'router-interface':
        return [
          [this.interfacesOfNetwork, fact.body.network],
          [this.interfacesOfSubnet, fact.body.subnet],
          [this.interfacesOfRouter, fact.body.router],
        ];
      default:
        return [];
    }
  }
}

function references(fact: Fact): { readonly kind: FactKind; readonly id: string }[] {
  switch (fact.kind) {
    case 'subnet':
      return [{ kind: 'network', id: fact.body.network }];
    case 'port':
      return [
        { kind: 'network', id: fact.body.network },
        ...fact.body.fixedIps.map(({ subnet }) => ({ kind: 'subnet' as const, id: subnet })),
      ];
    case 'binding':
      return [{ kind: 'port', id: fact.body.port }];
    case 'router-interface':
      return [
        { kind: 'router', id: fact.body.router },
        { kind: 'network', id: fact.body.network },
        { kind: 'subnet', id: fact.body.subnet },
      ];
    case 'server':
      return fact.body.ports.map((port) => ({ kind: 'port', id: port }));
    default:
      return [];
  }
}
