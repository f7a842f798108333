import type { Database } from 'better-sqlite3';
import { Failpoints } from '../failpoints';
import type { RecordedEvent } from '../port';
import type { TableSet } from '../rows';
import { NOTHING_SEALED, type OpenSeal, SEAL_STREAM } from '../seal';
import type { View } from '../view';
import { EventReader } from './events';
import { readOpenSeal } from './open-seal';
import { fillShadows } from './rebuild';
import { RowWriter } from './row-writer';
import { writerTables } from './table-sql';
import { readHorizon, Upkeep } from './upkeep';

/** Events replayed in one transaction. */
const REPLAY_BATCH = 1000;

/** Where the log ends. */
export interface LogEnd {
  readonly head: number;
  readonly open: OpenSeal;
  /** Versions that ended at or before it may be gone. */
  readonly horizon: number;
}

/** Brings the rows of views that were not kept in step (new ones, or absent for a while) up to the head. */
export async function catchUp(db: Database, tables: TableSet, pause: () => Promise<void>): Promise<LogEnd> {
  const events = new EventReader(db);
  const positions = db.prepare<[string], { position: number | null }>('select position from views where name = ?');
  const position = (view: View) => positions.get(view.name)?.position ?? null;
  const head = events.head();
  const fresh = head === 0 ? [] : tables.views.filter((view) => position(view) === 0);
  if (fresh.length > 0) await fill(db, tables, fresh, events, pause);
  for (const view of tables.views) await replay(db, tables, view, events, position(view), pause);
  return { head, open: readOpenSeal(db) ?? lostSeal(db), horizon: readHorizon(db) };
}

/** Of a log that was damaged: what is counted from here on does not fit what is there, so that verify() will always show it. */
function lostSeal(db: Database): OpenSeal {
  const count = db.prepare<[string], number>('select count(*) from events where stream = ?').pluck();
  return { ...NOTHING_SEALED, seals: count.get(SEAL_STREAM) ?? 0 };
}

/** From the beginning of the log, as a rebuild does it. */
async function fill(
  db: Database,
  tables: TableSet,
  views: readonly View[],
  events: EventReader,
  pause: () => Promise<void>,
): Promise<void> {
  const upkeep = new Upkeep(db, db.name, new Failpoints());
  const context = {
    file: db.name,
    events,
    tables,
    schemaVersion: () => Number(db.pragma('schema_version', { simple: true })),
    horizon: () => readHorizon(db),
    pause,
    task: (task: Parameters<Upkeep['step']>[0]) => {
      const { more } = upkeep.step(task);
      db.pragma('wal_checkpoint(passive)');
      return Promise.resolve(more);
    },
    hold: () => Promise.resolve(() => undefined),
    reached: () => undefined,
  };
  await fillShadows(context, views, async (position) => {
    await context.task({ do: 'swap-shadow', views: views.map((view) => view.name), position });
  });
  while (await context.task({ do: 'sweep-shadow' })) await pause();
}

async function replay(
  db: Database,
  tables: TableSet,
  view: View,
  events: EventReader,
  from: number | null,
  pause: () => Promise<void>,
): Promise<void> {
  const rows = new RowWriter(db, writerTables(tables));
  const advance = db.prepare('update views set position = ? where name = ?');
  const write = db.transaction((batch: readonly RecordedEvent[], position: number) => {
    for (const event of batch) rows.apply(tables.changes(event, [view]));
    advance.run(position, view.name);
  });
  for (let position = from; position !== null;) {
    const batch = events.all(position, REPLAY_BATCH);
    const last = batch.at(-1);
    if (!last) return;
    position = last.position;
    write(batch, position);
    db.pragma('wal_checkpoint(passive)');
    await pause();
  }
}
