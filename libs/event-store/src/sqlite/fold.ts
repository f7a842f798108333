import Database from 'better-sqlite3';
import type { FoldedRows } from '../folds';
import type { TableSet } from '../rows';
import type { EventReader } from './events';
import { SqliteReader } from './reader';
import { quote, RowWriter } from './row-writer';
import { indexSql, tableSql, writerTables } from './table-sql';

/** Events in one turn of the event loop. */
const BATCH = 250;
const CACHE_KIB = 16 * 1024;

/** The rows as of a position, made from the log in a database of their own that is on no disk for longer than it is open. */
export async function foldRows(
  events: EventReader,
  tables: TableSet,
  position: number,
  pause: () => Promise<void>,
): Promise<FoldedRows> {
  // SQLite's own temporary file.
  const db = new Database('');
  try {
    db.pragma('journal_mode = off');
    db.pragma('synchronous = off');
    db.pragma(`cache_size = -${CACHE_KIB}`);
    for (const shape of tables.shapes) {
      db.exec(tableSql(shape) + indexSql(shape));
      db.exec(
        `create index ${quote(`ix_${shape.name}_gone`)} on ${quote(shape.name)} (valid_to) where valid_to is not null`,
      );
    }
    const rows = new RowWriter(db, writerTables(tables));
    const forget = tables.shapes.map(({ name }) => db.prepare(`delete from ${quote(name)} where valid_to is not null`));
    let after = 0;
    for (;;) {
      const batch = events.all(after, BATCH).filter((event) => event.position <= position);
      const last = batch.at(-1);
      if (!last) break;
      db.exec('begin');
      for (const event of batch) rows.apply(tables.changes(event));
      for (const ended of forget) ended.run();
      db.exec('commit');
      after = last.position;
      await pause();
    }
    return { rows: new SqliteReader(db, tables, () => undefined), discard: () => void db.close() };
  } catch (error) {
    db.close();
    throw error;
  }
}
