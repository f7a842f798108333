import type { MessagePort } from 'node:worker_threads';
import Database from 'better-sqlite3';
import type { SqlValue } from '../rows';
import type { ComparisonAnswer, ComparisonSettings, StoredDifference, WriterTable } from './protocol';
import { quote } from './row-writer';
import { shadowName } from './shadow';

export function runComparer(port: MessagePort, settings: ComparisonSettings): void {
  const db = new Database(settings.file, { readonly: true, fileMustExist: true });
  const send = (answer: ComparisonAnswer) => port.postMessage(answer);
  // A read makes the snapshot: what is written from here on is not seen.
  db.exec('begin');
  db.prepare('select count(*) from horizon').get();
  send({ type: 'begun' });
  send({ type: 'compared', difference: firstDifference(db, settings) });
  db.close();
  port.close();
}

function firstDifference(db: Database.Database, { tables, horizon }: ComparisonSettings): StoredDifference | undefined {
  for (const table of tables) {
    const live = versions(db, table, table.name, horizon);
    const rebuilt = versions(db, table, shadowName(table.name), horizon);
    for (;;) {
      const [left, right] = [live.next().value ?? null, rebuilt.next().value ?? null];
      if (!left && !right) break;
      if (left && right && left.every((value, index) => value === right[index])) continue;
      live.return(undefined);
      rebuilt.return(undefined);
      return nearer(table, left, right);
    }
  }
  return undefined;
}

/** Every version that is kept, by key and age; those that ended before the horizon may be gone from one side. */
function* versions(
  db: Database.Database,
  { columns, key }: WriterTable,
  name: string,
  horizon: number,
): Generator<readonly SqlValue[], undefined> {
  const order = [...key.map((column) => columns[column] ?? ''), 'valid_from'].map(quote).join(', ');
  const all = `select ${[...columns, 'valid_from', 'valid_to'].map(quote).join(', ')} from ${quote(name)}`;
  const halves = `${all} where valid_to is null union all ${all} where valid_to is not null and valid_to > ?`;
  yield* db.prepare<[number], SqlValue[]>(`select * from (${halves}) order by ${order}`).raw().iterate(horizon);
  return undefined;
}

/** Where the two are of different versions, the first one is what the other side lacks. */
function nearer(
  { number, columns, key }: WriterTable,
  live: readonly SqlValue[] | null,
  rebuilt: readonly SqlValue[] | null,
): StoredDifference {
  if (live && rebuilt) {
    for (const place of [...key, columns.length]) {
      const order = compare(live[place] ?? null, rebuilt[place] ?? null);
      if (order !== 0) return { table: number, live: order < 0 ? live : null, rebuilt: order < 0 ? null : rebuilt };
    }
  }
  return { table: number, live, rebuilt };
}

/** As SQLite orders keys, which are never null. */
function compare(left: SqlValue, right: SqlValue): number {
  if (typeof left === 'number' && typeof right === 'number') return left - right;
  return Buffer.compare(Buffer.from(String(left)), Buffer.from(String(right)));
}
