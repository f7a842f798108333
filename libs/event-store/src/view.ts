import type { Json } from '@weir/kernel';
import type { RecordedEvent } from './event';

export type ColumnType = 'text' | 'integer' | 'json';

/** A read-model table. Every row version also has `valid_from` and `valid_to` (positions; null while live). */
export interface Table {
  /** Begins with `rm_`. */
  readonly name: string;
  readonly columns: Readonly<Record<string, ColumnType>>;
  readonly key: readonly string[];
  /** Further look-ups over live rows. */
  readonly indexes: readonly (readonly string[])[];
}

export type Row = Readonly<Record<string, Json>>;

/** What an event does to the tables, as data. `key` holds the key columns. */
export type RowChange =
  | { readonly op: 'put'; readonly table: string; readonly row: Row }
  /** Changes some columns of the live row; no live row: nothing. */
  | { readonly op: 'patch'; readonly table: string; readonly key: Row; readonly set: Row }
  /** Adds to integer columns of the live row. */
  | { readonly op: 'add'; readonly table: string; readonly key: Row; readonly add: Readonly<Record<string, number>> }
  | { readonly op: 'remove'; readonly table: string; readonly key: Row };

/** Pure: what one event changes, from the event alone. */
export interface View {
  readonly name: string;
  readonly tables: readonly Table[];
  rows(event: RecordedEvent): readonly RowChange[];
}
