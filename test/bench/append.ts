import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type Json, type JsonObject, silentLogger, systemClock, systemRandom, uuid7 } from '@weir/kernel';
import { type Append, digestOf, type NewEvent, NO_STREAM, type RecordedEvent, type View } from '@weir/event-store';
import { openSqliteEventStore, type SqliteEventStore } from '@weir/event-store/sqlite';
import { buildWorker } from '@weir/event-store/testing';
import Database from 'better-sqlite3';
import { type BenchResult, median, report } from './report';

/** How fast events become durable, beside bare better-sqlite3 with the same durability, batches and payload. */

/** Many and short, so that both sides meet the same moments of a busy machine. */
const ROUNDS = 21;
const ROUND_MS = 150;
const BATCH = 100;
const WRITERS = 32;

const ports: View = {
  name: 'ports',
  tables: [
    {
      name: 'rm_ports',
      columns: {
        id: 'text',
        network: 'text',
        project: 'text',
        name: 'text',
        mac: 'text',
        status: 'text',
        revision: 'integer',
        fixed_ips: 'json',
      },
      key: ['id'],
      indexes: [['network'], ['project']],
    },
  ],
  rows: ({ data }) => [
    {
      op: 'put',
      table: 'rm_ports',
      row: {
        id: data['id'] ?? null,
        network: data['network'] ?? null,
        project: data['project'] ?? null,
        name: data['name'] ?? null,
        mac: data['mac'] ?? null,
        status: 'DOWN',
        revision: 0,
        fixed_ips: data['fixedIps'] ?? null,
      },
    },
  ],
};

let made = 0;
const id = () => uuid7(systemClock, systemRandom);
const networks = Array.from({ length: 50 }, id);
const project = id();
const actor = id();

/** The events of one request have its metadata in common. */
function request(): NewEvent['metadata'] {
  const correlation = id();
  return { correlation, causation: correlation, actor, project, time: '2025-03-01T12:00:00.000Z' };
}

function portCreated(metadata: NewEvent['metadata']): NewEvent {
  const number = made++;
  const data: JsonObject = {
    id: id(),
    network: networks[number % networks.length] ?? '',
    project,
    name: `port-${number}`,
    mac: 'fa:16:3e:00:00:01',
    fixedIps: [{ subnet: networks[0] ?? '', ip: '10.1.1.5' }],
    adminStateUp: true,
    deviceOwner: '',
  };
  return { id: id(), type: 'PortCreated', schemaVersion: 1, data, metadata };
}

/** The events of a round, made before the clock starts: both sides are given the same. */
function appends(count: number, size: number): Append[] {
  return Array.from({ length: count }, () => {
    const metadata = request();
    const events = Array.from({ length: size }, () => portCreated(metadata));
    return { writes: [{ stream: `port-${id()}`, expected: NO_STREAM, events }] };
  });
}

type Values = (string | number | Buffer | null)[];

/** What a careful program without an event store would write: the same columns, indexes and durability. */
class Bare {
  private readonly db: Database.Database;
  private readonly event;
  private readonly row;
  private position = 0;

  constructor(file: string) {
    this.db = new Database(file);
    this.db.pragma('journal_mode = wal');
    this.db.pragma('synchronous = full');
    this.db.exec(`
      create table events (
        position integer primary key, stream text not null, revision integer not null, id text not null, type text not null,
        schema_version integer not null, data text not null, metadata text not null, digest blob not null,
        unique (stream, revision), unique (id)
      ) strict;
      create table rm_ports (
        id text, network text, project text, name text, mac text, status text, revision integer, fixed_ips text,
        valid_from integer not null, valid_to integer
      ) strict;
      create unique index ports_live on rm_ports (id) where valid_to is null;
      create unique index ports_versions on rm_ports (id, valid_from);
      create index ports_network on rm_ports (network, id) where valid_to is null;
      create index ports_project on rm_ports (project, id) where valid_to is null;
    `);
    this.event = this.db.prepare<Values>('insert into events values (?, ?, ?, ?, ?, ?, ?, ?, ?)');
    this.row = this.db.prepare<Values>('insert into rm_ports values (?, ?, ?, ?, ?, ?, ?, ?, ?, null)');
  }

  readonly write = (groups: readonly (readonly Prepared[])[]): void => {
    const transaction = this.db.transaction((group: readonly Prepared[]) => {
      for (const { event, row } of group) {
        this.event.run(++this.position, ...event);
        if (row) this.row.run(...row, this.position);
      }
    });
    for (const group of groups) transaction(group);
  };

  close(): void {
    this.db.close();
  }
}

interface Prepared {
  readonly event: Values;
  readonly row: Values | undefined;
}

function prepared(append: Append, rows: boolean): Prepared[] {
  return append.writes.flatMap(({ stream, events }) =>
    events.map((event, revision) => {
      const recorded: RecordedEvent = { ...event, position: 0, stream, revision, digest: '' };
      const texts = [JSON.stringify(event.data), JSON.stringify(event.metadata)];
      const change = rows ? ports.rows(recorded)[0] : undefined;
      return {
        event: [
          stream,
          revision,
          event.id,
          event.type,
          event.schemaVersion,
          ...texts,
          Buffer.from(digestOf(recorded), 'hex'),
        ],
        row: change?.op === 'put' ? Object.values(change.row).map(sqlValue) : undefined,
      };
    }),
  );
}

function sqlValue(value: Json): string | number | null {
  return typeof value === 'string' || typeof value === 'number' || value === null ? value : JSON.stringify(value);
}

interface Work {
  readonly name: string;
  readonly size: number;
  readonly group: number;
  readonly rows: boolean;
  readonly goal: number;
  readonly referenceName: string;
  ours(store: SqliteEventStore, appends: readonly Append[]): Promise<void>;
}

async function oneByOne(store: SqliteEventStore, all: readonly Append[]): Promise<void> {
  for (const append of all) await store.append(append);
}

async function byWriters(store: SqliteEventStore, all: readonly Append[]): Promise<void> {
  let next = 0;
  const writer = async () => {
    for (let append = all[next++]; append; append = all[next++]) await store.append(append);
  };
  await Promise.all(Array.from({ length: WRITERS }, writer));
}

const works: readonly Work[] = [
  {
    name: 'append-single',
    size: 1,
    group: 1,
    rows: false,
    goal: 0.45,
    referenceName: 'better-sqlite3, one transaction each',
    ours: oneByOne,
  },
  {
    name: `append-batch-${BATCH}`,
    size: BATCH,
    group: 1,
    rows: false,
    goal: 0.45,
    referenceName: `better-sqlite3, one transaction per ${BATCH}`,
    ours: oneByOne,
  },
  {
    name: `append-${WRITERS}-writers-with-rows`,
    size: 1,
    group: WRITERS,
    rows: true,
    goal: 0.2,
    referenceName: `better-sqlite3, one transaction per ${WRITERS}, rows included`,
    ours: byWriters,
  },
];

function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
}

async function timed(count: number, work: () => Promise<void> | void): Promise<number> {
  const start = performance.now();
  await work();
  return (count / (performance.now() - start)) * 1000;
}

async function measure(work: Work, folder: string): Promise<BenchResult> {
  const views = work.rows ? [ports] : [];
  const store = await openSqliteEventStore({
    file: join(folder, `${work.name}.db`),
    views,
    logger: silentLogger,
    workerPath: await buildWorker(),
  });
  const bare = new Bare(join(folder, `${work.name}-bare.db`));
  const ours: number[] = [];
  const reference: number[] = [];
  // The first rounds warm both sides up and find how much work fills a round.
  let count = 2 * work.group;
  for (let round = 0; ours.length < ROUNDS; round++) {
    const all = appends(count, work.size);
    const groups = chunks(all, work.group).map((group) => group.flatMap((append) => prepared(append, work.rows)));
    const events = count * work.size;
    const run = {
      ours: () => timed(events, () => work.ours(store, all)),
      reference: () => timed(events, () => bare.write(groups)),
    };
    const first = round % 2 === 0 ? 'ours' : 'reference';
    const second = round % 2 === 0 ? 'reference' : 'ours';
    const rates = { [first]: await run[first](), [second]: await run[second]() };
    const wanted = Math.ceil(((rates['ours'] ?? 0) / work.size) * (ROUND_MS / 1000));
    if (round < 3) {
      count = Math.max(count, wanted);
    } else {
      ours.push(rates['ours'] ?? 0);
      reference.push(rates['reference'] ?? 0);
    }
  }
  await store.close();
  bare.close();
  return {
    work: work.name,
    unit: 'events/s',
    ours: median(ours),
    reference: median(reference),
    referenceName: work.referenceName,
    goal: work.goal,
  };
}

function fsyncMedianMs(folder: string): number {
  const file = openSync(join(folder, 'fsync'), 'w');
  const page = Buffer.alloc(4096, 1);
  const times = Array.from({ length: 500 }, (_, i) => {
    const start = performance.now();
    writeSync(file, page, 0, page.length, (i % 64) * page.length);
    fdatasyncSync(file);
    return performance.now() - start;
  });
  closeSync(file);
  return median(times);
}

async function main(): Promise<void> {
  // On the disk of the checkout: /tmp is memory on many machines, and an fsync costs nothing there.
  const folder = mkdtempSync(join(__dirname, '..', '..', 'node_modules', '.cache', 'weir-bench-append-'));
  try {
    process.stdout.write(`fsync p50: ${fsyncMedianMs(folder).toFixed(3)} ms\n`);
    const results: BenchResult[] = [];
    for (const work of works) results.push(await measure(work, folder));
    report('append', results, process.argv.includes('--json'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

void main();
