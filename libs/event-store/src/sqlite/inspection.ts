import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Anchor, LogProblem } from '../port';
import type { InspectionAnswer, InspectorSettings } from './protocol';
import { defaultWorkerPath } from './worker-path';

/**
 * What is wrong with the log in a file, whether it is open or not, and however damaged: the first wrong position first.
 * Runs in a thread of its own, in constant memory. Seals that are known elsewhere are the anchors.
 */
export async function* verifySqliteFile(
  file: string,
  anchors: readonly Anchor[] = [],
  workerPath = defaultWorkerPath(),
): AsyncGenerator<LogProblem> {
  const settings: InspectorSettings = { task: 'verify', file, anchors };
  const worker = new Worker(workerPath, { workerData: settings, execArgv: [] });
  try {
    for (;;) {
      const [answer] = (await once(worker, 'message')) as [InspectionAnswer];
      yield* answer.problems;
      if (answer.last) return;
      worker.postMessage('more');
    }
  } finally {
    await worker.terminate();
  }
}
