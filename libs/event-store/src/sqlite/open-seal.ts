import type { Database } from 'better-sqlite3';
import { NOTHING_SEALED, type OpenSeal } from '../seal';

/** Behind the ids of all events, since SQLite orders every text before every blob. */
const KEY = `x'00'`;

/** Undefined when someone has removed or broken it. */
export function readOpenSeal(db: Database): OpenSeal | undefined {
  const text = db.prepare<[], string | null>(`select open from event_ids where id = ${KEY}`).pluck().get();
  try {
    const open: unknown = JSON.parse(text ?? 'null');
    return isOpenSeal(open) ? open : undefined;
  } catch {
    return undefined;
  }
}

export function openSealWriter(db: Database): (open: OpenSeal) => void {
  const write = db.prepare<[string]>(
    `insert into event_ids (id, position, open) values (${KEY}, 0, ?) on conflict do update set open = excluded.open`,
  );
  return (open) => void write.run(JSON.stringify(open));
}

/** Where the table of ids first differs from the events: the position of an event that it has not where it stands, 0 for an id of none; undefined where they agree. */
export function strayId(db: Database): number | undefined {
  const lost = db
    .prepare<[], number>(
      'select e.position from events e left join event_ids i on i.id = e.id where i.position is not e.position order by e.position limit 1',
    )
    .pluck()
    .get();
  if (lost !== undefined) return lost;
  const more = db
    .prepare<[], number>(
      `select (select count(*) from event_ids where id is not ${KEY}) - (select count(*) from events)`,
    )
    .pluck()
    .get();
  return more === 0 ? undefined : 0;
}

function isOpenSeal(value: unknown): value is OpenSeal {
  if (typeof value !== 'object' || value === null) return false;
  return shape(value) === shape(NOTHING_SEALED);
}

function shape(value: object): string {
  const fields = Object.entries(value).map(([field, content]) => `${field} ${typeof content}`);
  return fields.sort().join();
}
