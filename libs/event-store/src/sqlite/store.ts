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
import { Failpoints } from '../failpoints';
import { Folds } from '../folds';
import type { RowDifference } from '../reader';
import { EVENTS_PER_SEAL, SEAL_PERIOD_MS, SEAL_STREAM, sealOf } from '../seal';
import { Follower } from '../subscription';
import { parseTime } from '../time';
import type { View } from '../view';
import { catchUp, type LogEnd } from './catch-up';
import { connect } from './connect';
import { EventReader } from './events';
import { foldRows } from './fold';
import { verifySqliteFile } from './inspection';
import { Maintenance, type MaintenanceContext } from './maintenance';
import type {
  Answer,
  EventRecord,
  FromWorker,
  Task,
  TaskAnswer,
  ToWorker,
  WriteRequest,
  WriterSettings,
} from './protocol';
import { SqliteReader } from './reader';
import { prepareFile } from './schema';
import { writerTables } from './table-sql';
import { TimeIndex } from './times';
import { defaultWorkerPath } from './worker-path';

export interface SqliteEventStoreOptions {
  readonly file: string;
  readonly views: readonly View[];
  readonly logger: Logger;
  /** With them, what is open for 60 s is sealed. */
  readonly timers?: Timers;
  /** See Failpoints; else what WEIR_FAILPOINTS says. */
  readonly failpoints?: string;
  /** The compiled entry of the store's threads; beside this file unless given. */
  readonly workerPath?: string;
  /** Called once when the store has failed: it will write no more, and the process had better start again. */
  readonly onFailure?: (error: StoreFailed) => void;
}

/** Appends on their way; each holds its events in memory until the disk has them. */
const MAX_WAITING = 10_000;

/** What the writer makes lives for one group; by default Node would let 48 MB of it gather. */
const WRITER_YOUNG_MB = 12;

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
    prepareFile(writable, tables);
    const end = await catchUp(writable, tables, nextTurn);
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
        failpoints: failpointsOf(options),
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
  const worker = new Worker(options.workerPath ?? defaultWorkerPath(), {
    workerData: settings,
    execArgv: [],
    resourceLimits: { maxYoungGenerationSizeMb: WRITER_YOUNG_MB },
  });
  await once(worker, 'message');
  return worker;
}

/** See openSqliteEventStore. Reads run here, on a connection of their own; writes and their fsync in a worker thread. */
export class SqliteEventStore implements EventStore {
  readonly reader: SqliteReader;
  private readonly events: EventReader;
  private readonly times: TimeIndex;
  private readonly folds: Folds;
  private readonly maintenance: Maintenance;
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
  private horizon: number;
  /** While it is true nothing is sent to the worker but tasks. */
  private held = false;
  /** Resolves when everything that was sent is answered. */
  private answered: (() => void) | undefined;
  /** The one task that the worker has. */
  private task: { resolve(answer: TaskAnswer): void; reject(error: unknown): void } | undefined;

  constructor(
    private readonly options: SqliteEventStoreOptions,
    private readonly tables: TableSet,
    private readonly worker: Worker,
    private readonly db: Database.Database,
    { head, open, horizon }: LogEnd,
  ) {
    this.horizon = horizon;
    this.nextPosition = Math.max(head, open.last) + 1;
    this.unsealed = open.count;
    this.events = new EventReader(db);
    this.times = new TimeIndex(db);
    this.folds = new Folds(
      () => this.horizon,
      (position) => foldRows(this.events, tables, position, () => this.pause()),
    );
    this.reader = new SqliteReader(db, tables, () => this.assertOpen(), {
      horizon: () => this.horizon,
      folds: this.folds,
    });
    this.maintenance = new Maintenance(this.maintained());
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
  async readStream(stream: string, fromRevision = 0, limit?: number): Promise<readonly RecordedEvent[]> {
    this.assertOpen();
    return limit === undefined
      ? this.events.stream(stream, fromRevision)
      : this.events.range(stream, fromRevision, limit);
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

  rebuild(views?: readonly string[]): Promise<void> {
    return this.maintenance.rebuild(views);
  }

  checkRebuild(views?: readonly string[]): Promise<RowDifference | undefined> {
    return this.maintenance.checkRebuild(views);
  }

  pruneVersions(position: number): Promise<void> {
    return this.maintenance.prune(position);
  }

  close(): Promise<void> {
    this.closing ??= this.shutDown();
    return this.closing;
  }

  private async shutDown(): Promise<void> {
    this.cancelSeal?.();
    for (const follower of this.followers) follower.close();
    await this.maintenance.idle();
    if (this.waiting.length > 0) await new Promise<void>((resolve) => (this.drained = resolve));
    this.send({ type: 'close' });
    await this.exited;
    this.folds.discard();
    this.db.close();
  }

  private maintained(): MaintenanceContext {
    const { file, logger, workerPath = defaultWorkerPath() } = this.options;
    const failpoints = new Failpoints(failpointsOf(this.options));
    return {
      file,
      logger,
      workerPath,
      events: this.events,
      tables: this.tables,
      schemaVersion: () => Number(this.db.pragma('schema_version', { simple: true })),
      horizon: () => this.horizon,
      setHorizon: (position) => (this.horizon = position),
      pause: () => this.pause(),
      task: (task) => this.carryOut(task),
      hold: () => this.hold(),
      reached: (point) => failpoints.at(point),
    };
  }

  private async pause(): Promise<void> {
    await nextTurn();
    this.assertOpen();
  }

  private async carryOut(task: Task): Promise<boolean> {
    if (this.failure) throw this.failure;
    const answer = await new Promise<TaskAnswer>((resolve, reject) => {
      this.task = { resolve, reject };
      this.send({ type: 'task', task });
    });
    if (answer.type === 'full') throw new StoreFull(new Error(answer.message));
    return answer.type === 'more';
  }

  private async hold(): Promise<() => void> {
    this.held = true;
    if (this.waiting.length > this.outbox.length) await new Promise<void>((resolve) => (this.answered = resolve));
    return () => {
      this.held = false;
      if (this.outbox.length > 0) this.flush();
    };
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
      if (this.outbox.push(request) === 1) void nextTurn().then(() => this.flush());
    });
  }

  /** All that is written in one turn of the event loop travels as one message: each wakes the writer, which costs as much as an append. */
  private flush(): void {
    if (this.held) return;
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
        if (this.waiting.length === this.outbox.length) this.answered?.();
        return;
      }
      case 'task':
        this.task?.resolve(message.answer);
        return;
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
    this.answered?.();
    this.task?.reject(failure);
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

function failpointsOf({ failpoints }: SqliteEventStoreOptions): string {
  return failpoints ?? process.env['WEIR_FAILPOINTS'] ?? '';
}
