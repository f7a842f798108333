import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { apiPortCreate } from './api-port-create';
import { asOfMiddle } from './as-of';
import { LargeLog } from './large-log';
import { inProcess, rebuildLarge, rebuildSmall } from './rebuild';
import { type BenchResult, report } from './report';
import { startAndVerify } from './start';

/** What events cost: a request that makes them, and a log of a million of them. */

const EVENTS = 1_000_000;
/** For its memory alone. */
const FEWER_EVENTS = 200_000;

const { values } = parseArgs({
  options: { json: { type: 'boolean', default: false }, only: { type: 'string', multiple: true, default: [] } },
});

/** `--only api-port-create`: one part alone. */
function wanted(part: 'api-port-create' | 'rebuild-1m' | 'as-of-1m' | 'start'): boolean {
  // It is compared with nothing, and takes as long as all the others.
  return values.only.length === 0 ? part !== 'start' : values.only.includes(part);
}

async function main(folder: string): Promise<BenchResult[]> {
  const results: BenchResult[] = [];
  if (wanted('api-port-create')) results.push(await apiPortCreate(folder));
  if (!wanted('rebuild-1m') && !wanted('as-of-1m') && !wanted('start')) return results;

  if (wanted('rebuild-1m')) await rebuildSmall(join(folder, 'fewer.db'), FEWER_EVENTS);
  const state = join(folder, 'large');
  const file = join(state, 'events.db');
  const start = performance.now();
  await inProcess('make', file, String(EVENTS));
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  process.stdout.write(`made ${EVENTS.toLocaleString('en-US')} events and their rows in ${seconds} s\n`);
  if (wanted('rebuild-1m')) results.push(await rebuildLarge(file, EVENTS));
  if (wanted('as-of-1m')) results.push(...(await asOfMiddle(file, new LargeLog(EVENTS))));
  if (wanted('start')) await startAndVerify(state);
  return results;
}

async function run(): Promise<void> {
  // On the disk of the checkout: /tmp is memory on many machines.
  const folder = mkdtempSync(join(__dirname, '..', '..', 'node_modules', '.cache', 'weir-bench-events-'));
  try {
    report('events', await main(folder), values.json);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

void run();
