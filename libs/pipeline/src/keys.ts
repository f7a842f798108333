import { WeirError } from '@weir/kernel';
import { type FactChange, Rehearsal, RehearsedMap, RehearsedSet } from '@weir/topology';
import { type EnvironmentChange, KEY_KINDS, type KeyKind, type Keys } from './environment';
import { KEY_LIMIT } from './limits';
import type { HostSlice } from './slice';

export class KeysExhausted extends WeirError {
  constructor(kind: KeyKind) {
    super('over-quota', `This host has no number left for another ${kind}.`);
  }
}

/** As it stands in the host's state folder. */
export type SerializedKeys = { readonly [K in KeyKind]?: Readonly<Record<string, number>> };

/** The keys that one batch of facts needs, and what to do once its bundle is committed. */
export interface KeyedBatch {
  readonly changes: readonly EnvironmentChange[];
  /**
   * Frees the keys of what this batch deleted and no later one brought back; call it after the commit, since until then the
   * switch has rows with these numbers. Answers the changes for the compiler.
   */
  release(): readonly EnvironmentChange[];
}

class Numbers {
  readonly byId: Map<string, number>;
  private readonly taken: Set<number>;
  /** All below are taken. */
  private lowest = 1;

  constructor(private readonly rehearsal: Rehearsal) {
    this.byId = new RehearsedMap(rehearsal);
    this.taken = new RehearsedSet(rehearsal);
  }

  allocate(kind: KeyKind, id: string): number {
    const known = this.byId.get(id);
    if (known !== undefined) return known;
    this.keepLowest();
    while (this.taken.has(this.lowest)) this.lowest++;
    if (this.lowest >= KEY_LIMIT) throw new KeysExhausted(kind);
    const key = this.lowest;
    this.take(id, key);
    return key;
  }

  release(id: string): boolean {
    const key = this.byId.get(id);
    if (key === undefined) return false;
    this.byId.delete(id);
    this.taken.delete(key);
    this.keepLowest();
    this.lowest = Math.min(this.lowest, key);
    return true;
  }

  take(id: string, key: number): void {
    this.byId.set(id, key);
    this.taken.add(key);
  }

  private keepLowest(): void {
    const { lowest } = this;
    this.rehearsal.before(() => (this.lowest = lowest));
  }
}

/**
 * Gives each thing that flows name by number the lowest free one. A number is never given to another thing before it was released,
 * so that no row of the old one meets packets of the new. Numbers start at 1: a register that nobody wrote is 0.
 */
export class KeyAllocator {
  private readonly rehearsal = new Rehearsal();
  private readonly kinds: { readonly [K in KeyKind]: Numbers } = {
    network: new Numbers(this.rehearsal),
    router: new Numbers(this.rehearsal),
    'router-interface': new Numbers(this.rehearsal),
    port: new Numbers(this.rehearsal),
  };
  /** What is deleted and still has its key, with the batch that deleted it. */
  private readonly leaving = new RehearsedMap<
    string,
    { readonly kind: KeyKind; readonly id: string; readonly batch: number }
  >(this.rehearsal);
  private batches = 0;

  /** Refuses numbers that two things would share. */
  static restore(serialized: SerializedKeys): KeyAllocator {
    const allocator = new KeyAllocator();
    for (const kind of KEY_KINDS) {
      const seen = new Set<number>();
      for (const [id, key] of Object.entries(serialized[kind] ?? {})) {
        if (!Number.isSafeInteger(key) || key < 1 || key >= KEY_LIMIT || seen.has(key)) {
          throw new WeirError('invalid', `The stored number ${key} of ${kind} ${id} is not usable.`);
        }
        seen.add(key);
        allocator.kinds[kind].take(id, key);
      }
    }
    return allocator;
  }

  get keys(): Keys {
    return {
      network: this.kinds.network.byId,
      router: this.kinds.router.byId,
      'router-interface': this.kinds['router-interface'].byId,
      port: this.kinds.port.byId,
    };
  }

  /** The thing's key: the one that it has, else the lowest free one. Throws KeysExhausted. */
  allocate(kind: KeyKind, id: string): number {
    this.leaving.delete(`${kind} ${id}`);
    return this.kinds[kind].allocate(kind, id);
  }

  /** Frees the thing's key at once; only for what no row names any more. */
  release(kind: KeyKind, id: string): void {
    this.leaving.delete(`${kind} ${id}`);
    this.kinds[kind].release(id);
  }

  /** Keys for all that these facts bring; those of what they delete stay until `release`. */
  follow(facts: readonly FactChange[]): KeyedBatch {
    const batch = this.batches + 1;
    this.rehearsal.before(() => (this.batches = batch - 1));
    this.batches = batch;
    const changes: EnvironmentChange[] = [];
    for (const fact of facts) {
      const kind = KEY_KINDS.find((keyed) => keyed === fact.kind);
      if (kind === undefined) continue;
      if (fact.op === 'delete') this.leaving.set(`${kind} ${fact.id}`, { kind, id: fact.id, batch });
      else changes.push({ type: 'key', kind, id: fact.id, key: this.allocate(kind, fact.id) });
    }
    return { changes, release: () => this.releaseUntil(batch) };
  }

  /**
   * Frees the keys of all that is not in the slice: what was deleted while this host was away. Only once the slice is whole and the
   * bridge has been brought to its plan. Answers the changes for the compiler.
   */
  retain(slice: HostSlice): readonly EnvironmentChange[] {
    const gone = KEY_KINDS.flatMap((kind) =>
      [...this.kinds[kind].byId.keys()].filter((id) => !slice.get(kind, id)).map((id) => ({ kind, id })),
    );
    for (const { kind, id } of gone) this.release(kind, id);
    return gone.map((released) => ({ type: 'key', ...released, key: undefined }));
  }

  /** Takes back afterwards whatever `work` has allotted and released; the answers stand. */
  rehearse<T>(work: () => T): T {
    return this.rehearsal.run(work);
  }

  serialize(): SerializedKeys {
    return Object.fromEntries(KEY_KINDS.map((kind) => [kind, Object.fromEntries(this.kinds[kind].byId)]));
  }

  private releaseUntil(batch: number): EnvironmentChange[] {
    const changes: EnvironmentChange[] = [];
    for (const [name, gone] of this.leaving) {
      if (gone.batch > batch) continue;
      this.leaving.delete(name);
      if (this.kinds[gone.kind].release(gone.id))
        changes.push({ type: 'key', kind: gone.kind, id: gone.id, key: undefined });
    }
    return changes;
  }
}
