import { systemRandom, systemTimers } from '@weir/kernel';
import { type EventStore, NO_STREAM, type RecordedEvent } from '../index';
import { newEvent, until, wholeLog } from './log';
import { bookmarkable, ordered, reliable, resumable, unique, type Watch, type Watched } from './watched';

const RESUMES = process.env['WEIR_CHAOS'] === '1' ? 500 : 40;
const WRITERS = 4;
const TIMEOUT_MS = 300_000;

/** A subscription that is closed and taken up again, at random, while others append. */
export function describeGuarantees(name: string, empty: () => Promise<EventStore>): void {
  describe(`${name}: R11: a subscription that is cut ${RESUMES} times`, () => {
    let watches: Watch[];
    let truth: readonly Watched[];
    /** Events of appends of which not all could be read when they were given. */
    let torn: string[];

    const watched = (event: RecordedEvent): Watched => ({
      key: event.id,
      position: event.position,
      transaction: event.metadata.correlation,
    });

    beforeEach(async () => {
      const store = await empty();
      watches = [];
      torn = [];
      let writing = true;
      const writer = async (number: number) => {
        for (let revision = NO_STREAM; writing; revision++) {
          const size = 1 + systemRandom.integer(3);
          const request = `${number}-${revision}-${size}`;
          const events = Array.from({ length: size }, () => {
            const event = newEvent('T');
            return { ...event, metadata: { ...event.metadata, correlation: request } };
          });
          const writes = events.map((event, i) => ({
            stream: `w-${number}-${i}-${revision}`,
            expected: NO_STREAM,
            events: [event],
          }));
          await store.append({ writes });
          await systemTimers.sleep(systemRandom.integer(3));
        }
      };
      const writers = Array.from({ length: WRITERS }, (_, number) => writer(number));
      let after = 0;
      for (let cut = 0; cut < RESUMES; cut++) {
        const batches: { items: Watched[]; bookmark: number }[] = [];
        const enough = 1 + systemRandom.integer(4);
        let isCut = false;
        const subscription = store.subscribe(
          after,
          async (events) => {
            if (isCut) return;
            torn.push(...(await tornOf(store, events)));
            const bookmark = events.at(-1)?.position ?? after;
            batches.push({ items: events.map(watched), bookmark });
          },
          fail,
        );
        watches.push({ after, batches });
        await until(() => batches.length >= enough);
        isCut = true;
        subscription.close();
        after = batches.at(-1)?.bookmark ?? after;
      }
      writing = false;
      await Promise.all(writers);
      const log = await wholeLog(store);
      const rest: Watched[] = [];
      const last = store.subscribe(after, (events) => Promise.resolve(void rest.push(...events.map(watched))), fail);
      await until(() => rest.at(-1)?.position === log.at(-1)?.position || log.at(-1)?.position === after);
      last.close();
      watches.push({ after, batches: [{ items: rest, bookmark: log.at(-1)?.position ?? 0 }] });
      truth = log.map(watched);
    }, TIMEOUT_MS);

    it('is Ordered, Unique, Atomic, Reliable, Resumable and Bookmarkable', () => {
      expect(truth.length).toBeGreaterThan(RESUMES);
      expect({
        Ordered: ordered(watches),
        Unique: unique(watches),
        // Batches are cut by size: whoever is given a part can read the whole.
        Atomic: torn,
        Reliable: reliable(watches, truth),
        Resumable: resumable(watches, truth),
        Bookmarkable: bookmarkable(watches, truth),
      }).toEqual({ Ordered: [], Unique: [], Atomic: [], Reliable: [], Resumable: [], Bookmarkable: [] });
    });
  });
}

async function tornOf(store: EventStore, events: readonly RecordedEvent[]): Promise<string[]> {
  const torn: string[] = [];
  for (const { stream, metadata } of events) {
    const [writer, number, , ...revision] = stream.split('-');
    const size = Number(metadata.correlation.at(-1));
    if (writer !== 'w') continue;
    for (let i = 0; i < size; i++) {
      const sibling = `w-${number ?? ''}-${i}-${revision.join('-')}`;
      if ((await store.readStream(sibling)).length === 0) torn.push(`${stream} came before ${sibling} was there`);
    }
  }
  return torn;
}

function fail(error: unknown): void {
  throw error;
}
