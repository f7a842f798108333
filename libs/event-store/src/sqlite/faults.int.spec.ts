import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Logger, silentLogger, systemClock, systemRandom, uuid7 } from '@weir/kernel';
import Database from 'better-sqlite3';
import {
  type Anchor,
  dumpRows,
  type EventStore,
  type LogProblem,
  type NewEvent,
  NO_STREAM,
  type RecordedEvent,
  replayRows,
  StoreFailed,
  ViewDiffers,
  type View,
} from '../index';
import { counters } from '../testing/counters';
import { openSqliteEventStore, type SqliteEventStore } from './index';

const ROOT = join(__dirname, '../../../..');
const KILLS = 10;
/** Acknowledged ids to wait for before the kill: at random, so that it meets every phase of a commit. */
const MAX_ACKNOWLEDGED = 400;

const folder = mkdtempSync(join(tmpdir(), 'weir-event-store-faults-'));
const stores: SqliteEventStore[] = [];
let files = 0;

const newFile = () => join(folder, `${files++}.db`);

async function open(
  file: string,
  views: readonly View[] = [counters],
  logger: Logger = silentLogger,
): Promise<SqliteEventStore> {
  const store = await openSqliteEventStore({ file, views, logger });
  stores.push(store);
  return store;
}

function counted(counter: string, by = 1, padding = ''): NewEvent {
  const metadata = { correlation: 'r', causation: 'r', actor: 'a', time: '2025-03-01T12:00:00.000Z' };
  return {
    id: uuid7(systemClock, systemRandom),
    type: 'Counted',
    schemaVersion: 1,
    data: { counter, by, padding },
    metadata,
  };
}

function count(store: EventStore, stream: string, expected = NO_STREAM, padding = '') {
  return store.append({ writes: [{ stream, expected, events: [counted(stream, 1, padding)] }] });
}

async function wholeLog(store: EventStore): Promise<RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  for (
    let batch = await store.readAll(0, 1000);
    batch.length > 0;
    batch = await store.readAll(events.at(-1)?.position ?? 0, 1000)
  ) {
    events.push(...batch);
  }
  return events;
}

async function problems(store: EventStore, anchors: readonly Anchor[] = []): Promise<LogProblem[]> {
  const found: LogProblem[] = [];
  for await (const problem of store.verify(anchors)) found.push(problem);
  return found;
}

/** A program of this folder in a process of its own, from its source. */
function start(program: string, args: readonly string[], prefix: readonly string[] = []): ChildProcess {
  const run = [
    process.execPath,
    '--conditions=weir-source',
    join(ROOT, 'scripts/run-ts.mjs'),
    join(__dirname, '../testing', program),
    ...args,
  ];
  const [command = '', ...rest] = [...prefix, ...run];
  return spawn(command, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
}

afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
});

afterAll(() => rmSync(folder, { recursive: true }));

describe('an event store whose process is killed', () => {
  it(`keeps every acknowledged event, ${KILLS} times`, async () => {
    const file = newFile();
    let acknowledged: string[] = [];
    for (let kill = 0; kill < KILLS; kill++) {
      const child = start('kill-writer.ts', [file, `life-${kill}`]);
      const enough = systemRandom.integer(MAX_ACKNOWLEDGED) + 1;
      let printed = '';
      child.stdout?.on('data', (chunk: Buffer) => {
        printed += chunk.toString();
        if (printed.split('\n').length > enough) child.kill('SIGKILL');
      });
      await once(child, 'close');
      expect(child.signalCode).toBe('SIGKILL');
      const ids = printed.split('\n').slice(0, -1);
      expect(ids.length).toBeGreaterThanOrEqual(enough);
      acknowledged = [...acknowledged, ...ids];
    }

    const store = await open(file);
    const events = await wholeLog(store);
    const present = new Set(events.map((event) => event.id));
    expect(acknowledged.filter((id) => !present.has(id))).toEqual([]);
    const revisions = new Map<string, number>();
    for (const { stream, revision } of events) {
      expect(revision).toBe((revisions.get(stream) ?? NO_STREAM) + 1);
      revisions.set(stream, revision);
    }
    expect(await problems(store)).toEqual([]);
    expect(dumpRows(store.reader)).toBe(dumpRows(replayRows([counters], events)));
  }, 60_000);
});

describe('an event store whose disk fails', () => {
  /** What the program told, step by step. */
  async function steps(child: ChildProcess): Promise<Record<string, unknown>> {
    let printed = '';
    child.stdout?.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    await once(child, 'close');
    const lines = printed.split('\n').filter((line) => line !== '');
    return Object.assign({}, ...lines.map((line) => JSON.parse(line) as object)) as Record<string, unknown>;
  }

  // A file system of a few megabytes needs a mount, and a mount root.
  const asRoot = process.getuid?.() === 0 ? it : it.skip;

  asRoot(
    'refuses appends while it is full, reads on, and goes on by itself when there is space',
    async () => {
      const disk = mkdtempSync(join(folder, 'full-'));
      const mount = 'mount -t tmpfs -o size=20m none "$0" && head -c 4000000 /dev/zero > "$0/ballast" && exec "$@"';
      const child = start(
        'fill-writer.ts',
        [join(disk, 'a.db'), join(disk, 'ballast')],
        ['unshare', '-m', 'sh', '-c', mount, disk],
      );
      expect(await steps(child)).toEqual({
        refused: 'StoreFull',
        nextRefused: 'StoreFull',
        readable: true,
        afterwards: 'appended',
        kept: true,
        rowsEqualReplay: true,
      });
    },
    60_000,
  );

  it('writes no more after an I/O error, reads on, and has everything when it is opened again', async () => {
    // A write beyond the limit fails with EFBIG, which is no full disk to SQLite.
    const child = start('fill-writer.ts', [newFile()], ['sh', '-c', 'ulimit -f 8000 && exec "$@"', 'sh']);
    expect(await steps(child)).toEqual({
      refused: 'StoreFailed',
      nextRefused: 'StoreFailed',
      readable: true,
      afterwards: 'StoreFailed',
      kept: true,
      rowsEqualReplay: true,
    });
  }, 60_000);
});

describe('a log whose bytes were changed', () => {
  /** Changes the file behind the store's back. */
  function tamper(file: string, sql: string): void {
    const db = new Database(file);
    db.exec(sql);
    db.close();
  }

  async function filled(): Promise<string> {
    const file = newFile();
    const store = await open(file);
    await Promise.all(Array.from({ length: 30 }, (_, i) => count(store, `s-${i}`)));
    await store.close();
    return file;
  }

  it.each([
    ['data', `update events set data = replace(data, '"by":1', '"by":2') where position in (7, 20)`],
    [
      'metadata',
      `update events set metadata = replace(metadata, '"actor":"a"', '"actor":"b"') where position in (7, 20)`,
    ],
    ['type', `update events set type = 'Discounted' where position in (7, 20)`],
    ['stream', `update events set stream = stream || 'x' where position in (7, 20)`],
    ['revision', `update events set revision = 5 where position in (7, 20)`],
    ['schema version', `update events set schema_version = 2 where position in (7, 20)`],
    ['id', `update events set id = 'x' || position where position in (7, 20)`],
    ['digest', `update events set digest = zeroblob(32) where position in (7, 20)`],
  ])('has every event named whose %s is wrong, the first one first', async (_, sql) => {
    const file = await filled();
    tamper(file, sql);
    const store = await open(file);
    expect(await problems(store)).toMatchObject([
      { position: 7, problem: 'digest' },
      { position: 20, problem: 'digest' },
    ]);
  });

  it('has an event named that cannot be read, and those behind it judged too', async () => {
    const file = await filled();
    tamper(
      file,
      `update events set data = substr(data, 2) where position = 7; update events set type = 'X' where position = 9`,
    );
    const store = await open(file);
    expect(await problems(store)).toMatchObject([
      { position: 7, problem: 'digest' },
      { position: 9, problem: 'digest' },
    ]);
    await expect(store.readStream('s-6')).rejects.toMatchObject({ name: 'CorruptEvent', position: 7 });
  });
});

describe('an event store', () => {
  it('refuses a view whose tables were made from another definition, and changes nothing', async () => {
    const file = newFile();
    const store = await open(file);
    await count(store, 'a');
    await store.close();
    const [table] = counters.tables;
    const changed: View = {
      ...counters,
      tables: table ? [{ ...table, columns: { ...table.columns, colour: 'text' } }] : [],
    };
    await expect(open(file, [changed])).rejects.toThrow(ViewDiffers);
    const again = await open(file);
    expect(again.reader.get('rm_counters', { counter: 'a' })).toEqual({ counter: 'a', events: 1, sum: 1 });
  });

  it('refuses a file that is not its own', async () => {
    const file = newFile();
    const db = new Database(file);
    db.exec('create table someone (elses integer)');
    db.close();
    await expect(open(file)).rejects.toMatchObject({ reason: 'unavailable' });
  });

  it('does not open when its writer cannot start', async () => {
    const options = { file: newFile(), views: [], logger: silentLogger, workerPath: join(folder, 'nothing.js') };
    await expect(openSqliteEventStore(options)).rejects.toThrow(/nothing\.js/);
  });

  it('stops writing when another process writes to its file', async () => {
    const file = newFile();
    const [first, second] = [await open(file), await open(file)];
    await count(first, 'a');
    await expect(count(second, 'b')).rejects.toThrow(StoreFailed);
    await expect(count(second, 'c')).rejects.toThrow(StoreFailed);
    await count(first, 'd');
    expect((await wholeLog(first)).map((event) => event.stream)).toEqual(['a', 'd']);
  });

  it('answers a query of its own over events and rows', async () => {
    const store = await open(newFile());
    await count(store, 'a');
    await count(store, 'a', 0);
    const query =
      'select e.revision, r.sum from events e join rm_counters r on r.counter = e.stream and r.valid_from = e.position where r.sum > ?';
    expect(store.reader.all(query, [1])).toEqual([{ revision: 1, sum: 2 }]);
    expect(() => store.reader.all('delete from events')).toThrow();
  });

  it('moves its write-ahead log into the database as it goes', async () => {
    const file = newFile();
    const store = await open(file);
    const padding = 'x'.repeat(20_000);
    for (let i = 0; i < 40; i++) {
      await Promise.all(Array.from({ length: 40 }, (_, j) => count(store, `s-${i}-${j}`, NO_STREAM, padding)));
    }
    expect(statSync(`${file}-wal`).size).toBeLessThan(statSync(file).size / 2);
    await store.close();
    expect(statSync(`${file}-wal`).size).toBe(0);
  });
});
