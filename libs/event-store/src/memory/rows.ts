import { canonicalJson, type Json } from '@weir/kernel';
import { UnknownMarker } from '../errors';
import { Folds } from '../folds';
import { PastRows } from '../past';
import type { Filter, ListOptions, RowDifference, RowReader, RowVersion } from '../reader';
import {
  columnPlace,
  fromSql,
  keyValues,
  type SqlValue,
  type StoredChange,
  type TableSet,
  type TableShape,
  toSql,
} from '../rows';
import { advance, type Version } from '../versions';
import type { Row, Table, View } from '../view';

export type Test = (values: readonly SqlValue[]) => boolean;
export type Compare = (left: readonly SqlValue[], right: readonly SqlValue[]) => number;

/** SQLite's order: null first, then numbers, then text by its UTF-8 bytes. */
function compareValues(left: SqlValue, right: SqlValue): number {
  if (left === right) return 0;
  if (left === null) return -1;
  if (right === null) return 1;
  if (typeof left === 'number' && typeof right === 'number') return left - right;
  return Buffer.compare(Buffer.from(String(left)), Buffer.from(String(right)));
}

/** Versioned rows in memory: the memory store's read models, and the fresh tables of a replay. */
export class MemoryRows implements RowReader {
  horizon = 0;
  private readonly history: Map<string, Version[]>[];
  private readonly folds: Folds | undefined;

  /** With `fold`, rows of times before the horizon can be had. */
  constructor(
    private readonly set: TableSet,
    fold?: (position: number) => MemoryRows,
  ) {
    this.history = set.shapes.map(() => new Map<string, Version[]>());
    this.folds =
      fold &&
      new Folds(
        () => this.horizon,
        (position) => Promise.resolve({ rows: fold(position), discard: () => undefined }),
      );
  }

  get tables(): readonly Table[] {
    return this.set.shapes.map((shape) => shape.table);
  }

  apply(changes: readonly StoredChange[]): void {
    for (const change of changes) {
      const [, table, , key] = change;
      const history = this.of(table);
      const name = JSON.stringify(key);
      const versions = history.get(name) ?? [];
      advance(versions, change);
      if (versions.length > 0) history.set(name, versions);
      else history.delete(name);
    }
  }

  /** Forgets the versions that ended at or before `position`. */
  prune(position: number): void {
    this.horizon = Math.max(this.horizon, position);
    for (const table of this.history) {
      for (const [name, versions] of table) {
        const kept = versions.filter(({ to }) => to === null || to > this.horizon);
        if (kept.length > 0) table.set(name, kept);
        else table.delete(name);
      }
    }
  }

  /** Takes the tables of these views over from fresh ones. */
  replace(views: readonly View[], fresh: MemoryRows): void {
    for (const { name } of views.flatMap((view) => view.tables)) {
      const { number } = this.set.get(name);
      this.history[number] = fresh.of(number);
    }
    this.prune(this.horizon);
  }

  async prepareAsOf(position: number): Promise<void> {
    if (position < this.horizon) await this.folds?.prepare(position);
  }

  async at(position: number): Promise<RowReader> {
    await this.prepareAsOf(position);
    return new PastRows(this, position);
  }

  async foldAsOf(table: string, position: number, where?: Filter, options?: ListOptions): Promise<Row[]> {
    const rows = await this.folds?.prepare(position);
    return rows ? rows.live(table, where, options) : this.asOf(table, position, where, options);
  }

  get(table: string, key: Row, asOf?: number): Row | undefined {
    const past = this.folds?.at(asOf);
    if (past) return past.get(table, key);
    const shape = this.set.get(table);
    const values = this.find(shape, keyValues(shape, key), asOf);
    return values && fromSql(shape, values);
  }

  live(table: string, where: Filter = {}, options: ListOptions = {}): Row[] {
    return this.list(this.set.get(table), undefined, where, options);
  }

  asOf(table: string, position: number, where: Filter = {}, options: ListOptions = {}): Row[] {
    const past = this.folds?.at(position);
    return past ? past.live(table, where, options) : this.list(this.set.get(table), position, where, options);
  }

  count(table: string, where: Filter = {}, asOf?: number): number {
    const past = this.folds?.at(asOf);
    if (past) return past.count(table, where);
    const shape = this.set.get(table);
    return this.select(shape, asOf, filterTest(shape, where)).length;
  }

  *versions(table: string): Iterable<RowVersion> {
    const shape = this.set.get(table);
    const all = [...this.of(shape.number).values()]
      .flat()
      .sort((a, b) => byKey(shape)(a.values, b.values) || a.from - b.from);
    for (const { values, from, to } of all) yield { row: fromSql(shape, values), validFrom: from, validTo: to };
  }

  private of(table: number): Map<string, Version[]> {
    const history = this.history[table];
    if (!history) throw new RangeError(`No table ${table}`);
    return history;
  }

  private find(shape: TableShape, key: readonly SqlValue[], asOf: number | undefined): readonly SqlValue[] | undefined {
    return (this.of(shape.number).get(JSON.stringify(key)) ?? []).findLast((version) => isValid(version, asOf))?.values;
  }

  private select(shape: TableShape, asOf: number | undefined, test: Test): (readonly SqlValue[])[] {
    const found: (readonly SqlValue[])[] = [];
    for (const versions of this.of(shape.number).values()) {
      const version = versions.findLast((candidate) => isValid(candidate, asOf));
      if (version && test(version.values)) found.push(version.values);
    }
    return found;
  }

  private list(shape: TableShape, asOf: number | undefined, where: Filter, options: ListOptions): Row[] {
    const compare = ordering(shape, options);
    let found = this.select(shape, asOf, filterTest(shape, where)).sort(compare);
    if (options.after) {
      const marker = this.find(shape, keyValues(shape, options.after), asOf);
      if (!marker) throw new UnknownMarker(shape.name, options.after);
      found = found.filter((values) => compare(values, marker) > 0);
    }
    return found.slice(0, options.limit).map((values) => fromSql(shape, values));
  }
}

function isValid(version: Version, asOf: number | undefined): boolean {
  if (asOf === undefined) return version.to === null;
  return version.from <= asOf && (version.to === null || version.to > asOf);
}

/** Whether a row of the table fits. */
export function filterTest(shape: TableShape, where: Filter): Test {
  const tests = Object.entries(where).map(([name, wanted]) => {
    const column = columnPlace(shape, name);
    if (wanted === undefined) throw new TypeError(`${shape.name}.${name} is compared with undefined`);
    const list: readonly Json[] = Array.isArray(wanted) ? wanted : [wanted];
    const accepted = new Set(list.map((value) => toSql(shape, column, value)));
    return (values: readonly SqlValue[]) => accepted.has(values[column] ?? null);
  });
  return (values) => tests.every((test) => test(values));
}

function byKey(shape: TableShape): Compare {
  return ordering(shape, {});
}

/** The order of a list, in which no two rows are equal. */
export function ordering(shape: TableShape, { orderBy = [] }: ListOptions): Compare {
  const columns = [
    ...orderBy.map(({ column, direction }) => ({
      column: columnPlace(shape, column),
      sign: direction === 'desc' ? -1 : 1,
    })),
    ...shape.key.map((column) => ({ column, sign: 1 })),
  ];
  return (left, right) => {
    for (const { column, sign } of columns) {
      const order = compareValues(left[column] ?? null, right[column] ?? null);
      if (order !== 0) return sign * order;
    }
    return 0;
  };
}

/** By table, key and age, as the SQLite store compares them. */
export function firstDifference(
  set: TableSet,
  views: readonly View[],
  live: MemoryRows,
  rebuilt: MemoryRows,
): RowDifference | undefined {
  for (const { name, key } of views.flatMap((view) => view.tables)) {
    const shape = set.get(name);
    const place = ({ row, validFrom }: RowVersion) => [...keyValues(shape, pick(row, key)), validFrom];
    const [left, right] = [[...live.versions(name)], [...rebuilt.versions(name)]];
    for (let i = 0; i < Math.max(left.length, right.length); i++) {
      const [one, other] = [left[i] ?? null, right[i] ?? null];
      if (canonicalJson(one) === canonicalJson(other)) continue;
      const order = one && other ? compareAll(place(one), place(other)) : 0;
      const [shown, against] = [order <= 0 ? one : null, order >= 0 ? other : null];
      const known = shown ?? against;
      return known ? { table: name, key: pick(known.row, key), live: shown, rebuilt: against } : undefined;
    }
  }
  return undefined;
}

function pick(row: Row, columns: readonly string[]): Row {
  return Object.fromEntries(columns.map((column) => [column, row[column] ?? null]));
}

function compareAll(left: readonly SqlValue[], right: readonly SqlValue[]): number {
  for (const [index, value] of left.entries()) {
    const order = compareValues(value, right[index] ?? null);
    if (order !== 0) return order;
  }
  return 0;
}
