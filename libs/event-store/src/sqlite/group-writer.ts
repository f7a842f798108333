import type { Database, Statement } from 'better-sqlite3';
import type { Failpoints } from '../failpoints';
import { extended, type OpenSeal, sealed, sealRecord } from '../seal';
import { openSealWriter } from './open-seal';
import type { Answer, AppendRequest, WriteRequest, WriterSettings } from './protocol';
import { RowWriter } from './row-writer';

const NO_STREAM = -1;
/** Frames of 4 KiB in the WAL before they are moved to the database: SQLite's own default is 1,000; a longer WAL saves writes of the same pages. */
const FRAMES_BETWEEN_CHECKPOINTS = 2000;
/** Until the first checkpoint has shown how many: an event with its two indexes, and a row with its three. */
const FIRST_GUESS_OF_FRAMES_PER_ROW = 4;

export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** Someone else wrote to the file: the positions handed out here are not ours to give. */
export class ForeignWriter extends Error {
  readonly code = 'WEIR_FOREIGN_WRITER';
  constructor(expected: number, actual: number) {
    super(`Another process writes to this event store: the last position is ${actual}, not ${expected}`);
  }
}

/** What a transaction has come to so far. */
interface Turn {
  open: OpenSeal;
  written: number;
}

/** Writes groups of appends and seals, each group in one transaction. Whatever it throws is final: the file must not be written any more. */
export class GroupWriter {
  private readonly begin: Statement;
  private readonly commit: Statement;
  private readonly rollback: Statement;
  private readonly lastPosition: Statement<[], { position: number | null }>;
  private readonly lastRevision: Statement<[string], { revision: number | null }>;
  private readonly idAt: Statement<[string, number], { id: string }>;
  private readonly insert: Statement<[number, string, number, string, string, number, string, string, Buffer, number]>;
  private readonly insertId: Statement<[string, number]>;
  private readonly rows: RowWriter;
  private readonly keepOpen: (open: OpenSeal) => void;
  private head: number;
  private open: OpenSeal;
  private claimed = false;
  /** Since the last checkpoint. */
  private wasFull = false;
  private rowsSinceCheckpoint = 0;
  private framesPerRow = FIRST_GUESS_OF_FRAMES_PER_ROW;

  constructor(
    private readonly db: Database,
    private readonly settings: WriterSettings,
    private readonly failpoints: Failpoints,
  ) {
    this.head = settings.head;
    this.open = settings.open;
    this.begin = db.prepare('begin immediate');
    this.commit = db.prepare('commit');
    this.rollback = db.prepare('rollback');
    this.lastPosition = db.prepare('select max(position) as position from events');
    this.lastRevision = db.prepare('select max(revision) as revision from events where stream = ?');
    this.idAt = db.prepare('select id from events where stream = ? and revision = ?');
    this.insert = db.prepare(
      'insert into events (position, stream, revision, id, type, schema_version, data, metadata, digest, previous) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
    );
    this.insertId = db.prepare('insert into event_ids (id, position) values (?, ?)');
    this.keepOpen = openSealWriter(db);
    this.rows = new RowWriter(db, settings.tables);
  }

  /** On disk when it returns. */
  write(group: readonly WriteRequest[]): Answer[] {
    try {
      return this.transaction(group);
    } catch (error) {
      if (this.db.inTransaction) this.rollback.run();
      const answer = refusal(error);
      if (!answer) throw error;
      this.wasFull ||= answer.type === 'full';
      // What one append did wrong must not fail the others: each is tried alone.
      return group.length === 1 ? [answer] : group.flatMap((request) => this.write([request]));
    }
  }

  /**
   * Not SQLite's automatic checkpoint, which keeps a failing fsync of the database file to itself and would believe
   * the next one.
   */
  checkpointIfDue(): void {
    // On a full disk what the WAL holds is the room there is: it is used again once the database has it.
    const isDue = this.wasFull || this.rowsSinceCheckpoint * this.framesPerRow >= FRAMES_BETWEEN_CHECKPOINTS;
    if (!isDue || this.rowsSinceCheckpoint === 0) return;
    const result = this.checkpoint('passive');
    if (!result) return;
    this.wasFull = false;
    this.framesPerRow = Math.max(result.log, 1) / this.rowsSinceCheckpoint;
    // Where a reader held it up, the next group tries again.
    if (result.checkpointed === result.log) this.rowsSinceCheckpoint = 0;
  }

  /** Rows that were written on the same connection. */
  wroteBeside(rows: number): void {
    this.rowsSinceCheckpoint += rows;
  }

  /** Moves everything from the WAL to the database file. */
  close(): void {
    this.checkpoint('truncate');
    this.db.close();
  }

  /** Undefined on a full disk: then everything stays in the WAL, where it is as safe. */
  private checkpoint(mode: 'passive' | 'truncate'): { log: number; checkpointed: number } | undefined {
    try {
      return (this.db.pragma(`wal_checkpoint(${mode})`) as { log: number; checkpointed: number }[])[0];
    } catch (error) {
      if (refusal(error)) return undefined;
      throw error;
    }
  }

  private transaction(group: readonly WriteRequest[]): Answer[] {
    this.begin.run();
    const actual = this.lastPosition.get()?.position ?? 0;
    if (actual !== this.head) throw new ForeignWriter(this.head, actual);
    if (!this.claimed) this.claimViews();
    const turn: Turn = { open: this.open, written: 0 };
    const answers = group.map((request) =>
      'seal' in request ? this.seal(request.seal, turn) : this.append(request, turn),
    );
    if (turn.open !== this.open) this.keepOpen(turn.open);
    this.failpoints.at('append/before-commit');
    const seals = turn.open.seals > this.open.seals;
    if (seals) this.failpoints.at('seal/before-commit');
    this.commit.run();
    this.failpoints.at('append/after-commit');
    if (seals) this.failpoints.at('seal/after-commit');
    this.claimed = true;
    if (turn.open !== this.open) this.head = turn.open.last;
    this.open = turn.open;
    this.rowsSinceCheckpoint += turn.written;
    return answers;
  }

  private append(append: AppendRequest, turn: Turn): Answer {
    const refused = this.judge(append);
    if (refused) return refused;
    for (const [stream, expected, events] of append.writes) {
      let revision = expected;
      for (const [position, id, type, schemaVersion, data, metadata, digest, time] of events) {
        revision++;
        const bytes = Buffer.from(digest, 'hex');
        const previous = turn.open.last;
        this.insert.run(position, stream, revision, id, type, schemaVersion, data, metadata, bytes, previous);
        this.insertId.run(id, position);
        turn.open = extended(turn.open, position, digest, time);
      }
      turn.written += events.length;
    }
    this.rows.apply(append.changes);
    turn.written += append.changes.length;
    return { type: 'done' };
  }

  private seal(at: number, turn: Turn): Answer {
    if (turn.open.count === 0) return { type: 'nothing' };
    const record = sealRecord(turn.open, at);
    const { position, stream, revision, id, type, schemaVersion, data, metadata, digest } = record;
    const bytes = Buffer.from(digest, 'hex');
    const previous = turn.open.last;
    this.insert.run(position, stream, revision, id, type, schemaVersion, data, metadata, bytes, previous);
    this.insertId.run(id, position);
    turn.open = sealed(turn.open, position, digest);
    turn.written++;
    return { type: 'done' };
  }

  /** From this append on the rows of our views are kept in step, and those of other views are not: theirs end at the present head. */
  private claimViews(): void {
    const ours = JSON.stringify(this.settings.views);
    this.db.prepare('update views set position = null where name in (select value from json_each(?))').run(ours);
    this.db
      .prepare('update views set position = ? where position is null and name not in (select value from json_each(?))')
      .run(this.head, ours);
  }

  private judge({ checks, writes }: AppendRequest): Answer | undefined {
    for (const [stream, expected] of [...checks, ...writes]) {
      const actual = this.lastRevision.get(stream)?.revision ?? NO_STREAM;
      if (actual === expected) continue;
      return this.appendedBefore(writes) ? { type: 'repeated' } : { type: 'stale', stream, expected, actual };
    }
    return undefined;
  }

  private appendedBefore(writes: AppendRequest['writes']): boolean {
    return (
      writes.some(([, , events]) => events.length > 0) &&
      writes.every(([stream, expected, events]) =>
        events.every(([, id], index) => this.idAt.get(stream, expected + 1 + index)?.id === id),
      )
    );
  }
}

export function isFull(error: unknown): boolean {
  return refusal(error)?.type === 'full';
}

/** What concerns one append and leaves the file sound; undefined for everything else. */
function refusal(error: unknown): Answer | undefined {
  const message = error instanceof Error ? error.message : String(error);
  switch (errorCode(error)) {
    case 'SQLITE_CONSTRAINT_PRIMARYKEY':
      return message.endsWith('event_ids.id') ? { type: 'id-taken', message } : undefined;
    case 'SQLITE_FULL':
    // The index of the WAL lives in a file of its own that cannot grow on a full disk; nothing has been written by then.
    case 'SQLITE_IOERR_SHMSIZE':
      return { type: 'full', message };
    default:
      return undefined;
  }
}
