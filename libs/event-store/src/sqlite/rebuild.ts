import type { RowDifference, RowVersion } from '../reader';
import { fromSql, type SqlValue, type StoredChange, type TableSet, type TableShape } from '../rows';
import type { View } from '../view';
import type { EventReader } from './events';
import type { ShadowTable, StoredDifference, Task } from './protocol';

import { ScratchWriter } from './scratch';
import { shadowName } from './shadow';
import { indexSql, tableSql } from './table-sql';

/** Events in one turn of the event loop; what a turn holds outlives many collections of garbage, and a rebuild is to need little memory. */
const SCAN_BATCH = 50;
/** Events written to the new tables in one transaction. */
const CATCH_UP_BATCH = 250;
/** Behind the head by no more than this, the rest is done while appends wait. */
const NEARLY_THERE = 100;

/** What a rebuild needs of the store that it goes on in. */
export interface RebuildContext {
  readonly file: string;
  readonly events: EventReader;
  readonly tables: TableSet;
  /** Counts up with every change of the schema. */
  schemaVersion(): number;
  horizon(): number;
  /** Lets others run; throws when the store is closing. */
  pause(): Promise<void>;
  /** Rejects with StoreFull, or as an append would. Answers whether there is more to do. */
  task(task: Task): Promise<boolean>;
  /** No append is carried out, and none is on its way, until it is released. */
  hold(): Promise<() => void>;
  reached(point: 'rebuild/while-reading' | 'rebuild/before-catch-up'): void;
}

/**
 * Fills new tables of these views from the log, beside those in use and while appends go on. `finish` runs while
 * appends wait, with both at the same position; what then is left over is swept away.
 */
export async function fillShadows(
  context: RebuildContext,
  views: readonly View[],
  finish: (position: number) => Promise<void>,
): Promise<void> {
  const { events, tables } = context;
  const changesOf = (batch: ReturnType<EventReader['all']>) => batch.flatMap((event) => tables.changes(event, views));
  const scratch = new ScratchWriter(context.file);
  let position = 0;
  try {
    const head = events.head();
    while (position < head) {
      const batch = events.all(position, SCAN_BATCH);
      scratch.add(changesOf(batch));
      position = batch.at(-1)?.position ?? head;
      context.reached('rebuild/while-reading');
      await context.pause();
    }
    scratch.finish();
  } catch (error) {
    scratch.discard();
    throw error;
  }
  await context.task({ do: 'start-shadow', tables: shadowTables(context, views), horizon: context.horizon() });
  while (await context.task({ do: 'load-shadow' })) await context.pause();
  context.reached('rebuild/before-catch-up');

  const catchUp = async (enough: number): Promise<void> => {
    for (;;) {
      const batch = events.all(position, CATCH_UP_BATCH);
      if (batch.length === 0) return;
      const changes: StoredChange[] = changesOf(batch);
      if (changes.length > 0) await context.task({ do: 'write-shadow', changes });
      position = batch.at(-1)?.position ?? position;
      if (batch.length <= enough) return;
      await context.pause();
    }
  };
  await catchUp(NEARLY_THERE);
  const release = await context.hold();
  try {
    await catchUp(0);
    await finish(position);
  } finally {
    release();
  }
}

export function shadowTables(
  context: Pick<RebuildContext, 'tables' | 'schemaVersion'>,
  views: readonly View[],
): ShadowTable[] {
  // Indexes cannot be renamed, and those of the tables in use have names too.
  const suffix = `_${context.schemaVersion()}`;
  return views
    .flatMap((view) => view.tables)
    .map((table) => {
      const shape = context.tables.get(table.name);
      const name = shadowName(shape.name);
      const sql = `${tableSql(shape, name)}\n${indexSql(shape, name, suffix)}`;
      return { number: shape.number, name: shape.name, columns: shape.columns, key: shape.key, sql };
    });
}

export function rowDifference(tables: TableSet, { table, live, rebuilt }: StoredDifference): RowDifference {
  const shape = tables.shapes[table];
  const known = live ?? rebuilt;
  if (!shape || !known) throw new RangeError(`No table ${table}`);
  const key = Object.fromEntries(
    Object.entries(fromSql(shape, known)).filter(([name]) => shape.table.key.includes(name)),
  );
  return { table: shape.name, key, live: live && version(shape, live), rebuilt: rebuilt && version(shape, rebuilt) };
}

function version(shape: TableShape, values: readonly SqlValue[]): RowVersion {
  const [validFrom, validTo] = values.slice(shape.columns.length);
  return {
    row: fromSql(shape, values),
    validFrom: Number(validFrom),
    validTo: validTo == null ? null : Number(validTo),
  };
}
