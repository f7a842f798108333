import type { RestartableFactStore } from '../journal';
import type { ProjectedFactStore } from '../ports';
import type { FactLine } from '../protocol';
import { remove, upsert } from './world';

const at = (lines: readonly FactLine[]): string[] =>
  lines.map(
    (line) =>
      `${line.position} ${line.type} ${line.kind} ${line.id}${line.type === 'upsert' ? ` ${JSON.stringify(line.body)}` : ''}`,
  );

const entry = (position: number, ...changes: ReturnType<typeof upsert>[]) => ({
  position,
  digest: `event ${position}`,
  changes,
});

type Store = RestartableFactStore & ProjectedFactStore;

/** The suite of every FactStore; `make` gives an empty one of generation 1. */
export function describeFactStore(name: string, make: () => Store): void {
  describe(`${name}, as a store of facts`, () => {
    let store: Store;
    beforeEach(() => {
      store = make();
    });
    afterEach(() => store.close());

    it('begins at position 0, which every follower knows', () => {
      expect(store.head()).toEqual({ position: 0, digest: '' });
      expect(store.digestAt(0)).toBe('');
      expect(store.after('paris', 0, 10)).toEqual([]);
    });

    it('gives each follower its own facts, in order of position', () => {
      store.commit(
        entry(5, upsert('paris', 'port', 'b'), upsert('tokyo', 'port', 'b'), upsert('paris', 'network', 'n')),
      );
      store.commit(entry(9, upsert('paris', 'port', 'a', { mac: 'm' })));
      expect(at(store.after('paris', 0, 10))).toEqual([
        '5 upsert network n {}',
        '5 upsert port b {}',
        '9 upsert port a {"mac":"m"}',
      ]);
      expect(at(store.after('tokyo', 0, 10))).toEqual(['5 upsert port b {}']);
      expect(at(store.after('paris', 5, 10))).toEqual(['9 upsert port a {"mac":"m"}']);
      expect(at(store.after('paris', 0, 1))).toEqual(['5 upsert network n {}']);
    });

    it('keeps the last state of each thing only', () => {
      for (let position = 1; position <= 300; position++)
        store.commit(entry(position, upsert('paris', 'port', 'a', { position })));
      expect(at(store.after('paris', 0, 1000))).toEqual(['300 upsert port a {"position":300}']);
    });

    it('may hold another body of the same fact for another follower', () => {
      store.commit(
        entry(1, upsert('paris', 'port', 'a', { here: true }), upsert('tokyo', 'port', 'a', { here: false })),
      );
      store.commit(entry(2, upsert('paris', 'port', 'a', { here: false })));
      expect(at(store.live('paris'))).toEqual(['2 upsert port a {"here":false}']);
      expect(at(store.live('tokyo'))).toEqual(['1 upsert port a {"here":false}']);
    });

    it('leaves a fact where it is when nothing of it changed', () => {
      store.commit(entry(1, upsert('paris', 'port', 'a', { x: 1, y: 2 })));
      store.commit(entry(2, upsert('paris', 'port', 'a', { y: 2, x: 1 }), remove('paris', 'port', 'never there')));
      expect(at(store.after('paris', 0, 10))).toEqual(['1 upsert port a {"x":1,"y":2}']);
      expect(store.head()).toEqual({ position: 2, digest: 'event 2' });
    });

    it('counts the last of several changes of one fact in one entry', () => {
      store.commit(entry(1, upsert('paris', 'port', 'a', { n: 1 }), upsert('paris', 'port', 'a', { n: 2 })));
      store.commit(entry(2, upsert('paris', 'port', 'b'), remove('paris', 'port', 'b')));
      expect(at(store.after('paris', 0, 10))).toEqual(['1 upsert port a {"n":2}']);
    });

    it('keeps a tombstone until that follower has passed it', () => {
      store.commit(entry(1, upsert('paris', 'port', 'a'), upsert('tokyo', 'port', 'a')));
      store.commit(entry(2, remove('paris', 'port', 'a'), remove('tokyo', 'port', 'a')));
      store.acknowledge('paris', { position: 1, digest: 'event 1' });
      expect(at(store.after('paris', 0, 10))).toEqual(['2 delete port a']);
      expect(store.live('paris')).toEqual([]);
      store.acknowledge('paris', { position: 2, digest: 'event 2' });
      expect(store.after('paris', 0, 10)).toEqual([]);
      expect(at(store.after('tokyo', 0, 10))).toEqual(['2 delete port a']);
      expect(store.acknowledged('paris')).toEqual({ position: 2, digest: 'event 2' });
      expect(store.acknowledged('tokyo')).toBeUndefined();
    });

    it('brings back what was deleted', () => {
      store.commit(entry(1, upsert('paris', 'port', 'a')));
      store.commit(entry(2, remove('paris', 'port', 'a')));
      store.commit(entry(3, upsert('paris', 'port', 'a')));
      store.acknowledge('paris', { position: 2, digest: 'event 2' });
      expect(at(store.after('paris', 0, 10))).toEqual(['3 upsert port a {}']);
    });

    it('knows the digest of every position at which it stood, and of no other', () => {
      store.commit(entry(3));
      store.commit(entry(7, upsert('paris', 'port', 'a')));
      expect([store.digestAt(3), store.digestAt(5), store.digestAt(7), store.digestAt(8)]).toEqual([
        'event 3',
        undefined,
        'event 7',
        undefined,
      ]);
    });

    it('forgets digests far below the last cursor, except where a fact still stands', () => {
      store.commit(entry(1, upsert('paris', 'port', 'old')));
      store.commit(entry(2));
      store.commit(entry(3));
      store.commit(entry(50_000));
      store.acknowledge('tokyo', { position: 3, digest: 'event 3' });
      store.acknowledge('paris', { position: 50_000, digest: 'event 50000' });
      expect(store.digestAt(2)).toBe('event 2');
      store.acknowledge('tokyo', { position: 50_000, digest: 'event 50000' });
      expect([store.digestAt(1), store.digestAt(2), store.digestAt(50_000)]).toEqual([
        'event 1',
        undefined,
        'event 50000',
      ]);
    });

    it('refuses a position that does not come after the head, and changes nothing', () => {
      store.commit(entry(5));
      expect(() => store.commit(entry(5, upsert('paris', 'port', 'a')))).toThrow('does not come after');
      expect(() => store.commit(entry(4, upsert('paris', 'port', 'a')))).toThrow('does not come after');
      expect(store.after('paris', 0, 10)).toEqual([]);
    });

    it('refuses a body that fits on no line, and with it the whole entry', () => {
      const large = upsert('paris', 'port', 'large', { text: 'x'.repeat(1024 * 1024) });
      expect(() => store.commit(entry(1, upsert('paris', 'port', 'a'), large))).toThrow('does not fit on a line');
      expect(store.head().position).toBe(0);
      expect(store.after('paris', 0, 10)).toEqual([]);
    });

    it('forgets a follower that left', () => {
      store.commit(entry(1, upsert('paris', 'port', 'a'), upsert('tokyo', 'port', 'a')));
      store.acknowledge('paris', { position: 1, digest: 'event 1' });
      store.remove('paris');
      expect(store.live('paris')).toEqual([]);
      expect(store.acknowledged('paris')).toBeUndefined();
      expect(at(store.live('tokyo'))).toEqual(['1 upsert port a {}']);
    });

    it('buries what only the follower is known to hold', () => {
      const bury = { follower: 'paris', op: 'bury', kind: 'port', id: 'a' } as const;
      store.commit(entry(1, bury));
      expect(at(store.after('paris', 0, 10))).toEqual(['1 delete port a']);
      expect([store.live('paris'), store.after('tokyo', 0, 10)]).toEqual([[], []]);
      store.commit(entry(2, upsert('paris', 'port', 'a')));
      store.commit(entry(3, bury));
      expect(at(store.after('paris', 0, 10))).toEqual(['3 delete port a']);
      store.acknowledge('paris', { position: 3, digest: 'event 3' });
      expect(store.after('paris', 0, 10)).toEqual([]);
    });

    it('is raised to a higher generation with its facts and tombstones, and without cursors', () => {
      store.commit(entry(1, upsert('paris', 'port', 'a'), upsert('paris', 'port', 'b')));
      store.commit(entry(2, remove('paris', 'port', 'a')));
      store.acknowledge('paris', { position: 1, digest: 'event 1' });
      expect(() => store.raise(1)).toThrow('not above');
      store.raise(4);
      expect([store.generation, store.acknowledged('paris')]).toEqual([4, undefined]);
      expect(at(store.after('paris', 0, 10))).toEqual(['1 upsert port b {}', '2 delete port a']);
    });

    it('is reset with nothing, also to a lower generation', () => {
      store.raise(4);
      store.commit(entry(8, upsert('paris', 'port', 'a')));
      store.reset(2);
      expect([store.generation, store.head(), store.live('paris'), store.digestAt(8)]).toEqual([
        2,
        { position: 0, digest: '' },
        [],
        undefined,
      ]);
    });

    it('restarts with nothing, as a higher generation only', () => {
      store.commit(entry(8, upsert('paris', 'port', 'a')));
      store.acknowledge('paris', { position: 8, digest: 'event 8' });
      expect(() => store.restart(1)).toThrow('not above');
      store.restart(2);
      expect([
        store.generation,
        store.head(),
        store.live('paris'),
        store.acknowledged('paris'),
        store.digestAt(8),
      ]).toEqual([2, { position: 0, digest: '' }, [], undefined, undefined]);
      store.commit(entry(1, upsert('paris', 'port', 'b')));
      expect(at(store.live('paris'))).toEqual(['1 upsert port b {}']);
    });
  });
}
