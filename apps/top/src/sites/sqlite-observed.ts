import { orNoSpace } from '@weir/cascade/sqlite';
import Database from 'better-sqlite3';
import { MemoryObserved, type Observed, type Report, type Seen } from './observed';

/**
 * Reads in memory; writes through to a file that a power cut may set back by moments, since sites say it all again. What a full
 * disk refuses (WeirError 'no-space') can be read, and is sent again until it is written.
 */
export class SqliteObserved implements Observed {
  private readonly memory = new MemoryObserved();
  private readonly database: Database.Database;
  private readonly save: (site: string, reports: readonly Report[]) => void;

  constructor(file: string) {
    this.database = new Database(file);
    this.database.pragma('journal_mode = WAL');
    this.database.pragma('synchronous = NORMAL');
    this.database.exec(
      'CREATE TABLE IF NOT EXISTS observed (site TEXT, kind TEXT, id TEXT, position INTEGER, value TEXT, at TEXT, PRIMARY KEY (site, kind, id)) WITHOUT ROWID',
    );
    for (const row of this.database.prepare('SELECT * FROM observed').all() as (Omit<Report, 'value'> & {
      site: string;
      value: string;
    })[]) {
      this.memory.record(row.site, [{ ...row, value: JSON.parse(row.value) as unknown }]);
    }
    const put = this.database.prepare('INSERT OR REPLACE INTO observed VALUES (?, ?, ?, ?, ?, ?)');
    this.save = this.database.transaction((site: string, reports: readonly Report[]) => {
      for (const { kind, id, position, value, at } of reports)
        put.run(site, kind, id, position, JSON.stringify(value), at);
    });
  }

  get(site: string, kind: string, id: string): Seen | undefined {
    return this.memory.get(site, kind, id);
  }

  all(site: string, kind: string): ReadonlyMap<string, Seen> {
    return this.memory.all(site, kind);
  }

  record(site: string, reports: readonly Report[]): void {
    if (reports.length === 0) return;
    this.memory.record(site, reports);
    orNoSpace(() => this.save(site, reports));
  }

  drop(site: string, kind: string, id: string): void {
    this.memory.drop(site, kind, id);
    orNoSpace(() =>
      this.database.prepare('DELETE FROM observed WHERE site = ? AND kind = ? AND id = ?').run(site, kind, id),
    );
  }

  forget(site: string): void {
    this.memory.forget(site);
    orNoSpace(() => this.database.prepare('DELETE FROM observed WHERE site = ?').run(site));
  }

  close(): void {
    this.database.close();
  }
}
