import type { StoredChange } from '../rows';

/** What the writer must know of a table; plain data, since it crosses to the worker. */
export interface WriterTable {
  readonly name: string;
  readonly columns: readonly string[];
  readonly key: readonly number[];
}

export interface WorkerSettings {
  readonly file: string;
  readonly tables: readonly WriterTable[];
  readonly views: readonly string[];
  /** The log's last position when the store was opened. */
  readonly head: number;
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
];

export interface AppendRequest {
  readonly checks: readonly (readonly [stream: string, expected: number])[];
  readonly writes: readonly (readonly [stream: string, expected: number, events: readonly EventRecord[]])[];
  readonly changes: readonly StoredChange[];
}

export type ToWorker =
  { readonly type: 'append'; readonly appends: readonly AppendRequest[] } | { readonly type: 'close' };

/** One for each append, in the order of arrival. */
export type Answer =
  | { readonly type: 'done' }
  /** These events stand at these places already. */
  | { readonly type: 'repeated' }
  | { readonly type: 'stale'; readonly stream: string; readonly expected: number; readonly actual: number }
  | { readonly type: 'id-taken'; readonly message: string }
  | { readonly type: 'full'; readonly message: string };

export type FromWorker =
  /** It has the file open. */
  | { readonly type: 'ready' }
  | { readonly type: 'answers'; readonly answers: readonly Answer[] }
  /** The writer has met an error after which it must not write; nothing waiting is answered. */
  | { readonly type: 'failed'; readonly message: string; readonly code: string }
  | { readonly type: 'closed' };
