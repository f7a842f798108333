import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { openProjectedFacts, type SqliteFactStore } from '@weir/cascade/sqlite';
import { views } from '@weir/domain';
import { openSqliteEventStore } from '@weir/event-store/sqlite';
import type { Logger, Timers } from '@weir/kernel';
import { SqliteObserved } from '../sites/sqlite-observed';
import type { Storage } from './storage';

export interface SqliteStorageOptions {
  /** The Top's state folder. */
  readonly state: string;
  readonly timers: Timers;
  readonly logger: Logger;
  /** The log has failed: nothing can be written any more. */
  readonly failed: (error: unknown) => void;
}

/** SQLite files in the Top's state folder. */
export async function sqliteStorage({ state, timers, logger, failed }: SqliteStorageOptions): Promise<Storage> {
  mkdirSync(state, { recursive: true, mode: 0o700 });
  const store = await openSqliteEventStore({
    file: join(state, 'events.db'),
    views,
    timers,
    logger,
    onFailure: failed,
  });
  const observed = new SqliteObserved(join(state, 'observed.db'));
  const files: SqliteFactStore[] = [];
  return {
    store,
    rows: store.reader,
    observed,
    openFacts: (generation) => {
      const facts = openProjectedFacts(join(state, 'facts.db'), generation);
      files.push(facts);
      return facts;
    },
    close: async () => {
      await store.close();
      for (const file of files) file.close();
      observed.close();
    },
  };
}
