import { parentPort, workerData } from 'node:worker_threads';
import { runInspector } from './inspector';
import type { ThreadSettings } from './protocol';
import { runWriter } from './writer';

// The entry of every thread of the store.
const settings = workerData as ThreadSettings;
if (parentPort) {
  if (settings.task === 'write') runWriter(parentPort, settings);
  else runInspector(parentPort, settings);
}
