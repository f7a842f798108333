import { canonicalJson, conflict } from '@weir/kernel';
import type { Cursor } from './ports';
import { factKey } from './prepare';
import type { FactLine } from './protocol';

export interface FactKey {
  readonly kind: string;
  readonly id: string;
}

export interface StoredFact extends FactKey {
  readonly position: number;
  readonly body: Readonly<Record<string, unknown>>;
}

export type SliceMark = Cursor & { readonly generation: number; readonly caughtUp: boolean };

/** What a batch means for who carries it out. Nothing that was repeated stands in it. */
export interface SliceChange {
  /** Lines that change something, explicit deletes of unknown facts included; then `absent`, as deletes at the mark's position. */
  readonly changed: readonly FactLine[];
  /** Derived facts that a publisher that started over did not repeat: gone from the slice with its caught-up mark. */
  readonly absent: readonly FactKey[];
  /** Facts that hold state and were not repeated: out of the slice, named by `orphans`, and to be left alone until an explicit delete. */
  readonly orphaned: readonly FactKey[];
}

/**
 * The facts that a follower has taken over, with its cursor. Throws WeirError 'conflict' for an older generation, and for other contents
 * at a position that it knows; then nothing is stored.
 */
export interface SliceStore {
  cursor(): Cursor & { readonly generation: number };
  /** Position 0 of this generation, which is not lower: facts stay until the caught-up mark says which were not repeated. */
  newGeneration(generation: number): void;
  /** What `apply` would answer, and stores nothing: for who programs first and stores after. */
  plan(facts: readonly FactLine[], mark: SliceMark): SliceChange;
  /** One transaction: facts, and the mark as cursor. The same again changes nothing. */
  apply(facts: readonly FactLine[], mark: SliceMark): SliceChange;
  get(kind: string, id: string): StoredFact | undefined;
  /** In order of position, without orphans. */
  facts(): readonly StoredFact[];
  orphans(): readonly StoredFact[];
  close(): void;
}

export interface SliceRow extends FactKey {
  readonly position: number;
  /** Canonical JSON. */
  readonly body: string;
  /** The start in which it was last told; positions compare within one only, since a new journal counts from 1. */
  readonly life: number;
  readonly orphan: boolean;
}

export interface Standing extends Cursor {
  readonly generation: number;
  /** Counts the starts from position 0. */
  readonly life: number;
  /** From a start until its caught-up mark. */
  readonly starting: boolean;
}

/** Where the rows of a slice lie. */
export interface SliceRows {
  standing(): Standing;
  get(key: FactKey): SliceRow | undefined;
  all(): readonly SliceRow[];
  /** One transaction. */
  store(change: {
    readonly put: readonly SliceRow[];
    readonly remove: readonly FactKey[];
    readonly standing: Standing;
  }): void;
  close(): void;
}

export interface SliceOptions {
  /** Kinds of facts behind which something stands that cannot be made again from facts. */
  readonly stateHolding?: readonly string[];
}

export const FIRST_STANDING: Standing = { generation: 0, position: 0, digest: '', life: 0, starting: true };

/** The rules of a followed slice, over rows kept anywhere. */
export class Slice implements SliceStore {
  private readonly stateHolding: ReadonlySet<string>;

  constructor(
    private readonly rows: SliceRows,
    { stateHolding = ['server'] }: SliceOptions = {},
  ) {
    this.stateHolding = new Set(stateHolding);
  }

  cursor(): Cursor & { readonly generation: number } {
    const { generation, position, digest } = this.rows.standing();
    return { generation, position, digest };
  }

  newGeneration(generation: number): void {
    const standing = this.rows.standing();
    if (generation < standing.generation)
      throw conflict(`Generation ${generation} is older than ${standing.generation}.`);
    const next = { generation, position: 0, digest: '', life: standing.life + 1, starting: true };
    this.rows.store({ put: [], remove: [], standing: next });
  }

  plan(facts: readonly FactLine[], mark: SliceMark): SliceChange {
    return this.weigh(facts, mark).change;
  }

  apply(facts: readonly FactLine[], mark: SliceMark): SliceChange {
    const { rows, standing, change } = this.weigh(facts, mark);
    const put: SliceRow[] = [];
    const remove: FactKey[] = [];
    for (const { key, row } of rows.values()) {
      if (row) put.push(row);
      else remove.push(key);
    }
    this.rows.store({ put, remove, standing });
    return change;
  }

  get(kind: string, id: string): StoredFact | undefined {
    const row = this.rows.get({ kind, id });
    return row && !row.orphan ? stored(row) : undefined;
  }

  facts(): readonly StoredFact[] {
    return this.sorted(false);
  }

  orphans(): readonly StoredFact[] {
    return this.sorted(true);
  }

  close(): void {
    this.rows.close();
  }

  private weigh(facts: readonly FactLine[], mark: SliceMark): Weighed {
    const before = this.rows.standing();
    if (mark.generation !== before.generation)
      throw conflict(`A batch of generation ${mark.generation} does not belong to generation ${before.generation}.`);
    if (mark.position < before.position)
      throw conflict(`A mark at ${mark.position} is behind the cursor at ${before.position}.`);
    const rows: Weighed['rows'] = new Map();
    const changed: FactLine[] = [];
    for (const fact of facts) {
      const key = factKey(fact.kind, fact.id);
      const weighed = rows.get(key);
      const known = weighed ? weighed.row : this.rows.get(fact);
      const effect = effectOf(fact, known, before.life);
      if (effect === 'none') continue;
      if (effect === 'change') changed.push(fact);
      const row =
        fact.type === 'upsert'
          ? {
              kind: fact.kind,
              id: fact.id,
              position: fact.position,
              body: canonicalJson(fact.body),
              life: before.life,
              orphan: false,
            }
          : undefined;
      rows.set(key, { key: { kind: fact.kind, id: fact.id }, row });
    }
    const absent: FactKey[] = [];
    const orphaned: FactKey[] = [];
    if (mark.caughtUp && before.starting) {
      for (const row of this.rows.all()) {
        if (row.life === before.life || row.orphan || rows.has(factKey(row.kind, row.id))) continue;
        const key = { kind: row.kind, id: row.id };
        const holdsState = this.stateHolding.has(row.kind);
        (holdsState ? orphaned : absent).push(key);
        rows.set(factKey(row.kind, row.id), { key, row: holdsState ? { ...row, orphan: true } : undefined });
      }
      for (const key of absent) changed.push({ type: 'delete', ...key, position: mark.position });
    }
    const standing = {
      ...before,
      position: mark.position,
      digest: mark.digest,
      starting: before.starting && !mark.caughtUp,
    };
    return { rows, standing, change: { changed, absent, orphaned } };
  }

  private sorted(orphan: boolean): StoredFact[] {
    return this.rows
      .all()
      .filter((row) => row.orphan === orphan)
      .sort((a, b) => a.position - b.position || compare(a.kind, b.kind) || compare(a.id, b.id))
      .map(stored);
  }
}

interface Weighed {
  /** By key; without a row it is removed. */
  readonly rows: Map<string, { readonly key: FactKey; readonly row: SliceRow | undefined }>;
  readonly standing: Standing;
  readonly change: SliceChange;
}

/** `repeat`: nothing to carry out, but told in this life. */
function effectOf(fact: FactLine, known: SliceRow | undefined, life: number): 'none' | 'repeat' | 'change' {
  if (!known) return 'change';
  const same = fact.type === 'upsert' && known.body === canonicalJson(fact.body);
  if (known.life === life) {
    if (fact.position < known.position) return 'none';
    if (fact.position === known.position) {
      if (same) return 'none';
      throw conflict(`${fact.kind} ${fact.id} has other contents at position ${fact.position} than before.`);
    }
  }
  return same && !known.orphan ? 'repeat' : 'change';
}

const stored = ({ kind, id, position, body }: SliceRow): StoredFact => ({
  kind,
  id,
  position,
  body: JSON.parse(body) as Readonly<Record<string, unknown>>,
});

export const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
