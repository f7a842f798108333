import { canonicalJson, WeirError } from '@weir/kernel';
import type { Database } from 'better-sqlite3';
import { ViewDiffers } from '../errors';
import type { RecordedEvent } from '../port';
import type { TableSet, TableShape } from '../rows';
import { extended, NOTHING_SEALED, type OpenSeal } from '../seal';
import type { View } from '../view';
import { EventReader } from './events';
import { openSealWriter, readOpenSeal } from './open-seal';
import type { WriterTable } from './protocol';
import { quote, RowWriter } from './row-writer';

/** 'weir' in ASCII, so that `file` and we know the file for what it is. */
const APPLICATION_ID = 0x77656972;
/** Of the tables below; a later layout counts up and says how to get there. */
const LAYOUT = 2;
/** Events replayed in one transaction. */
const REPLAY_BATCH = 1000;

const OPEN_SEAL = `
  create table open_seal (
    one integer primary key check (one = 1),
    first integer not null,
    last integer not null,
    count integer not null,
    range text not null,
    latest text not null,
    seals integer not null,
    previous text not null
  ) strict;
`;

const TABLES = `
  create table events (
    position integer primary key,
    stream text not null,
    revision integer not null,
    id text not null,
    type text not null,
    schema_version integer not null,
    data text not null,
    metadata text not null,
    digest blob not null,
    -- The position of the event before it: refused appends leave gaps, and only so can a missing event be told from one.
    previous integer not null,
    unique (stream, revision),
    unique (id)
  ) strict;
  -- position: up to where the view's rows are filled; null while every append writes them.
  create table views (
    name text primary key,
    definition text not null,
    position integer
  ) strict;
  ${OPEN_SEAL}
`;

const COLUMN_TYPES = { text: 'text', integer: 'integer', json: 'text' } as const;

function tableSql(shape: TableShape): string {
  const name = quote(shape.name);
  const key = shape.table.key.map(quote);
  const columns = shape.columns.map((column, index) => {
    const type = COLUMN_TYPES[shape.types[index] ?? 'text'];
    return `${quote(column)} ${type}${shape.key.includes(index) ? ' not null' : ''}`;
  });
  const index = (suffix: string) => quote(`ix_${shape.name}_${suffix}`);
  return [
    `create table ${name} (${columns.join(', ')}, valid_from integer not null, valid_to integer) strict;`,
    `create unique index ${index('live')} on ${name} (${key.join(', ')}) where valid_to is null;`,
    `create unique index ${index('versions')} on ${name} (${key.join(', ')}, valid_from);`,
    // The key at the end gives pages in order without a sort.
    ...shape.table.indexes.map((columns, number) => {
      const named = columns.map(quote);
      return `create index ${index(`live_${number + 1}`)} on ${name} (${[...new Set([...named, ...key])].join(', ')}) where valid_to is null;`;
    }),
  ].join('\n');
}

/** What the stored tables were made from. */
function definition(view: View): string {
  return canonicalJson(
    view.tables.map(({ name, columns, key, indexes }) => ({ name, columns: Object.entries(columns), key, indexes })),
  );
}

export function writerTables(tables: TableSet): WriterTable[] {
  return tables.shapes.map(({ name, columns, key }) => ({ name, columns, key }));
}

/** Makes what is missing; throws for a file that is not ours, or newer than this program. */
function layOut(db: Database): void {
  const layout = db.pragma('user_version', { simple: true });
  if (layout === LAYOUT) return;
  if (layout === 1 && db.pragma('application_id', { simple: true }) === APPLICATION_ID) {
    addSeals(db);
    return;
  }
  if (layout !== 0 || db.prepare('select 1 from sqlite_schema').get()) {
    throw new WeirError('unavailable', `${db.name} is not an event store, or one of a newer version.`, {
      fields: { layout },
    });
  }
  db.exec(TABLES);
  openSealWriter(db)(NOTHING_SEALED);
  db.pragma(`application_id = ${APPLICATION_ID}`);
  db.pragma(`user_version = ${LAYOUT}`);
}

/** From layout 1: everything that stands in the log becomes the open range. */
function addSeals(db: Database): void {
  db.exec(`
    alter table events add column previous integer not null default 0;
    update events set previous = before.position
      from (select position as place, lag(position, 1, 0) over (order by position) as position from events) as before
      where before.place = events.position;
    ${OPEN_SEAL}
  `);
  const events = db.prepare<[], { position: number; digest: Buffer; time: string }>(
    `select position, digest, metadata ->> '$.time' as time from events order by position`,
  );
  let open = NOTHING_SEALED;
  for (const { position, digest, time } of events.iterate()) {
    open = extended(open, position, digest.toString('hex'), time);
  }
  openSealWriter(db)(open);
  db.pragma(`user_version = ${LAYOUT}`);
}

/** Tables for every view, made where they are missing; throws ViewDiffers, and then nothing was changed. */
function layOutViews(db: Database, tables: TableSet): void {
  const find = db.prepare<[string], { definition: string }>('select definition from views where name = ?');
  const insert = db.prepare('insert into views (name, definition, position) values (?, ?, 0)');
  for (const view of tables.views) {
    const present = find.get(view.name);
    if (present) {
      if (present.definition !== definition(view)) throw new ViewDiffers(view.name, db.name);
    } else {
      for (const { name } of view.tables) db.exec(tableSql(tables.get(name)));
      insert.run(view.name, definition(view));
    }
  }
}

/** Brings the rows of views that were not kept in step (new ones, or absent for a while) up to the head; answers the head. */
async function catchUp(db: Database, tables: TableSet, pause: () => Promise<void>): Promise<number> {
  const events = new EventReader(db);
  const rows = new RowWriter(db, writerTables(tables));
  const find = db.prepare<[string], { position: number | null }>('select position from views where name = ?');
  const advance = db.prepare('update views set position = ? where name = ?');
  const replay = db.transaction((view: View, batch: readonly RecordedEvent[], position: number) => {
    for (const event of batch) rows.apply(tables.changes(event, [view]));
    advance.run(position, view.name);
  });
  for (const view of tables.views) {
    let position = find.get(view.name)?.position ?? null;
    while (position !== null) {
      const batch = events.all(position, REPLAY_BATCH);
      const last = batch.at(-1);
      if (!last) break;
      position = last.position;
      replay(view, batch, position);
      db.pragma('wal_checkpoint(passive)');
      await pause();
    }
  }
  return events.head();
}

/** Where the log ends. */
export interface LogEnd {
  readonly head: number;
  readonly open: OpenSeal;
}

/** Makes the file ready for this set of views. */
export async function prepareFile(db: Database, tables: TableSet, pause: () => Promise<void>): Promise<LogEnd> {
  db.transaction(() => {
    layOut(db);
    layOutViews(db, tables);
  }).immediate();
  const head = await catchUp(db, tables, pause);
  // Without its row the log is damaged; what is counted from here on can never fit, and verify() says so.
  return { head, open: readOpenSeal(db) ?? { ...NOTHING_SEALED, last: head } };
}
