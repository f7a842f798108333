import type { Database } from 'better-sqlite3';
import type { OpenSeal } from '../seal';

/** One row; undefined when someone has removed it. */
export function readOpenSeal(db: Database): OpenSeal | undefined {
  return db
    .prepare<[], OpenSeal>('select first, last, count, range, latest, seals, previous from open_seal where one = 1')
    .get();
}

export function openSealWriter(db: Database): (open: OpenSeal) => void {
  const write = db.prepare<OpenSeal>(
    'insert or replace into open_seal (one, first, last, count, range, latest, seals, previous) values (1, @first, @last, @count, @range, @latest, @seals, @previous)',
  );
  return (open) => void write.run(open);
}
