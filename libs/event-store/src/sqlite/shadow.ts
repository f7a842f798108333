import type { Database, Statement } from 'better-sqlite3';
import type { Failpoints } from '../failpoints';
import type { SqlValue, StoredChange } from '../rows';
import { advance, type Version } from '../versions';
import type { Loaded, ShadowTable } from './protocol';
import { quote, RowWriter } from './row-writer';
import { sortedChanges } from './scratch';

/** Tables of views begin with rm_, so that none is taken for one of these. */
const SHADOW = 'shadow_';
const RETIRED = 'retired_';
/** Rows removed in one transaction; appends wait for it. */
const SWEEP_ROWS = 5000;
/** Loaded before anyone is let in between: a few milliseconds. */
const CHANGES_AT_LEAST = 500;

export function shadowName(table: string): string {
  return `${SHADOW}${table}`;
}

/** New tables beside those in use: made, loaded, kept up, and put in their place. Runs on the writer's connection. */
export class Shadow {
  private readonly rows: RowWriter;
  private readonly load: Loader;

  constructor(
    private readonly db: Database,
    private readonly tables: readonly ShadowTable[],
    file: string,
    horizon: number,
    private readonly failpoints: Failpoints,
  ) {
    db.transaction(() => tables.forEach(({ sql }) => db.exec(sql))).immediate();
    const shadows = tables.map((table) => ({ ...table, name: shadowName(table.name) }));
    this.rows = new RowWriter(db, shadows);
    this.load = new Loader(db, shadows, sortedChanges(file), horizon);
  }

  /** Writes versions from the next `changes` sorted ones, or fewer when it is interrupted. */
  loadSome(changes: number, interrupted: () => boolean): Loaded {
    const loaded = this.db.transaction(() => this.load.some(changes, interrupted)).immediate();
    this.failpoints.at('rebuild/while-loading');
    return loaded;
  }

  apply(changes: readonly StoredChange[]): void {
    this.db.transaction(() => this.rows.apply(changes)).immediate();
  }

  /** In one transaction the new tables are in their place; the old ones wait to be swept away. */
  swap(also: () => void): void {
    this.db
      .transaction(() => {
        for (const { name } of this.tables) {
          this.db.exec(`alter table ${quote(name)} rename to ${quote(RETIRED + name)}`);
          this.db.exec(`alter table ${quote(shadowName(name))} rename to ${quote(name)}`);
        }
        also();
        this.failpoints.at('rebuild/before-swap-commit');
      })
      .immediate();
    this.failpoints.at('rebuild/after-swap-commit');
  }

  close(): void {
    this.load.close();
  }
}

/** Turns changes in the order of their rows into versions; each row is written once and no row is looked for. */
class Loader {
  private readonly inserts: ReadonlyMap<number, Statement<SqlValue[]>>;
  private table = -1;
  private key = '';
  private versions: Version[] = [];

  constructor(
    db: Database,
    tables: readonly ShadowTable[],
    private readonly changes: Generator<StoredChange>,
    private readonly horizon: number,
  ) {
    this.inserts = new Map(
      tables.map(({ number, name, columns }) => {
        const names = [...columns, 'valid_from', 'valid_to'].map(quote);
        const text = `insert into ${quote(name)} (${names.join(', ')}) values (${names.map(() => '?').join(', ')})`;
        return [number, db.prepare<SqlValue[]>(text)];
      }),
    );
  }

  some(changes: number, interrupted: () => boolean): Loaded {
    let written = 0;
    for (let taken = 1; taken <= changes && (taken % CHANGES_AT_LEAST !== 0 || !interrupted()); taken++) {
      const next = this.changes.next();
      if (next.done) return { written: written + this.write(0), more: false };
      const change = next.value;
      const [, table, , columns] = change;
      const key = JSON.stringify(columns);
      if (table !== this.table || key !== this.key) {
        written += this.write(0);
        this.table = table;
        this.key = key;
      }
      advance(this.versions, change);
      // The last one may still change; those before it have ended.
      written += this.write(1);
    }
    return { written, more: true };
  }

  close(): void {
    this.changes.return(undefined);
  }

  private write(keep: number): number {
    let written = 0;
    while (this.versions.length > keep) {
      const version = this.versions.shift();
      if (!version || (version.to !== null && version.to <= this.horizon)) continue;
      this.inserts.get(this.table)?.run(...version.values, version.from, version.to);
      written++;
    }
    return written;
  }
}

/** Removes what a rebuild has left, a part at a time; answers whether there is more. */
export function sweep(db: Database): boolean {
  const table = db
    .prepare<[string, string], string>(
      `select name from sqlite_schema where type = 'table' and (name glob ? or name glob ?) limit 1`,
    )
    .pluck()
    .get(`${SHADOW}rm_*`, `${RETIRED}rm_*`);
  if (table === undefined) return false;
  const index = db
    .prepare<[string], string>(`select name from sqlite_schema where type = 'index' and tbl_name = ? limit 1`)
    .pluck()
    .get(table);
  if (index !== undefined) {
    db.exec(`drop index ${quote(index)}`);
    return true;
  }
  const some = `select rowid from ${quote(table)} limit ${SWEEP_ROWS}`;
  const { changes } = db.prepare(`delete from ${quote(table)} where rowid in (${some})`).run();
  if (changes === 0) db.exec(`drop table ${quote(table)}`);
  return true;
}
