import { canonicalJson } from '@weir/kernel';
import type { Observation } from '@weir/cascade';
import type { ObservationKind, ObservationValue } from '@weir/topology';

/** What goes up: the last value of each thing, and which of them changed since they were taken. */
export class LastValues {
  private readonly values = new Map<string, Observation>();
  private readonly changed = new Set<string>();

  /** Answers whether this is news: of equal values only another position is. */
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

  forget(kind: ObservationKind, id: string): void {
    this.values.delete(`${kind}/${id}`);
    this.changed.delete(`${kind}/${id}`);
  }

  /** Those taken once are kept for the next `whole`, but for what is gone: who takes it delivers it, and who lost it asks again. */
  take(whole: boolean): readonly Observation[] {
    const keys = whole ? [...this.values.keys()] : [...this.changed];
    this.changed.clear();
    const taken = keys.map((key) => this.values.get(key)).filter((value) => value !== undefined);
    for (const { kind, id, value } of taken) if (isGone(value)) this.values.delete(`${kind}/${id}`);
    return taken;
  }
}

function isGone(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'status' in value && value.status === 'gone';
}
