import { parentPort, workerData } from 'node:worker_threads';
import { runComparer } from './comparer';
import { runInspector } from './inspector';
import type { ThreadSettings } from './protocol';
import { runWriter } from './writer';

// The entry of every thread of the store.
const settings = workerData as ThreadSettings;
if (parentPort) {
  switch (settings.task) {
    case 'write':
      runWriter(parentPort, settings);
      break;
    case 'verify':
      runInspector(parentPort, settings);
      break;
    case 'compare':
      runComparer(parentPort, settings);
      break;
  }
}
