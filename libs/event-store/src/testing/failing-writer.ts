// Appends, seals, rebuilds and prunes, and prints the id of every event that was acknowledged; a failpoint ends it on the way.
import { silentLogger, systemClock, systemRandom, uuid7 } from '@weir/kernel';
import { NO_STREAM } from '../index';
import { openSqliteEventStore } from '../sqlite';
import { counters } from './counters';
import { tell } from './tell';

const EVENTS = 600;

async function run(file: string, life: string): Promise<void> {
  const store = await openSqliteEventStore({ file, views: [counters], logger: silentLogger });
  const metadata = { correlation: 'f', causation: 'f', actor: life, time: '2025-03-01T12:00:00.000Z' };
  const append = async (stream: string, expected: number) => {
    const id = uuid7(systemClock, systemRandom);
    const event = { id, type: 'Counted', schemaVersion: 1, data: { counter: stream, by: 1 }, metadata };
    await store.append({ writes: [{ stream, expected, events: [event] }] });
    tell(id);
  };
  const streams = Array.from({ length: EVENTS / 3 }, (_, i) => `${life}-${i}`);
  for (const expected of [NO_STREAM, 0, 1]) await Promise.all(streams.map((stream) => append(stream, expected)));
  await store.seal();
  const rebuilt = store.rebuild();
  for (let revision = 0; revision < 50; revision++) await append(`${life}-late`, revision - 1);
  await rebuilt;
  await store.pruneVersions(EVENTS / 2);
  await store.close();
}

const [file = '', life = ''] = process.argv.slice(2);
void run(file, life);
