import type { JsonObject } from '@weir/kernel';
import type { Database, Statement } from 'better-sqlite3';
import { CorruptEvent } from '../errors';
import type { EventMetadata, RecordedEvent } from '../port';

interface EventRow {
  readonly position: number;
  readonly stream: string;
  readonly revision: number;
  readonly id: string;
  readonly type: string;
  readonly schemaVersion: number;
  readonly data: string;
  readonly metadata: string;
  readonly digest: Buffer;
}

/** `as` throughout: else columns are named as the schema spells them, and a flipped bit changes the case of a letter there. */
const SELECT =
  'select position as position, stream as stream, revision as revision, id as id, type as type, schema_version as schemaVersion, data as data, metadata as metadata, digest as digest from events';

function recorded(row: EventRow): RecordedEvent {
  try {
    return {
      position: row.position,
      stream: row.stream,
      revision: row.revision,
      id: row.id,
      type: row.type,
      schemaVersion: row.schemaVersion,
      data: JSON.parse(row.data) as JsonObject,
      metadata: JSON.parse(row.metadata) as EventMetadata,
      digest: row.digest.toString('hex'),
    };
  } catch (cause) {
    throw new CorruptEvent(row.position, cause);
  }
}

/** Reads the log through one connection. */
export class EventReader {
  private readonly byPosition: Statement<[number, number], EventRow>;
  private readonly byStream: Statement<[string, number], EventRow>;
  private readonly byRange: Statement<[string, number, number], EventRow>;
  private readonly behind: Statement<[string, number, number], EventRow>;
  private readonly last: Statement<[], { position: number | null }>;

  constructor(db: Database) {
    this.byPosition = db.prepare(`${SELECT} where position > ? order by position limit ?`);
    this.byStream = db.prepare(`${SELECT} where stream = ? and revision >= ? order by revision`);
    this.byRange = db.prepare(`${SELECT} where stream = ? and revision >= ? order by revision limit ?`);
    this.behind = db.prepare(`${SELECT} where stream = ? and position > ? order by revision limit ?`);
    this.last = db.prepare('select max(position) as position from events');
  }

  all(after: number, limit: number): RecordedEvent[] {
    return this.byPosition.all(after, limit).map(recorded);
  }

  stream(stream: string, fromRevision: number): RecordedEvent[] {
    return this.byStream.all(stream, fromRevision).map(recorded);
  }

  range(stream: string, fromRevision: number, count: number): RecordedEvent[] {
    return this.byRange.all(stream, fromRevision, count).map(recorded);
  }

  streamAfter(stream: string, position: number, limit: number): RecordedEvent[] {
    return this.behind.all(stream, position, limit).map(recorded);
  }

  head(): number {
    return this.last.get()?.position ?? 0;
  }
}
