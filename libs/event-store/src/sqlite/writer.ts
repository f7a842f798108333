import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { Failpoints } from '../failpoints';
import { connect } from './connect';
import { errorCode, GroupWriter, isFull } from './group-writer';
import type { FromWorker, Task, TaskAnswer, ToWorker, WriteRequest, WriterSettings } from './protocol';
import { Upkeep } from './upkeep';

/** Requests in one transaction: enough to share an fsync, few enough that the first one does not wait for long. */
const MAX_GROUP = 512;

export function runWriter(port: MessagePort, settings: WriterSettings): void {
  const db = connect(settings.file);
  const failpoints = new Failpoints(settings.failpoints);
  const writer = new GroupWriter(db, settings, failpoints);
  const send = (message: FromWorker) => port.postMessage(message);
  /** Taken from the port to see whether there is something, and not yet carried out. */
  let taken: ToWorker | undefined;
  const waiting = (): ToWorker | undefined => {
    const message = taken ?? (receiveMessageOnPort(port) as { message: ToWorker } | undefined)?.message;
    taken = undefined;
    return message;
  };
  const upkeep = new Upkeep(db, settings.file, failpoints, () => (taken ??= waiting()) !== undefined);

  const carryOut = (task: Task): TaskAnswer => {
    try {
      const { written, more } = upkeep.step(task);
      writer.wroteBeside(written);
      return { type: more ? 'more' : 'finished' };
    } catch (error) {
      if (!isFull(error)) throw error;
      return { type: 'full', message: error instanceof Error ? error.message : String(error) };
    }
  };

  /** Everything that waits at the port is one group: while a commit is on its way to the disk, the next group gathers. */
  const take = (first: ToWorker | undefined): void => {
    const group: WriteRequest[] = [];
    let message = first;
    while (message?.type === 'write') {
      group.push(...message.requests);
      message = group.length < MAX_GROUP ? waiting() : undefined;
    }
    if (group.length > 0) send({ type: 'answers', answers: writer.write(group) });
    if (message?.type === 'task') send({ type: 'task', answer: carryOut(message.task) });
    if (message?.type === 'close') {
      writer.close();
      send({ type: 'closed' });
      port.close();
    } else {
      writer.checkpointIfDue();
    }
  };

  send({ type: 'ready' });
  port.on('message', (message: ToWorker) => {
    try {
      take(message);
      while (taken) take(waiting());
    } catch (error) {
      send({ type: 'failed', message: error instanceof Error ? error.message : String(error), code: errorCode(error) });
      port.close();
    }
  });
}
