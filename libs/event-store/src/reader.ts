import type { Json } from '@weir/kernel';
import type { Row, Table } from './view';

/** Column → value, or a list of which one must fit; null means null. Columns are joined by "and". */
export type Filter = Readonly<Record<string, Json | readonly Json[]>>;

export interface Order {
  readonly column: string;
  readonly direction?: 'asc' | 'desc';
}

export interface ListOptions {
  readonly limit?: number | undefined;
  /** The key of the last row of the page before; UnknownMarker where there is no such row. */
  readonly after?: Row | undefined;
  /** Ends with the key in any case, so that pages do not overlap. Nulls come first, text is compared byte by byte. */
  readonly orderBy?: readonly Order[] | undefined;
}

export interface RowVersion {
  readonly row: Row;
  readonly validFrom: number;
  /** The position from which it was valid no more; null while live. */
  readonly validTo: number | null;
}

/** The first version in which a table and its rebuilding differ; null where one has none. */
export interface RowDifference {
  readonly table: string;
  readonly key: Row;
  readonly live: RowVersion | null;
  readonly rebuilt: RowVersion | null;
}

/**
 * The read models. A read that follows an awaited append sees its rows. A table or column that no view defines throws
 * TypeError: names come from code, never from a request.
 */
export interface RowReader {
  readonly tables: readonly Table[];
  get(table: string, key: Row, asOf?: number): Row | undefined;
  live(table: string, where?: Filter, options?: ListOptions): Row[];
  /** The rows as they were when `position` was the last one in the log; before the horizon see prepareAsOf(). */
  asOf(table: string, position: number, where?: Filter, options?: ListOptions): Row[];
  count(table: string, where?: Filter, asOf?: number): number;
  /** Reads as of a position before this one need a fold: versions that ended at or before it may be gone. */
  readonly horizon: number;
  /**
   * Makes reads as of `position` possible: at once behind the horizon, else by folding the log up to there, which takes
   * its time; the last few folds are kept. Without it such a read throws HistoryPruned.
   */
  prepareAsOf(position: number): Promise<void>;
  /** The rows as of `position`, prepared, and read as live ones: whatever asks a reader can ask the past. */
  at(position: number): Promise<RowReader>;
  /** As asOf(), from the log alone: slower, and right without any row. */
  foldAsOf(table: string, position: number, where?: Filter, options?: ListOptions): Promise<Row[]>;
  /** Every version of every row, by key and age. */
  versions(table: string): Iterable<RowVersion>;
}
