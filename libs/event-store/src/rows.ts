import { toUSVString } from 'node:util';
import { type Json, notFound } from '@weir/kernel';
import type { RecordedEvent } from './port';
import { jsonText } from './record';
import { isSeal } from './seal';
import type { ColumnType, Row, RowChange, Table, View } from './view';

export type SqlValue = string | number | null;

/** A row change with its values as stored: checked against the table, JSON as canonical text, columns by their place in it. */
export type StoredChange = readonly [
  op: RowChange['op'],
  table: number,
  position: number,
  key: readonly SqlValue[],
  /** The changed ones in ascending order; none for `put`, which has them all. */
  columns: readonly number[],
  values: readonly SqlValue[],
];

/** A table with its columns in their fixed order. */
export interface TableShape {
  /** Its place among the tables of a store. */
  readonly number: number;
  readonly table: Table;
  readonly name: string;
  readonly columns: readonly string[];
  readonly types: readonly ColumnType[];
  /** Places of the key columns. */
  readonly key: readonly number[];
}

/** Lower case, so that no two names differ only in what SQL ignores. */
const IDENTIFIER = /^[a-z][a-z0-9_]{0,62}$/;
const VERSION_COLUMNS = ['valid_from', 'valid_to'];

function shapeOf(table: Table, number: number): TableShape {
  const columns = Object.keys(table.columns);
  const wrong = (why: string) => new TypeError(`Table '${table.name}': ${why}`);
  if (!IDENTIFIER.test(table.name) || !table.name.startsWith('rm_'))
    throw wrong('a name is lower case and begins with rm_');
  for (const column of columns) {
    if (!IDENTIFIER.test(column) || VERSION_COLUMNS.includes(column)) throw wrong(`'${column}' cannot name a column`);
  }
  const place = (column: string): number => {
    const index = columns.indexOf(column);
    if (index < 0) throw wrong(`it has no column '${column}'`);
    return index;
  };
  if (table.key.length === 0) throw wrong('it has no key');
  table.indexes.flat().forEach(place);
  return { number, table, name: table.name, columns, types: Object.values(table.columns), key: table.key.map(place) };
}

/** Throws TypeError: a value of another type is a fault of the view or the query, never of the user. */
export function toSql(shape: TableShape, column: number, value: Json | undefined): SqlValue {
  if (value === null || value === undefined) return null;
  switch (shape.types[column]) {
    case 'json':
      return jsonText(value);
    case 'text':
      if (typeof value === 'string') return toUSVString(value);
      break;
    case 'integer':
      if (Number.isSafeInteger(value)) return value === 0 ? 0 : (value as number);
      break;
    case undefined:
      break;
  }
  throw new TypeError(`${shape.name}.${shape.columns[column] ?? ''} cannot hold ${JSON.stringify(value)}`);
}

export function fromSql(shape: TableShape, values: readonly SqlValue[]): Row {
  const row: Record<string, Json> = {};
  for (const [index, column] of shape.columns.entries()) {
    const value = values[index] ?? null;
    row[column] = value !== null && shape.types[index] === 'json' ? (JSON.parse(value as string) as Json) : value;
  }
  return row;
}

export function columnPlace(shape: TableShape, column: string): number {
  const index = shape.columns.indexOf(column);
  if (index < 0) throw new TypeError(`${shape.name} has no column '${column}'`);
  return index;
}

/** The values of exactly the key columns, in the order of the table's key. */
export function keyValues(shape: TableShape, key: Row): SqlValue[] {
  if (Object.keys(key).length !== shape.key.length)
    throw new TypeError(`${shape.name}: the key is ${shape.table.key.join(', ')}`);
  return shape.key.map((column) => keyValue(shape, column, key));
}

function keyValue(shape: TableShape, column: number, row: Row): SqlValue {
  const name = shape.columns[column] ?? '';
  const value = toSql(shape, column, row[name]);
  if (value === null) throw new TypeError(`${shape.name}.${name} is part of the key and cannot be null`);
  return value;
}

function stored(shape: TableShape, position: number, change: RowChange): StoredChange {
  switch (change.op) {
    case 'put': {
      for (const column of Object.keys(change.row)) columnPlace(shape, column);
      const key = shape.key.map((column) => keyValue(shape, column, change.row));
      const values = shape.columns.map((column, index) => toSql(shape, index, change.row[column]));
      return ['put', shape.number, position, key, [], values];
    }
    case 'patch': {
      const columns = changeable(shape, change.set);
      const values = columns.map((column) => toSql(shape, column, change.set[shape.columns[column] ?? '']));
      return ['patch', shape.number, position, keyValues(shape, change.key), columns, values];
    }
    case 'add': {
      const columns = changeable(shape, change.add);
      const values = columns.map((column) => {
        if (shape.types[column] !== 'integer')
          throw new TypeError(`${shape.name}.${shape.columns[column] ?? ''} is not an integer`);
        return toSql(shape, column, change.add[shape.columns[column] ?? ''] ?? 0);
      });
      return ['add', shape.number, position, keyValues(shape, change.key), columns, values];
    }
    case 'remove':
      return ['remove', shape.number, position, keyValues(shape, change.key), [], []];
  }
}

function changeable(shape: TableShape, changes: Readonly<Record<string, unknown>>): number[] {
  const columns = Object.keys(changes).map((column) => {
    const index = columnPlace(shape, column);
    if (shape.key.includes(index))
      throw new TypeError(`${shape.name}.${column} is part of the key and cannot be changed`);
    return index;
  });
  return columns.sort((a, b) => a - b);
}

/** The tables of a store's views; what a view writes is checked here, before it reaches a disk. */
export class TableSet {
  readonly shapes: readonly TableShape[];
  private readonly byName = new Map<string, TableShape>();
  private readonly tablesOf: ReadonlyMap<View, ReadonlySet<string>>;

  constructor(readonly views: readonly View[]) {
    if (new Set(views.map((view) => view.name)).size !== views.length)
      throw new TypeError('Two views have the same name');
    this.shapes = views.flatMap((view) => view.tables).map(shapeOf);
    for (const shape of this.shapes) {
      if (this.byName.has(shape.name)) throw new TypeError(`Two views have the table '${shape.name}'`);
      this.byName.set(shape.name, shape);
    }
    this.tablesOf = new Map(views.map((view) => [view, new Set(view.tables.map((table) => table.name))]));
  }

  /** Those of these names, or all. Throws for a name that no view has. */
  named(names: readonly string[] | undefined): readonly View[] {
    if (!names) return this.views;
    return names.map((name) => {
      const view = this.views.find((candidate) => candidate.name === name);
      if (!view) throw notFound(`There is no view '${name.slice(0, 64)}'.`);
      return view;
    });
  }

  get(name: string): TableShape {
    const shape = this.byName.get(name);
    if (!shape) throw new TypeError(`No view has the table '${name}'`);
    return shape;
  }

  /** What an event changes, by all views or by those given. */
  changes(event: RecordedEvent, views: readonly View[] = this.views): StoredChange[] {
    const changes: StoredChange[] = [];
    if (isSeal(event)) return changes;
    for (const view of views) {
      for (const change of view.rows(event)) {
        if (!this.tablesOf.get(view)?.has(change.table))
          throw new TypeError(`View '${view.name}' has no table '${change.table}'`);
        const entry = stored(this.get(change.table), event.position, change);
        const [op, , , , columns] = entry;
        if (columns.length > 0 || op === 'put' || op === 'remove') changes.push(entry);
      }
    }
    return changes;
  }
}
