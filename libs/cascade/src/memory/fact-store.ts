import { conflict } from '@weir/kernel';
import type { RestartableFactStore } from '../journal';
import type { Cursor, ProjectedFactStore, PublishedChange } from '../ports';
import { factKey, prepare } from '../prepare';
import type { FactLine } from '../protocol';
import { Retention } from '../retention';
import { compare } from '../slice';

interface Row {
  readonly position: number;
  readonly kind: string;
  readonly id: string;
  readonly body: string | undefined;
}

interface FollowerRows {
  readonly rows: Map<string, Row>;
  readonly tombstones: Map<string, Row>;
  /** By position; what was replaced since is still in it, until it is more than half. */
  order: Row[];
}

/** The twin of the SQLite store, for worlds without a disk. */
export class MemoryFactStore implements RestartableFactStore, ProjectedFactStore {
  private readonly followers = new Map<string, FollowerRows>();
  private readonly digests = new Map<number, string>();
  private readonly cursors = new Map<string, Cursor>();
  private readonly retention = new Retention();
  private current: number;
  private stand: Cursor = { position: 0, digest: '' };

  constructor({ generation }: { readonly generation: number }) {
    this.current = generation;
  }

  get generation(): number {
    return this.current;
  }

  head(): Cursor {
    return this.stand;
  }

  commit(entry: Cursor & { readonly changes: readonly PublishedChange[] }): void {
    const { position, digest } = entry;
    const changes = prepare(this.stand, entry).sort((a, b) => compare(a.kind, b.kind) || compare(a.id, b.id));
    for (const { follower, kind, id, body, bury } of changes) {
      const { rows, tombstones, order } = this.of(follower);
      const key = factKey(kind, id);
      if (!bury && rows.get(key)?.body === body) continue;
      const row = { position, kind, id, body };
      rows.set(key, row);
      if (body === undefined) tombstones.set(key, row);
      else tombstones.delete(key);
      order.push(row);
      if (order.length > 2 * rows.size + 64) this.tidy(follower);
    }
    this.stand = { position, digest };
    this.digests.set(position, digest);
  }

  digestAt(position: number): string | undefined {
    return position === 0 ? '' : this.digests.get(position);
  }

  after(follower: string, position: number, limit: number): readonly FactLine[] {
    const lines: FactLine[] = [];
    const { order, rows } = this.of(follower);
    for (let i = firstAfter(order, position); i < order.length && lines.length < limit; i++) {
      const row = order[i];
      if (row && rows.get(factKey(row.kind, row.id)) === row) lines.push(lineOf(row));
    }
    return lines;
  }

  live(follower: string): readonly FactLine[] {
    return this.after(follower, 0, Infinity).filter((line) => line.type === 'upsert');
  }

  acknowledged(follower: string): Cursor | undefined {
    return this.cursors.get(follower);
  }

  acknowledge(follower: string, { position, digest }: Cursor): void {
    this.cursors.set(follower, { position, digest });
    const { rows, tombstones } = this.of(follower);
    for (const [key, row] of tombstones) {
      if (row.position > position) continue;
      tombstones.delete(key);
      rows.delete(key);
    }
    this.prune();
  }

  remove(follower: string): void {
    this.followers.delete(follower);
    this.cursors.delete(follower);
  }

  restart(generation: number): void {
    if (generation <= this.current) throw conflict(`Generation ${generation} is not above ${this.current}.`);
    this.reset(generation);
  }

  raise(generation: number): void {
    if (generation <= this.current) throw conflict(`Generation ${generation} is not above ${this.current}.`);
    this.current = generation;
    this.cursors.clear();
  }

  reset(generation: number): void {
    this.current = generation;
    this.followers.clear();
    this.cursors.clear();
    this.digests.clear();
    this.retention.reset();
    this.stand = { position: 0, digest: '' };
  }

  /** Another store with what this one holds now. */
  copy(): MemoryFactStore {
    const copy = new MemoryFactStore({ generation: this.current });
    for (const [follower, { rows, tombstones, order }] of this.followers)
      copy.followers.set(follower, { rows: new Map(rows), tombstones: new Map(tombstones), order: [...order] });
    for (const [position, digest] of this.digests) copy.digests.set(position, digest);
    for (const [follower, cursor] of this.cursors) copy.cursors.set(follower, cursor);
    copy.stand = this.stand;
    return copy;
  }

  close(): void {
    this.followers.clear();
  }

  private of(follower: string): FollowerRows {
    let found = this.followers.get(follower);
    if (!found) {
      found = { rows: new Map(), tombstones: new Map(), order: [] };
      this.followers.set(follower, found);
    }
    return found;
  }

  private tidy(follower: string): void {
    const found = this.of(follower);
    found.order = found.order.filter((row) => found.rows.get(factKey(row.kind, row.id)) === row);
  }

  private prune(): void {
    const bound = this.retention.bound(this.stand.position, () => this.cursors.values());
    if (bound === undefined) return;
    const held = new Set<number>();
    for (const { rows } of this.followers.values()) for (const row of rows.values()) held.add(row.position);
    for (const position of this.digests.keys()) {
      if (position < bound && !held.has(position)) this.digests.delete(position);
    }
  }
}

const lineOf = ({ kind, id, position, body }: Row): FactLine =>
  body === undefined
    ? { type: 'delete', kind, id, position }
    : { type: 'upsert', kind, id, position, body: JSON.parse(body) as Record<string, unknown> };

function firstAfter(order: readonly Row[], position: number): number {
  let low = 0;
  let high = order.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((order[middle]?.position ?? Infinity) <= position) low = middle + 1;
    else high = middle;
  }
  return low;
}
