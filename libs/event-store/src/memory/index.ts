import type { Cancel, Timers } from '@weir/kernel';
import { EventIdTaken, StoreClosed, WrongExpectedRevision } from '../errors';
import {
  type Anchor,
  type Append,
  type AppendResult,
  type EventStore,
  type LogProblem,
  NO_STREAM,
  type RecordedEvent,
  type Seal,
  type Subscription,
  type Write,
} from '../port';
import type { RowDifference, RowReader } from '../reader';
import { Recorder, textOf, validate } from '../record';
import { type StoredChange, TableSet } from '../rows';
import {
  EVENTS_PER_SEAL,
  extended,
  isSeal,
  NOTHING_SEALED,
  type OpenSeal,
  SEAL_PERIOD_MS,
  SEAL_STREAM,
  sealed,
  sealOf,
  sealRecord,
} from '../seal';
import { Follower } from '../subscription';
import { LogVerifier } from '../verify';
import { parseTime } from '../time';
import type { View } from '../view';
import { firstDifference, MemoryRows } from './rows';

export interface MemoryEventStoreOptions {
  readonly views?: readonly View[];
  /** What a store before this one wrote: it is as if the process had been restarted. */
  readonly log?: MemoryLog;
  /** With them, what is open for 60 s is sealed. */
  readonly timers?: Timers;
}

/** What outlives a MemoryEventStore. */
export class MemoryLog {
  readonly events: RecordedEvent[] = [];
  readonly streams = new Map<string, RecordedEvent[]>();
  readonly ids = new Set<string>();
  /** What stands behind the last seal. */
  open: OpenSeal = NOTHING_SEALED;

  push(event: RecordedEvent): void {
    this.events.push(event);
    const stream = this.streams.get(event.stream);
    if (stream) stream.push(event);
    else this.streams.set(event.stream, [event]);
    this.ids.add(event.id);
    const { position, digest, metadata } = event;
    this.open = isSeal(event)
      ? sealed(this.open, position, digest)
      : extended(this.open, position, digest, metadata.time);
  }
}

/** The twin of the other adapters: same answers, no files, no threads, no timers, so that one seed gives one history. */
export class MemoryEventStore implements EventStore {
  readonly reader: RowReader;
  readonly log: MemoryLog;
  private readonly tables: TableSet;
  private readonly rows: MemoryRows;
  private readonly followers = new Set<Follower>();
  private readonly timers: Timers | undefined;
  private cancelSeal: Cancel | undefined;
  private closed = false;

  constructor({ views = [], log = new MemoryLog(), timers }: MemoryEventStoreOptions = {}) {
    this.log = log;
    this.timers = timers;
    this.tables = new TableSet(views);
    this.rows = new MemoryRows(this.tables, (position) => this.replayed(position));
    this.reader = this.rows;
    for (const event of log.events) this.rows.apply(this.tables.changes(event));
    if (log.open.count > 0) this.sealInTime();
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- a refusal is a rejection, as the port says
  async append(append: Append): Promise<AppendResult> {
    this.assertOpen();
    validate(append);
    const stale = [...(append.checks ?? []), ...append.writes].find(
      ({ stream, expected }) => this.revision(stream) !== expected,
    );
    if (stale) {
      const before = this.appendedBefore(append.writes);
      if (before) return before;
      throw new WrongExpectedRevision(stale.stream, stale.expected, this.revision(stale.stream));
    }
    const events: RecordedEvent[] = [];
    const changes: StoredChange[] = [];
    const head = this.position();
    const recorder = new Recorder();
    for (const { stream, expected, events: added } of append.writes) {
      for (const [index, event] of added.entries()) {
        if (this.log.ids.has(event.id)) throw new EventIdTaken();
        const recorded = recorder.record(head + events.length + 1, stream, expected + 1 + index, event).event;
        events.push(recorded);
        changes.push(...this.tables.changes(recorded));
      }
    }
    for (const event of events) this.log.push(event);
    this.rows.apply(changes);
    for (const follower of this.followers) follower.wake();
    const result = { position: this.position(), events };
    if (this.log.open.count >= EVENTS_PER_SEAL) this.sealNow();
    else if (this.log.open.count > 0) this.sealInTime();
    return result;
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- as above
  async positionAt(time: string): Promise<number> {
    this.assertOpen();
    const asked = parseTime(time);
    const later = this.log.events.findIndex((event) => event.metadata.time > asked);
    return later < 0 ? this.position() : later;
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- as above
  async seal(): Promise<Seal | undefined> {
    this.assertOpen();
    return this.sealNow();
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- as above
  async seals(after: number, limit: number): Promise<readonly Seal[]> {
    this.assertOpen();
    const seals = this.log.streams.get(SEAL_STREAM) ?? [];
    return seals
      .filter((event) => event.position > after)
      .slice(0, limit)
      .map(sealOf);
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- nothing to wait for in memory
  async *verify(anchors: readonly Anchor[] = []): AsyncGenerator<LogProblem> {
    this.assertOpen();
    const verifier = new LogVerifier(anchors);
    // As it is now: appends go on.
    const { open, events } = { open: this.log.open, events: [...this.log.events] };
    for (const event of events) {
      const row = { ...textOf(event), digest: event.digest, previous: event.position - 1 };
      // Not yield*, which waits a turn for every event, and appends go on.
      for (const problem of verifier.next(row)) yield problem;
    }
    yield* verifier.end(open);
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- as above
  async readStream(stream: string, fromRevision = 0, limit = Infinity): Promise<readonly RecordedEvent[]> {
    this.assertOpen();
    return this.log.streams.get(stream)?.slice(fromRevision, fromRevision + limit) ?? [];
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- as above
  async readAll(after: number, limit: number): Promise<readonly RecordedEvent[]> {
    this.assertOpen();
    return this.log.events.slice(after, after + limit);
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- as above
  async head(): Promise<number> {
    this.assertOpen();
    return this.position();
  }

  subscribe(
    after: number,
    handler: (events: readonly RecordedEvent[]) => Promise<void>,
    onError: (error: unknown) => void,
  ): Subscription {
    this.assertOpen();
    const follower: Follower = new Follower(after, handler, onError, {
      read: (position, limit) => this.readAll(position, limit),
      pause: () => Promise.resolve(),
      ended: (ended) => this.followers.delete(ended),
    });
    this.followers.add(follower);
    return follower;
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- as above
  async rebuild(names?: readonly string[]): Promise<void> {
    this.assertOpen();
    this.rows.replace(this.tables.named(names), this.replayed());
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- as above
  async checkRebuild(names?: readonly string[]): Promise<RowDifference | undefined> {
    this.assertOpen();
    const rebuilt = this.replayed();
    rebuilt.prune(this.rows.horizon);
    return firstDifference(this.tables, this.tables.named(names), this.rows, rebuilt);
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- as above
  async pruneVersions(position: number): Promise<void> {
    this.assertOpen();
    this.rows.prune(Math.min(position, this.position()));
  }

  close(): Promise<void> {
    this.closed = true;
    this.cancelSeal?.();
    for (const follower of this.followers) follower.close();
    return Promise.resolve();
  }

  private sealInTime(): void {
    this.cancelSeal ??= this.timers?.after(SEAL_PERIOD_MS, () => void this.sealNow());
  }

  private sealNow(): Seal | undefined {
    this.cancelSeal?.();
    this.cancelSeal = undefined;
    if (this.log.open.count === 0) return undefined;
    const record = sealRecord(this.log.open, this.position() + 1);
    const data = JSON.parse(record.data) as RecordedEvent['data'];
    const metadata = JSON.parse(record.metadata) as RecordedEvent['metadata'];
    const event: RecordedEvent = { ...record, data, metadata };
    this.log.push(event);
    for (const follower of this.followers) follower.wake();
    return sealOf(event);
  }

  /** Fresh rows of the log, whole or up to a position. */
  private replayed(position = this.position()): MemoryRows {
    const rows = new MemoryRows(this.tables);
    for (const event of this.log.events.slice(0, position)) rows.apply(this.tables.changes(event));
    return rows;
  }

  /** Positions have no gaps here: the last one is the number of events. */
  private position(): number {
    return this.log.events.length;
  }

  private revision(stream: string): number {
    return (this.log.streams.get(stream)?.length ?? 0) + NO_STREAM;
  }

  private appendedBefore(writes: readonly Write[]): AppendResult | undefined {
    const events: RecordedEvent[] = [];
    for (const { stream, expected, events: added } of writes) {
      const found = this.log.streams.get(stream)?.slice(expected + 1, expected + 1 + added.length) ?? [];
      if (!added.every((event, index) => found[index]?.id === event.id)) return undefined;
      events.push(...found);
    }
    const last = events.at(-1);
    return last && { position: last.position, events };
  }

  private assertOpen(): void {
    if (this.closed) throw new StoreClosed();
  }
}
