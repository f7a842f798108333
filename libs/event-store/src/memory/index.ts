import { EventIdTaken, StoreClosed, WrongExpectedRevision } from '../errors';
import {
  type Append,
  type AppendResult,
  type EventStore,
  NO_STREAM,
  type RecordedEvent,
  type Subscription,
  type Write,
} from '../port';
import type { RowReader } from '../reader';
import { Recorder, validate } from '../record';
import { type StoredChange, TableSet } from '../rows';
import { Follower } from '../subscription';
import type { View } from '../view';
import { MemoryRows } from './rows';

export interface MemoryEventStoreOptions {
  readonly views?: readonly View[];
  /** What a store before this one wrote: it is as if the process had been restarted. */
  readonly log?: MemoryLog;
}

/** What outlives a MemoryEventStore. */
export class MemoryLog {
  readonly events: RecordedEvent[] = [];
  readonly streams = new Map<string, RecordedEvent[]>();
  readonly ids = new Set<string>();

  push(event: RecordedEvent): void {
    this.events.push(event);
    const stream = this.streams.get(event.stream);
    if (stream) stream.push(event);
    else this.streams.set(event.stream, [event]);
    this.ids.add(event.id);
  }
}

/** The twin of the other adapters: same answers, no files, no threads, no timers, so that one seed gives one history. */
export class MemoryEventStore implements EventStore {
  readonly reader: RowReader;
  readonly log: MemoryLog;
  private readonly tables: TableSet;
  private readonly rows: MemoryRows;
  private readonly followers = new Set<Follower>();
  private closed = false;

  constructor({ views = [], log = new MemoryLog() }: MemoryEventStoreOptions = {}) {
    this.log = log;
    this.tables = new TableSet(views);
    this.rows = new MemoryRows(this.tables);
    this.reader = this.rows;
    for (const event of log.events) this.rows.apply(this.tables.changes(event));
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
    return { position: this.position(), events };
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- as above
  async readStream(stream: string, fromRevision = 0): Promise<readonly RecordedEvent[]> {
    this.assertOpen();
    return this.log.streams.get(stream)?.slice(fromRevision) ?? [];
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

  close(): Promise<void> {
    this.closed = true;
    for (const follower of this.followers) follower.close();
    return Promise.resolve();
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
