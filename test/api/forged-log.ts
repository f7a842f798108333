import Database from 'better-sqlite3';
import { digestOfText, type EventText } from '../../libs/event-store/src/digest';
import { extended, isSeal, NOTHING_SEALED, sealed, sealRecord } from '../../libs/event-store/src/seal';
import { openSealWriter } from '../../libs/event-store/src/sqlite/open-seal';

/** What someone does who knows how the log is made: changes events, and makes every digest and seal behind them anew. */
export function forge(file: string, forged: (event: EventText) => EventText | undefined): void {
  const database = new Database(file);
  try {
    const events = database
      .prepare<[], EventText>(
        'select position, stream, revision, id, type, schema_version as schemaVersion, data, metadata from events order by position',
      )
      .all();
    const replace = database.prepare<[string, string, string, Buffer, number, number]>(
      'update events set data = ?, metadata = ?, id = ?, digest = ?, previous = ? where position = ?',
    );
    const remove = database.prepare<[number]>('delete from events where position = ?');
    database.transaction(() => {
      let open = NOTHING_SEALED;
      for (const event of events) {
        const { position } = event;
        const previous = open.last;
        const kept = forged(event);
        if (!kept) {
          remove.run(position);
        } else if (isSeal(event)) {
          const seal = sealRecord(open, position);
          replace.run(seal.data, seal.metadata, seal.id, Buffer.from(seal.digest, 'hex'), previous, position);
          open = sealed(open, position, seal.digest);
        } else {
          const digest = digestOfText(kept);
          replace.run(kept.data, kept.metadata, kept.id, Buffer.from(digest, 'hex'), previous, position);
          open = extended(open, position, digest, (JSON.parse(kept.metadata) as { time: string }).time);
        }
      }
      database.exec('delete from event_ids; insert into event_ids (id, position) select id, position from events');
      openSealWriter(database)(open);
    })();
  } finally {
    database.close();
  }
}
