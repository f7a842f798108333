import Database from 'better-sqlite3';
import { unavailable, type ServerId } from '@weir/kernel';
import type { HeldSeal } from '@weir/topology';
import { type Gone, hostConfig, type HostRecord, type Placement, type SiteRecords } from './records';
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

const BEGIN_RECOVERY = 'INSERT OR IGNORE INTO recovery VALUES (1)';

/** The seals of the Top's log as they were told: rows are added, and the oldest dropped. */
const SEALS = `CREATE TABLE IF NOT EXISTS seal (
  ordinal INTEGER PRIMARY KEY AUTOINCREMENT, position INTEGER NOT NULL, digest TEXT NOT NULL, revision INTEGER NOT NULL,
  previous TEXT NOT NULL, generation INTEGER NOT NULL, contradicts INTEGER NOT NULL
) STRICT`;

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

/** A file; each call is on disk when it returns. One that is new to a site that is not begins a recovery, with its first write. */
export class SqliteSiteRecords implements SiteRecords {
  private readonly database: Database.Database;
  private readonly statements: ReturnType<typeof prepare>;

  constructor(file: string, { isSiteNew = true }: { readonly isSiteNew?: boolean } = {}) {
    this.database = new Database(file);
    this.database.pragma('journal_mode = WAL');
    this.database.pragma('synchronous = FULL');
    const found = this.database.pragma('user_version', { simple: true });
    if (found === 0) {
      this.database.transaction(() => {
        this.database.exec(SCHEMA);
        this.database.exec(RECOVERY);
        if (!isSiteNew) this.database.exec(BEGIN_RECOVERY);
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

  seals(): readonly HeldSeal[] {
    return this.statements.seals.all().map((row) => ({ ...row, contradicts: row.contradicts === 1 }));
  }

  addSeal({ position, digest, revision, previous, generation, contradicts }: HeldSeal): void {
    this.atOnce(() => {
      this.statements.addSeal.run(position, digest, revision, previous, generation, contradicts ? 1 : 0);
      this.statements.dropSeals.run();
    });
  }

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
    beginRecovery: database.prepare<[]>(BEGIN_RECOVERY),
    endRecovery: database.prepare<[]>('DELETE FROM recovery'),
    removeGone: database.prepare<[string, string]>('DELETE FROM gone WHERE kind = ? AND id = ?'),
  };
}
