import Database from 'better-sqlite3';
import { unavailable, WeirError } from '@weir/kernel';

/** `full`: on disk when a commit returns. `normal`: a power loss may take the last commits, never a part of one. */
export type Durability = 'full' | 'normal';

/** Opens a file of ours, or makes it; refuses one whose schema a later version has written. */
export function openDatabase(file: string, durability: Durability, version: number, schema: string): Database.Database {
  const database = new Database(file);
  database.pragma('journal_mode = WAL');
  database.pragma(`synchronous = ${durability}`);
  const found = database.pragma('user_version', { simple: true });
  if (found === 0) {
    database.transaction(() => {
      database.exec(schema);
      database.pragma(`user_version = ${version}`);
    })();
  } else if (found !== version) {
    database.close();
    throw unavailable(`${file} was written by another version of Weir.`, { fields: { found, version } });
  }
  return database;
}

/** The second: the index of the write-ahead log lies in a file of its own, which cannot grow. */
const FULL = ['SQLITE_FULL', 'SQLITE_IOERR_SHMSIZE'];

/** Runs a transaction; one that the disk has no room for throws WeirError 'no-space', and nothing of it is there. */
export function orNoSpace<T>(transaction: () => T): T {
  try {
    return transaction();
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    throw FULL.includes(code) ? new WeirError('no-space', 'The disk is full.', { cause }) : cause;
  }
}
