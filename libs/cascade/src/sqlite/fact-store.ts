import type { Database, Statement } from 'better-sqlite3';
import { conflict, WeirError, type Clock, type Random } from '@weir/kernel';
import { Journal, type RestartableFactStore } from '../journal';
import type { Cursor, ProjectedFactStore, PublishedChange } from '../ports';
import { prepare, type PreparedChange } from '../prepare';
import type { FactLine } from '../protocol';
import { Retention } from '../retention';
import { openDatabase, orNoSpace, type Durability } from './open';

const VERSION = 1;

/** A body is kept once however many followers have it; a fact without a body is a tombstone. */
const SCHEMA = `
  CREATE TABLE publisher (id INTEGER PRIMARY KEY CHECK (id = 1), generation INTEGER NOT NULL, position INTEGER NOT NULL, digest TEXT NOT NULL) STRICT;
  CREATE TABLE entry (position INTEGER PRIMARY KEY, digest TEXT NOT NULL) STRICT;
  CREATE TABLE body (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;
  CREATE TABLE fact (
    follower TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, position INTEGER NOT NULL, body INTEGER,
    PRIMARY KEY (follower, kind, id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX fact_by_position ON fact (follower, position, kind, id);
  CREATE INDEX fact_by_entry ON fact (position);
  CREATE INDEX fact_by_body ON fact (body) WHERE body IS NOT NULL;
  CREATE INDEX tombstone ON fact (follower, position) WHERE body IS NULL;
  CREATE TABLE cursor (follower TEXT PRIMARY KEY, position INTEGER NOT NULL, digest TEXT NOT NULL) STRICT, WITHOUT ROWID;
`;

export interface SqliteFactStoreOptions {
  readonly file: string;
  /** Higher than the one in the file: facts stay, cursors are forgotten, since followers start over. Lower: refused with WeirError 'conflict'. */
  readonly generation: number;
  /** `normal` is enough where facts can be projected again. */
  readonly durability?: Durability;
  /** Told where a test may let the process die. */
  readonly reached?: (point: FactStorePoint) => void;
}

export type FactStorePoint =
  'facts/before-commit' | 'facts/after-commit' | 'acknowledgement/before-commit' | 'acknowledgement/after-commit';

interface FactRow {
  readonly kind: string;
  readonly id: string;
  readonly position: number;
  readonly text: string | null;
}

/** Keeps facts, tombstones and cursors in one SQLite file of its own. */
export class SqliteFactStore implements RestartableFactStore, ProjectedFactStore {
  private readonly database: Database;
  private readonly durability: Durability;
  private readonly reached: (point: FactStorePoint) => void;
  private readonly retention = new Retention();
  private readonly cursors = new Map<string, Cursor>();
  private current: number;
  private stand: Cursor;
  private readonly statements: ReturnType<typeof prepareStatements>;
  private readonly commitAll: (entry: Cursor, changes: readonly PreparedChange[]) => void;

  constructor({ file, generation, durability = 'normal', reached = () => undefined }: SqliteFactStoreOptions) {
    this.database = openDatabase(file, durability, VERSION, SCHEMA);
    this.durability = durability;
    this.reached = reached;
    this.statements = prepareStatements(this.database);
    const known = this.statements.publisher.get();
    if (known && known.generation > generation) {
      this.database.close();
      throw conflict(`${file} speaks for generation ${known.generation}, which is above ${generation}.`);
    }
    this.current = generation;
    this.stand = known ? { position: known.position, digest: known.digest } : { position: 0, digest: '' };
    if (known?.generation !== generation) this.speakFor(generation);
    for (const { follower, position, digest } of this.statements.cursors.all())
      this.cursors.set(follower, { position, digest });
    this.commitAll = this.database.transaction((entry: Cursor, changes: readonly PreparedChange[]) => {
      this.write(entry, changes);
      this.reached('facts/before-commit');
    });
  }

  get generation(): number {
    return this.current;
  }

  head(): Cursor {
    return this.stand;
  }

  commit(entry: Cursor & { readonly changes: readonly PublishedChange[] }): void {
    const { position, digest } = entry;
    const prepared = prepare(this.stand, entry);
    orNoSpace(() => this.commitAll({ position, digest }, prepared));
    this.reached('facts/after-commit');
    this.stand = { position, digest };
  }

  digestAt(position: number): string | undefined {
    return position === 0 ? '' : this.statements.digest.get(position)?.digest;
  }

  after(follower: string, position: number, limit: number): readonly FactLine[] {
    return this.statements.after.all(follower, position, limit).map(lineOf);
  }

  live(follower: string): readonly FactLine[] {
    return this.statements.live.all(follower).map(lineOf);
  }

  acknowledged(follower: string): Cursor | undefined {
    return this.cursors.get(follower);
  }

  acknowledge(follower: string, { position, digest }: Cursor): void {
    const { statements } = this;
    this.cursors.set(follower, { position, digest });
    // A lost acknowledgement costs nothing: tombstones are dropped with it or not at all. So it waits for no disk, nor for room on one.
    if (this.durability === 'full') this.database.pragma('synchronous = NORMAL');
    try {
      orNoSpace(
        this.database.transaction(() => {
          statements.acknowledge.run(follower, position, digest);
          statements.dropTombstones.run(follower, position);
          const bound = this.retention.bound(this.stand.position, () => this.cursors.values());
          if (bound !== undefined) statements.dropDigests.run(bound);
          this.reached('acknowledgement/before-commit');
        }),
      );
      this.reached('acknowledgement/after-commit');
    } catch (error) {
      if (!(error instanceof WeirError && error.reason === 'no-space')) throw error;
    } finally {
      if (this.durability === 'full') this.database.pragma('synchronous = FULL');
    }
  }

  remove(follower: string): void {
    orNoSpace(
      this.database.transaction(() => {
        this.statements.removeFacts.run(follower);
        this.statements.removeCursor.run(follower);
        this.statements.dropBodies.run();
      }),
    );
    this.cursors.delete(follower);
  }

  restart(generation: number): void {
    if (generation <= this.current) throw conflict(`Generation ${generation} is not above ${this.current}.`);
    this.reset(generation);
  }

  raise(generation: number): void {
    if (generation <= this.current) throw conflict(`Generation ${generation} is not above ${this.current}.`);
    this.speakFor(generation);
    this.cursors.clear();
  }

  reset(generation: number): void {
    this.database.transaction(() => {
      this.database.exec('DELETE FROM fact; DELETE FROM body; DELETE FROM entry; DELETE FROM cursor;');
      this.statements.stand.run(generation, 0, '');
    })();
    this.current = generation;
    this.stand = { position: 0, digest: '' };
    this.cursors.clear();
    this.retention.reset();
  }

  close(): void {
    this.database.close();
  }

  private speakFor(generation: number): void {
    this.database.transaction(() => {
      this.statements.forgetCursors.run();
      this.statements.stand.run(generation, this.stand.position, this.stand.digest);
    })();
    this.current = generation;
  }

  private write({ position, digest }: Cursor, changes: readonly PreparedChange[]): void {
    const { statements } = this;
    const bodies = new Map<string, number | bigint>();
    for (const { follower, kind, id, body, bury } of changes) {
      const known = statements.known.get(follower, kind, id);
      if (!bury && (body === undefined ? !known || known.text === null : known?.text === body)) continue;
      let stored: number | bigint | null = null;
      if (body !== undefined) {
        stored = bodies.get(body) ?? statements.addBody.run(body).lastInsertRowid;
        bodies.set(body, stored);
      }
      statements.put.run(follower, kind, id, position, stored);
      if (known && known.body !== null) statements.dropBody.run({ body: known.body });
    }
    statements.addEntry.run(position, digest);
    statements.stand.run(this.current, position, digest);
  }
}

/**
 * Opens a Bottom's journal, or makes it: its generation is the millisecond at which it was made, and an entry is on disk when it
 * is appended.
 */
export function openJournal(file: string, clock: Clock, random: Random): Journal {
  return new Journal(
    new SqliteFactStore({ file, generation: generationOf(file) ?? clock.now(), durability: 'full' }),
    clock,
    random,
  );
}

/** Opens the facts that are projected from a log, in whatever generation they were told; new ones are of this one. */
export function openProjectedFacts(
  file: string,
  generation: number,
  reached?: SqliteFactStoreOptions['reached'],
): SqliteFactStore {
  return new SqliteFactStore({ file, generation: generationOf(file) ?? generation, ...(reached && { reached }) });
}

function generationOf(file: string): number | undefined {
  const database = openDatabase(file, 'full', VERSION, SCHEMA);
  try {
    return prepareStatements(database).publisher.get()?.generation;
  } finally {
    database.close();
  }
}

function prepareStatements(database: Database) {
  const statement = <Parameters extends unknown[], Row = unknown>(sql: string): Statement<Parameters, Row> =>
    database.prepare<Parameters, Row>(sql);
  const factColumns = 'fact.kind, fact.id, fact.position, body.text FROM fact LEFT JOIN body ON body.id = fact.body';
  return {
    publisher: statement<[], Cursor & { generation: number }>('SELECT generation, position, digest FROM publisher'),
    stand: statement<[number, number, string]>(
      `INSERT INTO publisher VALUES (1, ?, ?, ?)
       ON CONFLICT DO UPDATE SET generation = excluded.generation, position = excluded.position, digest = excluded.digest`,
    ),
    cursors: statement<[], Cursor & { follower: string }>('SELECT follower, position, digest FROM cursor'),
    forgetCursors: statement<[]>('DELETE FROM cursor'),
    digest: statement<[number], { digest: string }>('SELECT digest FROM entry WHERE position = ?'),
    addEntry: statement<[number, string]>('INSERT INTO entry VALUES (?, ?)'),
    after: statement<[string, number, number], FactRow>(
      `SELECT ${factColumns} WHERE follower = ? AND position > ? ORDER BY position, kind, fact.id LIMIT ?`,
    ),
    live: statement<[string], FactRow>(
      `SELECT ${factColumns} WHERE follower = ? AND fact.body IS NOT NULL ORDER BY position, kind, fact.id`,
    ),
    known: statement<[string, string, string], { body: number | null; text: string | null }>(
      'SELECT fact.body, body.text FROM fact LEFT JOIN body ON body.id = fact.body WHERE follower = ? AND kind = ? AND fact.id = ?',
    ),
    put: statement<[string, string, string, number, number | bigint | null]>(
      `INSERT INTO fact VALUES (?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET position = excluded.position, body = excluded.body`,
    ),
    addBody: statement<[string]>('INSERT INTO body (text) VALUES (?)'),
    dropBody: statement<[{ body: number }]>(
      'DELETE FROM body WHERE id = @body AND NOT EXISTS (SELECT 1 FROM fact WHERE fact.body = @body)',
    ),
    dropBodies: statement<[]>('DELETE FROM body WHERE NOT EXISTS (SELECT 1 FROM fact WHERE fact.body = body.id)'),
    acknowledge: statement<[string, number, string]>(
      `INSERT INTO cursor VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET position = excluded.position, digest = excluded.digest`,
    ),
    dropTombstones: statement<[string, number]>(
      'DELETE FROM fact WHERE follower = ? AND body IS NULL AND position <= ?',
    ),
    // Marks also stand at old positions that a live fact still has.
    dropDigests: statement<[number]>(
      'DELETE FROM entry WHERE position < ? AND NOT EXISTS (SELECT 1 FROM fact WHERE fact.position = entry.position)',
    ),
    removeFacts: statement<[string]>('DELETE FROM fact WHERE follower = ?'),
    removeCursor: statement<[string]>('DELETE FROM cursor WHERE follower = ?'),
  };
}

const lineOf = ({ kind, id, position, text }: FactRow): FactLine =>
  text === null
    ? { type: 'delete', kind, id, position }
    : { type: 'upsert', kind, id, position, body: JSON.parse(text) as Record<string, unknown> };
