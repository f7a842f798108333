import { canonicalJson, WeirError } from '@weir/kernel';
import type { Database } from 'better-sqlite3';
import { ViewDiffers } from '../errors';
import type { TableSet } from '../rows';
import { extended, NOTHING_SEALED, type OpenSeal } from '../seal';
import type { View } from '../view';
import { openSealWriter } from './open-seal';
import { quote } from './row-writer';
import { removeScratch } from './scratch';
import { sweep } from './shadow';
import { indexSql, tableSql } from './table-sql';

/** 'weir' in ASCII, so that `file` and we know the file for what it is. */
const APPLICATION_ID = 0x77656972;
/** Of the tables below; a later layout counts up and says how to get there. */
const LAYOUT = 3;

const EVENT_COLUMNS = 'position, stream, revision, id, type, schema_version, data, metadata, digest, previous';

const EVENTS = `
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
    unique (stream, revision)
  ) strict;
  -- Where the event with an id stands; and, under a key behind every id, what is open. Ids grow with time: what is open lies on
  -- the page that an append writes for its ids anyway, while a table of its own would cost every commit a page more.
  create table event_ids (
    id any primary key,
    position integer not null,
    open text
  ) strict, without rowid;
`;

const HORIZON = `
  -- Versions that ended at or before it may be gone.
  create table horizon (
    one integer primary key check (one = 1),
    position integer not null
  ) strict;
  insert into horizon values (1, 0);
`;

const TABLES = `
  ${EVENTS}
  -- position: up to where the view's rows are filled; null while every append writes them.
  create table views (
    name text primary key,
    definition text not null,
    position integer
  ) strict;
  ${HORIZON}
`;

/** What the stored tables were made from. */
function definition(view: View): string {
  return canonicalJson(
    view.tables.map(({ name, columns, key, indexes }) => ({ name, columns: Object.entries(columns), key, indexes })),
  );
}

/** Which earlier layout a file of ours has that no store of this version has opened; undefined where it has none. */
export function earlierLayout(db: Database): number | undefined {
  const layout = db.pragma('user_version', { simple: true });
  if (layout !== 1 && layout !== 2) return undefined;
  if (db.pragma('application_id', { simple: true }) !== APPLICATION_ID) return undefined;
  // The number alone may be a flipped bit.
  const table = db.prepare("select 1 from sqlite_schema where type = 'table' and name = 'event_ids'").get();
  return table === undefined ? layout : undefined;
}

/** Makes what is missing; throws for a file that is not ours, or newer than this program. */
function layOut(db: Database, tables: TableSet): void {
  const layout = db.pragma('user_version', { simple: true });
  if (layout === LAYOUT) return;
  if ((layout === 1 || layout === 2) && db.pragma('application_id', { simple: true }) === APPLICATION_ID) {
    if (layout === 1) placesBefore(db);
    const open = layout === 1 ? everythingOpen(db) : openInLayout2(db);
    eventsAnew(db);
    if (open) openSealWriter(db)(open);
    if (layout === 1) indexAnew(db, tables);
    db.pragma(`user_version = ${LAYOUT}`);
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

/** From layout 1, which knew neither the event before an event nor a horizon. */
function placesBefore(db: Database): void {
  db.exec(`
    alter table events add column previous integer not null default 0;
    update events set previous = before.position
      from (select position as place, lag(position, 1, 0) over (order by position) as position from events) as before
      where before.place = events.position;
    ${HORIZON}
  `);
}

/** Of a log without seals. */
function everythingOpen(db: Database): OpenSeal {
  const events = db.prepare<[], { position: number; digest: Buffer; time: string }>(
    `select position, digest, metadata ->> '$.time' as time from events order by position`,
  );
  let open = NOTHING_SEALED;
  for (const { position, digest, time } of events.iterate()) {
    open = extended(open, position, digest.toString('hex'), time);
  }
  return open;
}

/** It had a table of its own; undefined when someone has removed its row. */
function openInLayout2(db: Database): OpenSeal | undefined {
  const open = db
    .prepare<[], OpenSeal>('select first, last, count, range, latest, seals, previous from open_seal where one = 1')
    .get();
  db.exec('drop table open_seal');
  return open;
}

/** Up to layout 2 an index of the events had their ids. */
function eventsAnew(db: Database): void {
  db.exec(`
    alter table events rename to events_before;
    ${EVENTS}
    insert into events (${EVENT_COLUMNS}) select ${EVENT_COLUMNS} from events_before order by position;
    insert into event_ids (id, position) select id, position from events_before order by id;
    drop table events_before;
  `);
}

/** From layout 1; tables whose view is not among ours keep the indexes that they had, and are only slower to read as of the past. */
function indexAnew(db: Database, tables: TableSet): void {
  const indexes = db
    .prepare<[string], string>(`select name from sqlite_schema where type = 'index' and tbl_name = ?`)
    .pluck();
  for (const shape of tables.shapes) {
    const old = indexes.all(shape.name);
    if (old.length === 0) continue;
    for (const index of old) db.exec(`drop index ${quote(index)}`);
    db.exec(indexSql(shape));
  }
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
      for (const { name } of view.tables) db.exec(tableSql(tables.get(name)) + indexSql(tables.get(name)));
      insert.run(view.name, definition(view));
    }
  }
}

/** Makes the file ready for this set of views, and clears away what an interrupted rebuild has left. */
export function prepareFile(db: Database, tables: TableSet): void {
  db.transaction(() => {
    layOut(db, tables);
    layOutViews(db, tables);
  }).immediate();
  while (sweep(db));
  removeScratch(db.name);
}
