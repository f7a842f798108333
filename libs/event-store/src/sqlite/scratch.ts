import { rmSync } from 'node:fs';
import Database from 'better-sqlite3';
import type { StoredChange } from '../rows';

/** Of pages, and of rows in memory when they are sorted; what is more goes to the disk. It is written and read from end to end, so more would not help. */
const CACHE_KIB = 4 * 1024;

/** Beside the store's own file, on the same disk. */
export function scratchFile(file: string): string {
  return `${file}-rebuild`;
}

export function removeScratch(file: string): void {
  rmSync(scratchFile(file), { force: true });
}

/** Row changes on their way from the log to new tables: written in the order of the log, read in the order of their rows. */
export class ScratchWriter {
  private readonly db: Database.Database;
  private readonly insert: Database.Statement<[number, string, string]>;

  constructor(file: string) {
    removeScratch(file);
    this.db = new Database(scratchFile(file));
    // Whatever happens to it, it is thrown away.
    this.db.pragma('journal_mode = off');
    this.db.pragma('synchronous = off');
    this.db.pragma(`cache_size = -${CACHE_KIB}`);
    this.db.exec('create table changes (number integer, key text, change text) strict; begin');
    this.insert = this.db.prepare('insert into changes values (?, ?, ?)');
  }

  add(changes: readonly StoredChange[]): void {
    for (const change of changes) this.insert.run(change[1], JSON.stringify(change[3]), JSON.stringify(change));
  }

  /** From here on it can be read. */
  finish(): void {
    this.db.exec('commit');
    this.db.close();
  }

  discard(): void {
    this.db.close();
  }
}

/** All changes by table and row, those of one row in the order of the log. */
export function* sortedChanges(file: string): Generator<StoredChange> {
  const db = new Database(scratchFile(file), { readonly: true, fileMustExist: true });
  try {
    db.pragma('temp_store = file');
    db.pragma(`cache_size = -${CACHE_KIB}`);
    const select = db.prepare<[], string>('select change from changes order by number, key, rowid').pluck();
    for (const change of select.iterate()) yield JSON.parse(change) as StoredChange;
  } finally {
    db.close();
  }
}
