import type { Anchor, LogProblem } from '../port';
import type { StoredChange } from '../rows';
import type { OpenSeal } from '../seal';

/** What the writer must know of a table; plain data, since it crosses to the worker. */
export interface WriterTable {
  readonly name: string;
  readonly columns: readonly string[];
  readonly key: readonly number[];
}

export interface WriterSettings {
  readonly task: 'write';
  readonly file: string;
  readonly tables: readonly WriterTable[];
  readonly views: readonly string[];
  /** The log's last position when the store was opened. */
  readonly head: number;
  readonly open: OpenSeal;
}

export interface InspectorSettings {
  readonly task: 'verify';
  readonly file: string;
  readonly anchors: readonly Anchor[];
}

export type ThreadSettings = WriterSettings | InspectorSettings;

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

export type ToWorker =
  { readonly type: 'write'; readonly requests: readonly WriteRequest[] } | { readonly type: 'close' };

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
  /** The writer has met an error after which it must not write; nothing waiting is answered. */
  | { readonly type: 'failed'; readonly message: string; readonly code: string }
  | { readonly type: 'closed' };
