import type { MessagePort } from 'node:worker_threads';
import Database from 'better-sqlite3';
import type { LogProblem } from '../port';
import { inspectLog } from './inspect';
import type { InspectionAnswer, InspectorSettings } from './protocol';

/** Problems told at once; where everything is wrong there is one per event. */
const MAX_PROBLEMS = 100;

export function runInspector(port: MessagePort, settings: InspectorSettings): void {
  const db = new Database(settings.file, { readonly: true, fileMustExist: true });
  const problems = inspectLog(db, settings.anchors);
  const tell = (): void => {
    const part: LogProblem[] = [];
    let next = problems.next();
    for (; !next.done; next = problems.next()) {
      part.push(next.value);
      if (part.length === MAX_PROBLEMS) break;
    }
    const answer: InspectionAnswer = { problems: part, last: next.done ?? false };
    port.postMessage(answer);
    if (answer.last) {
      db.close();
      port.close();
    }
  };
  port.on('message', tell);
  tell();
}
