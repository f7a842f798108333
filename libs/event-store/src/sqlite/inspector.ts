import type { MessagePort } from 'node:worker_threads';
import type { LogProblem } from '../port';
import { inspectFile } from './inspect';
import type { InspectionAnswer, InspectorSettings } from './protocol';

/** Problems told at once; where everything is wrong there is one per event. */
const MAX_PROBLEMS = 100;

export function runInspector(port: MessagePort, settings: InspectorSettings): void {
  const problems = inspectFile(settings.file, settings.anchors);
  const tell = (): void => {
    const part: LogProblem[] = [];
    let next = problems.next();
    for (; !next.done; next = problems.next()) {
      part.push(next.value);
      if (part.length === MAX_PROBLEMS) break;
    }
    const answer: InspectionAnswer = { problems: part, last: next.done ?? false };
    port.postMessage(answer);
    if (answer.last) port.close();
  };
  port.on('message', tell);
  tell();
}
