import type { Database, Statement } from 'better-sqlite3';
import type { SqlValue, StoredChange } from '../rows';
import type { WriterTable } from './protocol';

interface LiveVersion {
  readonly rowid: number;
  readonly valid_from: number;
}

export function quote(identifier: string): string {
  return `"${identifier}"`;
}

/** Carries row changes out; runs inside the caller's transaction. */
export class RowWriter {
  /** By number; a change of a table that is not here is a fault. */
  private readonly tables: TableWriter[] = [];

  constructor(db: Database, tables: readonly WriterTable[]) {
    for (const table of tables) this.tables[table.number] = new TableWriter(db, table);
  }

  apply(changes: readonly StoredChange[]): void {
    for (const change of changes) {
      const table = this.tables[change[1]];
      if (!table) throw new RangeError(`No table ${change[1]}`);
      table.apply(change);
    }
  }
}

class TableWriter {
  private readonly name: string;
  private readonly select: Statement<SqlValue[], LiveVersion>;
  private readonly insert: Statement<SqlValue[]>;
  private readonly end: Statement<SqlValue[]>;
  private readonly remove: Statement<SqlValue[]>;
  /** Copies a version under a new position, or changes it in place; one statement per set of changed columns. */
  private readonly changes = new Map<
    string,
    { readonly copy: Statement<SqlValue[]>; readonly update: Statement<SqlValue[]> }
  >();

  constructor(
    private readonly db: Database,
    private readonly table: WriterTable,
  ) {
    this.name = quote(table.name);
    const columns = table.columns.map(quote);
    const key = table.key.map((column) => `${columns[column] ?? ''} = ?`);
    this.select = db.prepare<SqlValue[], LiveVersion>(
      `select rowid, valid_from from ${this.name} where ${key.join(' and ')} and valid_to is null`,
    );
    this.insert = db.prepare<SqlValue[]>(
      `insert into ${this.name} (${columns.join(', ')}, valid_from) values (${columns.map(() => '?').join(', ')}, ?)`,
    );
    this.end = db.prepare<SqlValue[]>(`update ${this.name} set valid_to = ? where rowid = ?`);
    this.remove = db.prepare<SqlValue[]>(`delete from ${this.name} where rowid = ?`);
  }

  apply([op, , position, key, columns, values]: StoredChange): void {
    const live = this.select.get(...key);
    if (op === 'put') {
      if (live) this.endVersion(live, position);
      this.insert.run(...values, position);
    } else if (!live) {
      return;
    } else if (op === 'remove') {
      this.endVersion(live, position);
    } else {
      const { copy, update } = this.changing(op, columns);
      if (live.valid_from === position) {
        update.run(...values, live.rowid);
      } else {
        this.end.run(position, live.rowid);
        copy.run(...values, position, live.rowid);
      }
    }
  }

  /** Several changes at one position make one version: no reader can stand between them. */
  private endVersion(live: LiveVersion, position: number): void {
    if (live.valid_from === position) this.remove.run(live.rowid);
    else this.end.run(position, live.rowid);
  }

  private changing(op: 'patch' | 'add', changed: readonly number[]) {
    const name = `${op} ${changed.join(' ')}`;
    let statements = this.changes.get(name);
    if (!statements) {
      const columns = this.table.columns.map(quote);
      const values = columns.map((column, index) => {
        if (!changed.includes(index)) return column;
        return op === 'add' ? `coalesce(${column}, 0) + ?` : '?';
      });
      const sets = changed.map((index) => `${columns[index] ?? ''} = ${values[index] ?? ''}`);
      statements = {
        copy: this.db.prepare<SqlValue[]>(
          `insert into ${this.name} (${columns.join(', ')}, valid_from) select ${values.join(', ')}, ? from ${this.name} where rowid = ?`,
        ),
        update: this.db.prepare<SqlValue[]>(`update ${this.name} set ${sets.join(', ')} where rowid = ?`),
      };
      this.changes.set(name, statements);
    }
    return statements;
  }
}
