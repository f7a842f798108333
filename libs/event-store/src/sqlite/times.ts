import type { Database, Statement } from 'better-sqlite3';
import { SEAL_STREAM } from '../seal';

interface SealPlace {
  readonly position: number;
  readonly latest: string;
}

/** Finds positions by time. The seals are its index: each knows the latest time up to it, so what is left to search is one range. */
export class TimeIndex {
  private readonly seal: Statement<[string, number], SealPlace>;
  private readonly lastSeal: Statement<[string], { revision: number | null }>;
  private readonly firstLater: Statement<[number, number, string], { position: number }>;
  private readonly before: Statement<[number], { position: number | null }>;
  private readonly last: Statement<[], { position: number | null }>;

  constructor(db: Database) {
    this.seal = db.prepare(
      `select position, data ->> '$.latest' as latest from events where stream = ? and revision = ?`,
    );
    this.lastSeal = db.prepare('select max(revision) as revision from events where stream = ?');
    this.firstLater = db.prepare(
      `select position from events where position > ? and position < ? and metadata ->> '$.time' > ? order by position limit 1`,
    );
    this.before = db.prepare('select max(position) as position from events where position < ?');
    this.last = db.prepare('select max(position) as position from events');
  }

  /** The last position before the first event that is later than `time`; 0 before all. */
  positionAt(time: string): number {
    const [from, to] = this.range(time);
    const later = this.firstLater.get(from, to, time);
    return (later ? this.before.get(later.position) : this.last.get())?.position ?? 0;
  }

  /** The positions between which the first later event stands, if there is one. */
  private range(time: string): readonly [after: number, before: number] {
    // The first seal with a later time behind it: revisions below `low` have none.
    let low = 0;
    let high = (this.lastSeal.get(SEAL_STREAM)?.revision ?? -1) + 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const latest = this.seal.get(SEAL_STREAM, middle)?.latest ?? '';
      if (latest > time) high = middle;
      else low = middle + 1;
    }
    const from = low === 0 ? 0 : (this.seal.get(SEAL_STREAM, low - 1)?.position ?? 0);
    return [from, this.seal.get(SEAL_STREAM, low)?.position ?? Number.MAX_SAFE_INTEGER];
  }
}
