import type { Json } from '@weir/kernel';
import type { Database, Statement } from 'better-sqlite3';
import {
  DummyDriver,
  type Expression,
  Kysely,
  type SelectQueryBuilder,
  sql,
  type SqlBool,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import { UnknownMarker } from '../errors';
import type { Folds } from '../folds';
import { PastRows } from '../past';
import type { Filter, ListOptions, RowReader, RowVersion } from '../reader';
import { columnPlace, fromSql, keyValues, type SqlValue, type TableSet, type TableShape, toSql } from '../rows';
import type { Row, Table } from '../view';

type Tables = Record<string, Record<string, SqlValue>>;
type Select = SelectQueryBuilder<Tables, string, object>;

/** Kysely writes the SQL; better-sqlite3 runs it. */
const compiler = new Kysely<Tables>({
  dialect: {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  },
});

/** Prepared statements that are kept; a program has tens of query shapes, not thousands. */
const MAX_STATEMENTS = 500;
/** Versions read at once, so that no read transaction stays open while a caller is busy. */
const VERSIONS_BATCH = 1000;

/** Where a reader finds the rows of times whose versions are gone. */
export interface Past {
  horizon(): number;
  readonly folds: Folds;
}

interface SortColumn {
  readonly column: number;
  readonly descending: boolean;
}

export class SqliteReader implements RowReader {
  /** The SQL of queries that differ only in their parameters, by what they have in common: compiling it costs more than running it. */
  private readonly texts = new Map<string, string>();
  private readonly statements = new Map<string, Statement<SqlValue[], SqlValue[]>>();

  constructor(
    private readonly db: Database,
    private readonly set: TableSet,
    private readonly assertOpen: () => void,
    private readonly past?: Past,
  ) {}

  get horizon(): number {
    return this.past?.horizon() ?? 0;
  }

  async prepareAsOf(position: number): Promise<void> {
    this.assertOpen();
    if (position < this.horizon) await this.past?.folds.prepare(position);
  }

  async at(position: number): Promise<RowReader> {
    await this.prepareAsOf(position);
    return new PastRows(this, position);
  }

  async foldAsOf(table: string, position: number, where?: Filter, options?: ListOptions): Promise<Row[]> {
    this.assertOpen();
    const rows = await this.past?.folds.prepare(position);
    return rows ? rows.live(table, where, options) : this.asOf(table, position, where, options);
  }

  get tables(): readonly Table[] {
    return this.set.shapes.map((shape) => shape.table);
  }

  get(table: string, key: Row, asOf?: number): Row | undefined {
    const past = this.past?.folds.at(asOf);
    if (past) return past.get(table, key);
    const shape = this.set.get(table);
    const values = this.find(shape, keyValues(shape, key), asOf);
    return values && fromSql(shape, values);
  }

  live(table: string, where: Filter = {}, options: ListOptions = {}): Row[] {
    return this.list(this.set.get(table), undefined, where, options);
  }

  asOf(table: string, position: number, where: Filter = {}, options: ListOptions = {}): Row[] {
    const past = this.past?.folds.at(position);
    return past ? past.live(table, where, options) : this.list(this.set.get(table), position, where, options);
  }

  count(table: string, where: Filter = {}, asOf?: number): number {
    const past = this.past?.folds.at(asOf);
    if (past) return past.count(table, where);
    const shape = this.set.get(table);
    const conditions = conditionsOf(shape, where);
    const query = valid(shape, asOf, (rows) => filtered(rows, conditions)).select(sql<number>`count(*)`.as('count'));
    return Number(this.run(query)[0]?.[0] ?? 0);
  }

  *versions(table: string): Iterable<RowVersion> {
    const shape = this.set.get(table);
    const order = [...shape.key.map((column) => shape.columns[column] ?? ''), 'valid_from'];
    let after: SqlValue[] | undefined;
    for (;;) {
      const all = compiler.selectFrom(shape.name).select([...shape.columns, 'valid_from', 'valid_to']);
      const halves = all.where('valid_to', 'is', null).unionAll(all.where('valid_to', 'is not', null));
      let query: Select = compiler.selectFrom(halves.as('versions')).selectAll();
      if (after) {
        const place = sql.join(after);
        query = query.where(sql<SqlBool>`(${sql.join(order.map((column) => sql.ref(column)))}) > (${place})`);
      }
      for (const column of order) query = query.orderBy(column);
      const rows = this.run(query.limit(VERSIONS_BATCH));
      for (const values of rows) {
        const [validFrom, validTo] = values.slice(shape.columns.length);
        yield {
          row: fromSql(shape, values),
          validFrom: Number(validFrom),
          validTo: validTo == null ? null : Number(validTo),
        };
      }
      const last = rows.at(-1);
      if (!last || rows.length < VERSIONS_BATCH) return;
      after = [...shape.key.map((column) => last[column] ?? null), last[shape.columns.length] ?? null];
    }
  }

  /** Any query over `events` and the views' tables: rows as SQLite gives them, JSON as text. */
  all(query: string, parameters: readonly SqlValue[] = []): Readonly<Record<string, SqlValue>>[] {
    const statement = this.prepare(query);
    const names = statement.columns().map((column) => column.name);
    return statement
      .all(...parameters)
      .map((values) => Object.fromEntries(names.map((name, index) => [name, values[index] ?? null])));
  }

  private find(shape: TableShape, key: readonly SqlValue[], asOf: number | undefined): SqlValue[] | undefined {
    const text = this.text(`key ${shape.name} ${asOf !== undefined}`, () => {
      const byKey = (query: Select) =>
        shape.key.reduce((narrowed, column) => narrowed.where(shape.columns[column] ?? '', '=', null), query);
      return valid(shape, asOf, byKey).select(shape.columns);
    });
    return this.prepare(text).get(...parametersOf(key, asOf));
  }

  private list(
    shape: TableShape,
    asOf: number | undefined,
    where: Filter,
    { limit, after, orderBy = [] }: ListOptions,
  ): Row[] {
    const order: SortColumn[] = orderBy.map(({ column, direction }) => ({
      column: columnPlace(shape, column),
      descending: direction === 'desc',
    }));
    for (const column of shape.key) {
      if (!order.some((sort) => sort.column === column)) order.push({ column, descending: false });
    }
    const conditions = conditionsOf(shape, where);
    const query = () => valid(shape, asOf, (rows) => filtered(rows, conditions)).select(shape.columns);
    const row = (values: SqlValue[]) => fromSql(shape, values);
    if (after) {
      const marker = this.find(shape, keyValues(shape, after), asOf);
      if (!marker) throw new UnknownMarker(shape.name, after);
      const behindMarker = query().where(behind(shape, order, marker));
      return this.run(page(shape, behindMarker, order, limit)).map(row);
    }
    const filters = conditions.map(({ column, form }) => `${column} ${form}`).join();
    const sorts = order.map(({ column, descending }) => `${column} ${descending}`).join();
    const form = `list ${shape.name} ${asOf !== undefined} ${filters}; ${sorts}; ${limit !== undefined}`;
    const text = this.text(form, () => page(shape, query(), order, limit));
    const narrowed = conditions.flatMap(({ parameter }) => (parameter === undefined ? [] : [parameter]));
    const parameters = parametersOf(narrowed, asOf);
    return this.prepare(text)
      .all(...parameters, ...(limit === undefined ? [] : [limit]))
      .map(row);
  }

  private text(form: string, query: () => Select): string {
    let text = this.texts.get(form);
    if (text === undefined) {
      text = query().compile().sql;
      if (this.texts.size >= MAX_STATEMENTS) this.texts.clear();
      this.texts.set(form, text);
    }
    return text;
  }

  private run(query: Select): SqlValue[][] {
    const compiled = query.compile();
    return this.prepare(compiled.sql).all(...(compiled.parameters as SqlValue[]));
  }

  private prepare(text: string): Statement<SqlValue[], SqlValue[]> {
    this.assertOpen();
    let statement = this.statements.get(text);
    if (!statement) {
      statement = this.db.prepare<SqlValue[], SqlValue[]>(text).raw();
      if (this.statements.size >= MAX_STATEMENTS) this.statements.clear();
      this.statements.set(text, statement);
    }
    return statement;
  }
}

/** The rows that fit, now or at a position. */
function valid(shape: TableShape, asOf: number | undefined, narrowed: (rows: Select) => Select): Select {
  const rows: Select = compiler.selectFrom(shape.name);
  // Written out for the live rows: only so does SQLite use the partial indexes.
  if (asOf === undefined) return narrowed(rows).where('valid_to', 'is', null);
  // Two queries, since no one index serves the rows that are still live and those that have ended.
  const begun = narrowed(rows.select([...shape.columns])).where('valid_from', '<=', asOf);
  const live = begun.where('valid_to', 'is', null);
  const ended = begun.where('valid_to', 'is not', null).where('valid_to', '>', asOf);
  return compiler.selectFrom(live.unionAll(ended).as('versions'));
}

/** In the order in which valid() has them. */
function parametersOf(narrowed: readonly SqlValue[], asOf: number | undefined): readonly SqlValue[] {
  return asOf === undefined ? narrowed : [...narrowed, asOf, ...narrowed, asOf, asOf];
}

/** One column's part of a filter; conditions of one form differ only in their parameter. */
interface Condition {
  readonly column: string;
  readonly form: 'equal' | 'null' | 'listed' | 'listed or null';
  readonly parameter?: SqlValue;
}

function conditionsOf(shape: TableShape, where: Filter): Condition[] {
  return Object.entries(where).map(([column, wanted]): Condition => {
    const place = columnPlace(shape, column);
    if (wanted === undefined) throw new TypeError(`${shape.name}.${column} is compared with undefined`);
    if (!Array.isArray(wanted)) {
      const value = toSql(shape, place, wanted);
      return value === null ? { column, form: 'null' } : { column, form: 'equal', parameter: value };
    }
    const values = (wanted as readonly Json[]).map((value) => toSql(shape, place, value));
    const form = values.includes(null) ? 'listed or null' : 'listed';
    return { column, form, parameter: JSON.stringify(values) };
  });
}

function filtered(query: Select, conditions: readonly Condition[]): Select {
  return conditions.reduce((narrowed, { column, form, parameter }) => {
    if (form === 'null') return narrowed.where(column, 'is', null);
    if (form === 'equal') return narrowed.where(column, '=', parameter ?? null);
    // One parameter for a list of any length: one statement, and no limit on variables.
    const listed = sql<SqlBool>`${sql.ref(column)} in (select value from json_each(${parameter}))`;
    return narrowed.where((expression) =>
      form === 'listed' ? listed : expression.or([listed, expression(column, 'is', null)]),
    );
  }, query);
}

function page(shape: TableShape, query: Select, order: readonly SortColumn[], limit: number | undefined): Select {
  const sorted = order.reduce(
    (rows, { column, descending }) => rows.orderBy(shape.columns[column] ?? '', descending ? 'desc' : 'asc'),
    query,
  );
  return limit === undefined ? sorted : sorted.limit(limit);
}

/** The rows after the marker's place in the order; null comes first when ascending, last when descending. */
function behind(shape: TableShape, order: readonly SortColumn[], marker: readonly SqlValue[]): Expression<SqlBool> {
  const equal: Expression<SqlBool>[] = [];
  const alternatives: Expression<SqlBool>[] = [];
  for (const { column, descending } of order) {
    const reference = sql.ref(shape.columns[column] ?? '');
    const value = marker[column] ?? null;
    const beyond = descending
      ? value !== null && sql<SqlBool>`(${reference} < ${value} or ${reference} is null)`
      : value === null
        ? sql<SqlBool>`${reference} is not null`
        : sql<SqlBool>`${reference} > ${value}`;
    if (beyond) alternatives.push(sql<SqlBool>`(${sql.join([...equal, beyond], sql` and `)})`);
    equal.push(sql<SqlBool>`${reference} is ${value}`);
  }
  return sql<SqlBool>`(${alternatives.length > 0 ? sql.join(alternatives, sql` or `) : sql`false`})`;
}
