import type { Json } from '@weir/kernel';
import type { VersionedEvent } from '../events/index';

/** The event store's types of views, by structure: domain imports kernel alone. */

export type ColumnType = 'text' | 'integer' | 'json';

export interface Table {
  readonly name: string;
  readonly columns: Readonly<Record<string, ColumnType>>;
  readonly key: readonly string[];
  readonly indexes: readonly (readonly string[])[];
}

export type Row = Readonly<Record<string, Json>>;

export type RowChange =
  | { readonly op: 'put'; readonly table: string; readonly row: Row }
  | { readonly op: 'patch'; readonly table: string; readonly key: Row; readonly set: Row }
  | {
      readonly op: 'add';
      readonly table: string;
      readonly key: Row;
      readonly add: Readonly<Record<string, number>>;
    }
  | { readonly op: 'remove'; readonly table: string; readonly key: Row };

/** What views read of an event of the log. */
export interface StoredEvent extends VersionedEvent {
  readonly stream: string;
  readonly revision: number;
  readonly position: number;
  readonly metadata: { readonly time: string };
}

export interface View {
  readonly name: string;
  readonly tables: readonly Table[];
  /** Pure: what one event changes, from the event alone, in whatever version it is. Throws as parseEvent does. */
  rows(event: StoredEvent): readonly RowChange[];
}

/** What follows `<kind>-` in the stream's name. */
export function idIn(stream: string, kind: string): string {
  return stream.slice(kind.length + 1);
}

const UUID_LENGTH = 36;

/** Splits `<kind>-<uuid>-<rest>`; undefined for streams of another kind. */
export function partsOf(stream: string, kind: string): { readonly id: string; readonly rest: string } | undefined {
  if (!stream.startsWith(`${kind}-`)) return undefined;
  const tail = idIn(stream, kind);
  return { id: tail.slice(0, UUID_LENGTH), rest: tail.slice(UUID_LENGTH + 1) };
}

export function flag(value: boolean): 0 | 1 {
  return value ? 1 : 0;
}

/** The columns whose value is given. */
export function given(columns: Readonly<Record<string, Json | undefined>>): Row {
  return Object.fromEntries(Object.entries(columns).filter((entry): entry is [string, Json] => entry[1] !== undefined));
}

export function flagOf(value: boolean | undefined): 0 | 1 | undefined {
  return value === undefined ? undefined : flag(value);
}

/** Readonly arrays of our own interfaces are JSON; the compiler cannot see it, as interfaces have no index signature. */
export function json(value: object): Json {
  return value as Json;
}

export function jsonOf(value: object | undefined): Json | undefined {
  return value === undefined ? undefined : json(value);
}
