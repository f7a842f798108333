// Appends until the store refuses, makes room where it is told how, tries again, opens again; tells each step as a line of JSON.
import { rmSync } from 'node:fs';
import { silentLogger, systemClock, systemRandom, uuid7, WeirError } from '@weir/kernel';
import { dumpRows, type EventStore, NO_STREAM, type RecordedEvent, replayRows } from '../index';
import { openSqliteEventStore } from '../sqlite';
import { counters } from './counters';

const metadata = { correlation: 'fill', causation: 'fill', actor: 'fill', time: '2025-03-01T12:00:00.000Z' };
const padding = 'x'.repeat(20_000);
let appended = 0;

async function append(store: EventStore): Promise<string> {
  const stream = `counter-${appended}`;
  const data = { counter: stream, by: 1, padding };
  const events = [{ id: uuid7(systemClock, systemRandom), type: 'Counted', schemaVersion: 1, data, metadata }];
  try {
    await store.append({ writes: [{ stream, expected: NO_STREAM, events }] });
    appended++;
    return 'appended';
  } catch (error) {
    return error instanceof WeirError ? error.name : String(error);
  }
}

function tell(step: string, value: unknown): void {
  process.stdout.write(`${JSON.stringify({ [step]: value })}\n`);
}

async function run(file: string, ballast: string | undefined): Promise<void> {
  const store = await openSqliteEventStore({ file, views: [counters], logger: silentLogger });
  let outcome = await append(store);
  while (outcome === 'appended') outcome = await append(store);
  tell('refused', outcome);
  tell('nextRefused', await append(store));
  tell('readable', (await store.readAll(0, 10_000)).length === appended);
  if (ballast !== undefined) rmSync(ballast);
  tell('afterwards', await append(store));
  await store.close();
  const again = await openSqliteEventStore({ file, views: [counters], logger: silentLogger });
  const events: readonly RecordedEvent[] = await again.readAll(0, 10_000);
  let wrong = 0;
  for await (const event of again.verify()) wrong += event.position;
  tell('kept', events.length >= appended && wrong === 0);
  tell('rowsEqualReplay', dumpRows(again.reader) === dumpRows(replayRows([counters], events)));
  await again.close();
}

const [file = '', ballast] = process.argv.slice(2);
void run(file, ballast);
