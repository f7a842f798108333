import { extname, join } from 'node:path';

/** The compiled entry of our threads. */
export function defaultWorkerPath(): string {
  if (extname(__filename) === '.js') return join(__dirname, 'worker.js');
  const built = process.env['WEIR_EVENT_STORE_WORKER'];
  if (built === undefined)
    throw new Error('Run from its TypeScript source, the SQLite event store needs a workerPath: see buildWorker()');
  return built;
}
