// Appends from many writers and prints every id once it is acknowledged; made to be killed at any time.
import { silentLogger, systemClock, systemRandom, uuid7 } from '@weir/kernel';
import { openSqliteEventStore } from '../sqlite';
import { counters } from './counters';
import { tell } from './tell';

const WRITERS = 20;

async function write(file: string, writer: string): Promise<void> {
  const store = await openSqliteEventStore({ file, views: [counters], logger: silentLogger });
  const metadata = { correlation: 'kill', causation: 'kill', actor: writer, time: '2025-03-01T12:00:00.000Z' };
  await Promise.all(
    Array.from({ length: WRITERS }, async (_, number) => {
      const stream = `${writer}-${number}`;
      for (let revision = 0; ; revision++) {
        const id = uuid7(systemClock, systemRandom);
        const event = { id, type: 'Counted', schemaVersion: 1, data: { counter: stream, by: revision }, metadata };
        await store.append({ writes: [{ stream, expected: revision - 1, events: [event] }] });
        tell(id);
      }
    }),
  );
}

const [file = '', writer = ''] = process.argv.slice(2);
void write(file, writer);
