import Database from 'better-sqlite3';

/** KiB of pages kept by the writer: the upper levels of every index, and the leaves that are written now. */
const WRITER_CACHE_KIB = 32 * 1024;

/** A connection whose commits are on disk when they return. */
export function connect(file: string): Database.Database {
  const db = new Database(file);
  const mode = db.pragma('journal_mode = wal', { simple: true });
  if (mode !== 'wal')
    throw new Error(`${file} lies where SQLite cannot keep a write-ahead log (journal mode ${String(mode)})`);
  db.pragma('synchronous = full');
  db.pragma('wal_autocheckpoint = 0');
  db.pragma('temp_store = memory');
  db.pragma(`cache_size = -${WRITER_CACHE_KIB}`);
  return db;
}
