import type { EventStore } from '@weir/event-store';
import { invalid } from '@weir/kernel';

/** The position that a user names: by itself, by an RFC 3339 time, or as `now`. Throws `invalid` that names the parameter. */
export async function positionOf(
  store: Pick<EventStore, 'head' | 'positionAt'>,
  text: string,
  parameter: string,
): Promise<number> {
  if (text === 'now') return store.head();
  if (!/^\d+$/.test(text)) return store.positionAt(text);
  const head = await store.head();
  if (Number(text) > head) throw invalid(`${parameter}: the log ends at position ${head}.`);
  return Number(text);
}

/** A position that only says where to read on: it may lie beyond the log. */
export function positionIn(text: string | undefined, parameter: string): number {
  if (text === undefined) return 0;
  if (!/^\d{1,15}$/.test(text)) throw invalid(`'${parameter}' is a position.`);
  return Number(text);
}
