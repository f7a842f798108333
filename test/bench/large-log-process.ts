// One work on a large log, in a process of its own, so that its memory is nobody else's: `make FILE EVENTS` or `rebuild FILE`.
import { readFileSync } from 'node:fs';
import { views } from '@weir/domain';
import { openSqliteEventStore } from '@weir/event-store/sqlite';
import { buildWorker } from '@weir/event-store/testing';
import { silentLogger } from '@weir/kernel';
import { LargeLog } from './large-log';

const EVENTS_PER_APPEND = 100;
const APPENDS_AT_ONCE = 80;

export interface Rebuilt {
  readonly ms: number;
  /** Of this whole process, threads included: the store, the program, and Node itself. */
  readonly beforeMb: number;
  readonly peakMb: number;
}

async function opened(file: string, filled: typeof views) {
  return openSqliteEventStore({ file, views: filled, logger: silentLogger, workerPath: await buildWorker() });
}

async function make(file: string, events: number): Promise<void> {
  const log = new LargeLog(events);
  const store = await opened(file, []);
  for (let next = 0; next < events;) {
    const appends = [];
    for (let i = 0; i < APPENDS_AT_ONCE && next < events; i++, next += EVENTS_PER_APPEND)
      appends.push(store.append({ writes: log.writes(next, EVENTS_PER_APPEND) }));
    await Promise.all(appends);
  }
  await store.close();
  // Views that the file does not know yet are filled from the log.
  await (await opened(file, views)).close();
}

async function rebuild(file: string): Promise<Rebuilt> {
  const store = await opened(file, views);
  const beforeMb = residentMb('VmRSS');
  const start = performance.now();
  await store.rebuild();
  const ms = performance.now() - start;
  const peakMb = residentMb('VmHWM');
  await store.close();
  return { ms, beforeMb, peakMb };
}

/** As the kernel counts it, so that no peak falls between two looks (proc_pid_status(5)). */
function residentMb(field: 'VmRSS' | 'VmHWM'): number {
  const kib = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  if (kib === undefined) throw new Error(`/proc/self/status has no ${field}`);
  return Math.round(Number(kib) / 1024);
}

async function main([work, file = '', events]: readonly string[]): Promise<void> {
  if (work === 'make') await make(file, Number(events));
  else process.stdout.write(`${JSON.stringify(await rebuild(file))}\n`);
}

void main(process.argv.slice(2));
