import Database from 'better-sqlite3';

/** A last value that a site reported: what it saw, at which of our positions, and when. */
export interface Seen {
  readonly position: number;
  readonly value: unknown;
  readonly at: string;
}

export interface Report {
  readonly kind: string;
  readonly id: string;
  readonly position: number;
  readonly value: unknown;
  readonly at: string;
}

/** Last values beside the log: no part of a rebuild, sent again whole when a site connects, kept so that a restart still knows what a silent site said. */
export interface Observed {
  get(site: string, kind: string, id: string): Seen | undefined;
  all(site: string, kind: string): ReadonlyMap<string, Seen>;
  record(site: string, reports: readonly Report[]): void;
  /** Nothing is left to say of it. */
  drop(site: string, kind: string, id: string): void;
  forget(site: string): void;
}

export class MemoryObserved implements Observed {
  private readonly values = new Map<string, Map<string, Seen>>();

  get(site: string, kind: string, id: string): Seen | undefined {
    return this.values.get(`${site}/${kind}`)?.get(id);
  }

  all(site: string, kind: string): ReadonlyMap<string, Seen> {
    return this.values.get(`${site}/${kind}`) ?? new Map<string, Seen>();
  }

  record(site: string, reports: readonly Report[]): void {
    for (const { kind, id, position, value, at } of reports) {
      const key = `${site}/${kind}`;
      const known = this.values.get(key) ?? new Map<string, Seen>();
      if (!this.values.has(key)) this.values.set(key, known);
      known.set(id, { position, value, at });
    }
  }

  drop(site: string, kind: string, id: string): void {
    this.values.get(`${site}/${kind}`)?.delete(id);
  }

  forget(site: string): void {
    for (const key of this.values.keys()) if (key.startsWith(`${site}/`)) this.values.delete(key);
  }
}

/** Reads in memory; writes through to a file that a power cut may set back by moments, since sites say it all again. */
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
    this.save(site, reports);
  }

  drop(site: string, kind: string, id: string): void {
    this.memory.drop(site, kind, id);
    this.database.prepare('DELETE FROM observed WHERE site = ? AND kind = ? AND id = ?').run(site, kind, id);
  }

  forget(site: string): void {
    this.memory.forget(site);
    this.database.prepare('DELETE FROM observed WHERE site = ?').run(site);
  }

  close(): void {
    this.database.close();
  }
}
