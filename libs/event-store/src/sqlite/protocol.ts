import type { Anchor, LogProblem } from '../port';
import type { SqlValue, StoredChange } from '../rows';
import type { OpenSeal } from '../seal';

/** What the writer must know of a table; plain data, since it crosses to the worker. */
export interface WriterTable {
  /** Its place among the tables of the store. */
  readonly number: number;
  readonly name: string;
  readonly columns: readonly string[];
  readonly key: readonly number[];
}

/** A table that is filled beside the one in use; `sql` makes it and its indexes. */
export interface ShadowTable extends WriterTable {
  readonly sql: string;
}

export interface WriterSettings {
  readonly task: 'write';
  readonly file: string;
  readonly tables: readonly WriterTable[];
  readonly views: readonly string[];
  /** The log's last position when the store was opened. */
  readonly head: number;
  readonly open: OpenSeal;
  readonly failpoints: string;
}

export interface InspectorSettings {
  readonly task: 'verify';
  readonly file: string;
  readonly anchors: readonly Anchor[];
}

/** Compares tables with their shadows as both are when it says that it has begun. */
export interface ComparisonSettings {
  readonly task: 'compare';
  readonly file: string;
  readonly tables: readonly WriterTable[];
  readonly horizon: number;
}

export type ThreadSettings = WriterSettings | InspectorSettings | ComparisonSettings;

/** A version in which a table and its shadow differ; where one has none, null. */
export interface StoredDifference {
  readonly table: number;
  readonly live: readonly SqlValue[] | null;
  readonly rebuilt: readonly SqlValue[] | null;
}

export type ComparisonAnswer =
  { readonly type: 'begun' } | { readonly type: 'compared'; readonly difference: StoredDifference | undefined };

export interface Loaded {
  readonly written: number;
  readonly more: boolean;
}

/** The next part waits until it is asked for. */
export interface InspectionAnswer {
  readonly problems: readonly LogProblem[];
  readonly last: boolean;
}

/** One event of a write, in the order of its stream. */
export type EventRecord = readonly [
  position: number,
  id: string,
  type: string,
  schemaVersion: number,
  data: string,
  metadata: string,
  digest: string,
  time: string,
];

export interface AppendRequest {
  readonly checks: readonly (readonly [stream: string, expected: number])[];
  readonly writes: readonly (readonly [stream: string, expected: number, events: readonly EventRecord[]])[];
  readonly changes: readonly StoredChange[];
}

/** Closes what is open at this position, if anything is. */
export interface SealRequest {
  readonly seal: number;
}

export type WriteRequest = AppendRequest | SealRequest;

/** Work on the tables, a part at a time between two groups. Answers whether there is more of it. */
export type Task =
  | { readonly do: 'start-shadow'; readonly tables: readonly ShadowTable[]; readonly horizon: number }
  | { readonly do: 'load-shadow' }
  | { readonly do: 'write-shadow'; readonly changes: readonly StoredChange[] }
  /** Where these views were not kept in step, they are filled up to the position. */
  | { readonly do: 'swap-shadow'; readonly views: readonly string[]; readonly position: number }
  | { readonly do: 'sweep-shadow' }
  | { readonly do: 'set-horizon'; readonly position: number }
  /** Ended versions of one table from `after` on, in the order in which they lie there. */
  | { readonly do: 'prune'; readonly table: string; readonly until: number; readonly first: boolean };

export type TaskAnswer =
  { readonly type: 'more' } | { readonly type: 'finished' } | { readonly type: 'full'; readonly message: string };

export type ToWorker =
  | { readonly type: 'write'; readonly requests: readonly WriteRequest[] }
  | { readonly type: 'task'; readonly task: Task }
  | { readonly type: 'close' };

/** One for each request, in the order of arrival. */
export type Answer =
  | { readonly type: 'done' }
  /** A seal that was asked for where nothing was open. */
  | { readonly type: 'nothing' }
  /** These events stand at these places already. */
  | { readonly type: 'repeated' }
  | { readonly type: 'stale'; readonly stream: string; readonly expected: number; readonly actual: number }
  | { readonly type: 'id-taken'; readonly message: string }
  | { readonly type: 'full'; readonly message: string };

export type FromWorker =
  /** It has the file open. */
  | { readonly type: 'ready' }
  | { readonly type: 'answers'; readonly answers: readonly Answer[] }
  | { readonly type: 'task'; readonly answer: TaskAnswer }
  /** The writer has met an error after which it must not write; nothing waiting is answered. */
  | { readonly type: 'failed'; readonly message: string; readonly code: string }
  | { readonly type: 'closed' };
