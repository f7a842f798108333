import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger, type Timers } from '@weir/kernel';
import { describeEventStore, type OpenedStore } from '../contract';
import type { View } from '../view';
import { openSqliteEventStore } from './index';

const folder = mkdtempSync(join(tmpdir(), 'weir-event-store-'));
let files = 0;

afterAll(() => rmSync(folder, { recursive: true }));

async function open(
  views: readonly View[],
  timers?: Timers,
  file = join(folder, `${files++}.db`),
): Promise<OpenedStore> {
  const store = await openSqliteEventStore({ file, views, logger: silentLogger, ...(timers && { timers }) });
  const reopen = async (others: readonly View[] = views) => {
    await store.close();
    return open(others, timers, file);
  };
  return { store, reader: store.reader, reopen };
}

describeEventStore('SqliteEventStore', open);
