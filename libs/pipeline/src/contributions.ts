import { type Rehearsal, RehearsedMap } from '@weir/topology';
import { same } from './same';

interface Contribution<Value> {
  readonly owner: string;
  readonly value: Value;
}

export interface Difference<Value> {
  readonly added: readonly Value[];
  readonly changed: readonly { readonly from: Value; readonly to: Value }[];
  /** As they were. */
  readonly removed: readonly Value[];
}

/**
 * What each owner contributes to places (a row, a group number, a meter number). Where several owners want one place, the
 * first in the owners' order has it, so that the outcome does not depend on who came first and goes with the last.
 */
export class Contributions<Value> {
  private readonly places: Map<string, readonly Contribution<Value>[]>;
  private readonly owners: Map<string, ReadonlyMap<string, Value>>;
  private readonly before: Map<string, Value | undefined>;

  constructor(rehearsal: Rehearsal) {
    this.places = new RehearsedMap(rehearsal);
    this.owners = new RehearsedMap(rehearsal);
    this.before = new RehearsedMap(rehearsal);
  }

  /** All that this owner wants from now on. */
  replace(owner: string, values: ReadonlyMap<string, Value>): void {
    const previous = this.owners.get(owner);
    for (const place of previous?.keys() ?? []) if (!values.has(place)) this.put(owner, place, undefined);
    for (const [place, value] of values) if (!same(previous?.get(place), value)) this.put(owner, place, value);
    if (values.size > 0) this.owners.set(owner, values);
    else this.owners.delete(owner);
  }

  /** What this owner wants, whether it has the place or not. */
  of(owner: string): ReadonlyMap<string, Value> {
    return this.owners.get(owner) ?? new Map<string, Value>();
  }

  *entries(): Generator<readonly [place: string, Value]> {
    for (const [place, [first]] of this.places) if (first) yield [place, first.value];
  }

  /** What became of the places since the last call. */
  takeDifference(): Difference<Value> {
    const added: Value[] = [];
    const changed: { from: Value; to: Value }[] = [];
    const removed: Value[] = [];
    for (const [place, old] of this.before) {
      const now = this.places.get(place)?.[0]?.value;
      if (old === undefined) {
        if (now !== undefined) added.push(now);
      } else if (now === undefined) removed.push(old);
      else if (!same(old, now)) changed.push({ from: old, to: now });
    }
    this.before.clear();
    return { added, changed, removed };
  }

  private put(owner: string, place: string, value: Value | undefined): void {
    const contenders = this.places.get(place) ?? [];
    if (!this.before.has(place)) this.before.set(place, contenders[0]?.value);
    const next = contenders.filter((contender) => contender.owner !== owner);
    if (value !== undefined) {
      next.push({ owner, value });
      next.sort((left, right) => (left.owner < right.owner ? -1 : 1));
    }
    if (next.length > 0) this.places.set(place, next);
    else this.places.delete(place);
  }
}
