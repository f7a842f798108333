import fc from 'fast-check';
import { WrongExpectedRevision } from '../errors';
import { MemoryEventStore } from '../memory';
import { type Append, type NewEvent, NO_STREAM } from '../port';
import type { ListOptions, RowReader } from '../reader';
import type { View } from '../view';
import { Branch } from './index';

const items: View = {
  name: 'items',
  tables: [
    {
      name: 'rm_items',
      columns: { shelf: 'text', item: 'integer', label: 'text', count: 'integer', tags: 'json' },
      key: ['shelf', 'item'],
      indexes: [],
    },
  ],
  rows: ({ type, data, stream }) => {
    const key = { shelf: stream, item: data['item'] ?? null };
    const [label, count] = [data['label'] ?? null, Number(data['count'])];
    if (type === 'Put') return [{ op: 'put', table: 'rm_items', row: { ...key, label, count, tags: [label] } }];
    if (type === 'Labelled') return [{ op: 'patch', table: 'rm_items', key, set: { label, tags: { label } } }];
    if (type === 'Counted') return [{ op: 'add', table: 'rm_items', key, add: { count } }];
    return [{ op: 'remove', table: 'rm_items', key }];
  },
};

interface Happening {
  readonly shelf: string;
  readonly type: string;
  readonly data: { readonly item: number; readonly label: string; readonly count: number };
}

const SHELVES = ['a', 'b'];
const happening: fc.Arbitrary<Happening> = fc.record({
  shelf: fc.constantFrom(...SHELVES),
  type: fc.constantFrom('Put', 'Put', 'Labelled', 'Counted', 'Removed'),
  data: fc.record({ item: fc.nat(3), label: fc.constantFrom('x', 'y', 'é'), count: fc.integer({ min: -2, max: 2 }) }),
});
const happenings = fc.array(happening, { maxLength: 12 });

let ids = 0;
function event({ type, data }: Happening): NewEvent {
  const metadata = { correlation: 'c', causation: 'c', actor: 'a', time: '2025-03-01T12:00:00.000Z' };
  return { id: `event-${ids++}`, type, schemaVersion: 1, data, metadata };
}

/** One append each, at the revisions that `log` has. */
async function happen(log: Pick<MemoryEventStore, 'append' | 'readStream'>, all: readonly Happening[]): Promise<void> {
  for (const one of all) {
    const expected = (await log.readStream(one.shelf)).at(-1)?.revision ?? NO_STREAM;
    await log.append({ writes: [{ stream: one.shelf, expected, events: [event(one)] }] });
  }
}

/** Whatever a reader can be asked of what is live. */
function answers(rows: RowReader): unknown[] {
  const filters = [{}, { shelf: 'a' }, { label: ['x', 'é'] }, { count: 0, shelf: ['a', 'b'] }, { item: [] }];
  const options: ListOptions[] = [
    {},
    { limit: 2 },
    { orderBy: [{ column: 'count', direction: 'desc' }, { column: 'label' }] },
    { orderBy: [{ column: 'label' }], limit: 1 },
  ];
  const keys = SHELVES.flatMap((shelf) => [0, 1, 2, 3].map((item) => ({ shelf, item })));
  const after = rows.live('rm_items').map(({ shelf, item }) => ({ shelf: shelf ?? null, item: item ?? null }));
  return [
    ...keys.map((key) => rows.get('rm_items', key)),
    ...filters.map((where) => rows.count('rm_items', where)),
    ...filters.flatMap((where) => options.map((chosen) => rows.live('rm_items', where, chosen))),
    ...after.flatMap((key) => options.map((chosen) => rows.live('rm_items', {}, { ...chosen, after: key }))),
  ];
}

async function branched(store: MemoryEventStore, position?: number): Promise<Branch> {
  return Branch.at(position ?? (await store.head()), { store, rows: store.reader, views: [items] });
}

describe('a branch of a log', () => {
  it('answers as the store would after the same appends, whatever happens in the store meanwhile', async () => {
    await fc.assert(
      fc.asyncProperty(happenings, happenings, happenings, async (before, here, meanwhile) => {
        const [store, other] = [new MemoryEventStore({ views: [items] }), new MemoryEventStore({ views: [items] })];
        await happen(store, before);
        await happen(other, before);
        const branch = await branched(store);
        await happen(store, meanwhile);
        await happen(branch, here);
        await happen(other, here);

        expect(answers(branch.rows)).toEqual(answers(other.reader));
        expect(await branch.head()).toBe(await other.head());
        for (const shelf of SHELVES) {
          const bare = (events: readonly { readonly id: string; readonly digest: string }[]) =>
            events.map((one) => ({ ...one, id: '', digest: '' }));
          expect(bare(await branch.readStream(shelf))).toEqual(bare(await other.readStream(shelf)));
        }
        expect(await store.head()).toBe(before.length + meanwhile.length);
      }),
      { numRuns: 100 },
    );
  });

  it('refuses what the store would have refused, and takes nothing of it', async () => {
    const store = new MemoryEventStore({ views: [items] });
    const put = (shelf: string): Happening => ({ shelf, type: 'Put', data: { item: 1, label: 'x', count: 1 } });
    await happen(store, [put('a')]);
    const branch = await branched(store);
    const append = (expected: number, checks: Append['checks'] = []): Append => ({
      writes: [{ stream: 'b', expected, events: [event(put('b'))] }],
      checks,
    });
    await expect(branch.append(append(0))).rejects.toThrow(WrongExpectedRevision);
    await expect(branch.append(append(NO_STREAM, [{ stream: 'a', expected: 3 }]))).rejects.toThrow(
      WrongExpectedRevision,
    );
    await expect(branch.append(append(-2))).rejects.toThrow('revision');
    expect(branch.events).toEqual([]);
    await branch.append(append(NO_STREAM, [{ stream: 'a', expected: 0 }]));
    await expect(branch.append(append(NO_STREAM))).rejects.toThrow(WrongExpectedRevision);
  });

  it('knows which streams it stands on, and where they were', async () => {
    const store = new MemoryEventStore({ views: [items] });
    const put = (shelf: string): Happening => ({ shelf, type: 'Put', data: { item: 1, label: 'x', count: 1 } });
    await happen(store, [put('a'), put('a'), put('b')]);
    const branch = await branched(store, 1);
    await happen(branch, [put('a'), put('c'), put('a')]);
    expect(await branch.readStream('a', 3)).toEqual([]);
    expect(branch.revisions).toEqual(
      new Map([
        ['a', 0],
        ['c', NO_STREAM],
      ]),
    );
    expect(branch.rows.count('rm_items')).toBe(2);
    expect(branch.rows.live('rm_items', { shelf: 'b' })).toEqual([]);
  });
});
