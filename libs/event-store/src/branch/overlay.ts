import { UnknownMarker } from '../errors';
import { filterTest, ordering } from '../memory/rows';
import type { Filter, ListOptions, RowReader, RowVersion } from '../reader';
import { fromSql, keyValues, type SqlValue, type StoredChange, type TableSet, type TableShape, toSql } from '../rows';
import { advance, type Version } from '../versions';
import type { Row, Table } from '../view';

type Values = readonly SqlValue[];

/** A row that was changed here: as it lies below, and as it is. */
interface Overlaid {
  readonly below: Values | undefined;
  now: Values | undefined;
}

/** Rows of a reader with changes laid over them that it never sees; only what is live is changed. */
export class OverlayRows implements RowReader {
  private readonly overlaid: readonly Map<string, Overlaid>[];

  constructor(
    private readonly below: RowReader,
    private readonly set: TableSet,
  ) {
    this.overlaid = set.shapes.map(() => new Map<string, Overlaid>());
  }

  get tables(): readonly Table[] {
    return this.below.tables;
  }

  get horizon(): number {
    return this.below.horizon;
  }

  apply(changes: readonly StoredChange[]): void {
    for (const change of changes) {
      const [, table, position, key] = change;
      const shape = this.set.shapes[table];
      if (!shape) throw new RangeError(`No table ${table}`);
      const row = this.row(shape, key);
      const versions: Version[] = row.now ? [{ values: [...row.now], from: position - 1, to: null }] : [];
      advance(versions, change);
      const last = versions.at(-1);
      row.now = last?.to === null ? last.values : undefined;
    }
  }

  get(table: string, key: Row, asOf?: number): Row | undefined {
    const shape = this.set.get(table);
    const over = asOf === undefined ? this.of(shape).get(nameOf(keyValues(shape, key))) : undefined;
    if (!over) return this.below.get(table, key, asOf);
    return over.now && fromSql(shape, over.now);
  }

  live(table: string, where: Filter = {}, options: ListOptions = {}): Row[] {
    const shape = this.set.get(table);
    const over = this.of(shape);
    if (over.size === 0) return this.below.live(table, where, options);
    const [fits, compare] = [filterTest(shape, where), ordering(shape, options)];
    const untouched = this.below
      .live(table, where)
      .map((row) => valuesOf(shape, row))
      .filter((values) => !over.has(nameOf(keyOf(shape, values))));
    const changed = [...over.values()].flatMap(({ now }) => (now && fits(now) ? [now] : []));
    let found = [...untouched, ...changed].sort(compare);
    if (options.after) {
      const marker = this.get(table, options.after);
      if (!marker) throw new UnknownMarker(shape.name, options.after);
      const place = valuesOf(shape, marker);
      found = found.filter((values) => compare(values, place) > 0);
    }
    return found.slice(0, options.limit).map((values) => fromSql(shape, values));
  }

  count(table: string, where: Filter = {}, asOf?: number): number {
    const below = this.below.count(table, where, asOf);
    if (asOf !== undefined) return below;
    const shape = this.set.get(table);
    const fits = filterTest(shape, where);
    const counted = (values: Values | undefined) => (values && fits(values) ? 1 : 0);
    return [...this.of(shape).values()].reduce(
      (sum, { below: before, now }) => sum + counted(now) - counted(before),
      below,
    );
  }

  asOf(table: string, position: number, where?: Filter, options?: ListOptions): Row[] {
    return this.below.asOf(table, position, where, options);
  }

  prepareAsOf(position: number): Promise<void> {
    return this.below.prepareAsOf(position);
  }

  at(position: number): Promise<RowReader> {
    return this.below.at(position);
  }

  foldAsOf(table: string, position: number, where?: Filter, options?: ListOptions): Promise<Row[]> {
    return this.below.foldAsOf(table, position, where, options);
  }

  versions(table: string): Iterable<RowVersion> {
    return this.below.versions(table);
  }

  private of(shape: TableShape): Map<string, Overlaid> {
    return this.overlaid[shape.number] ?? new Map<string, Overlaid>();
  }

  private row(shape: TableShape, key: Values): Overlaid {
    const name = nameOf(key);
    const known = this.of(shape).get(name);
    if (known) return known;
    const columns = shape.key.map((column, index) => [shape.columns[column] ?? '', key[index] ?? null] as const);
    const row = this.below.get(shape.name, Object.fromEntries(columns));
    const below = row && valuesOf(shape, row);
    const fresh = { below, now: below };
    this.of(shape).set(name, fresh);
    return fresh;
  }
}

function valuesOf(shape: TableShape, row: Row): Values {
  return shape.columns.map((column, index) => toSql(shape, index, row[column]));
}

function keyOf(shape: TableShape, values: Values): Values {
  return shape.key.map((column) => values[column] ?? null);
}

function nameOf(key: Values): string {
  return JSON.stringify(key);
}
