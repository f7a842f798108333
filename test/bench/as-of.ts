import { views } from '@weir/domain';
import type { ListOptions } from '@weir/event-store';
import { openSqliteEventStore } from '@weir/event-store/sqlite';
import { buildWorker } from '@weir/event-store/testing';
import { silentLogger } from '@weir/kernel';
import type { LargeLog } from './large-log';
import { type BenchResult, median } from './report';

/** Lists of the past beside the same lists of the present. */

const LISTS = 60;
/** The first ones prepare statements. */
const WARM_UP = 5;

interface Side {
  list(turn: number): readonly unknown[];
  readonly times: number[];
}

/** By turns, so that both meet the same machine and neither the other's cache alone. */
function compare(work: string, referenceName: string, rows: number, past: Side, live: Side): BenchResult {
  for (let turn = 0; turn < LISTS; turn++) {
    for (const side of [live, past]) {
      const start = performance.now();
      const { length } = side.list(turn);
      const took = performance.now() - start;
      if (length !== rows) throw new Error(`${work} listed ${length} rows, not ${rows}`);
      if (turn >= WARM_UP) side.times.push(took);
    }
  }
  const rate = ({ times }: Side) => 1000 / median(times);
  return { work, unit: 'lists/s', ours: rate(past), reference: rate(live), referenceName, goal: 0.1 };
}

export async function asOfMiddle(file: string, log: LargeLog): Promise<BenchResult[]> {
  const store = await openSqliteEventStore({ file, views, logger: silentLogger, workerPath: await buildWorker() });
  try {
    const { reader } = store;
    const middle = Math.floor((await store.head()) / 2);
    const rows = log.portsPerNetwork;
    const options: ListOptions = { limit: rows };
    const sides = (where: (turn: number) => { readonly network_id?: string }): [Side, Side] => [
      { list: (turn) => reader.asOf('rm_ports', middle, where(turn), options), times: [] },
      { list: (turn) => reader.live('rm_ports', where(turn), options), times: [] },
    ];
    const ofNetwork = sides((turn) => ({ network_id: log.network(turn) }));
    const page = sides(() => ({}));
    return [
      compare('as-of-1m', 'the same list live', rows, ...ofNetwork),
      compare('as-of-1m-page', 'the same page of all ports live', rows, ...page),
    ];
  } finally {
    await store.close();
  }
}
