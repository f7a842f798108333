import { canonicalJson } from '@weir/kernel';
import type { Observation } from '@weir/cascade';
import type { ObservationKind, ObservationValue } from '@weir/topology';

/** What goes up: the last value of each thing, and which of them changed since they were taken. */
export class LastValues {
  private readonly values = new Map<string, Observation>();
  private readonly changed = new Set<string>();

  /** Answers whether this is news: of equal values only a newer position is. */
  put<K extends ObservationKind>(
    kind: K,
    id: string,
    { position, value, at }: { readonly position: number; readonly value: ObservationValue<K>; readonly at: string },
  ): boolean {
    const key = `${kind}/${id}`;
    const known = this.values.get(key);
    if (known?.position === position && canonicalJson(known.value) === canonicalJson(value)) return false;
    this.values.set(key, { kind, id, position, value, at });
    this.changed.add(key);
    return true;
  }

  /** Says nothing of it any more; what was said stays said. */
  forget(kind: ObservationKind, id: string): void {
    this.values.delete(`${kind}/${id}`);
    this.changed.delete(`${kind}/${id}`);
  }

  take(whole: boolean): readonly Observation[] {
    const keys = whole ? [...this.values.keys()] : [...this.changed];
    this.changed.clear();
    return keys.map((key) => this.values.get(key)).filter((value) => value !== undefined);
  }
}
