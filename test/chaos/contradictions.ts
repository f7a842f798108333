import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MemoryFactStore } from '@weir/cascade/memory';
import { openProjectedFacts, type SqliteFactStore } from '@weir/cascade/sqlite';
import { streams, views } from '@weir/domain';
import { dumpRows, type EventStore, type RecordedEvent, replayRows } from '@weir/event-store';
import { openSqliteEventStore, type SqliteEventStore } from '@weir/event-store/sqlite';
import { canonicalJson, silentLogger } from '@weir/kernel';
import { SiteFold } from '../../apps/top/src/sites/site-fold';
import { capacityFaults, logFaults, referenceFaults, scarceFaults } from './ledger';

const BATCH = 1_000;
/** Of differing lines that a fault quotes. */
const QUOTED = 3;

/**
 * Every way in which what a Top has stored contradicts itself, whatever was done to it before: events that are not what
 * they were, rows and facts of sites that a replay into fresh tables does not give, scarce things and capacity that do not
 * add up, things that name nothing. The Top over `state` must not be running.
 */
export async function contradictions(state: string): Promise<readonly string[]> {
  const store = await openSqliteEventStore({ file: join(state, 'events.db'), views, logger: silentLogger });
  try {
    const wrong: string[] = [];
    for await (const { position, problem } of store.verify()) wrong.push(`event ${position}: ${problem}`);
    if (wrong.length > 0) return wrong;
    const events = await wholeLog(store);
    const rows = store.reader;
    return [
      ...logFaults(events),
      ...(await rowFaults(store, events)),
      ...factFaults(join(state, 'facts.db'), events),
      ...scarceFaults(events, rows),
      ...capacityFaults(events, rows),
      ...referenceFaults(rows),
    ];
  } finally {
    await store.close();
  }
}

/** By a replay that shares nothing with the store, as long as no old version was pruned; and by the store's own rebuild. */
async function rowFaults(store: SqliteEventStore, events: readonly RecordedEvent[]): Promise<readonly string[]> {
  const rows = store.reader;
  const replayed = rows.horizon === 0 ? differences('row', dumpRows(rows), dumpRows(replayRows(views, events))) : [];
  const difference = await store.checkRebuild();
  return [...replayed, ...(difference ? [`row that no rebuild gives: ${canonicalJson(difference)}`] : [])];
}

async function wholeLog(store: EventStore): Promise<readonly RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  for (;;) {
    const batch = await store.readAll(events.at(-1)?.position ?? 0, BATCH);
    if (batch.length === 0) return events;
    events.push(...batch);
  }
}

/** What each site was told, as far as it was told, against a projection of the log from its start. */
function factFaults(file: string, events: readonly RecordedEvent[]): readonly string[] {
  if (!existsSync(file)) return ['the facts of the sites are gone'];
  const generation = events.filter(({ stream }) => stream === streams.publisher).length;
  const stored = openProjectedFacts(file, generation);
  try {
    const { position, digest } = stored.head();
    const published = events.filter((event) => event.position <= position);
    if (published.at(-1)?.id !== digest)
      return [`the sites were told up to ${position}, which is another event in the log`];
    const fresh = new MemoryFactStore({ generation });
    const fold = new SiteFold();
    for (const event of published) {
      const changes = fold.apply(event).map(({ place, ...change }) => ({ follower: place, ...change }));
      fresh.commit({ position: event.position, digest: event.id, changes });
    }
    const sites = published
      .filter(({ type }) => type === 'SiteAdded')
      .map(({ stream }) => stream.slice('site-'.length));
    const linesOf = (facts: Pick<SqliteFactStore, 'live'>, site: string): string =>
      facts
        .live(site)
        .map((line) => `${canonicalJson(line)}\n`)
        .join('');
    return sites.flatMap((site) => differences(`fact of site ${site}`, linesOf(stored, site), linesOf(fresh, site)));
  } finally {
    stored.close();
  }
}

/** The same text, byte for byte, or the first lines that only one of the two has. */
function differences(what: string, live: string, replayed: string): readonly string[] {
  if (live === replayed) return [];
  const lines = (text: string): readonly string[] => text.split('\n').filter((line) => line !== '');
  const [here, there] = [new Set(lines(live)), new Set(lines(replayed))];
  const only = (mine: ReadonlySet<string>, other: ReadonlySet<string>, whose: string): string[] =>
    [...mine]
      .filter((line) => !other.has(line))
      .slice(0, QUOTED)
      .map((line) => `${what} ${whose}: ${line}`);
  const found = [...only(here, there, 'that no replay gives'), ...only(there, here, 'that only a replay gives')];
  return found.length > 0 ? found : [`${what}: in another order, or more than once`];
}
