import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Logger, silentLogger, systemClock, systemRandom, uuid7 } from '@weir/kernel';
import Database from 'better-sqlite3';
import {
  type Anchor,
  digestOf,
  EventIdTaken,
  type EventStore,
  type LogProblem,
  NO_STREAM,
  type RecordedEvent,
  type Seal,
  verifyDigests,
} from '../index';
import { counters } from '../testing/counters';
import { EventReader } from './events';
import { openSqliteEventStore, type SqliteEventStore, verifySqliteFile } from './index';
import { inspectLog } from './inspect';
import { readOpenSeal } from './open-seal';

const CHAOS = process.env['WEIR_CHAOS'] === '1';
const FLIPS = CHAOS ? 20_000 : 400;
const EDITS = CHAOS ? 1000 : 100;
/** Of the cuts of a write-ahead log that are tried where not all are. */
const CUTS = 150;
const METADATA = { correlation: 'r', causation: 'r', actor: 'a', time: '2025-03-01T12:00:00.000Z' };

const folder = mkdtempSync(join(tmpdir(), 'weir-event-store-damage-'));
const stores: SqliteEventStore[] = [];
let files = 0;

const newFile = () => join(folder, `${files++}.db`);

async function open(file: string, logger: Logger = silentLogger): Promise<SqliteEventStore> {
  const store = await openSqliteEventStore({ file, views: [counters], logger });
  stores.push(store);
  return store;
}

afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
});

afterAll(() => rmSync(folder, { recursive: true }));

function count(store: EventStore, counter: string, expected = NO_STREAM, padding = '') {
  const id = uuid7(systemClock, systemRandom);
  const event = { id, type: 'Counted', schemaVersion: 1, data: { counter, by: 1, padding }, metadata: METADATA };
  return store.append({ writes: [{ stream: counter, expected, events: [event] }] });
}

async function all<T>(found: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const one of found) list.push(one);
  return list;
}

/** Ten events, a seal, ten more, a seal, five that are open; positions 1 to 27. */
async function sealedTwice(): Promise<{ file: string; seals: readonly Seal[] }> {
  const file = newFile();
  const store = await open(file);
  for (const size of [10, 10, 5]) {
    for (let i = 0; i < size; i++) await count(store, `s-${size}-${i}-${files}-${await store.head()}`);
    if (size === 10) await store.seal();
  }
  const seals = await store.seals(0, 10);
  await store.close();
  return { file, seals };
}

/** Changes the file behind the store's back. */
function tamper(file: string, sql: string): void {
  const db = new Database(file);
  db.exec(sql);
  db.close();
}

const FORGET_OPEN = 'delete from event_ids where open is not null';
const changeOpen = (field: string, value: string) =>
  `update event_ids set open = json_set(open, '$.${field}', ${value}) where open is not null`;

describe('R5: a log of which rows were dropped, doubled or swapped', () => {
  const columns = 'revision, id, type, schema_version, data, metadata, digest, previous';
  const copy = (at: number, of: number) =>
    `insert into events (position, stream, ${columns})
     select ${at}, stream || '-again', revision, id || '-again', type, schema_version, data, metadata, digest, ${at - 1} from events where position = ${of};`;
  const swap = (one: number, other: number) =>
    `update events set position = -1 where position = ${one};
     update events set position = ${one} where position = ${other};
     update events set position = ${other} where position = -1;`;

  it.each<[what: string, sql: string, first: Partial<LogProblem>]>([
    ['the first event', 'delete from events where position = 1', { position: 1, problem: 'missing' }],
    ['an event of a sealed range', 'delete from events where position = 4', { position: 4, problem: 'missing' }],
    ['several events', 'delete from events where position between 4 and 6', { position: 4, problem: 'missing' }],
    ['an event in front of a seal', 'delete from events where position = 10', { position: 10, problem: 'missing' }],
    ['a seal', 'delete from events where position = 11', { position: 11, problem: 'missing' }],
    ['an open event', 'delete from events where position = 24', { position: 24, problem: 'missing' }],
    ['the last event', 'delete from events where position = 27', { position: 27, problem: 'missing' }],
    ['everything open', 'delete from events where position > 22', { position: 23, problem: 'missing' }],
    ['the last seal and all behind it', 'delete from events where position > 21', { position: 22, problem: 'missing' }],
    ['all events', 'delete from events', { position: 1, problem: 'missing' }],
    ['what is open', FORGET_OPEN, { position: 23, problem: 'open' }],
    ['the count of what is open', changeOpen('count', '4'), { position: 23, problem: 'open' }],
    ['the digest of what is open', changeOpen('range', `open ->> 'previous'`), { position: 23, problem: 'open' }],
    ['the end of what is open', changeOpen('last', '26'), { position: 23, problem: 'open' }],
    ['a field of what is open', `update event_ids set open = json_remove(open, '$.seals')`, { position: 23 }],
    ['the text of what is open', `update event_ids set open = substr(open, 2)`, { position: 23, problem: 'open' }],
    ['where an id stands', 'update event_ids set position = 5 where position = 4', { position: 4, problem: 'file' }],
    ['an id', 'delete from event_ids where position = 4', { position: 4, problem: 'file' }],
    ['an id of no event', `insert into event_ids values ('other', 4, null)`, { position: 0, problem: 'file' }],
    ['two events of a range', swap(4, 6), { position: 4, problem: 'digest' }],
    ['two events of two ranges', swap(4, 15), { position: 4, problem: 'digest' }],
    ['two open events', swap(24, 25), { position: 24, problem: 'digest' }],
    ['two seals', swap(11, 22), { position: 11, problem: 'digest' }],
    ['an event, again at the end', copy(28, 4), { position: 28, problem: 'digest' }],
    ['an event, again before all', copy(0, 4), { position: 0, problem: 'digest' }],
  ])('names the first wrong position: %s', async (_, sql, first) => {
    const { file, seals } = await sealedTwice();
    expect(await all(verifySqliteFile(file, seals))).toEqual([]);
    tamper(file, sql);
    const [found] = await all(verifySqliteFile(file));
    expect(found).toMatchObject(first);
  });

  it('names the range of an event that was rewritten with its digest', async () => {
    const { file } = await sealedTwice();
    const db = new Database(file);
    for (const position of [15, 25]) {
      const [event] = new EventReader(db).all(position - 1, 1);
      if (!event) throw new Error('It was there');
      const changed = { ...event, data: { ...event.data, by: 7 } };
      db.prepare('update events set data = ?, digest = ? where position = ?').run(
        JSON.stringify(changed.data),
        Buffer.from(digestOf(changed), 'hex'),
        position,
      );
    }
    db.close();
    expect(await all(verifySqliteFile(file))).toMatchObject([
      { position: 12, problem: 'range' },
      { position: 23, problem: 'open' },
    ]);
  });

  it('is noticed from outside when it was written anew, or cut with all that counted it', async () => {
    const { file, seals } = await sealedTwice();
    const anchors: readonly Anchor[] = seals;
    const { file: other } = await sealedTwice();
    expect(await all(verifySqliteFile(other))).toEqual([]);
    expect(await all(verifySqliteFile(other, anchors))).toMatchObject([
      { position: 11, problem: 'anchor' },
      { position: 22, problem: 'anchor' },
    ]);
    const store = await open(newFile());
    await count(store, 'a');
    expect(await all(store.verify(anchors))).toMatchObject([
      { position: 11, problem: 'anchor' },
      { position: 22, problem: 'anchor' },
    ]);
    expect(await all(verifySqliteFile(file, anchors))).toEqual([]);
  });

  it.each([
    ['an event was dropped', 'delete from events where position = 24', { position: 24, problem: 'missing' }],
    ['the last ones were cut off', 'delete from events where position > 25', { position: 26, problem: 'missing' }],
    ['nobody knows what was open', FORGET_OPEN, { position: 28, problem: 'missing' }],
  ])('shows it also after it went on: %s', async (_, sql, first) => {
    const { file } = await sealedTwice();
    tamper(file, sql);
    const told: string[] = [];
    const logger = { ...silentLogger, error: (message: string) => void told.push(message) };
    const store = await open(file, logger);
    await count(store, 'after');
    await store.seal();
    await count(store, 'after', 0);
    const [found] = await all(verifyDigests(store));
    expect(found).toMatchObject(first);
    expect(told.length).toBe(sql.includes('= 24') ? 0 : 1);
  });

  it('is judged in the order of positions, and each damage once', async () => {
    const { file } = await sealedTwice();
    tamper(
      file,
      `update events set data = '{}' where position = 3; update events set type = 'X' where position = 11; delete from events where position = 24;`,
    );
    expect(await all(verifySqliteFile(file))).toMatchObject([
      { position: 3, problem: 'digest' },
      { position: 11, problem: 'digest' },
      { position: 24, problem: 'missing' },
    ]);
  });

  it('can be verified where it cannot be opened', async () => {
    const { file } = await sealedTwice();
    tamper(file, 'drop table views; pragma user_version = 99');
    await expect(open(file)).rejects.toThrow();
    expect(await all(verifySqliteFile(file))).toEqual([]);
    tamper(file, 'drop table events');
    expect(await all(verifySqliteFile(file))).toMatchObject([{ problem: 'unreadable' }]);
    writeFileSync(
      file,
      'no database at all, and longer than the hundred bytes that its header has at the very least'.repeat(9),
    );
    expect((await all(verifySqliteFile(file))).map(({ problem }) => problem)).toEqual(['unreadable', 'file']);
    expect(await all(verifySqliteFile(join(folder, 'nothing.db')))).toMatchObject([{ problem: 'file' }]);
  });
});

describe('R5: a log of whose file bits were flipped', () => {
  /** Every value that the log's tables can be asked for, by every road to it. */
  function valuesRead(db: Database.Database): string {
    const reader = new EventReader(db);
    const events: RecordedEvent[] = reader.all(Number.MIN_SAFE_INTEGER, 10_000);
    const byId = db.prepare<[string], number>('select position from event_ids where id = ?').pluck();
    return JSON.stringify([
      events,
      [...new Set(events.map((event) => event.stream))].map((stream) => reader.stream(stream, 0)),
      events.map((event) => byId.get(event.id)),
      reader.head(),
      readOpenSeal(db),
    ]);
  }

  async function original(): Promise<string> {
    const file = newFile();
    const store = await open(file);
    for (let range = 0; range < 4; range++) {
      await Promise.all(
        Array.from({ length: 120 }, (_, i) => count(store, `r-${range}-${i % 40}`, Math.floor(i / 40) - 1)),
      );
      // One that needs pages of its own.
      await count(store, `large-${range}`, NO_STREAM, 'x'.repeat(9000));
      if (range < 3) await store.seal();
    }
    await store.close();
    return file;
  }

  /** Pages of the events, their indexes, what is open, and the schema that names them. */
  function pagesOfLog(file: string): number[] {
    const db = new Database(file, { readonly: true });
    const pages = db
      .prepare<[], number>(
        `select pageno from dbstat where name in ('events', 'event_ids', 'sqlite_schema') or name like 'sqlite_autoindex_events%'`,
      )
      .pluck()
      .all();
    db.close();
    return pages;
  }

  it.each(['schema_version', 'position', 'metadata'])(
    'reads the same where a letter of a name in its schema has changed its case: %s',
    async (column) => {
      const { file } = await sealedTwice();
      const before = new Database(file);
      const values = valuesRead(before);
      before.unsafeMode();
      before.pragma('writable_schema = on');
      const changed = column.slice(0, -1) + column.slice(-1).toUpperCase();
      before
        .prepare(`update sqlite_schema set sql = replace(sql, ? || ' ', ? || ' ') where name = 'events'`)
        .run(column, changed);
      before.close();
      const db = new Database(file, { readonly: true });
      expect(db.pragma('table_info(events)')).toContainEqual(expect.objectContaining({ name: changed }));
      expect(valuesRead(db)).toBe(values);
      db.close();
    },
  );

  it(`tells every flip that changes a value, of ${FLIPS}`, async () => {
    const file = await original();
    const pages = pagesOfLog(file);
    const bytes = readFileSync(file);
    const expected = new Database(file, { readonly: true });
    const values = valuesRead(expected);
    expected.close();
    const outcomes = { told: 0, harmless: 0 };
    const escaped: string[] = [];
    for (let i = 0; i < FLIPS; i++) {
      const page = pages[systemRandom.integer(pages.length)] ?? 1;
      const place = (page - 1) * 4096 + systemRandom.integer(4096);
      const mask = 1 << systemRandom.integer(8);
      const flipped = Buffer.from(bytes);
      flipped[place] = (flipped[place] ?? 0) ^ mask;
      const damaged = join(folder, 'flipped.db');
      writeFileSync(damaged, flipped);
      const db = new Database(damaged, { readonly: true });
      if ([...inspectLog(db)].length > 0) outcomes.told++;
      else if (valuesRead(db) === values) outcomes.harmless++;
      else escaped.push(`byte ${place} of page ${page}, mask ${mask}`);
      db.close();
      for (const suffix of ['', '-wal', '-shm']) rmSync(`${damaged}${suffix}`, { force: true });
    }
    expect(escaped).toEqual([]);
    expect(outcomes.told).toBeGreaterThan(FLIPS / 2);
  }, 60_000);
});

describe('R4: a write-ahead log that was cut', () => {
  const HEADER = 32;
  const FRAME = 24 + 4096;

  interface Image {
    readonly database: Buffer;
    readonly wal: Buffer;
    /** Where each transaction ends. */
    readonly ends: readonly number[];
    /** Ids in the order of the log: what each of these transactions left. */
    readonly ids: readonly (readonly string[])[];
  }

  /** The files of a store as a power failure would leave them, with the last appends in the write-ahead log alone. */
  async function image(): Promise<Image> {
    const file = newFile();
    const before = await open(file);
    for (let i = 0; i < 5; i++) await count(before, `before-${i}`);
    await before.close();
    const store = await open(file);
    const ids: string[][] = [];
    for (let i = 0; i < 12; i++) {
      await count(store, `s-${i}`);
      if (i % 5 === 4) await store.seal();
      ids.push((await store.readAll(0, 1000)).map((event) => event.id));
    }
    const [database, wal] = [readFileSync(file), readFileSync(`${file}-wal`)];
    const ends: number[] = [];
    const salt = wal.subarray(16, 24);
    for (let at = HEADER; at + FRAME <= wal.length; at += FRAME) {
      if (!wal.subarray(at + 8, at + 16).equals(salt)) break;
      if (wal.readUInt32BE(at + 4) !== 0) ends.push(at + FRAME);
    }
    return { database, wal, ends, ids };
  }

  function placed(database: Buffer, wal: Buffer): string {
    const file = join(folder, `cut-${files++}.db`);
    writeFileSync(file, database);
    writeFileSync(`${file}-wal`, wal);
    return file;
  }

  function removed(file: string): void {
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${file}${suffix}`, { force: true });
  }

  /** Opened by SQLite alone, which is quick; the log must be whole up to the last transaction that is whole. */
  function idsFound(file: string): string[] {
    const db = new Database(file);
    const problems = [...inspectLog(db)];
    const ids = new EventReader(db).all(0, 1000).map((event) => event.id);
    db.close();
    expect(problems).toEqual([]);
    return ids;
  }

  const whole = (ends: readonly number[], length: number) => ends.filter((end) => end <= length).length;

  it(
    `has every transaction before the cut, at ${CHAOS ? 'every byte' : `${CUTS} bytes`} of the last two`,
    async () => {
      const { database, wal, ends } = await image();
      const start = ends.at(-3) ?? HEADER;
      const end = ends.at(-1) ?? wal.length;
      const complete = idsFound(placed(database, wal));
      const lengths = CHAOS
        ? Array.from({ length: end - start + 1 }, (_, i) => start + i)
        : [
            start,
            end,
            ...ends.slice(-3).flatMap((at) => [at - 1, at, at + 1]),
            ...Array.from({ length: CUTS }, () => start + systemRandom.integer(end - start)),
          ];
      // How many events each number of whole transactions leaves.
      const events = new Map<number, number>();
      for (const length of lengths) {
        const file = placed(database, wal.subarray(0, length));
        const ids = idsFound(file);
        removed(file);
        expect(ids).toEqual(complete.slice(0, ids.length));
        const transactions = whole(ends, length);
        expect(ids.length).toBe(events.get(transactions) ?? ids.length);
        events.set(transactions, ids.length);
      }
      expect([...new Set(events.values())].length).toBe(events.size);
      expect(complete.length - (events.get(ends.length - 2) ?? 0)).toBeLessThanOrEqual(3);
    },
    CHAOS ? 3_600_000 : 60_000,
  );

  it('has every transaction before each page at which it can be cut, and opens', async () => {
    const { database, wal, ends, ids } = await image();
    for (let length = 0; length <= wal.length; length += length === 0 ? HEADER : FRAME) {
      const file = placed(database, wal.subarray(0, length));
      const found = idsFound(file);
      removed(file);
      const last = ids.at(-1) ?? [];
      expect(found).toEqual(last.slice(0, found.length));
      if (whole(ends, length) === ends.length) expect(found).toEqual(last);
    }
  }, 60_000);

  it('is opened by a store, which goes on behind what is there', async () => {
    const { database, wal, ends, ids } = await image();
    const cut = (ends.at(-2) ?? 0) + 1000;
    const garbage = Buffer.from(systemRandom.bytes(4096));
    for (const [tail, expected] of [
      [wal.subarray(0, cut), ids.at(-2)],
      [Buffer.concat([wal, garbage]), ids.at(-1)],
      [Buffer.concat([wal.subarray(0, ends.at(-1)), garbage]), ids.at(-1)],
      [Buffer.concat([wal.subarray(0, cut), garbage]), ids.at(-2)],
    ] as const) {
      const file = placed(database, tail);
      const store = await open(file);
      expect((await store.readAll(0, 1000)).map((event) => event.id)).toEqual(expected);
      await count(store, 'afterwards');
      expect(await all(store.verify())).toEqual([]);
      expect(await store.checkRebuild()).toBeUndefined();
    }
  }, 60_000);
});

describe('R5, S27: a log that was edited', () => {
  const COLUMNS = ['stream', 'revision', 'id', 'type', 'schema_version', 'data', 'metadata', 'digest', 'previous'];
  /** Positions 1 to 27: seals at 11 and 22, the rest behind them open. */
  const LAST = 27;

  /** Answers what was done, and the first position that is wrong by it. */
  function edit(db: Database.Database): { readonly sql: string; readonly first: number } {
    const at = 1 + systemRandom.integer(LAST);
    const other = 1 + ((at + systemRandom.integer(LAST - 1)) % LAST);
    const column = COLUMNS[systemRandom.integer(COLUMNS.length)] ?? 'data';
    const run = (first: number, ...statements: string[]) => {
      db.exec(statements.join(';'));
      return { sql: statements.join(';'), first };
    };
    const move = (from: number, to: number) => `update events set position = ${to} where position = ${from}`;
    const copied = COLUMNS.map((name) =>
      name === 'id' || name === 'stream' ? `${name} || '-again'` : name === 'previous' ? String(LAST) : name,
    );
    switch (systemRandom.integer(5)) {
      case 0:
        return run(at, `delete from events where position = ${at}`);
      case 1:
        return run(Math.min(at, other), move(at, -1), move(other, at), move(-1, other));
      case 2:
        return run(
          LAST + 1,
          `insert into events (position, ${COLUMNS.join()}) select ${LAST + 1}, ${copied.join()} from events where position = ${at}`,
        );
      case 3:
        // Behind the last one nothing says where it should stand.
        return run(at === LAST ? LAST + 5 : at, move(at, LAST + 5));
      default: {
        const changed: Readonly<Record<string, string>> = {
          revision: 'revision + 100',
          schema_version: 'schema_version + 1',
          previous: 'previous + 1000',
          digest: `zeroblob(32)`,
          data: `json_set(data, '$.edited', 1)`,
          metadata: `json_set(metadata, '$.actor', 'somebody')`,
        };
        return run(at, `update events set ${column} = ${changed[column] ?? `${column} || 'x'`} where position = ${at}`);
      }
    }
  }

  it(`names the first wrong position, ${EDITS} times`, async () => {
    const { file } = await sealedTwice();
    const edited = join(folder, 'edited.db');
    const wrong: unknown[] = [];
    for (let i = 0; i < EDITS; i++) {
      copyFileSync(file, edited);
      const db = new Database(edited);
      const { sql, first } = edit(db);
      const [found] = [...inspectLog(db)];
      db.close();
      if (found?.position !== first) wrong.push({ sql, first, found });
    }
    expect(wrong).toEqual([]);
  }, 300_000);
});

describe('a log of an earlier layout', () => {
  const columns = 'stream, revision, id, type, schema_version, data, metadata, digest';
  const events = (previous: '' | ', previous') => `
    alter table events rename to events_now;
    create table events (
      position integer primary key, stream text not null, revision integer not null, id text not null, type text not null,
      schema_version integer not null, data text not null, metadata text not null, digest blob not null
      ${previous && ', previous integer not null'}, unique (stream, revision), unique (id)
    ) strict;
    insert into events select position, ${columns}${previous} from events_now;
    drop table events_now;
    drop table event_ids;`;

  /** Ids in an index of the events, and what is open in a table of its own. */
  const SECOND = `
    create table open_seal (
      one integer primary key check (one = 1), first integer not null, last integer not null, count integer not null,
      range text not null, latest text not null, seals integer not null, previous text not null
    ) strict;
    insert into open_seal select 1, open ->> 'first', open ->> 'last', open ->> 'count', open ->> 'range', open ->> 'latest',
      open ->> 'seals', open ->> 'previous' from event_ids where open is not null;
    ${events(', previous')}
    pragma user_version = 2;`;

  /** No seals, no places before, other indexes of the rows. */
  const FIRST = `
    ${events('')}
    drop table horizon;
    drop index ix_rm_counters_live_0; drop index ix_rm_counters_ended_0; drop index ix_rm_counters_live_1; drop index ix_rm_counters_ended_1;
    create unique index ix_rm_counters_live on rm_counters (counter) where valid_to is null;
    create unique index ix_rm_counters_versions on rm_counters (counter, valid_from);
    create index ix_rm_counters_live_1 on rm_counters (sum, counter) where valid_to is null;
    pragma user_version = 1;`;

  it.each([
    ['first', FIRST],
    ['second', SECOND],
  ])('is taken over, and sealed from there on: the %s', async (_, before) => {
    const file = newFile();
    const store = await open(file);
    for (let i = 0; i < 20; i++) await count(store, `s-${i % 5}`, Math.floor(i / 5) - 1);
    const events = await store.readAll(0, 100);
    await store.close();
    const source = newFile();
    copyFileSync(file, source);
    tamper(source, before);
    const unopened = await all(verifySqliteFile(source));
    expect(unopened).toMatchObject([{ problem: 'file', detail: expect.stringContaining('earlier layout') as string }]);
    const again = await open(source);
    expect(await again.readAll(0, 100)).toEqual(events);
    expect(await all(again.verify())).toEqual([]);
    expect(await again.seal()).toMatchObject({ first: 1, count: 20, revision: 0 });
    await count(again, 's-0', 3);
    expect(await all(again.verify())).toEqual([]);
    expect(await all(verifySqliteFile(source))).toEqual([]);
    expect(await again.checkRebuild()).toBeUndefined();
    expect(again.reader.asOf('rm_counters', 10)).toHaveLength(5);
    const [taken] = events;
    if (!taken) throw new Error('It was there');
    const { id, type, schemaVersion, data, metadata } = taken;
    const twice = {
      writes: [{ stream: 'other', expected: NO_STREAM, events: [{ id, type, schemaVersion, data, metadata }] }],
    };
    await expect(again.append(twice)).rejects.toThrow(EventIdTaken);
  });
});
