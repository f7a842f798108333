import { canonicalJson, WeirError } from '@weir/kernel';
import type { Database } from 'better-sqlite3';
import { ViewDiffers } from '../errors';
import type { RecordedEvent } from '../port';
import type { TableSet, TableShape } from '../rows';
import type { View } from '../view';
import { EventReader } from './events';
import type { WriterTable } from './protocol';
import { quote, RowWriter } from './row-writer';

/** 'weir' in ASCII, so that `file` and we know the file for what it is. */
const APPLICATION_ID = 0x77656972;
/** Of the tables below; a later layout counts up and says how to get there. */
const LAYOUT = 1;
/** Events replayed in one transaction. */
const REPLAY_BATCH = 1000;

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
    unique (stream, revision),
    unique (id)
  ) strict;
  -- position: up to where the view's rows are filled; null while every append writes them.
  create table views (
    name text primary key,
    definition text not null,
    position integer
  ) strict;
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
  if (layout !== 0 || db.prepare('select 1 from sqlite_schema').get()) {
    throw new WeirError('unavailable', `${db.name} is not an event store, or one of a newer version.`, {
      fields: { layout },
    });
  }
  db.exec(TABLES);
  db.pragma(`application_id = ${APPLICATION_ID}`);
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

/** Makes the file ready for this set of views; answers the last position. */
export async function prepareFile(db: Database, tables: TableSet, pause: () => Promise<void>): Promise<number> {
  db.transaction(() => {
    layOut(db);
    layOutViews(db, tables);
  }).immediate();
  return catchUp(db, tables, pause);
}
