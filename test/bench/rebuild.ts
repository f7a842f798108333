import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import Database from 'better-sqlite3';
import type { Rebuilt } from './large-log-process';
import { type BenchResult, median } from './report';

/** Filling the tables anew beside bare reading, each by turns, and the memory that it takes. */

const ROUNDS = 3;
const MEMORY_GOAL_MB = 300;

const ROOT = join(__dirname, '..', '..');

export async function inProcess(...arguments_: readonly string[]): Promise<string> {
  const runner = join(ROOT, 'scripts', 'run-ts.mjs');
  const program = [...process.execArgv, runner, join(__dirname, 'large-log-process.ts')];
  const { stdout } = await promisify(execFile)(process.execPath, [...program, ...arguments_]);
  return stdout;
}

/** What any rebuild has to do at least; answers milliseconds. */
function readBare(file: string): number {
  const start = performance.now();
  const db = new Database(file, { readonly: true });
  const rows = db.prepare<[], { data: string; metadata: string }>('select * from events order by position').iterate();
  let broken = 0;
  for (const { data, metadata } of rows) {
    if (JSON.parse(data) === null || JSON.parse(metadata) === null) broken++;
  }
  db.close();
  if (broken > 0) throw new Error(`${broken} events have no data`);
  return performance.now() - start;
}

async function rebuilt(file: string, events: number): Promise<Rebuilt> {
  const result = JSON.parse(await inProcess('rebuild', file)) as Rebuilt;
  const { beforeMb, peakMb } = result;
  const holds = peakMb < MEMORY_GOAL_MB;
  process.stdout.write(
    `memory of a process that rebuilds ${events.toLocaleString('en-US')} events, its threads included: at most ${peakMb} MB, ` +
      `${beforeMb} MB before; goal ${MEMORY_GOAL_MB} MB ${holds ? 'holds' : 'MISSED'}\n`,
  );
  if (!holds) process.exitCode = 1;
  return result;
}

/** Only for its memory: beside that of the large log it shows whether it grows. */
export async function rebuildSmall(file: string, events: number): Promise<void> {
  await inProcess('make', file, String(events));
  await rebuilt(file, events);
}

export async function rebuildLarge(file: string, events: number): Promise<BenchResult> {
  const ours: number[] = [];
  const bare: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    bare.push(readBare(file));
    ours.push((await rebuilt(file, events)).ms);
  }
  const rate = (ms: readonly number[]) => (events / median(ms)) * 1000;
  return {
    work: 'rebuild-1m',
    unit: 'events/s',
    ours: rate(ours),
    reference: rate(bare),
    referenceName: 'bare read and JSON.parse',
    goal: 0.15,
  };
}
