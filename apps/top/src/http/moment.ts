import type { EventStore } from '@weir/event-store';
import { invalid, WeirError } from '@weir/kernel';

/** The position that a user names: by itself, by an RFC 3339 time, or as `now`. Throws `invalid` that names the parameter. */
export async function positionOf(
  store: Pick<EventStore, 'head' | 'positionAt'>,
  text: string,
  parameter: string,
): Promise<number> {
  if (text === 'now') return store.head();
  if (!/^\d+$/.test(text)) return positionAtTime(store, text, parameter);
  const head = await store.head();
  if (Number(text) > head) throw invalid(`${parameter}: the log ends at position ${head}.`);
  return Number(text);
}

async function positionAtTime(store: Pick<EventStore, 'positionAt'>, text: string, parameter: string): Promise<number> {
  try {
    return await store.positionAt(text);
  } catch (cause) {
    if (!(cause instanceof WeirError && cause.reason === 'invalid')) throw cause;
    // In a query a '+' is a space.
    const hint = / \d{2}:\d{2}$/.test(text) ? " A '+' in a query is written %2B." : '';
    throw invalid(
      `${parameter}: '${text.slice(0, 64)}' is no position, no RFC 3339 time with its zone, and not 'now'.${hint}`,
      { cause },
    );
  }
}

/** A position that only says where to read on: it may lie beyond the log. */
export function positionIn(text: string | undefined, parameter: string): number {
  if (text === undefined) return 0;
  if (!/^\d{1,15}$/.test(text)) throw invalid(`'${parameter}' is a position.`);
  return Number(text);
}
