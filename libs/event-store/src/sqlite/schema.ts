import { canonicalJson, WeirError } from '@weir/kernel';
import type { Database } from 'better-sqlite3';
import { ViewDiffers } from '../errors';
import type { TableSet } from '../rows';
import { extended, NOTHING_SEALED } from '../seal';
import type { View } from '../view';
import { openSealWriter } from './open-seal';
import { quote } from './row-writer';
import { removeScratch } from './scratch';
import { sweep } from './shadow';
import { indexSql, tableSql } from './table-sql';

/** 'weir' in ASCII, so that `file` and we know the file for what it is. */
const APPLICATION_ID = 0x77656972;
/** Of the tables below; a later layout counts up and says how to get there. */
const LAYOUT = 2;

const ADDED_IN_LAYOUT_2 = `
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
  -- Versions that ended at or before it may be gone.
  create table horizon (
    one integer primary key check (one = 1),
    position integer not null
  ) strict;
  insert into horizon values (1, 0);
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
  ${ADDED_IN_LAYOUT_2}
`;

/** What the stored tables were made from. */
function definition(view: View): string {
  return canonicalJson(
    view.tables.map(({ name, columns, key, indexes }) => ({ name, columns: Object.entries(columns), key, indexes })),
  );
}

/** Makes what is missing; throws for a file that is not ours, or newer than this program. */
function layOut(db: Database, tables: TableSet): void {
  const layout = db.pragma('user_version', { simple: true });
  if (layout === LAYOUT) return;
  if (layout === 1 && db.pragma('application_id', { simple: true }) === APPLICATION_ID) {
    addSeals(db);
    indexAnew(db, tables);
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

/** From layout 1: everything that stands in the log becomes the open range. */
function addSeals(db: Database): void {
  db.exec(`
    alter table events add column previous integer not null default 0;
    update events set previous = before.position
      from (select position as place, lag(position, 1, 0) over (order by position) as position from events) as before
      where before.place = events.position;
    ${ADDED_IN_LAYOUT_2}
  `);
  const events = db.prepare<[], { position: number; digest: Buffer; time: string }>(
    `select position, digest, metadata ->> '$.time' as time from events order by position`,
  );
  let open = NOTHING_SEALED;
  for (const { position, digest, time } of events.iterate()) {
    open = extended(open, position, digest.toString('hex'), time);
  }
  openSealWriter(db)(open);
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
