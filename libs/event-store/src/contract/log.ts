import { systemClock, systemRandom, systemTimers, uuid7 } from '@weir/kernel';
import type { EventStore, NewEvent, RecordedEvent } from '../index';

const WAIT_MS = 10_000;

export function newEvent(type: string, data: NewEvent['data'] = {}, id = uuid7(systemClock, systemRandom)): NewEvent {
  const metadata = {
    correlation: 'request-1',
    causation: 'request-1',
    actor: 'user-1',
    time: '2025-03-01T12:00:00.000Z',
  };
  return { id, type, schemaVersion: 1, data, metadata };
}

export async function until(condition: () => boolean): Promise<void> {
  const deadline = systemClock.monotonic() + WAIT_MS;
  while (!condition()) {
    if (systemClock.monotonic() > deadline) throw new Error('The condition did not become true in time');
    await systemTimers.sleep(1);
  }
}

export async function wholeLog(store: EventStore): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  for (;;) {
    const batch = await store.readAll(events.at(-1)?.position ?? 0, 100);
    if (batch.length === 0) return events;
    events.push(...batch);
  }
}
