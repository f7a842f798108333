import type { NewEvent, RecordedEvent } from './event';
import type { RowDifference } from './reader';

export * from './event';

/** The revision of a stream's last event; NO_STREAM where nothing was ever appended. */
export type Revision = number;
export const NO_STREAM: Revision = -1;

export interface Write {
  readonly stream: string;
  readonly expected: Revision;
  readonly events: readonly NewEvent[];
}

/** Guards a stream that was only read. */
export interface Check {
  readonly stream: string;
  readonly expected: Revision;
}

export interface Append {
  readonly writes: readonly Write[];
  readonly checks?: readonly Check[];
}

export interface AppendResult {
  /** Of the last event written. */
  readonly position: number;
  readonly events: readonly RecordedEvent[];
}

export interface Subscription {
  close(): void;
}

/** A range of the log, closed by an event behind it. */
export interface Seal {
  /** Of the seal's own event, as its `digest` is. */
  readonly position: number;
  readonly digest: string;
  /** From 0: how many seals stand before it. */
  readonly revision: number;
  /** The first and the last position of the range, and how many events it has. */
  readonly first: number;
  readonly last: number;
  readonly count: number;
  /** The digests of the range's events folded in order, SHA-256 over the hex of the result so far and of the next; it begins with `previous`. */
  readonly range: string;
  /** The digest of the seal before; empty for the first one. */
  readonly previous: string;
  /** The latest time of any event up to here. */
  readonly latest: string;
}

/** A seal as it is known elsewhere. */
export type Anchor = Pick<Seal, 'position' | 'digest'>;

export type Problem =
  /** The event is not what its digest says. */
  | 'digest'
  /** Events are missing here, or stand twice. */
  | 'missing'
  /** The range that begins here is not the one that its seal was made of. */
  | 'range'
  /** What is open from here on is not what the last commit left: events were cut off, added or changed. */
  | 'open'
  /** A seal that is known elsewhere does not stand here. */
  | 'anchor'
  /** The log cannot be read from here on. */
  | 'unreadable'
  /** The database's own structure is damaged. */
  | 'file';

export interface LogProblem {
  /** The first wrong one, as near as the problem can tell; 0 where it concerns no event. */
  readonly position: number;
  readonly problem: Problem;
  readonly detail: string;
}

/**
 * An append is all or nothing, and on disk when its promise resolves, rows of the read models included.
 * A stale `expected` rejects with WrongExpectedRevision and leaves nothing.
 */
export interface EventStore {
  append(append: Append): Promise<AppendResult>;
  /** Events of one stream in order, at most `limit`; [] for a stream that does not exist. */
  readStream(stream: string, fromRevision?: Revision, limit?: number): Promise<readonly RecordedEvent[]>;
  /** Events after `position`, in order, at most `limit`. */
  readAll(after: number, limit: number): Promise<readonly RecordedEvent[]>;
  /** The position of the last event, 0 in an empty log. */
  head(): Promise<number>;
  /** Every event after `position`, in order, each once; the handler's promise is awaited before the next batch. A handler that throws stops the subscription and calls `onError`. */
  subscribe(
    after: number,
    handler: (events: readonly RecordedEvent[]) => Promise<void>,
    onError: (error: unknown) => void,
  ): Subscription;
  /**
   * The last position before the first event that is later than an RFC 3339 time, in the order of the log; the head
   * where none is later, 0 where all are. Rejects what is no such time.
   */
  positionAt(time: string): Promise<number>;
  /**
   * Closes what stands behind the last seal by an event of the log's own; undefined where nothing does. A store does so
   * itself after each 1,000 events, and each 60 s where it was given timers.
   */
  seal(): Promise<Seal | undefined>;
  /** Seals behind `after`, in order, at most `limit`. */
  seals(after: number, limit: number): Promise<readonly Seal[]>;
  /** What is wrong with the log, the first wrong position first; seals known elsewhere are its anchors. Appends go on. */
  verify(anchors?: readonly Anchor[]): AsyncIterable<LogProblem>;
  /**
   * Fills new tables of these views (of all, unless named) from the log and puts them in the place of those in use;
   * reads and writes go on. Until then nothing is changed, also when it is interrupted. Rebuilding, checking and pruning
   * go one after another.
   */
  rebuild(views?: readonly string[]): Promise<void>;
  /** Rebuilds and compares, and leaves everything as it is; undefined where nothing differs. */
  checkRebuild(views?: readonly string[]): Promise<RowDifference | undefined>;
  /** Forgets row versions that ended at or before `position`, which becomes the horizon of reads as of the past. The log keeps everything. */
  pruneVersions(position: number): Promise<void>;
  close(): Promise<void>;
}
