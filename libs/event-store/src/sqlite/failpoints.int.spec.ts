import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger, systemClock, systemRandom, uuid7 } from '@weir/kernel';
import { type Failpoint, STORE_FAILPOINTS } from '../failpoints';
import {
  dumpRows,
  type EventStore,
  NO_STREAM,
  type RecordedEvent,
  replayRows,
  StoreClosed,
  StoreFailed,
} from '../index';
import { counters } from '../testing/counters';
import { openSqliteEventStore, type SqliteEventStore } from './index';
import { scratchFile } from './scratch';

const ROOT = join(__dirname, '../../../..');
const WAIT_MS = 60_000;

const folder = mkdtempSync(join(tmpdir(), 'weir-event-store-failpoints-'));
const stores: SqliteEventStore[] = [];
let files = 0;

const newFile = () => join(folder, `${files++}.db`);

async function open(file: string, failpoints = ''): Promise<SqliteEventStore> {
  const store = await openSqliteEventStore({ file, views: [counters], logger: silentLogger, failpoints });
  stores.push(store);
  return store;
}

afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
});

afterAll(() => rmSync(folder, { recursive: true }));

function count(store: EventStore, counter: string, expected = NO_STREAM) {
  const metadata = { correlation: 'r', causation: 'r', actor: 'a', time: '2025-03-01T12:00:00.000Z' };
  const id = uuid7(systemClock, systemRandom);
  const event = { id, type: 'Counted', schemaVersion: 1, data: { counter, by: 1 }, metadata };
  return store.append({ writes: [{ stream: counter, expected, events: [event] }] });
}

/** A whole life of a store that ends at this failpoint; answers what it acknowledged, and what it said at its end. */
async function lifeThatEndsAt(point: Failpoint, file: string) {
  const program = join(__dirname, '..', 'testing', 'failing-writer.ts');
  const run = ['--conditions=weir-source', join(ROOT, 'scripts/run-ts.mjs'), program, file, 'life'];
  const env = { ...process.env, WEIR_FAILPOINTS: `${point}=exit` };
  const child = spawn(process.execPath, run, { stdio: ['ignore', 'pipe', 'pipe'], env });
  const said = { acknowledged: '', end: '' };
  child.stdout.on('data', (chunk: Buffer) => (said.acknowledged += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (said.end += chunk.toString()));
  await once(child, 'close');
  return { signal: child.signalCode, end: said.end, acknowledged: said.acknowledged.split('\n').slice(0, -1) };
}

async function wholeLog(store: EventStore): Promise<readonly RecordedEvent[]> {
  return store.readAll(0, 10_000);
}

/** What must hold whatever happened before. */
async function expectSound(store: SqliteEventStore): Promise<void> {
  for await (const problem of store.verify()) expect(problem).toBeUndefined();
  expect(await store.checkRebuild()).toBeUndefined();
  const tables = store.reader.all(
    `select name from sqlite_schema where type = 'table' and name like '%rm#_%' escape '#'`,
  );
  expect(tables).toEqual([{ name: 'rm_counters' }]);
}

describe('R2: a process that dies', () => {
  it.each(STORE_FAILPOINTS)(
    'at %s leaves what it acknowledged, and a store that opens and goes on',
    async (point) => {
      const file = newFile();
      const { signal, end, acknowledged } = await lifeThatEndsAt(point, file);
      expect({ signal, end }).toEqual({ signal: 'SIGKILL', end: `failpoint ${point}\n` });
      const store = await open(file);
      const events = await wholeLog(store);
      const present = new Set(events.map((event) => event.id));
      expect(acknowledged.filter((id) => !present.has(id))).toEqual([]);
      expect(existsSync(scratchFile(file))).toBe(false);
      await expectSound(store);
      if (store.reader.horizon === 0) expect(dumpRows(store.reader)).toBe(dumpRows(replayRows([counters], events)));
      await count(store, 'afterwards');
      await store.rebuild();
      await expectSound(store);
      const { position } = await count(store, 'afterwards', 0);
      expect((await store.reader.at(position)).live('rm_counters')).toEqual(store.reader.live('rm_counters'));
    },
    WAIT_MS,
  );
});

describe('R2: a store whose writer fails', () => {
  it.each(['append/before-commit', 'append/after-commit'] as const)(
    'at %s acknowledges nothing more, and opens again',
    async (point) => {
      const file = newFile();
      const store = await open(file, `${point}=throw@2`);
      const first = await count(store, 'a');
      await expect(count(store, 'b')).rejects.toThrow(StoreFailed);
      await expect(count(store, 'c')).rejects.toThrow(StoreFailed);
      await expect(store.rebuild()).rejects.toThrow(StoreFailed);
      const again = await open(file);
      const streams = (await wholeLog(again)).map((event) => event.stream);
      expect(streams).toEqual(point === 'append/before-commit' ? ['a'] : ['a', 'b']);
      expect((await wholeLog(again))[0]).toEqual(first.events[0]);
      await expectSound(again);
    },
  );

  it('in the middle of a rebuild keeps the old tables', async () => {
    const file = newFile();
    const store = await open(file, 'rebuild/before-swap-commit=throw');
    await count(store, 'a');
    await expect(store.rebuild()).rejects.toThrow(StoreFailed);
    expect(store.reader.live('rm_counters')).toHaveLength(1);
    const again = await open(file);
    expect(again.reader.live('rm_counters')).toHaveLength(1);
    await expectSound(again);
  });

  it('while the log is read for a rebuild has lost nothing, and writes on', async () => {
    const store = await open(newFile(), 'rebuild/while-reading=throw');
    await count(store, 'a');
    await expect(store.rebuild()).rejects.toMatchObject({ code: 'WEIR_FAILPOINT' });
    await count(store, 'b');
    expect(store.reader.live('rm_counters')).toHaveLength(2);
  });
});

describe('a rebuild', () => {
  it('lets appends through while it loads', async () => {
    const store = await open(newFile(), 'rebuild/while-loading=sleep:200');
    await count(store, 'a');
    let rebuilding = true;
    const rebuilt = store.rebuild().finally(() => (rebuilding = false));
    let appended = 0;
    for (; rebuilding; appended++) await count(store, `b-${appended}`);
    await rebuilt;
    expect(appended).toBeGreaterThan(1);
    expect(store.reader.count('rm_counters')).toBe(appended + 1);
    await expectSound(store);
  });

  it('ends when its store is closed, and the next start clears away what it left', async () => {
    const file = newFile();
    const store = await open(file);
    for (let i = 0; i < 20; i++) await count(store, `s-${i}`);
    const rebuilt = store.rebuild();
    const refused = expect(rebuilt).rejects.toThrow(StoreClosed);
    await store.close();
    await refused;
    const again = await open(file);
    expect(existsSync(scratchFile(file))).toBe(false);
    await expectSound(again);
  });
});
