import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type JsonObject, silentLogger } from '@weir/kernel';
import { type NewEvent, NO_STREAM, type View } from '@weir/event-store';
import { openSqliteEventStore, type SqliteEventStore } from '@weir/event-store/sqlite';
import { buildWorker } from '@weir/event-store/testing';
import Database from 'better-sqlite3';
import { type BenchResult, median, report } from './report';

/** What a log of a million events costs: filling its tables anew beside bare reading, and reading the past beside the present. */

const ROOT = join(__dirname, '..', '..');
const EVENTS = 1_000_000;
const PORTS = 100_000;
const NETWORKS = 100;
/** Of one network, and of a page. */
const LISTED = 1000;
const EVENTS_PER_APPEND = 1000;
const APPENDS_AT_ONCE = 8;
const READ_ROUNDS = 3;
const LISTS = 60;
const MEMORY_SAMPLE_MS = 20;
const MEMORY_GOAL_MB = 300;

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
  rows: ({ type, data, revision }) => {
    const id = data['id'] ?? null;
    if (type === 'PortChanged')
      return [
        {
          op: 'patch',
          table: 'rm_ports',
          key: { id },
          set: { name: data['name'] ?? null, status: data['status'] ?? null, revision },
        },
      ];
    const { network = null, project = null, name = null, mac = null, fixedIps = null } = data;
    return [
      {
        op: 'put',
        table: 'rm_ports',
        row: { id, network, project, name, mac, status: 'DOWN', revision, fixed_ips: fixedIps },
      },
    ];
  },
};

/** Spread as random ids are, and the same in every run. */
function uuid(kind: string, number: number): string {
  const mixed = (Math.imul(number + 1, 0x9e3779b1) >>> 0).toString(16).padStart(8, '0');
  return `${mixed}-${kind}-4000-8000-${number.toString(16).padStart(12, '0')}`;
}

const network = (port: number) => uuid('aaaa', port % NETWORKS);

/** Every port is created first, then all change, round after round: in the middle of the log each has its tenth of a history. */
function event(number: number): { readonly stream: string; readonly expected: number; readonly event: NewEvent } {
  const port = number % PORTS;
  const round = Math.floor(number / PORTS);
  const id = uuid('bbbb', port);
  const project = uuid('cccc', port % 500);
  const correlation = uuid('dddd', number);
  const name = `port-${port}-${round}`;
  const created: JsonObject = {
    id,
    network: network(port),
    project,
    name,
    mac: `fa:16:3e:${[port >> 16, (port >> 8) & 255, port & 255].map((byte) => byte.toString(16).padStart(2, '0')).join(':')}`,
    fixedIps: [{ subnet: uuid('eeee', port % NETWORKS), ip: `10.${port >> 16}.${(port >> 8) & 255}.${port & 255}` }],
    adminStateUp: true,
    deviceOwner: '',
  };
  const changed: JsonObject = {
    id,
    name,
    status: round % 2 === 0 ? 'DOWN' : 'ACTIVE',
    updatedAt: 1_740_830_400_000 + number,
  };
  return {
    stream: `port-${id}`,
    expected: round === 0 ? NO_STREAM : round - 1,
    event: {
      id: uuid('ffff', number),
      type: round === 0 ? 'PortCreated' : 'PortChanged',
      schemaVersion: 1,
      data: round === 0 ? created : changed,
      metadata: {
        correlation,
        causation: correlation,
        actor: uuid('9999', port % 50),
        project,
        time: new Date(1_740_830_400_000 + number).toISOString(),
      },
    },
  };
}

/** In a process of its own, so that its memory is not taken for the rebuild's. */
async function make(file: string): Promise<void> {
  const workerPath = await buildWorker();
  const store = await openSqliteEventStore({ file, views: [], logger: silentLogger, workerPath });
  for (let next = 0; next < EVENTS;) {
    const appends = [];
    for (let i = 0; i < APPENDS_AT_ONCE && next < EVENTS; i++, next += EVENTS_PER_APPEND) {
      const from = next;
      const writes = Array.from({ length: Math.min(EVENTS_PER_APPEND, EVENTS - from) }, (_, k) => {
        const { stream, expected, event: added } = event(from + k);
        return { stream, expected, events: [added] };
      });
      appends.push(store.append({ writes }));
    }
    await Promise.all(appends);
  }
  await store.close();
  const filled = await openSqliteEventStore({ file, views: [ports], logger: silentLogger, workerPath });
  await filled.close();
}

async function madeElsewhere(file: string): Promise<void> {
  const runner = join(ROOT, 'scripts', 'run-ts.mjs');
  const child = spawn(process.execPath, [...process.execArgv, runner, __filename, '--make', file], {
    stdio: 'inherit',
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`Making the log ended with ${String(code)}`);
}

async function timed(work: () => unknown): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** What any rebuild has to do at least. */
function readBare(file: string): void {
  const db = new Database(file, { readonly: true });
  const rows = db.prepare<[], { data: string; metadata: string }>('select * from events order by position').iterate();
  let seen = 0;
  for (const { data, metadata } of rows) {
    if (JSON.parse(data) !== null && JSON.parse(metadata) !== null) seen++;
  }
  db.close();
  if (seen < EVENTS) throw new Error(`Only ${seen} events were made`);
}

async function rebuild(store: SqliteEventStore, file: string): Promise<BenchResult> {
  const bare: number[] = [];
  for (let i = 0; i < READ_ROUNDS; i++) bare.push(await timed(() => readBare(file)));
  let peak = process.memoryUsage.rss();
  const before = peak;
  const sampling = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), MEMORY_SAMPLE_MS);
  const took = await timed(() => store.rebuild());
  clearInterval(sampling);
  bare.push(await timed(() => readBare(file)));
  const mb = (bytes: number) => Math.round(bytes / 1024 / 1024);
  const verdict = mb(peak) < MEMORY_GOAL_MB ? 'holds' : 'MISSED';
  process.stdout.write(
    `memory while rebuilding: at most ${mb(peak)} MB, ${mb(before)} MB before; goal ${MEMORY_GOAL_MB} MB ${verdict}\n`,
  );
  if (mb(peak) >= MEMORY_GOAL_MB) process.exitCode = 1;
  return {
    work: 'rebuild-1m',
    unit: 'events/s',
    ours: (EVENTS / took) * 1000,
    reference: (EVENTS / median(bare)) * 1000,
    referenceName: 'bare read and JSON.parse',
    goal: 0.15,
  };
}

/** Lists by turns, so that both meet the same machine and neither the other's cache alone. */
async function asOf(
  work: string,
  referenceName: string,
  past: (turn: number) => number,
  live: (turn: number) => number,
): Promise<BenchResult> {
  const times = { past: [] as number[], live: [] as number[] };
  for (let turn = 0; turn < LISTS; turn++) {
    for (const [side, list] of [
      ['live', live],
      ['past', past],
    ] as const) {
      const took = await timed(() => {
        if (list(turn) !== LISTED) throw new Error(`${work} did not list ${LISTED} rows`);
      });
      // The first ones prepare statements.
      if (turn >= 5) times[side].push(took);
    }
  }
  const rate = (ms: readonly number[]) => 1000 / median(ms);
  return { work, unit: 'lists/s', ours: rate(times.past), reference: rate(times.live), referenceName, goal: 0.1 };
}

async function main(folder: string): Promise<BenchResult[]> {
  const file = join(folder, 'events.db');
  const made = await timed(() => madeElsewhere(file));
  process.stdout.write(
    `made ${EVENTS.toLocaleString('en-US')} events and their rows in ${(made / 1000).toFixed(1)} s\n`,
  );
  const workerPath = await buildWorker();
  const store = await openSqliteEventStore({ file, views: [ports], logger: silentLogger, workerPath });
  try {
    const rebuilt = await rebuild(store, file);
    const middle = Math.floor((await store.head()) / 2);
    const { reader } = store;
    const of = (turn: number) => ({ network: network(turn) });
    const ofNetwork = await asOf(
      'as-of-1m',
      'the same list live',
      (turn) => reader.asOf('rm_ports', middle, of(turn), { limit: LISTED }).length,
      (turn) => reader.live('rm_ports', of(turn), { limit: LISTED }).length,
    );
    const page = await asOf(
      'as-of-1m-page',
      'the same page of all ports live',
      () => reader.asOf('rm_ports', middle, {}, { limit: LISTED }).length,
      () => reader.live('rm_ports', {}, { limit: LISTED }).length,
    );
    return [rebuilt, ofNetwork, page];
  } finally {
    await store.close();
  }
}

async function run(): Promise<void> {
  const making = process.argv.indexOf('--make');
  if (making > 0) return make(process.argv[making + 1] ?? '');
  // On the disk of the checkout: /tmp is memory on many machines.
  const folder = mkdtempSync(join(ROOT, 'node_modules', '.cache', 'weir-bench-events-'));
  try {
    report('events', await main(folder), process.argv.includes('--json'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

void run();
