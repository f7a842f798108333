import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { openProjectedFacts, type SqliteFactStore } from '@weir/cascade/sqlite';
import { views } from '@weir/domain';
import { Failpoints } from '@weir/event-store';
import { openSqliteEventStore } from '@weir/event-store/sqlite';
import type { Logger, Timers } from '@weir/kernel';
import { SqliteObserved } from '../sites/sqlite-observed';
import { SqliteKeptAnswers } from './sqlite-kept-answers';
import type { Storage } from './storage';

export interface SqliteStorageOptions {
  /** The Top's state folder. */
  readonly state: string;
  readonly timers: Timers;
  readonly logger: Logger;
  /** The log has failed: nothing can be written any more. */
  readonly failed: (error: unknown) => void;
  /** None, unless a test names some. */
  readonly failpoints?: Failpoints;
}

/** SQLite files in the Top's state folder. */
export async function sqliteStorage(options: SqliteStorageOptions): Promise<Storage> {
  const { state, timers, logger, failed, failpoints = new Failpoints() } = options;
  mkdirSync(state, { recursive: true, mode: 0o700 });
  const store = await openSqliteEventStore({
    file: join(state, 'events.db'),
    views,
    timers,
    logger,
    onFailure: failed,
  });
  const observed = new SqliteObserved(join(state, 'observed.db'));
  const answers = new SqliteKeptAnswers(join(state, 'answers.db'), undefined, (point) => failpoints.at(point));
  const files: SqliteFactStore[] = [];
  return {
    store,
    rows: store.reader,
    observed,
    answers,
    openFacts: (generation) => {
      const facts = openProjectedFacts(join(state, 'facts.db'), generation, (point) => failpoints.at(point));
      files.push(facts);
      return facts;
    },
    close: async () => {
      await store.close();
      for (const file of files) file.close();
      observed.close();
      await answers.close();
    },
  };
}
