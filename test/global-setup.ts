import { buildWorker } from '../libs/event-store/src/testing';

/** Before all tests: `new Worker('x.ts')` does not parse, and what stands in `dist` may be older than the source. */
export default async function setUp(): Promise<void> {
  process.env['WEIR_EVENT_STORE_WORKER'] = await buildWorker();
}
