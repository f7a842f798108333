import { type AttributedDifference, DIFF_TABLES, diffRows, RESOURCE_KINDS, views } from '@weir/domain';
import { MemoryEventStore } from '@weir/event-store/memory';
import { completeHistory, idOf } from '@weir/testing/domain';
import { Diffs } from './diff';
import { streamRange } from './stream-range';

async function storeOf(log = completeHistory()): Promise<MemoryEventStore> {
  const store = new MemoryEventStore({ views });
  for (const append of log.appends()) await store.append(append);
  return store;
}

async function whole(diffs: Diffs, then: number, now: number, limit: number, project?: string) {
  const all: AttributedDifference[] = [];
  let marker: string | undefined;
  for (let pages = 0; pages < 1000; pages++) {
    const query = { then, now, project, isTenant: false, kinds: RESOURCE_KINDS, limit, marker };
    const { differences, next } = await diffs.page(query);
    expect(differences.length).toBeLessThanOrEqual(limit);
    all.push(...differences);
    if (next === null) return all;
    marker = next;
  }
  throw new Error('The pages do not end.');
}

describe('a diff', () => {
  it.each([
    ['by the events in between', Infinity],
    ['by all rows of both moments', -1],
  ])('%s tells in pages of any length what the whole tables tell', async (_, fewEvents) => {
    const store = await storeOf();
    const head = await store.head();
    const diffs = new Diffs(store, store.reader, fewEvents);
    const tables = async (position: number) => {
      const rows = await store.reader.at(position);
      return Object.fromEntries(DIFF_TABLES.map((table) => [table, rows.live(table)]));
    };
    for (let then = 0; then < head; then += 11) {
      const now = Math.min(head, then * 2 + 5);
      const should = diffRows(await tables(then), await tables(now));
      for (const limit of [1, 3, 1000]) {
        const told = await whole(diffs, then, now, limit);
        expect(told.map(({ by: _by, ...difference }) => difference)).toEqual(should);
        for (const { by } of told) {
          expect(by.length).toBeGreaterThan(0);
          expect(by.every(({ position }) => position > then && position <= now)).toBe(true);
        }
      }
      const project = idOf('project');
      expect((await whole(diffs, then, now, 2, project)).map(({ id }) => id)).toEqual(
        should.filter((difference) => difference.project === project).map(({ id }) => id),
      );
    }
  });

  it('refuses a page of another diff', async () => {
    const store = await storeOf();
    const head = await store.head();
    const query = {
      then: 0,
      now: head,
      project: undefined,
      isTenant: false,
      kinds: RESOURCE_KINDS,
      limit: 1,
      marker: undefined,
    };
    const { next } = await new Diffs(store, store.reader).page(query);
    const other = new Diffs(store, store.reader, -1);
    await expect(other.page({ ...query, marker: next ?? '' })).rejects.toMatchObject({ reason: 'invalid' });
  });
});

describe('a part of a stream', () => {
  it('is what stands between two positions', async () => {
    const store = await storeOf();
    const head = await store.head();
    const events = await store.readAll(0, head);
    const counts = new Map<string, number>();
    for (const event of events) counts.set(event.stream, (counts.get(event.stream) ?? 0) + 1);
    const [stream] = [...counts].sort(([, a], [, b]) => b - a)[0] ?? [''];
    for (let after = 0; after <= head; after += 3) {
      for (const until of [after, after + 7, head]) {
        const read: number[] = [];
        for await (const page of streamRange(store, stream, after, until))
          read.push(...page.map(({ position }) => position));
        const should = events.filter(
          (event) => event.stream === stream && event.position > after && event.position <= until,
        );
        expect(read).toEqual(should.map(({ position }) => position));
      }
    }
  });
});
