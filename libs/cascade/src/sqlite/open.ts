import Database from 'better-sqlite3';
import { unavailable } from '@weir/kernel';

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
