import { CorruptEvent } from './errors';
import type { EventStore } from './port';
import { digestOf } from './record';

export interface WrongEvent {
  /** Of the event; where even that cannot be read, of the event after which the log cannot be read. */
  readonly position: number;
  readonly problem: 'digest' | 'unreadable';
}

/** Events read at once. */
const BATCH = 1000;

/** Compares every event after `after` with its digest; yields the wrong ones, the first one first. */
export async function* verifyDigests(store: Pick<EventStore, 'readAll'>, after = 0): AsyncGenerator<WrongEvent> {
  let position = after;
  let limit = BATCH;
  for (;;) {
    try {
      const events = await store.readAll(position, limit);
      limit = BATCH;
      for (const event of events) {
        if (digestOf(event) !== event.digest) yield { position: event.position, problem: 'digest' };
      }
      const last = events.at(-1);
      if (!last) return;
      position = last.position;
    } catch (error) {
      if (limit > 1) {
        // One at a time, so that the events before the unreadable one are judged first.
        limit = 1;
      } else if (error instanceof CorruptEvent) {
        yield { position: error.position, problem: 'unreadable' };
        position = error.position;
      } else {
        yield { position, problem: 'unreadable' };
        return;
      }
    }
  }
}
