import type { Json, JsonObject, Logger } from '@weir/kernel';
import { OvsdbMalformed } from './errors';
import { asObject } from './json';
import type { MonitorRequests, MonitorUpdate } from './operations';
import type { ColumnType, DatabaseSchema } from './schema';
import { applyDifference, type Datum, decodeDatum, Row } from './values';

/** A row that came (no `before`), went (no `after`) or changed. */
export interface RowChange {
  readonly table: string;
  readonly before?: Row;
  readonly after?: Row;
}

type Tables = Map<string, Map<string, Row>>;
type Columns = ReadonlyMap<string, ColumnType>;

/**
 * A copy of the monitored rows. A snapshot after a reconnect yields only what differs from the rows known before, since
 * a standalone database always sends all. Throws OvsdbMalformed for what does not fit the copy, which is void then.
 */
export class Replica {
  private tables: Tables = new Map();
  private columns = new Map<string, Columns>();

  constructor(
    private readonly requests: MonitorRequests,
    private readonly logger: Logger,
  ) {}

  rows(table: string): ReadonlyMap<string, Row> {
    return this.tables.get(table) ?? new Map<string, Row>();
  }

  /** Before the first update, and before the snapshot of each connection; throws OvsdbMalformed when a column asked for is missing. */
  useSchema(schema: DatabaseSchema): void {
    this.columns = new Map(
      Object.entries(this.requests).map(([table, { columns }]) => [
        table,
        new Map(
          columns.map((column) => {
            const type = schema.get(table)?.get(column);
            if (type === undefined) throw new OvsdbMalformed(`The database has no column ${table}.${column}.`);
            return [column, type] as const;
          }),
        ),
      ]),
    );
  }

  /** All of the update or, when it throws, none of it. */
  apply(update: MonitorUpdate): readonly RowChange[] {
    const before = this.tables;
    const known: Tables = update.snapshot ? new Map<string, Map<string, Row>>() : before;
    const changes = this.changes(known, update.tables);
    this.tables = known;
    for (const { table, before: old, after } of changes) {
      const rows = this.tables.get(table) ?? new Map<string, Row>();
      this.tables.set(table, rows);
      if (after) rows.set(after.uuid, after);
      else if (old) rows.delete(old.uuid);
    }
    return update.snapshot ? differences(before, this.tables) : changes;
  }

  private changes(known: Tables, updates: JsonObject): readonly RowChange[] {
    return Object.entries(updates).flatMap(([table, rows]) => {
      const columns = this.columns.get(table);
      if (columns === undefined) {
        this.logger.warn('ignored an update of ovsdb-server for a table never asked for', { table });
        return [];
      }
      return Object.entries(asObject(rows, `The update of ${table}`)).map(([uuid, update]) => {
        const before = known.get(table)?.get(uuid);
        const after = updatedRow(table, uuid, columns, before, asObject(update, `The update of a row of ${table}`));
        return { table, ...(before && { before }), ...(after && { after }) };
      });
    });
  }
}

function differences(before: Tables, after: Tables): readonly RowChange[] {
  const changes: RowChange[] = [];
  for (const [table, rows] of before) {
    for (const [uuid, row] of rows) if (!after.get(table)?.has(uuid)) changes.push({ table, before: row });
  }
  for (const [table, rows] of after) {
    for (const [uuid, row] of rows) {
      const old = before.get(table)?.get(uuid);
      if (old === undefined) changes.push({ table, after: row });
      else if (!old.equals(row)) changes.push({ table, before: old, after: row });
    }
  }
  return changes;
}

function updatedRow(
  table: string,
  uuid: string,
  columns: Columns,
  before: Row | undefined,
  update: JsonObject,
): Row | undefined {
  const whole = update['initial'] ?? update['insert'];
  if (whole !== undefined) {
    const initial = new Map([...columns].map(([column, type]) => [column, type.initial]));
    return new Row(uuid, initial).with(decodeRow(columns, whole));
  }
  if (before === undefined) throw new OvsdbMalformed(`An update changes a row of ${table} that was never announced.`);
  if (update['modify'] !== undefined) {
    const changed = [...decodeRow(columns, update['modify'])].map(([column, difference]) => {
      const old = before.datum(column);
      const isDifference = columns.get(column)?.many === true && old !== undefined;
      return [column, isDifference ? applyDifference(old, difference) : difference] as const;
    });
    return before.with(new Map(changed));
  }
  if ('delete' in update) return undefined;
  throw new OvsdbMalformed(`An update of a row of ${table} says neither initial, insert, modify nor delete.`);
}

function decodeRow(columns: Columns, value: Json): ReadonlyMap<string, Datum> {
  const entries = Object.entries(asObject(value, 'A row')).filter(([column]) => columns.has(column));
  return new Map(entries.map(([column, datum]) => [column, decodeDatum(datum)]));
}
