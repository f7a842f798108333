import type { Json } from '@weir/kernel';
import { UnknownMarker } from '../errors';
import type { Filter, ListOptions, RowReader, RowVersion } from '../reader';
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
import type { Row, Table } from '../view';

interface Version {
  values: SqlValue[];
  readonly from: number;
  to: number | null;
}

type Test = (values: readonly SqlValue[]) => boolean;
type Compare = (left: readonly SqlValue[], right: readonly SqlValue[]) => number;

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
  private readonly history: Map<string, Version[]>[];

  constructor(private readonly set: TableSet) {
    this.history = set.shapes.map(() => new Map<string, Version[]>());
  }

  get tables(): readonly Table[] {
    return this.set.shapes.map((shape) => shape.table);
  }

  apply(changes: readonly StoredChange[]): void {
    for (const [op, table, position, key, columns, values] of changes) {
      const history = this.of(table);
      const name = JSON.stringify(key);
      const versions = history.get(name) ?? [];
      const live = versions.at(-1)?.to === null ? versions.at(-1) : undefined;
      if (!live && op !== 'put') continue;
      // Several changes at one position make one version: no reader can stand between them.
      if (live?.from === position) versions.pop();
      else if (live) live.to = position;
      if (op !== 'remove')
        versions.push({ values: next(op, live?.values ?? [], columns, values), from: position, to: null });
      if (versions.length > 0) history.set(name, versions);
      else history.delete(name);
    }
  }

  get(table: string, key: Row, asOf?: number): Row | undefined {
    const shape = this.set.get(table);
    const values = this.at(shape, keyValues(shape, key), asOf);
    return values && fromSql(shape, values);
  }

  live(table: string, where: Filter = {}, options: ListOptions = {}): Row[] {
    return this.list(this.set.get(table), undefined, where, options);
  }

  asOf(table: string, position: number, where: Filter = {}, options: ListOptions = {}): Row[] {
    return this.list(this.set.get(table), position, where, options);
  }

  count(table: string, where: Filter = {}, asOf?: number): number {
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

  private at(shape: TableShape, key: readonly SqlValue[], asOf: number | undefined): readonly SqlValue[] | undefined {
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
      const marker = this.at(shape, keyValues(shape, options.after), asOf);
      if (!marker) throw new UnknownMarker(shape.name, options.after);
      found = found.filter((values) => compare(values, marker) > 0);
    }
    return found.slice(0, options.limit).map((values) => fromSql(shape, values));
  }
}

function next(
  op: StoredChange[0],
  before: readonly SqlValue[],
  columns: readonly number[],
  values: readonly SqlValue[],
): SqlValue[] {
  if (op === 'put') return [...values];
  const after = [...before];
  for (const [index, column] of columns.entries()) {
    const value = values[index] ?? null;
    after[column] = op === 'add' ? Number(before[column] ?? 0) + Number(value) : value;
  }
  return after;
}

function isValid(version: Version, asOf: number | undefined): boolean {
  if (asOf === undefined) return version.to === null;
  return version.from <= asOf && (version.to === null || version.to > asOf);
}

function filterTest(shape: TableShape, where: Filter): Test {
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

function ordering(shape: TableShape, { orderBy = [] }: ListOptions): Compare {
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
