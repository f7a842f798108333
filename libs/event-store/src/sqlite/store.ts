import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { Cancel, Logger, Timers } from '@weir/kernel';
import Database from 'better-sqlite3';
import { EventIdTaken, StoreBusy, StoreClosed, StoreFailed, StoreFull, WrongExpectedRevision } from '../errors';
import type {
  Anchor,
  Append,
  AppendResult,
  EventStore,
  LogProblem,
  RecordedEvent,
  Seal,
  Subscription,
  Write,
} from '../port';
import { Recorder, validate } from '../record';
import { type StoredChange, TableSet } from '../rows';
import { EVENTS_PER_SEAL, SEAL_PERIOD_MS, SEAL_STREAM, sealOf } from '../seal';
import { Follower } from '../subscription';
import { parseTime } from '../time';
import type { View } from '../view';
import { connect } from './connect';
import { EventReader } from './events';
import { verifySqliteFile } from './inspection';
import type { Answer, EventRecord, FromWorker, ToWorker, WriteRequest, WriterSettings } from './protocol';
import { SqliteReader } from './reader';
import { type LogEnd, prepareFile, writerTables } from './schema';
import { TimeIndex } from './times';
import { defaultWorkerPath } from './worker-path';

export interface SqliteEventStoreOptions {
  readonly file: string;
  readonly views: readonly View[];
  readonly logger: Logger;
  /** With them, what is open for 60 s is sealed. */
  readonly timers?: Timers;
  /** The compiled entry of the store's threads; beside this file unless given. */
  readonly workerPath?: string;
  /** Called once when the store has failed: it will write no more, and the process had better start again. */
  readonly onFailure?: (error: StoreFailed) => void;
}

/** Appends on their way; each holds its events in memory until the disk has them. */
const MAX_WAITING = 10_000;

interface Waiting {
  settle(answer: Answer): void;
  reject(error: unknown): void;
}

/** Opens or makes the file; rows of new views are filled from the log first. Rejects with ViewDiffers. */
export async function openSqliteEventStore(options: SqliteEventStoreOptions): Promise<SqliteEventStore> {
  const { file, views } = options;
  const tables = new TableSet(views);
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const writable = connect(file);
  try {
    const end = await prepareFile(writable, tables, nextTurn);
    const { head, open } = end;
    if (open.last !== head)
      options.logger.error('The log does not end where its last commit ended: verify it', {
        file,
        head,
        last: open.last,
      });
    // Both before the first connection closes: the last to close moves the WAL into the database, and keeps an error to itself.
    const readable = new Database(file, { readonly: true });
    try {
      const worker = await startWorker(options, {
        task: 'write',
        file,
        tables: writerTables(tables),
        views: views.map((view) => view.name),
        head,
        open,
      });
      return new SqliteEventStore(options, tables, worker, readable, end);
    } catch (error) {
      readable.close();
      throw error;
    }
  } finally {
    writable.close();
  }
}

/** Its first message says that it has the file open; an error before that rejects. */
async function startWorker(options: SqliteEventStoreOptions, settings: WriterSettings): Promise<Worker> {
  const worker = new Worker(options.workerPath ?? defaultWorkerPath(), { workerData: settings, execArgv: [] });
  await once(worker, 'message');
  return worker;
}

/** See openSqliteEventStore. Reads run here, on a connection of their own; writes and their fsync in a worker thread. */
export class SqliteEventStore implements EventStore {
  readonly reader: SqliteReader;
  private readonly events: EventReader;
  private readonly times: TimeIndex;
  private readonly exited: Promise<void>;
  private readonly followers = new Set<Follower>();
  /** Sent or about to be, in the order in which the worker answers. */
  private readonly waiting: Waiting[] = [];
  private outbox: WriteRequest[] = [];
  private nextPosition: number;
  /** Events sent behind the last seal; those that are refused only bring the next one nearer. */
  private unsealed: number;
  private cancelSeal: Cancel | undefined;
  private closing: Promise<void> | undefined;
  private failure: StoreFailed | undefined;
  private drained: (() => void) | undefined;

  constructor(
    private readonly options: SqliteEventStoreOptions,
    private readonly tables: TableSet,
    private readonly worker: Worker,
    private readonly db: Database.Database,
    { head, open }: LogEnd,
  ) {
    this.nextPosition = Math.max(head, open.last) + 1;
    this.unsealed = open.count;
    this.events = new EventReader(db);
    this.times = new TimeIndex(db);
    this.reader = new SqliteReader(db, tables, () => this.assertOpen());
    this.worker.on('message', (message: FromWorker) => this.receive(message));
    this.worker.on('error', (error) => this.fail(error));
    this.exited = new Promise((resolve) => {
      this.worker.once('exit', () => {
        if (!this.closing || this.waiting.length > 0) this.fail(new Error('The writer has ended'));
        resolve();
      });
    });
    if (this.unsealed > 0) this.sealInTime();
  }

  async append(append: Append): Promise<AppendResult> {
    this.assertWritable();
    validate(append);
    if (this.waiting.length >= MAX_WAITING) throw new StoreBusy();
    const events: RecordedEvent[] = [];
    const changes: StoredChange[] = [];
    const recorder = new Recorder();
    // Given here and not by the writer, so that views and digests know them. Appends that are refused leave gaps.
    let position = this.nextPosition;
    const writes = append.writes.map(({ stream, expected, events: added }) => {
      const records = added.map((event, index): EventRecord => {
        const recording = recorder.record(position, stream, expected + 1 + index, event);
        const { id, type, schemaVersion, digest, metadata } = recording.event;
        events.push(recording.event);
        changes.push(...this.tables.changes(recording.event));
        return [position++, id, type, schemaVersion, recording.data, recording.metadata, digest, metadata.time];
      });
      return [stream, expected, records] as const;
    });
    this.nextPosition = position;
    const checks = (append.checks ?? []).map(({ stream, expected }) => [stream, expected] as const);
    const answered = this.post({ checks, writes, changes }, (answer) =>
      this.appended(answer, append.writes, { position: position - 1, events }),
    );
    this.unsealed += events.length;
    if (this.unsealed >= EVENTS_PER_SEAL) this.sealInPassing();
    else if (this.unsealed > 0) this.sealInTime();
    return answered;
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- as above
  async positionAt(time: string): Promise<number> {
    this.assertOpen();
    return this.times.positionAt(parseTime(time));
  }

  async seal(): Promise<Seal | undefined> {
    this.assertWritable();
    const position = this.nextPosition++;
    this.unsealed = 0;
    this.cancelSeal?.();
    this.cancelSeal = undefined;
    return this.post({ seal: position }, (answer) => {
      if (answer.type === 'full') throw new StoreFull(new Error(answer.message));
      const [event] = answer.type === 'done' ? this.events.all(position - 1, 1) : [];
      return event && sealOf(event);
    });
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- a refusal is a rejection, as the port says
  async seals(after: number, limit: number): Promise<readonly Seal[]> {
    this.assertOpen();
    return this.events.streamAfter(SEAL_STREAM, after, limit).map(sealOf);
  }

  verify(anchors: readonly Anchor[] = []): AsyncIterable<LogProblem> {
    this.assertOpen();
    return verifySqliteFile(this.options.file, anchors, this.options.workerPath);
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- a refusal is a rejection, as the port says
  async readStream(stream: string, fromRevision = 0): Promise<readonly RecordedEvent[]> {
    this.assertOpen();
    return this.events.stream(stream, fromRevision);
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- as above
  async readAll(after: number, limit: number): Promise<readonly RecordedEvent[]> {
    this.assertOpen();
    return this.events.all(after, limit);
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- as above
  async head(): Promise<number> {
    this.assertOpen();
    return this.events.head();
  }

  subscribe(
    after: number,
    handler: (events: readonly RecordedEvent[]) => Promise<void>,
    onError: (error: unknown) => void,
  ): Subscription {
    this.assertOpen();
    const follower: Follower = new Follower(after, handler, onError, {
      read: (position, limit) => this.readAll(position, limit),
      // Reads are synchronous here: without a turn of the event loop a long catch-up would let nobody else run.
      pause: () => nextTurn(),
      ended: (ended) => this.followers.delete(ended),
    });
    this.followers.add(follower);
    return follower;
  }

  close(): Promise<void> {
    this.closing ??= this.shutDown();
    return this.closing;
  }

  private async shutDown(): Promise<void> {
    this.cancelSeal?.();
    for (const follower of this.followers) follower.close();
    if (this.waiting.length > 0) await new Promise<void>((resolve) => (this.drained = resolve));
    this.send({ type: 'close' });
    await this.exited;
    this.db.close();
  }

  private sealInTime(): void {
    this.cancelSeal ??= this.options.timers?.after(SEAL_PERIOD_MS, () => this.sealInPassing());
  }

  /** Nobody waits for this one: where the disk is full the events stay open, and the next seal has them too. */
  private sealInPassing(): void {
    this.seal().catch((error: unknown) => {
      if (!this.closing) this.options.logger.warn('The log was not sealed', { error, file: this.options.file });
    });
  }

  private post<T>(request: WriteRequest, result: (answer: Answer) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ settle: (answer) => resolve(result(answer)), reject });
      if (this.outbox.push(request) === 1) process.nextTick(() => this.flush());
    });
  }

  /** All that is written in one turn of the event loop travels as one message. */
  private flush(): void {
    const requests = this.outbox;
    this.outbox = [];
    this.send({ type: 'write', requests });
  }

  private send(message: ToWorker): void {
    this.worker.postMessage(message);
  }

  private receive(message: FromWorker): void {
    switch (message.type) {
      case 'answers': {
        const answered = this.waiting.splice(0, message.answers.length);
        for (const [index, answer] of message.answers.entries()) {
          const waiting = answered[index];
          try {
            waiting?.settle(answer);
          } catch (error) {
            waiting?.reject(error);
          }
        }
        for (const follower of this.followers) follower.wake();
        if (this.waiting.length === 0) this.drained?.();
        return;
      }
      case 'failed':
        this.fail(Object.assign(new Error(message.message), { code: message.code }));
        return;
      case 'ready':
      case 'closed':
        return;
    }
  }

  private appended(answer: Answer, writes: readonly Write[], result: AppendResult): AppendResult {
    switch (answer.type) {
      case 'repeated':
        return this.firstResult(writes);
      case 'stale':
        throw new WrongExpectedRevision(answer.stream, answer.expected, answer.actual);
      case 'id-taken':
        throw new EventIdTaken(new Error(answer.message));
      case 'full':
        throw new StoreFull(new Error(answer.message));
      case 'done':
      case 'nothing':
        return result.events.length > 0 ? result : { position: this.events.head(), events: [] };
    }
  }

  private firstResult(writes: readonly Write[]): AppendResult {
    const events = writes.flatMap(({ stream, expected, events: added }) =>
      this.events.range(stream, expected + 1, added.length),
    );
    return { position: events.at(-1)?.position ?? 0, events };
  }

  private fail(cause: unknown): void {
    if (this.failure) return;
    const failure = new StoreFailed(cause);
    this.failure = failure;
    this.options.logger.error('The event store has failed and writes no more', {
      error: cause,
      file: this.options.file,
    });
    for (const waiting of this.waiting.splice(0)) waiting.reject(failure);
    this.drained?.();
    this.options.onFailure?.(failure);
  }

  private assertOpen(): void {
    if (this.closing) throw new StoreClosed();
  }

  private assertWritable(): void {
    this.assertOpen();
    if (this.failure) throw this.failure;
  }
}
