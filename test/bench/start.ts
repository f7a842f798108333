import { join } from 'node:path';
import { verifySqliteFile } from '@weir/event-store/sqlite';
import { buildWorker } from '@weir/event-store/testing';
import { startTop } from './servers';

/** How long a large log makes one wait; nothing to compare it with, so it has no goal and is only told. */
export async function startAndVerify(state: string): Promise<void> {
  for (const what of ['publishes all of it', 'has published it']) {
    const seconds = await timed(async () => (await startTop(state)).stop());
    tell(`start and stop of a Top that ${what}`, seconds);
  }
  const workerPath = await buildWorker();
  const verified = await timed(async () => {
    for await (const problem of verifySqliteFile(join(state, 'events.db'), [], workerPath))
      throw new Error(JSON.stringify(problem));
  });
  tell('verifying the log', verified);
}

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

function tell(what: string, seconds: number): void {
  process.stdout.write(`${what}: ${seconds.toFixed(1)} s\n`);
}
