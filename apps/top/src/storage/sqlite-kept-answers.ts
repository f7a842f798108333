import { type FileHandle, open } from 'node:fs/promises';
import { orNoSpace } from '@weir/cascade/sqlite';
import Database from 'better-sqlite3';
import { KEPT_BOUNDS, type KeptAnswers, type KeptEntry, TooManyKeptAnswers } from '../orchestration/kept-answers';

/** In a file of its own, so that no answer waits for the log's transactions. */
export class SqliteKeptAnswers implements KeptAnswers {
  private readonly database: Database.Database;
  private readonly found: Database.Statement<[string, number], { value: Buffer }>;
  private readonly counted: Database.Statement<[string, string], { own: number }>;
  private readonly size: Database.Statement<[], { bytes: number | null }>;
  private readonly written: Database.Statement<[string, string, number, Uint8Array]>;
  private bytes: number;
  private wal: Promise<FileHandle> | undefined;

  constructor(
    private readonly file: string,
    private readonly bounds = KEPT_BOUNDS,
    /** Told where a test may let the process die. */
    private readonly reached: (point: 'answer/before-commit' | 'answer/after-commit') => void = () => undefined,
  ) {
    this.database = new Database(file);
    this.database.pragma('journal_mode = WAL');
    // The commit is synced here, off the main thread; SQLite itself syncs before it moves the WAL into the database.
    this.database.pragma('synchronous = NORMAL');
    this.database.exec(
      `CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, owner TEXT NOT NULL, until INTEGER NOT NULL, value BLOB NOT NULL) WITHOUT ROWID;
       CREATE INDEX IF NOT EXISTS answers_owner ON answers (owner);
       CREATE INDEX IF NOT EXISTS answers_until ON answers (until)`,
    );
    this.found = this.database.prepare('SELECT value FROM answers WHERE key = ? AND until > ?');
    this.counted = this.database.prepare('SELECT count(*) AS own FROM answers WHERE owner = ? AND key <> ?');
    this.size = this.database.prepare('SELECT sum(length(value)) AS bytes FROM answers');
    this.written = this.database.prepare(
      'INSERT OR REPLACE INTO answers (key, owner, until, value) VALUES (?, ?, ?, ?)',
    );
    this.bytes = this.size.get()?.bytes ?? 0;
  }

  get(key: string, now: number): Uint8Array | undefined {
    return this.found.get(key, now)?.value;
  }

  async put({ key, owner, value, until }: KeptEntry): Promise<void> {
    const own = this.counted.get(owner, key)?.own ?? 0;
    // What a replaced one had is counted twice until the next sweep, which is no harm.
    if (own >= this.bounds.perOwner || this.bytes + value.length > this.bounds.bytes) throw new TooManyKeptAnswers();
    this.reached('answer/before-commit');
    orNoSpace(() => this.written.run(key, owner, until, value));
    this.bytes += value.length;
    this.wal ??= open(`${this.file}-wal`, 'r+');
    await (await this.wal).datasync();
    this.reached('answer/after-commit');
  }

  sweep(now: number): boolean {
    orNoSpace(() => this.database.prepare('DELETE FROM answers WHERE until <= ?').run(now));
    this.bytes = this.size.get()?.bytes ?? 0;
    return this.bytes > 0;
  }

  async close(): Promise<void> {
    await (await this.wal)?.close();
    this.database.close();
  }
}
