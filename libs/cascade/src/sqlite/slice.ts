import type { Database } from 'better-sqlite3';
import {
  FIRST_STANDING,
  Slice,
  type FactKey,
  type SliceOptions,
  type SliceRow,
  type SliceRows,
  type Standing,
} from '../slice';
import { openDatabase, type Durability } from './open';

const VERSION = 1;

const SCHEMA = `
  CREATE TABLE standing (
    id INTEGER PRIMARY KEY CHECK (id = 1), generation INTEGER NOT NULL, position INTEGER NOT NULL, digest TEXT NOT NULL,
    life INTEGER NOT NULL, starting INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE fact (
    kind TEXT NOT NULL, id TEXT NOT NULL, position INTEGER NOT NULL, body TEXT NOT NULL, life INTEGER NOT NULL, orphan INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
  ) STRICT, WITHOUT ROWID;
`;

export interface SqliteSliceOptions extends SliceOptions {
  readonly file: string;
  /** `full`: what was acknowledged survives a power loss; with `normal` the publisher notices, and starts this follower over. */
  readonly durability?: Durability;
}

interface StoredRow {
  readonly kind: string;
  readonly id: string;
  readonly position: number;
  readonly body: string;
  readonly life: number;
  readonly orphan: number;
}

class SqliteRows implements SliceRows {
  private readonly database: Database;
  private readonly statements: ReturnType<typeof prepareStatements>;
  private stand: Standing;

  constructor(file: string, durability: Durability) {
    this.database = openDatabase(file, durability, VERSION, SCHEMA);
    this.statements = prepareStatements(this.database);
    const stored = this.statements.standing.get();
    this.stand = stored ? { ...stored, starting: stored.starting === 1 } : FIRST_STANDING;
  }

  standing(): Standing {
    return this.stand;
  }

  get({ kind, id }: FactKey): SliceRow | undefined {
    const row = this.statements.get.get(kind, id);
    return row && rowOf(row);
  }

  all(): readonly SliceRow[] {
    return this.statements.all.all().map(rowOf);
  }

  store({ put, remove, standing }: Parameters<SliceRows['store']>[0]): void {
    const { statements } = this;
    this.database.transaction(() => {
      for (const { kind, id, position, body, life, orphan } of put)
        statements.put.run(kind, id, position, body, life, orphan ? 1 : 0);
      for (const { kind, id } of remove) statements.remove.run(kind, id);
      const { generation, position, digest, life, starting } = standing;
      statements.stand.run(generation, position, digest, life, starting ? 1 : 0);
    })();
    this.stand = standing;
  }

  close(): void {
    this.database.close();
  }
}

/** A followed slice in one SQLite file of its own. */
export class SqliteSlice extends Slice {
  constructor({ file, durability = 'normal', ...options }: SqliteSliceOptions) {
    super(new SqliteRows(file, durability), options);
  }
}

function prepareStatements(database: Database) {
  return {
    standing: database.prepare<[], Omit<Standing, 'starting'> & { starting: number }>(
      'SELECT generation, position, digest, life, starting FROM standing',
    ),
    stand: database.prepare<[number, number, string, number, number]>(
      `INSERT INTO standing VALUES (1, ?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET generation = excluded.generation, position = excluded.position, digest = excluded.digest,
         life = excluded.life, starting = excluded.starting`,
    ),
    get: database.prepare<[string, string], StoredRow>('SELECT * FROM fact WHERE kind = ? AND id = ?'),
    all: database.prepare<[], StoredRow>('SELECT * FROM fact'),
    put: database.prepare<[string, string, number, string, number, number]>(
      `INSERT INTO fact VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET position = excluded.position, body = excluded.body, life = excluded.life, orphan = excluded.orphan`,
    ),
    remove: database.prepare<[string, string]>('DELETE FROM fact WHERE kind = ? AND id = ?'),
  };
}

const rowOf = (row: StoredRow): SliceRow => ({ ...row, orphan: row.orphan === 1 });
