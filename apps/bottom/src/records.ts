import Database from 'better-sqlite3';
import { unavailable, type ServerId } from '@weir/kernel';
import { hostObservation, type HeldSeal } from '@weir/topology';
import type { z } from 'zod';
import type { Resources } from './placement';
import { KEPT_SEALS } from './seals';

const VERSION = 1;

const SCHEMA = `
  CREATE TABLE host (
    name TEXT PRIMARY KEY, key_hash TEXT NOT NULL UNIQUE, said TEXT, reachable INTEGER NOT NULL, since INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE placement (
    server TEXT PRIMARY KEY, host TEXT NOT NULL, vcpus INTEGER NOT NULL, ram_mb INTEGER NOT NULL, disk_gb INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE departing (server TEXT PRIMARY KEY, position INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE gone (
    kind TEXT NOT NULL, id TEXT NOT NULL, position INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (kind, id)
  ) STRICT, WITHOUT ROWID;
`;

/** Beside the rest, so that files without it can still be opened: a row while what the hosts run is being learnt from them. */
const RECOVERY = 'CREATE TABLE IF NOT EXISTS recovery (once INTEGER PRIMARY KEY CHECK (once = 1)) STRICT';

/** The seals of the Top's log as they were told: rows are added, and the oldest dropped. */
const SEALS = `CREATE TABLE IF NOT EXISTS seal (
  ordinal INTEGER PRIMARY KEY AUTOINCREMENT, position INTEGER NOT NULL, digest TEXT NOT NULL, revision INTEGER NOT NULL,
  previous TEXT NOT NULL, generation INTEGER NOT NULL, contradicts INTEGER NOT NULL
) STRICT`;

/** What a Host says of itself. */
export const hostConfig = hostObservation.omit({ unreachableSince: true });
export type HostConfig = z.output<typeof hostConfig>;

export interface HostRecord {
  readonly name: string;
  readonly keyHash: string;
  /** What it last said of itself. */
  readonly said: HostConfig | undefined;
  readonly reachable: boolean;
  /** Milliseconds of the wall clock. */
  readonly since: number;
}

/** What a server takes where it was placed, also while its fact is gone and its instance is not. */
export interface Placement {
  readonly server: ServerId;
  readonly host: string;
  readonly takes: Resources;
}

export interface Gone {
  readonly kind: 'server' | 'port';
  readonly id: string;
  /** The Top's, of the tombstone. */
  readonly position: number;
  readonly at: number;
}

interface HostRow {
  readonly name: string;
  readonly key_hash: string;
  readonly said: string | null;
  readonly reachable: number;
  readonly since: number;
}

interface PlacementRow {
  readonly server: string;
  readonly host: string;
  readonly vcpus: number;
  readonly ram_mb: number;
  readonly disk_gb: number;
}

/**
 * What a Bottom alone decides or knows: who its hosts are, which server is where, which are on their way out, and which are gone. Each call is on
 * disk when it returns. `:memory:` is a file for worlds without a disk.
 */
export class SiteRecords {
  private readonly database: Database.Database;
  private readonly statements: ReturnType<typeof prepare>;

  constructor(file: string) {
    this.database = new Database(file);
    this.database.pragma('journal_mode = WAL');
    this.database.pragma('synchronous = FULL');
    const found = this.database.pragma('user_version', { simple: true });
    if (found === 0) {
      this.database.transaction(() => {
        this.database.exec(SCHEMA);
        this.database.pragma(`user_version = ${VERSION}`);
      })();
    } else if (found !== VERSION) {
      this.database.close();
      throw unavailable(`${file} was written by another version of Weir.`, { fields: { found, version: VERSION } });
    }
    this.database.exec(RECOVERY);
    this.database.exec(SEALS);
    this.statements = prepare(this.database);
  }

  /** All of `work` or nothing of it. */
  atOnce(work: () => void): void {
    this.database.transaction(work)();
  }

  hosts(): readonly HostRecord[] {
    return this.statements.hosts.all().map((row) => ({
      name: row.name,
      keyHash: row.key_hash,
      said: row.said === null ? undefined : hostConfig.parse(JSON.parse(row.said)),
      reachable: row.reachable === 1,
      since: row.since,
    }));
  }

  putHost({ name, keyHash, said, reachable, since }: HostRecord): void {
    this.statements.putHost.run(name, keyHash, said ? JSON.stringify(said) : null, reachable ? 1 : 0, since);
  }

  /** With everything that was placed on it. */
  removeHost(name: string): void {
    this.atOnce(() => {
      this.statements.emptyHost.run(name);
      this.statements.removeHost.run(name);
    });
  }

  placements(): readonly Placement[] {
    return this.statements.placements.all().map((row) => ({
      server: row.server as ServerId,
      host: row.host,
      takes: { vcpus: row.vcpus, ramMb: row.ram_mb, diskGb: row.disk_gb },
    }));
  }

  putPlacement({ server, host, takes }: Placement): void {
    this.statements.putPlacement.run(server, host, takes.vcpus, takes.ramMb, takes.diskGb);
  }

  removePlacement(server: ServerId): void {
    this.statements.removePlacement.run(server);
  }

  /** Servers that the Top deleted and nobody has seen gone; the Top's position of the tombstone. */
  departing(): ReadonlyMap<ServerId, number> {
    return new Map(this.statements.departing.all().map((row) => [row.server as ServerId, row.position]));
  }

  putDeparting(server: ServerId, position: number): void {
    this.statements.putDeparting.run(server, position);
  }

  removeDeparting(server: ServerId): void {
    this.statements.removeDeparting.run(server);
  }

  gone(): readonly Gone[] {
    return this.statements.gone.all();
  }

  putGone({ kind, id, position, at }: Gone): void {
    this.statements.putGone.run(kind, id, position, at);
  }

  removeGone(kind: Gone['kind'], id: string): void {
    this.statements.removeGone.run(kind, id);
  }

  /** In the order in which they were told. */
  seals(): readonly HeldSeal[] {
    return this.statements.seals.all().map((row) => ({ ...row, contradicts: row.contradicts === 1 }));
  }

  addSeal({ position, digest, revision, previous, generation, contradicts }: HeldSeal): void {
    this.atOnce(() => {
      this.statements.addSeal.run(position, digest, revision, previous, generation, contradicts ? 1 : 0);
      this.statements.dropSeals.run();
    });
  }

  /** From `beginRecovery` to `endRecovery`, whatever restarts lie between. */
  isRecovering(): boolean {
    return this.statements.recovery.get() !== undefined;
  }

  beginRecovery(): void {
    this.statements.beginRecovery.run();
  }

  endRecovery(): void {
    this.statements.endRecovery.run();
  }

  close(): void {
    this.database.close();
  }
}

function prepare(database: Database.Database) {
  return {
    hosts: database.prepare<[], HostRow>('SELECT * FROM host ORDER BY name'),
    putHost: database.prepare<[string, string, string | null, number, number]>(
      `INSERT INTO host VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (name) DO UPDATE SET key_hash = excluded.key_hash, said = excluded.said, reachable = excluded.reachable, since = excluded.since`,
    ),
    removeHost: database.prepare<[string]>('DELETE FROM host WHERE name = ?'),
    emptyHost: database.prepare<[string]>('DELETE FROM placement WHERE host = ?'),
    placements: database.prepare<[], PlacementRow>('SELECT * FROM placement ORDER BY server'),
    putPlacement: database.prepare<[string, string, number, number, number]>(
      'INSERT OR REPLACE INTO placement VALUES (?, ?, ?, ?, ?)',
    ),
    removePlacement: database.prepare<[string]>('DELETE FROM placement WHERE server = ?'),
    departing: database.prepare<[], { server: string; position: number }>('SELECT * FROM departing ORDER BY server'),
    putDeparting: database.prepare<[string, number]>('INSERT OR REPLACE INTO departing VALUES (?, ?)'),
    removeDeparting: database.prepare<[string]>('DELETE FROM departing WHERE server = ?'),
    gone: database.prepare<[], Gone>('SELECT * FROM gone ORDER BY position, kind, id'),
    putGone: database.prepare<[string, string, number, number]>('INSERT OR REPLACE INTO gone VALUES (?, ?, ?, ?)'),
    seals: database.prepare<[], Omit<HeldSeal, 'contradicts'> & { readonly contradicts: number }>(
      'SELECT position, digest, revision, previous, generation, contradicts FROM seal ORDER BY ordinal',
    ),
    addSeal: database.prepare<[number, string, number, string, number, number]>(
      'INSERT INTO seal (position, digest, revision, previous, generation, contradicts) VALUES (?, ?, ?, ?, ?, ?)',
    ),
    // A contradiction, and what it contradicts, is evidence: it outlives the tail, within the same bound.
    dropSeals: database.prepare<[]>(
      `DELETE FROM seal WHERE ordinal NOT IN (SELECT ordinal FROM seal ORDER BY ordinal DESC LIMIT ${KEPT_SEALS})
       AND ordinal NOT IN (
         SELECT ordinal FROM seal WHERE revision IN (SELECT revision FROM seal WHERE contradicts = 1)
           OR ordinal + 1 IN (SELECT ordinal FROM seal WHERE contradicts = 1)
         ORDER BY ordinal DESC LIMIT ${KEPT_SEALS})`,
    ),
    recovery: database.prepare<[], { once: number }>('SELECT once FROM recovery'),
    beginRecovery: database.prepare<[]>('INSERT OR IGNORE INTO recovery VALUES (1)'),
    endRecovery: database.prepare<[]>('DELETE FROM recovery'),
    removeGone: database.prepare<[string, string]>('DELETE FROM gone WHERE kind = ? AND id = ?'),
  };
}
