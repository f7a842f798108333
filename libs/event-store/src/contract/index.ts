import type { Timers } from '@weir/kernel';
import fc from 'fast-check';
import {
  type Anchor,
  AppendTooLarge,
  digestOf,
  dumpRows,
  EventIdTaken,
  type EventStore,
  type LogProblem,
  EventTooLarge,
  HistoryPruned,
  MAX_EVENT_BYTES,
  type NewEvent,
  NO_STREAM,
  type RecordedEvent,
  replayRows,
  type RowReader,
  SEAL_PERIOD_MS,
  SEAL_STREAM,
  SEAL_TYPE,
  StoreClosed,
  UnknownMarker,
  type View,
  WrongExpectedRevision,
} from '../index';

import { describeGuarantees } from './guarantees';
import { newEvent, until, wholeLog } from './log';
import { describeRaces } from './races';

export * from './watched';

export interface OpenedStore {
  readonly store: EventStore;
  readonly reader?: RowReader;
  /** Closes the store and opens another one on what it wrote, with other views when given. */
  readonly reopen?: (views?: readonly View[]) => Promise<OpenedStore>;
}

/** Why an adapter does not answer a part of the suite; the reason stands in the test's title. */
export interface Exemptions {
  readonly rows?: string;
  readonly reopen?: string;
}

/** Tens of stores are opened one after another, on a disk that others use too. */
const PROPERTY_MS = 60_000;

/** A small inventory: enough for every kind of row change. */
const inventory: View = {
  name: 'inventory',
  tables: [
    {
      name: 'rm_items',
      columns: { shelf: 'text', item: 'text', label: 'text', count: 'integer', tags: 'json', changed: 'integer' },
      key: ['shelf', 'item'],
      indexes: [['label'], ['count']],
    },
    { name: 'rm_shelves', columns: { shelf: 'text', items: 'integer' }, key: ['shelf'], indexes: [] },
  ],
  rows: ({ type, data, position }) => {
    const key = { shelf: data['shelf'] ?? null, item: data['item'] ?? null };
    const shelf = { shelf: data['shelf'] ?? null };
    switch (type) {
      case 'ItemPut':
        return [
          {
            op: 'put',
            table: 'rm_items',
            row: {
              ...key,
              label: data['label'] ?? null,
              count: data['count'] ?? null,
              tags: data['tags'] ?? null,
              changed: position,
            },
          },
        ];
      case 'ItemLabelled':
        return [{ op: 'patch', table: 'rm_items', key, set: { label: data['label'] ?? null, changed: position } }];
      case 'ItemTagged':
        return [{ op: 'patch', table: 'rm_items', key, set: { tags: data['tags'] ?? null } }];
      case 'ItemCounted':
        return [{ op: 'add', table: 'rm_items', key, add: { count: Number(data['by']) } }];
      case 'ItemRemoved':
        return [{ op: 'remove', table: 'rm_items', key }];
      case 'ShelfFilled':
        return [
          { op: 'put', table: 'rm_shelves', row: { ...shelf, items: 0 } },
          { op: 'add', table: 'rm_shelves', key: shelf, add: { items: Number(data['items']) } },
        ];
      case 'ShelfFlashed':
        return [
          { op: 'remove', table: 'rm_shelves', key: shelf },
          { op: 'put', table: 'rm_shelves', row: { ...shelf, items: 1 } },
          { op: 'remove', table: 'rm_shelves', key: shelf },
        ];
      case 'ShelfMisread':
        return [{ op: 'put', table: 'rm_shelves', row: { ...shelf, items: 'many' } }];
      default:
        return [];
    }
  },
};

/** What every adapter of the event store port must do; `open` gives an empty store. */
export function describeEventStore(
  name: string,
  open: (views: readonly View[], timers?: Timers) => Promise<OpenedStore>,
  exemptions: Exemptions = {},
): void {
  const stores: EventStore[] = [];
  const opened = async (views: readonly View[] = [], timers?: Timers): Promise<OpenedStore> => {
    const result = await open(views, timers);
    stores.push(result.store);
    return result;
  };
  const empty = async (): Promise<EventStore> => (await opened()).store;

  afterEach(async () => {
    await Promise.all(stores.splice(0).map((store) => store.close()));
  });

  describe(`${name}: a stream`, () => {
    it('is empty before its first event', async () => {
      const store = await empty();
      expect(await store.readStream('network-1')).toEqual([]);
      expect(await store.readAll(0, 10)).toEqual([]);
      expect(await store.head()).toBe(0);
    });

    it('answers what was appended, with its place, as every later read does', async () => {
      const store = await empty();
      const events = [
        newEvent('NetworkCreated', { name: 'blue', tags: { b: 1, a: [null, true, 'ü\u{1F600}'] } }),
        newEvent('SubnetAdded'),
      ];
      const result = await store.append({ writes: [{ stream: 'network-1', expected: NO_STREAM, events }] });
      expect(result.events).toMatchObject(
        events.map((event, revision) => ({ ...event, stream: 'network-1', revision })),
      );
      expect(result.position).toBe(result.events[1]?.position);
      expect(await store.readStream('network-1')).toEqual(result.events);
      expect(await store.readAll(0, 10)).toEqual(result.events);
      expect(await store.head()).toBe(result.position);
    });

    it('is read from any revision', async () => {
      const store = await empty();
      const events = [newEvent('A'), newEvent('B'), newEvent('C')];
      await store.append({ writes: [{ stream: 'network-1', expected: NO_STREAM, events }] });
      expect((await store.readStream('network-1', 1)).map((event) => event.type)).toEqual(['B', 'C']);
      expect(await store.readStream('network-1', 3)).toEqual([]);
      expect((await store.readStream('network-1', 1, 1)).map((event) => event.type)).toEqual(['B']);
    });

    it('gives every event a digest over its canonical form, whatever the order of the keys', async () => {
      const store = await empty();
      const data = { z: 1, 10: 'ten', 9: 'nine', a: { y: -0, x: 1e21 }, ['__proto__']: 'own' };
      await store.append({ writes: [{ stream: 'network-1', expected: NO_STREAM, events: [newEvent('A', data)] }] });
      const [event] = await store.readStream('network-1');
      expect(event && digestOf(event)).toBe(event?.digest);
      expect(JSON.stringify(event?.data)).toBe('{"9":"nine","10":"ten","__proto__":"own","a":{"x":1e+21,"y":0},"z":1}');
      for await (const problem of store.verify()) expect(problem).toBeUndefined();
    });

    it('keeps what was appended when the caller changes its objects afterwards', async () => {
      const store = await empty();
      const data = { name: 'blue' };
      await store.append({ writes: [{ stream: 'network-1', expected: NO_STREAM, events: [newEvent('A', data)] }] });
      data.name = 'green';
      expect((await store.readStream('network-1'))[0]?.data).toEqual({ name: 'blue' });
    });
  });

  describe(`${name}: an expected revision`, () => {
    it('must be the last one', async () => {
      const store = await empty();
      await store.append({ writes: [{ stream: 'a', expected: NO_STREAM, events: [newEvent('A'), newEvent('B')] }] });
      for (const expected of [NO_STREAM, 0, 2]) {
        const refused = store.append({ writes: [{ stream: 'a', expected, events: [newEvent('C')] }] });
        await expect(refused).rejects.toMatchObject({
          constructor: WrongExpectedRevision,
          stream: 'a',
          expected,
          actual: 1,
          reason: 'conflict',
        });
      }
      await store.append({ writes: [{ stream: 'a', expected: 1, events: [newEvent('C')] }] });
      expect((await store.readStream('a')).map((event) => event.revision)).toEqual([0, 1, 2]);
    });

    it('of a stream that was only read is checked too', async () => {
      const store = await empty();
      await store.append({ writes: [{ stream: 'network', expected: NO_STREAM, events: [newEvent('A')] }] });
      const create = (expected: number) =>
        store.append({
          writes: [{ stream: 'port', expected: NO_STREAM, events: [newEvent('P')] }],
          checks: [{ stream: 'network', expected }],
        });
      await expect(create(NO_STREAM)).rejects.toThrow(WrongExpectedRevision);
      expect(await store.readStream('port')).toEqual([]);
      await create(0);
      expect(await store.readStream('port')).toHaveLength(1);
      expect(await store.readStream('network')).toHaveLength(1);
    });

    it('can be checked without writing anything', async () => {
      const store = await empty();
      const { position } = await store.append({
        writes: [{ stream: 'a', expected: NO_STREAM, events: [newEvent('A')] }],
      });
      expect(await store.append({ writes: [], checks: [{ stream: 'a', expected: 0 }] })).toEqual({
        position,
        events: [],
      });
      await expect(store.append({ writes: [], checks: [{ stream: 'a', expected: 1 }] })).rejects.toThrow(
        WrongExpectedRevision,
      );
    });
  });

  describe(`${name}: an append`, () => {
    it('to several streams is all or nothing', async () => {
      const store = await empty();
      await store.append({ writes: [{ stream: 'b', expected: NO_STREAM, events: [newEvent('B')] }] });
      const write = (stream: string, expected: number) => ({ stream, expected, events: [newEvent('X')] });
      await expect(
        store.append({ writes: [write('a', NO_STREAM), write('b', NO_STREAM), write('c', NO_STREAM)] }),
      ).rejects.toThrow(WrongExpectedRevision);
      expect(await store.readStream('a')).toEqual([]);
      expect(await store.readStream('c')).toEqual([]);
      const { events } = await store.append({ writes: [write('a', NO_STREAM), write('b', 0), write('c', NO_STREAM)] });
      expect(events.map(({ stream, revision }) => [stream, revision])).toEqual([
        ['a', 0],
        ['b', 1],
        ['c', 0],
      ]);
      expect((await wholeLog(store)).slice(1)).toEqual(events);
    });

    it('that fails does not harm the appends made at the same time', async () => {
      const store = await empty();
      const results = await Promise.allSettled(
        [NO_STREAM, 0, 7, 1].map((expected) =>
          store.append({ writes: [{ stream: 'a', expected, events: [newEvent('A')] }] }),
        ),
      );
      expect(results.map((result) => result.status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
      expect((await store.readStream('a')).map((event) => event.revision)).toEqual([0, 1, 2]);
    });

    it('made twice with the same ids answers the first result and writes nothing', async () => {
      const store = await empty();
      const append = {
        writes: [
          { stream: 'a', expected: NO_STREAM, events: [newEvent('A'), newEvent('B')] },
          { stream: 'b', expected: NO_STREAM, events: [newEvent('C')] },
        ],
        checks: [{ stream: 'c', expected: NO_STREAM }],
      };
      const first = await store.append(append);
      await store.append({
        writes: ['a', 'b', 'c'].map((stream, i) => ({ stream, expected: [1, 0, -1][i] ?? 0, events: [newEvent('D')] })),
      });
      expect(await store.append(append)).toEqual(first);
      expect(await wholeLog(store)).toHaveLength(6);
    });

    it('made twice at once is one append', async () => {
      const store = await empty();
      const append = { writes: [{ stream: 'a', expected: NO_STREAM, events: [newEvent('A')] }] };
      const [first, second] = await Promise.all([store.append(append), store.append(append)]);
      expect(second).toEqual(first);
      expect(await wholeLog(store)).toHaveLength(1);
    });

    it('refuses an event id that stands elsewhere', async () => {
      const store = await empty();
      const event = newEvent('A');
      await store.append({ writes: [{ stream: 'a', expected: NO_STREAM, events: [event] }] });
      const others = await Promise.allSettled([
        store.append({ writes: [{ stream: 'b', expected: NO_STREAM, events: [newEvent('B')] }] }),
        store.append({ writes: [{ stream: 'c', expected: NO_STREAM, events: [newEvent('C'), event] }] }),
        store.append({ writes: [{ stream: 'd', expected: NO_STREAM, events: [newEvent('D')] }] }),
      ]);
      expect(others.map((other) => other.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      expect(others[1]).toMatchObject({ reason: expect.any(EventIdTaken) as unknown });
      expect((await wholeLog(store)).map((recorded) => recorded.type)).toEqual(['A', 'B', 'D']);
    });

    it.each([
      [
        'a stream written twice',
        { writes: ['a', 'a'].map((stream) => ({ stream, expected: NO_STREAM, events: [newEvent('A')] })) },
      ],
      ['an empty stream name', { writes: [{ stream: '', expected: NO_STREAM, events: [newEvent('A')] }] }],
      [
        'a stream name of 201 characters',
        { writes: [{ stream: 'x'.repeat(201), expected: NO_STREAM, events: [newEvent('A')] }] },
      ],
      [
        'a stream name that is not Unicode',
        { writes: [{ stream: 'a\ud800', expected: NO_STREAM, events: [newEvent('A')] }] },
      ],
      ['a revision below none', { writes: [{ stream: 'a', expected: -2, events: [newEvent('A')] }] }],
      ['a checked revision that is no number', { writes: [], checks: [{ stream: 'a', expected: Number.NaN }] }],
      ['an event without a type', { writes: [{ stream: 'a', expected: NO_STREAM, events: [newEvent('')] }] }],
      [
        'an id given twice',
        {
          writes: [
            { stream: 'a', expected: NO_STREAM, events: [newEvent('A', {}, 'same'), newEvent('B', {}, 'same')] },
          ],
        },
      ],
    ])('refuses %s', async (_, append) => {
      const store = await empty();
      await expect(store.append(append)).rejects.toMatchObject({ reason: 'invalid' });
      expect(await store.head()).toBe(0);
    });

    it('takes events up to the limit and refuses larger ones', async () => {
      const store = await empty();
      const sized = (bytes: number) =>
        newEvent('A', { text: 'ü'.repeat((bytes - '{"text":""}'.length - 1) / 2) + 'x' });
      await store.append({ writes: [{ stream: 'a', expected: NO_STREAM, events: [sized(MAX_EVENT_BYTES)] }] });
      const larger = store.append({
        writes: [{ stream: 'b', expected: NO_STREAM, events: [sized(MAX_EVENT_BYTES + 2)] }],
      });
      await expect(larger).rejects.toThrow(EventTooLarge);
      expect(await store.readStream('b')).toEqual([]);
    });

    it('takes 1,000 events and refuses 1,001, and as many streams', async () => {
      const store = await empty();
      const events = Array.from({ length: 1001 }, (_, i) => newEvent(`T${i}`));
      await expect(store.append({ writes: [{ stream: 'a', expected: NO_STREAM, events }] })).rejects.toThrow(
        AppendTooLarge,
      );
      await store.append({ writes: [{ stream: 'a', expected: NO_STREAM, events: events.slice(1) }] });
      const checks = events.map((event) => ({ stream: `none-${event.type}`, expected: NO_STREAM }));
      await expect(store.append({ writes: [], checks })).rejects.toThrow(AppendTooLarge);
      await store.append({ writes: [], checks: checks.slice(1) });
      expect(await store.readStream('a')).toHaveLength(1000);
    });

    it(
      'behaves as a list of streams does, however often it is repeated',
      async () => {
        const command = fc.record({
          stream: fc.constantFrom('a', 'b', 'c'),
          behind: fc.constantFrom(0, 0, 0, 1, -1),
          events: fc.integer({ min: 1, max: 3 }),
          checked: fc.option(fc.constantFrom('a', 'b', 'c')),
          tries: fc.integer({ min: 1, max: 3 }),
        });
        await fc.assert(
          fc.asyncProperty(fc.array(command, { maxLength: 12 }), async (commands) => {
            const { store } = await open([]);
            try {
              const model = new Map<string, string[]>();
              const length = (stream: string) => model.get(stream)?.length ?? 0;
              for (const { stream, behind, events: count, checked, tries } of commands) {
                const expected = Math.max(NO_STREAM, length(stream) - 1 - behind);
                const right = expected === length(stream) - 1;
                const events = Array.from({ length: count }, () => newEvent('T'));
                const checks =
                  checked !== null && checked !== stream ? [{ stream: checked, expected: length(checked) - 1 }] : [];
                const results = [];
                for (let i = 0; i < tries; i++) {
                  results.push(
                    await store.append({ writes: [{ stream, expected, events }], checks }).catch((error: unknown) => {
                      expect(error).toBeInstanceOf(WrongExpectedRevision);
                      return 'refused';
                    }),
                  );
                }
                expect(results).toEqual(results.map(() => (right ? expect.anything() : 'refused') as unknown));
                expect(new Set(results.map((result) => JSON.stringify(result))).size).toBe(1);
                if (right) model.set(stream, [...(model.get(stream) ?? []), ...events.map((event) => event.id)]);
              }
              for (const [stream, ids] of model)
                expect((await store.readStream(stream)).map((event) => event.id)).toEqual(ids);
            } finally {
              await store.close();
            }
          }),
          { numRuns: 15 },
        );
      },
      PROPERTY_MS,
    );
  });

  describeRaces(name, empty);
  describeGuarantees(name, empty);

  describe(`${name}: the whole log`, () => {
    it('is read in pages, in the order of positions', async () => {
      const store = await empty();
      for (let i = 0; i < 5; i++) {
        await store.append({
          writes: [
            { stream: `s-${i}`, expected: NO_STREAM, events: [newEvent(`T${2 * i}`), newEvent(`T${2 * i + 1}`)] },
          ],
        });
      }
      const seen: RecordedEvent[] = [];
      for (
        let page = await store.readAll(0, 3);
        page.length > 0;
        page = await store.readAll(seen.at(-1)?.position ?? 0, 3)
      ) {
        expect(page.length).toBeLessThanOrEqual(3);
        seen.push(...page);
      }
      expect(seen.map((event) => event.type)).toEqual(Array.from({ length: 10 }, (_, i) => `T${i}`));
      expect(seen.every((event, i) => i === 0 || event.position > (seen[i - 1]?.position ?? 0))).toBe(true);
    });
  });

  describe(`${name}: a subscription`, () => {
    const appendTo = (store: EventStore, stream: string, type: string) =>
      store.append({ writes: [{ stream, expected: NO_STREAM, events: [newEvent(type)] }] });

    it('gives the past first, then what comes, in order and each once', async () => {
      const store = await empty();
      const seen: RecordedEvent[] = [];
      for (let i = 0; i < 20; i++) await appendTo(store, `past-${i}`, 'Past');
      const subscription = store.subscribe(0, (events) => Promise.resolve(void seen.push(...events)), fail);
      await Promise.all(Array.from({ length: 40 }, (_, i) => appendTo(store, `live-${i}`, 'Live')));
      await until(() => seen.length >= 60);
      await appendTo(store, 'last', 'Last');
      await until(() => seen.length >= 61);
      subscription.close();
      expect(seen).toEqual(await wholeLog(store));
    });

    it('goes on from any position', async () => {
      const store = await empty();
      for (let i = 0; i < 6; i++) await appendTo(store, `s-${i}`, `T${i}`);
      const log = await wholeLog(store);
      for (const start of [0, 3, 5, 6]) {
        const seen: RecordedEvent[] = [];
        const subscription = store.subscribe(
          log[start - 1]?.position ?? 0,
          (events) => Promise.resolve(void seen.push(...events)),
          fail,
        );
        await appendTo(store, `resumed-${start}`, 'Resumed');
        await until(() => seen.at(-1)?.stream === `resumed-${start}`);
        subscription.close();
        expect(seen.slice(0, 6 - start)).toEqual(log.slice(start));
      }
    });

    it('waits for its handler before it gives more', async () => {
      const store = await empty();
      let release: () => void = () => undefined;
      const gate = new Promise<void>((resolve) => (release = resolve));
      const calls: number[] = [];
      let running = 0;
      const handler = async (events: readonly RecordedEvent[]) => {
        expect(++running).toBe(1);
        calls.push(events.length);
        await gate;
        running--;
      };
      await appendTo(store, 'a', 'A');
      store.subscribe(0, handler, fail);
      await until(() => calls.length === 1);
      for (let i = 0; i < 5; i++) await appendTo(store, `more-${i}`, 'More');
      expect(calls).toEqual([1]);
      release();
      await until(() => calls.reduce((sum, count) => sum + count, 0) === 6);
    });

    it('stops when its handler fails, and says why', async () => {
      const store = await empty();
      const errors: unknown[] = [];
      let calls = 0;
      const handler = () => {
        calls++;
        return Promise.reject(new Error('no room'));
      };
      store.subscribe(0, handler, (error) => errors.push(error));
      const other: RecordedEvent[] = [];
      store.subscribe(0, (events) => Promise.resolve(void other.push(...events)), fail);
      await appendTo(store, 'a', 'A');
      await until(() => errors.length === 1);
      await appendTo(store, 'b', 'B');
      await until(() => other.length === 2);
      expect(errors).toEqual([new Error('no room')]);
      expect(calls).toBe(1);
    });

    it('is silent once it is closed', async () => {
      const store = await empty();
      let calls = 0;
      const closed = store.subscribe(0, () => Promise.resolve(calls++).then(() => undefined), fail);
      closed.close();
      const other: RecordedEvent[] = [];
      store.subscribe(0, (events) => Promise.resolve(void other.push(...events)), fail);
      await appendTo(store, 'a', 'A');
      await until(() => other.length === 1);
      expect(calls).toBe(0);
    });
  });

  const rows = exemptions.rows === undefined ? describe : describe.skip;
  rows(`${name}: read models${exemptions.rows === undefined ? '' : ` (not here: ${exemptions.rows})`}`, () => {
    const withRows = async () => {
      const { store, reader, reopen } = await opened([inventory]);
      if (!reader) throw new Error('An adapter without a reader names its exemption');
      let revision = NO_STREAM;
      const happen = async (type: string, data: NewEvent['data']): Promise<number> => {
        const { position } = await store.append({
          writes: [{ stream: 'inventory', expected: revision, events: [newEvent(type, data)] }],
        });
        revision++;
        return position;
      };
      return { store, reader, reopen, happen };
    };
    const key = { shelf: 's1', item: 'bolt' };

    it('show an append to the very next read', async () => {
      const { reader, happen } = await withRows();
      const position = await happen('ItemPut', { ...key, label: 'M8', count: 3, tags: { b: [1], a: null } });
      expect(reader.get('rm_items', key)).toEqual({
        ...key,
        label: 'M8',
        count: 3,
        tags: { a: null, b: [1] },
        changed: position,
      });
      expect(reader.live('rm_items')).toHaveLength(1);
      expect(reader.count('rm_items')).toBe(1);
    });

    it('show nothing of an append that was refused', async () => {
      const { store, reader, happen } = await withRows();
      await happen('ItemPut', { ...key, count: 3 });
      const refused = store.append({
        writes: [{ stream: 'inventory', expected: NO_STREAM, events: [newEvent('ItemCounted', { ...key, by: 5 })] }],
      });
      await expect(refused).rejects.toThrow(WrongExpectedRevision);
      expect(reader.get('rm_items', key)).toMatchObject({ count: 3 });
    });

    it('count a repeated append once', async () => {
      const { store, reader, happen } = await withRows();
      await happen('ItemPut', { ...key, count: 3 });
      const append = {
        writes: [{ stream: 'inventory', expected: 0, events: [newEvent('ItemCounted', { ...key, by: 5 })] }],
      };
      await store.append(append);
      await store.append(append);
      expect(reader.get('rm_items', key)).toMatchObject({ count: 8 });
    });

    it('patch, add to and remove the live row, and leave a row alone that is not there', async () => {
      const { reader, happen } = await withRows();
      await happen('ItemLabelled', { ...key, label: 'early' });
      await happen('ItemRemoved', key);
      expect(reader.get('rm_items', key)).toBeUndefined();
      await happen('ItemPut', { ...key, label: 'M8', tags: ['x'] });
      await happen('ItemCounted', { ...key, by: 2 });
      await happen('ItemCounted', { ...key, by: -5 });
      await happen('ItemLabelled', { ...key, label: null });
      expect(reader.get('rm_items', key)).toMatchObject({ label: null, count: -3, tags: ['x'] });
      await happen('ItemRemoved', key);
      expect(reader.get('rm_items', key)).toBeUndefined();
      expect(reader.count('rm_items')).toBe(0);
      expect([...reader.versions('rm_items')]).toHaveLength(4);
    });

    it('make one version of what one event does to one row', async () => {
      const { reader, happen } = await withRows();
      const filled = await happen('ShelfFilled', { shelf: 's1', items: 7 });
      expect([...reader.versions('rm_shelves')]).toEqual([
        { row: { shelf: 's1', items: 7 }, validFrom: filled, validTo: null },
      ]);
      const flashed = await happen('ShelfFlashed', { shelf: 's1' });
      expect([...reader.versions('rm_shelves')]).toEqual([
        { row: { shelf: 's1', items: 7 }, validFrom: filled, validTo: flashed },
      ]);
    });

    it('are the same query for now and for any position before', async () => {
      const { reader, happen } = await withRows();
      const put = await happen('ItemPut', { ...key, label: 'one', count: 1 });
      const other = await happen('ItemPut', { shelf: 's2', item: 'nut', label: 'one', count: 9 });
      const labelled = await happen('ItemLabelled', { ...key, label: 'two' });
      const removed = await happen('ItemRemoved', key);
      const again = await happen('ItemPut', { ...key, label: 'three', count: 3 });
      const labels = (position: number) => reader.asOf('rm_items', position).map((row) => row['label']);
      expect([put - 1, put, other, labelled, removed, again].map(labels)).toEqual([
        [],
        ['one'],
        ['one', 'one'],
        ['two', 'one'],
        ['one'],
        ['three', 'one'],
      ]);
      expect(reader.asOf('rm_items', again)).toEqual(reader.live('rm_items'));
      expect(reader.get('rm_items', key, labelled)).toMatchObject({ label: 'two', count: 1 });
      expect(reader.get('rm_items', key, removed)).toBeUndefined();
      expect(reader.count('rm_items', { label: 'one' }, other)).toBe(2);
      expect(reader.asOf('rm_items', labelled, { shelf: 's1' })).toMatchObject([{ label: 'two' }]);
    });

    it('are filtered by value, by list and by null', async () => {
      const { reader, happen } = await withRows();
      const items: [string, string | null, number | null, string[]][] = [
        ['a', 'red', 1, []],
        ['b', null, 2, ['x']],
        ['c', 'blue', null, ['x']],
        ['d', 'red', 3, []],
      ];
      for (const [item, label, count, tags] of items) await happen('ItemPut', { shelf: 's', item, label, count, tags });
      const found = (where: Parameters<RowReader['live']>[1]) =>
        reader.live('rm_items', where).map((row) => row['item']);
      expect(found({ label: 'red' })).toEqual(['a', 'd']);
      expect(found({ label: 'red', count: 3 })).toEqual(['d']);
      expect(found({ label: null })).toEqual(['b']);
      expect(found({ label: ['blue', null] })).toEqual(['b', 'c']);
      expect(found({ count: [1, 2, 7] })).toEqual(['a', 'b']);
      expect(found({ label: [] })).toEqual([]);
      expect(found({ tags: [['x']] })).toEqual(['b', 'c']);
      expect(found({ label: "red' or 1=1 --" })).toEqual([]);
      expect(reader.count('rm_items', { label: ['red', 'blue'] })).toBe(3);
    });

    it.each([
      { orderBy: [] },
      { orderBy: [{ column: 'label' }] },
      { orderBy: [{ column: 'label', direction: 'desc' as const }] },
      {
        orderBy: [
          { column: 'count', direction: 'desc' as const },
          { column: 'item', direction: 'desc' as const },
        ],
      },
    ])('are paged in one order, without gaps and doubles: $orderBy', async ({ orderBy }) => {
      const { reader, happen } = await withRows();
      const labels = ['b', null, 'a', 'b', '\u{1F600}', '\uffee', null, 'ab', 'B'];
      for (const [i, label] of labels.entries()) {
        await happen('ItemPut', { shelf: `s${i % 2}`, item: `i${i}`, label, count: i % 3 === 0 ? null : i % 3 });
      }
      const whole = reader.live('rm_items', {}, { orderBy });
      expect(new Set(whole.map((row) => row['item'])).size).toBe(labels.length);
      const paged = [];
      for (
        let after = undefined, page;
        ;
        after = { shelf: paged.at(-1)?.['shelf'] ?? null, item: paged.at(-1)?.['item'] ?? null }
      ) {
        page = reader.live('rm_items', {}, { orderBy, limit: 2, after });
        if (page.length === 0) break;
        paged.push(...page);
      }
      expect(paged).toEqual(whole);
      if (orderBy[0]?.column === 'label') {
        const expected = [null, null, 'B', 'a', 'ab', 'b', 'b', '\uffee', '\u{1F600}'];
        expect(whole.map((row) => row['label'])).toEqual('direction' in orderBy[0] ? expected.reverse() : expected);
      }
    });

    it('refuse a marker that is not there, and names that no view defines', async () => {
      const { reader } = await withRows();
      expect(() => reader.live('rm_items', {}, { after: key })).toThrow(UnknownMarker);
      expect(() => reader.live('rm_nothing')).toThrow(TypeError);
      expect(() => reader.live('rm_items', { colour: 'red' })).toThrow(TypeError);
      expect(() => reader.live('rm_items', {}, { orderBy: [{ column: 'colour; drop table events' }] })).toThrow(
        TypeError,
      );
      expect(() => reader.get('rm_items', { shelf: 's1' })).toThrow(TypeError);
    });

    it('refuse an append whose view writes what its table cannot hold', async () => {
      const { store, happen } = await withRows();
      await expect(happen('ShelfMisread', { shelf: 's1' })).rejects.toThrow(TypeError);
      await expect(happen('ItemPut', { shelf: 's1' })).rejects.toThrow(TypeError);
      expect(await store.head()).toBe(0);
      await happen('ShelfFilled', { shelf: 's1', items: 1 });
      expect(await store.readStream('inventory')).toHaveLength(1);
    });

    it(
      'equal a replay into fresh tables, byte for byte',
      async () => {
        const change = fc.record({
          type: fc.constantFrom(
            'ItemPut',
            'ItemLabelled',
            'ItemTagged',
            'ItemCounted',
            'ItemRemoved',
            'ShelfFilled',
            'ShelfFlashed',
          ),
          data: fc.record({
            shelf: fc.constantFrom('s1', 's2'),
            item: fc.constantFrom('bolt', 'nut'),
            label: fc.option(fc.string({ unit: 'binary' })),
            count: fc.option(fc.maxSafeInteger()),
            tags: fc.jsonValue() as fc.Arbitrary<NewEvent['data'][string]>,
            by: fc.integer(),
            items: fc.nat(),
          }),
        });
        await fc.assert(
          fc.asyncProperty(
            fc.array(fc.array(change, { minLength: 1, maxLength: 4 }), { maxLength: 10 }),
            async (appends) => {
              const { store, reader } = await open([inventory]);
              try {
                if (!reader) throw new Error('An adapter without a reader names its exemption');
                await Promise.all(
                  appends.map((events, i) =>
                    store.append({
                      writes: [
                        {
                          stream: `s-${i}`,
                          expected: NO_STREAM,
                          events: events.map(({ type, data }) => newEvent(type, data)),
                        },
                      ],
                    }),
                  ),
                );
                expect(dumpRows(reader)).toBe(dumpRows(replayRows([inventory], await wholeLog(store))));
              } finally {
                await store.close();
              }
            },
          ),
          { numRuns: 20 },
        );
      },
      PROPERTY_MS,
    );
  });

  rows(`${name}: rebuilt read models`, () => {
    /** A view that can be made to count otherwise than it did. */
    const tally = () => {
      const rule = { step: 1 };
      const view: View = {
        name: 'tally',
        tables: [
          { name: 'rm_tallies', columns: { what: 'text', count: 'integer' }, key: ['what'], indexes: [['count']] },
        ],
        rows: ({ data, revision }) => {
          const what = data['what'] ?? null;
          return revision === 0
            ? [{ op: 'put', table: 'rm_tallies', row: { what, count: rule.step } }]
            : [{ op: 'add', table: 'rm_tallies', key: { what }, add: { count: rule.step } }];
        },
      };
      return { rule, view };
    };
    const told = (store: EventStore, what: string, expected: number) =>
      store.append({ writes: [{ stream: what, expected, events: [newEvent('Told', { what })] }] });
    const opening = async (views: readonly View[]) => {
      const { store, reader } = await opened(views);
      if (!reader) throw new Error('An adapter without a reader names its exemption');
      return { store, reader };
    };
    const replayed = async (store: EventStore, views: readonly View[]) =>
      dumpRows(replayRows(views, await wholeLog(store)));

    it('equal the live ones, and change nothing where nothing was wrong', async () => {
      const { view } = tally();
      const { store, reader } = await opening([view, inventory]);
      for (let i = 0; i < 30; i++) await told(store, `t-${i % 7}`, Math.floor(i / 7) - 1);
      await store.seal();
      const before = dumpRows(reader);
      expect(await store.checkRebuild()).toBeUndefined();
      await store.rebuild();
      expect(dumpRows(reader)).toBe(before);
      await told(store, 't-0', 4);
      await store.rebuild();
      expect(dumpRows(reader)).toBe(await replayed(store, [view, inventory]));
    });

    it('take the place of the old ones while appends and reads go on', async () => {
      const { rule, view } = tally();
      const { store, reader } = await opening([view]);
      for (let i = 0; i < 40; i++) await told(store, `t-${i % 5}`, Math.floor(i / 5) - 1);
      rule.step = 3;
      let rebuilding = true;
      const rebuilt = store.rebuild().finally(() => (rebuilding = false));
      const writers = Array.from({ length: 4 }, async (_, writer) => {
        for (let revision = 0; rebuilding || revision < 10; revision++) {
          await told(store, `w-${writer}`, revision - 1);
          expect(reader.get('rm_tallies', { what: `w-${writer}` })).toEqual({
            what: `w-${writer}`,
            count: 3 * (revision + 1),
          });
        }
      });
      await Promise.all([rebuilt, ...writers]);
      expect(reader.get('rm_tallies', { what: 't-0' })).toEqual({ what: 't-0', count: 24 });
      expect(dumpRows(reader)).toBe(await replayed(store, [view]));
      expect(await store.checkRebuild()).toBeUndefined();
    });

    it('are compared without taking their place, and the first difference is named', async () => {
      const { rule, view } = tally();
      const { store, reader } = await opening([inventory, view]);
      const { position } = await told(store, 'b', NO_STREAM);
      await told(store, 'c', NO_STREAM);
      rule.step = 2;
      await told(store, 'd', NO_STREAM);
      const before = dumpRows(reader);
      expect(await store.checkRebuild()).toEqual({
        table: 'rm_tallies',
        key: { what: 'b' },
        live: { row: { what: 'b', count: 1 }, validFrom: position, validTo: null },
        rebuilt: { row: { what: 'b', count: 2 }, validFrom: position, validTo: null },
      });
      expect(dumpRows(reader)).toBe(before);
      expect(await store.checkRebuild(['inventory'])).toBeUndefined();
      await store.rebuild(['inventory']);
      expect(dumpRows(reader)).toBe(before);
      await store.rebuild(['tally']);
      expect(await store.checkRebuild()).toBeUndefined();
      expect(reader.get('rm_tallies', { what: 'b' })).toEqual({ what: 'b', count: 2 });
    });

    it('lack or have a version: the one that only one side has is named', async () => {
      let silent = false;
      const view: View = { ...tally().view, rows: (event) => (silent ? [] : tally().view.rows(event)) };
      const { store } = await opening([view]);
      const { position } = await told(store, 'a', NO_STREAM);
      silent = true;
      const version = { row: { what: 'a', count: 1 }, validFrom: position, validTo: null };
      expect(await store.checkRebuild()).toMatchObject({ key: { what: 'a' }, live: version, rebuilt: null });
      await store.rebuild();
      silent = false;
      expect(await store.checkRebuild()).toMatchObject({ key: { what: 'a' }, live: null, rebuilt: version });
    });

    it('are asked for by the name of their view', async () => {
      const { store } = await opening([inventory]);
      await expect(store.rebuild(['nothing'])).rejects.toMatchObject({ reason: 'not-found' });
      await expect(store.checkRebuild(['nothing'])).rejects.toMatchObject({ reason: 'not-found' });
    });

    it('are gone over one after another, whoever asks', async () => {
      const { view } = tally();
      const { store, reader } = await opening([view]);
      await told(store, 'a', NO_STREAM);
      await Promise.all([store.rebuild(), store.checkRebuild(), store.pruneVersions(1), store.rebuild()]);
      expect(dumpRows(reader)).toBe(await replayed(store, [view]));
    });
  });

  rows(`${name}: the past`, () => {
    const history = async () => {
      const { store, reader } = await opened([inventory]);
      if (!reader) throw new Error('An adapter without a reader names its exemption');
      const types = ['ItemPut', 'ItemLabelled', 'ItemCounted', 'ItemPut', 'ItemRemoved', 'ItemTagged'];
      for (let i = 0; i < 60; i++) {
        const data = { shelf: `s${i % 2}`, item: `i${i % 5}`, label: `l${i % 3}`, count: i, by: i, tags: [i] };
        const events = [newEvent(types[(i * 7) % types.length] ?? 'ItemPut', data)];
        await store.append({ writes: [{ stream: 'inventory', expected: i - 1, events }] });
      }
      const log = await wholeLog(store);
      const rowsAt = (position: number, where = {}, options = {}) =>
        replayRows(
          [inventory],
          log.filter((event) => event.position <= position),
        ).live('rm_items', where, options);
      return { store, reader, log, rowsAt };
    };
    const questions = [
      [{}, {}],
      [{ label: 'l1' }, {}],
      [{ label: ['l0', 'l2'], shelf: 's1' }, { limit: 2 }],
      [{}, { orderBy: [{ column: 'count', direction: 'desc' as const }], limit: 3 }],
    ] as const;

    it('is what a replay up to there gives, whatever is asked', async () => {
      const { reader, log, rowsAt } = await history();
      for (const { position } of log) {
        for (const [where, options] of questions) {
          const expected = rowsAt(position, where, options);
          expect(reader.asOf('rm_items', position, where, options)).toEqual(expected);
          expect((await reader.at(position)).live('rm_items', where, options)).toEqual(expected);
        }
        expect(reader.count('rm_items', { label: 'l1' }, position)).toBe(rowsAt(position, { label: 'l1' }).length);
        for (const { shelf, item } of rowsAt(position).slice(0, 2)) {
          const key = { shelf: shelf ?? null, item: item ?? null };
          expect(reader.get('rm_items', key, position)).toEqual(rowsAt(position, key)[0]);
        }
      }
    });

    it('is folded from the log where its versions are gone', async () => {
      const { store, reader, log, rowsAt } = await history();
      const [early, late] = [log[20]?.position ?? 0, log[40]?.position ?? 0];
      const all = [...reader.versions('rm_items')];
      await store.pruneVersions(late);
      expect(reader.horizon).toBe(late);
      expect([...reader.versions('rm_items')]).toEqual(all.filter(({ validTo }) => validTo === null || validTo > late));
      expect(() => reader.asOf('rm_items', early)).toThrow(HistoryPruned);
      await reader.prepareAsOf(early);
      for (const [where, options] of questions) {
        expect(reader.asOf('rm_items', early, where, options)).toEqual(rowsAt(early, where, options));
        expect(reader.asOf('rm_items', late, where, options)).toEqual(rowsAt(late, where, options));
        expect(await reader.foldAsOf('rm_items', late + 3, where, options)).toEqual(rowsAt(late + 3, where, options));
      }
      const past = await reader.at(early);
      expect(past.live('rm_items')).toEqual(rowsAt(early));
      expect(past.count('rm_items', { label: 'l1' })).toBe(rowsAt(early, { label: 'l1' }).length);
      expect(past.get('rm_items', { shelf: 's0', item: 'i0' })).toEqual(rowsAt(early, { shelf: 's0', item: 'i0' })[0]);
      for (const { position } of log) expect((await reader.at(position)).live('rm_items')).toEqual(rowsAt(position));
    });

    it('stays pruned through a rebuild, and a horizon does not go back', async () => {
      const { store, reader, log } = await history();
      const late = log[40]?.position ?? 0;
      await store.pruneVersions(late);
      await store.pruneVersions(1);
      expect(reader.horizon).toBe(late);
      const before = dumpRows(reader);
      expect(await store.checkRebuild()).toBeUndefined();
      await store.rebuild();
      expect(dumpRows(reader)).toBe(before);
      await store.pruneVersions(Number.MAX_SAFE_INTEGER);
      expect(reader.horizon).toBe(await store.head());
    });
  });

  const reopening = exemptions.reopen === undefined ? describe : describe.skip;
  reopening(
    `${name}: opened again${exemptions.reopen === undefined ? '' : ` (not here: ${exemptions.reopen})`}`,
    () => {
      const again = async ({ reopen }: OpenedStore, views?: readonly View[]): Promise<OpenedStore> => {
        if (!reopen) throw new Error('An adapter that cannot be opened again names its exemption');
        const result = await reopen(views);
        stores.push(result.store);
        return result;
      };
      const put = (store: EventStore, shelf: string, expected = NO_STREAM) =>
        store.append({
          writes: [{ stream: `shelf-${shelf}`, expected, events: [newEvent('ShelfFilled', { shelf, items: 1 })] }],
        });

      it('has all events and rows, and goes on behind them', async () => {
        const first = await opened([inventory]);
        const { position } = await put(first.store, 's1');
        const before = await wholeLog(first.store);
        const second = await again(first, [inventory]);
        expect(await wholeLog(second.store)).toEqual(before);
        expect(second.reader?.get('rm_shelves', { shelf: 's1' })).toEqual({ shelf: 's1', items: 1 });
        await expect(put(second.store, 's1')).rejects.toThrow(WrongExpectedRevision);
        expect((await put(second.store, 's2')).position).toBeGreaterThan(position);
      });

      it('fills the rows of a view that is new', async () => {
        const first = await opened();
        for (const shelf of ['s1', 's2', 's3']) await put(first.store, shelf);
        const { reader, store } = await again(first, [inventory]);
        expect(reader && dumpRows(reader)).toBe(dumpRows(replayRows([inventory], await wholeLog(store))));
        expect(reader?.count('rm_shelves')).toBe(3);
      });

      it('fills what a view missed while the store was used without it', async () => {
        const first = await opened([inventory]);
        await put(first.store, 's1');
        const without = await again(first, []);
        await put(without.store, 's2');
        await put(without.store, 's1', 0);
        const { reader, store } = await again(without, [inventory]);
        await put(store, 's3');
        expect(reader?.count('rm_shelves')).toBe(3);
        expect(reader && dumpRows(reader)).toBe(dumpRows(replayRows([inventory], await wholeLog(store))));
      });
    },
  );

  describe(`${name}: a time`, () => {
    const at = (second: number) => `2025-03-01T12:00:${String(second).padStart(2, '0')}.000Z`;
    const appendAt = (store: EventStore, stream: string, times: readonly string[]) =>
      store.append({
        writes: [
          {
            stream,
            expected: NO_STREAM,
            events: times.map((time) => {
              const event = newEvent('A');
              return { ...event, metadata: { ...event.metadata, time } };
            }),
          },
        ],
      });

    it('means the last position before the first later event, whatever stands behind it', async () => {
      const store = await empty();
      // The clock went back behind the third event.
      const { events } = await appendAt(store, 'a', [at(1), at(2), at(9), at(3), at(4), at(10)]);
      const position = (index: number) => events[index]?.position ?? 0;
      expect(await store.positionAt(at(0))).toBe(0);
      expect(await store.positionAt(at(1))).toBe(position(0));
      expect(await store.positionAt('2025-03-01T12:00:02.999Z')).toBe(position(1));
      expect(await store.positionAt('2025-03-01T14:00:04+02:00')).toBe(position(1));
      expect(await store.positionAt(at(9))).toBe(position(4));
      expect(await store.positionAt(at(30))).toBe(await store.head());
    });

    it('is found among sealed ranges as it is by looking at every event', async () => {
      const store = await empty();
      const times = Array.from({ length: 60 }, (_, i) => at((i * 7) % 11 === 0 ? 50 : Math.floor(i / 2)));
      for (const [i, time] of times.entries()) {
        await appendAt(store, `s-${i}`, [time]);
        if (i % 4 === 3) await store.seal();
      }
      const log = await wholeLog(store);
      for (let second = 0; second < 60; second++) {
        const later = log.findIndex((event) => event.metadata.time > at(second));
        expect(await store.positionAt(at(second))).toBe(log[later < 0 ? log.length - 1 : later - 1]?.position ?? 0);
      }
    });

    it('must be one', async () => {
      const store = await empty();
      for (const time of ['yesterday', '2025-03-01', '2025-03-01T12:00:00', '2025-13-01T12:00:00Z', '17'])
        await expect(store.positionAt(time)).rejects.toMatchObject({ reason: 'invalid' });
    });
  });

  describe(`${name}: a seal`, () => {
    const fill = async (store: EventStore, count: number, stream = 'a', expected = NO_STREAM) =>
      store.append({
        writes: [{ stream, expected, events: Array.from({ length: count }, (_, i) => newEvent(`T${i}`)) }],
      });
    const problems = async (store: EventStore, anchors: readonly Anchor[] = []): Promise<LogProblem[]> => {
      const found: LogProblem[] = [];
      for await (const problem of store.verify(anchors)) found.push(problem);
      return found;
    };

    it('closes what stands open, and nothing where nothing does', async () => {
      const store = await empty();
      expect(await store.seal()).toBeUndefined();
      const { events } = await fill(store, 3);
      const first = await store.seal();
      expect(first).toMatchObject({
        revision: 0,
        first: events[0]?.position,
        last: events[2]?.position,
        count: 3,
        previous: '',
        latest: '2025-03-01T12:00:00.000Z',
      });
      expect(await store.seal()).toBeUndefined();
      await fill(store, 1, 'b');
      const second = await store.seal();
      expect(second).toMatchObject({ revision: 1, count: 1, previous: first?.digest });
      expect(await store.seals(0, 10)).toEqual([first, second]);
      expect(await store.seals(0, 1)).toEqual([first]);
      expect(await store.seals(first?.position ?? 0, 10)).toEqual([second]);
      expect(await problems(store)).toEqual([]);
    });

    it('is an event of the log itself, that every reader sees and nobody else may append', async () => {
      const store = await empty();
      await fill(store, 1);
      const seal = await store.seal();
      const seen: RecordedEvent[] = [];
      store.subscribe(0, (events) => Promise.resolve(void seen.push(...events)), fail);
      await until(() => seen.length === 2);
      expect(seen[1]).toMatchObject({ type: SEAL_TYPE, stream: SEAL_STREAM, revision: 0, position: seal?.position });
      expect(await store.readStream(SEAL_STREAM)).toEqual([seen[1]]);
      expect(await store.head()).toBe(seal?.position);
      await expect(fill(store, 1, SEAL_STREAM, 0)).rejects.toMatchObject({ reason: 'invalid' });
    });

    it('stands behind every thousandth event without being asked for', async () => {
      const store = await empty();
      await fill(store, 999);
      await fill(store, 1, 'b');
      await fill(store, 700, 'c');
      await fill(store, 700, 'd');
      await fill(store, 1, 'e');
      expect((await store.seals(0, 10)).map(({ count }) => count)).toEqual([1000, 1400]);
      expect(await problems(store)).toEqual([]);
    });

    it('closes what was open for a minute, where the store was given timers', async () => {
      const pending = new Set<{ readonly ms: number; readonly action: () => void }>();
      const timers: Timers = {
        after: (ms, action) => {
          const timer = { ms, action };
          pending.add(timer);
          return () => pending.delete(timer);
        },
        sleep: () => Promise.reject(new Error('Nothing waits here')),
      };
      const elapse = (): void => {
        for (const timer of [...pending]) {
          pending.delete(timer);
          timer.action();
        }
      };
      const { store } = await opened([], timers);
      expect([...pending]).toEqual([]);
      await fill(store, 2);
      await fill(store, 1, 'b');
      expect([...pending].map(({ ms }) => ms)).toEqual([SEAL_PERIOD_MS]);
      expect(await store.seals(0, 10)).toEqual([]);
      elapse();
      // The next append stands behind it.
      await fill(store, 1, 'c');
      expect(await store.seals(0, 10)).toMatchObject([{ count: 3 }]);
      await store.seal();
      expect([...pending]).toEqual([]);
      await fill(store, 1, 'd');
      await store.close();
      expect([...pending]).toEqual([]);
    });

    it('and what is open are found right while appends go on', async () => {
      const store = await empty();
      let verifying = true;
      const writers = Array.from({ length: 3 }, async (_, writer) => {
        for (let i = 0; verifying || i < 5; i++) {
          await fill(store, 7, `w-${writer}-${i}`);
          if (i % 3 === writer) await store.seal();
        }
      });
      for (let i = 0; i < 5; i++) expect(await problems(store)).toEqual([]);
      verifying = false;
      await Promise.all(writers);
      expect(await problems(store, await store.seals(0, 1000))).toEqual([]);
    });

    it('is the same wherever the same was written', async () => {
      const [one, other] = [await empty(), await empty()];
      const events = [newEvent('A'), newEvent('B')];
      for (const store of [one, other]) await store.append({ writes: [{ stream: 'a', expected: NO_STREAM, events }] });
      const sealed = await one.seal();
      expect(sealed).toEqual(await other.seal());
      const anchors = sealed ? [sealed] : [];
      expect(await problems(other, anchors)).toEqual([]);
      const rewritten = await empty();
      await fill(rewritten, 2);
      await rewritten.seal();
      expect(await problems(rewritten, anchors)).toMatchObject([{ position: sealed?.position, problem: 'anchor' }]);
      const cut = await empty();
      await cut.append({ writes: [{ stream: 'a', expected: NO_STREAM, events }] });
      expect(await problems(cut, anchors)).toMatchObject([{ position: sealed?.position, problem: 'anchor' }]);
    });
  });

  describe(`${name}: closed`, () => {
    it('finishes what was asked before, and refuses what comes after', async () => {
      const store = await empty();
      const append = (stream: string) =>
        store.append({ writes: [{ stream, expected: NO_STREAM, events: [newEvent('A')] }] });
      const pending = ['a', 'b', 'c'].map(append);
      const closed = store.close();
      expect((await Promise.all(pending)).flatMap((result) => result.events)).toHaveLength(3);
      await closed;
      await expect(append('d')).rejects.toThrow(StoreClosed);
      await expect(store.readStream('a')).rejects.toThrow(StoreClosed);
      await expect(store.readAll(0, 1)).rejects.toThrow(StoreClosed);
      await expect(store.head()).rejects.toThrow(StoreClosed);
      expect(() => store.subscribe(0, () => Promise.resolve(), fail)).toThrow(StoreClosed);
      await store.close();
    });
  });
}

function fail(error: unknown): void {
  throw error instanceof Error ? error : new Error(String(error));
}
