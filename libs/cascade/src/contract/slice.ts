import type { FactLine } from '../protocol';
import type { SliceMark, SliceStore } from '../slice';

const up = (position: number, kind: string, id: string, body: Record<string, unknown> = {}): FactLine => ({
  type: 'upsert',
  kind,
  id,
  position,
  body,
});
const gone = (position: number, kind: string, id: string): FactLine => ({ type: 'delete', kind, id, position });
const mark = (position: number, generation = 1, caughtUp = false): SliceMark => ({
  position,
  digest: `event ${position}`,
  generation,
  caughtUp,
});

const ids = (slice: SliceStore): string[] => slice.facts().map(({ kind, id, position }) => `${position} ${kind} ${id}`);

/** The suite of every SliceStore; `reopen` gives what a process finds that starts again over the same rows. */
export function describeSliceStore(
  name: string,
  make: () => { readonly slice: SliceStore; readonly reopen?: () => SliceStore },
): void {
  describe(`${name}, as a followed slice`, () => {
    let slice: SliceStore;
    let reopen: (() => SliceStore) | undefined;
    beforeEach(() => {
      ({ slice, reopen } = make());
      slice.newGeneration(1);
    });
    afterEach(() => slice.close());

    it('takes facts and cursor over together', () => {
      const { changed } = slice.apply([up(1, 'network', 'n', { mtu: 1450 }), up(2, 'port', 'a')], mark(4));
      expect(changed).toHaveLength(2);
      expect(slice.cursor()).toEqual({ generation: 1, position: 4, digest: 'event 4' });
      expect(ids(slice)).toEqual(['1 network n', '2 port a']);
      expect(slice.get('network', 'n')).toEqual({ kind: 'network', id: 'n', position: 1, body: { mtu: 1450 } });
    });

    it('is found again by the process that starts next', () => {
      if (!reopen) return;
      slice.apply([up(1, 'network', 'n', { mtu: 1450 })], mark(4));
      slice = reopen();
      expect(slice.cursor()).toEqual({ generation: 1, position: 4, digest: 'event 4' });
      expect(slice.get('network', 'n')?.body).toEqual({ mtu: 1450 });
    });

    it('plans without storing anything', () => {
      const batch = [up(1, 'port', 'a')];
      expect(slice.plan(batch, mark(1)).changed).toEqual(batch);
      expect(slice.facts()).toEqual([]);
      expect(slice.cursor().position).toBe(0);
      expect(slice.apply(batch, mark(1)).changed).toEqual(batch);
    });

    it('does nothing for the same position with the same contents', () => {
      const batch = [up(1, 'port', 'a', { x: 1, y: 2 })];
      slice.apply(batch, mark(1));
      expect(slice.apply([up(1, 'port', 'a', { y: 2, x: 1 })], mark(1)).changed).toEqual([]);
    });

    it('refuses the same position with other contents, and stores nothing of that batch', () => {
      slice.apply([up(1, 'port', 'a', { x: 1 })], mark(1));
      expect(() => slice.apply([up(2, 'port', 'b'), up(1, 'port', 'a', { x: 2 })], mark(2))).toThrow('other contents');
      expect(ids(slice)).toEqual(['1 port a']);
      expect(slice.cursor().position).toBe(1);
    });

    it('ignores a fact that is older than what it has', () => {
      slice.apply([up(7, 'port', 'a', { x: 7 })], mark(7));
      expect(slice.apply([up(3, 'port', 'a', { x: 3 }), gone(2, 'port', 'a')], mark(7)).changed).toEqual([]);
      expect(slice.get('port', 'a')?.body).toEqual({ x: 7 });
    });

    it('deletes what it is told to delete, and passes on a delete of what it does not know', () => {
      slice.apply([up(1, 'server', 's')], mark(1));
      const deletes = [gone(2, 'server', 's'), gone(2, 'server', 'unknown')];
      expect(slice.apply(deletes, mark(2)).changed).toEqual(deletes);
      expect(slice.facts()).toEqual([]);
    });

    it('moves a fact that is told again unchanged, without calling that a change', () => {
      slice.apply([up(1, 'port', 'a', { x: 1 })], mark(1));
      expect(slice.apply([up(5, 'port', 'a', { x: 1 })], mark(5)).changed).toEqual([]);
      expect(ids(slice)).toEqual(['5 port a']);
    });

    it('refuses an older generation, and a batch of another', () => {
      slice.newGeneration(3);
      expect(() => slice.newGeneration(2)).toThrow('older');
      expect(() => slice.apply([up(1, 'port', 'a')], mark(1, 2))).toThrow('generation');
      expect(() => slice.apply([up(1, 'port', 'a')], mark(1, 4))).toThrow('generation');
      expect(slice.facts()).toEqual([]);
    });

    it('refuses a mark behind its cursor', () => {
      slice.apply([], mark(5));
      expect(() => slice.apply([], mark(4))).toThrow('behind');
    });

    describe('under a new generation', () => {
      beforeEach(() => {
        slice.apply(
          [
            up(4, 'network', 'n'),
            up(5, 'port', 'a', { x: 1 }),
            up(6, 'port', 'b'),
            up(7, 'server', 's'),
            up(8, 'server', 't'),
          ],
          mark(9, 1, true),
        );
        slice.newGeneration(2);
      });

      it('keeps everything until the publisher has caught up', () => {
        expect(slice.cursor()).toEqual({ generation: 2, position: 0, digest: '' });
        expect(slice.apply([up(1, 'port', 'a', { x: 1 })], mark(1, 2)).changed).toEqual([]);
        expect(slice.facts()).toHaveLength(5);
      });

      it('compares no positions with those of before: a new journal counts from 1', () => {
        expect(slice.apply([up(1, 'port', 'a', { x: 2 })], mark(1, 2)).changed).toEqual([up(1, 'port', 'a', { x: 2 })]);
        expect(slice.get('port', 'a')).toEqual({ kind: 'port', id: 'a', position: 1, body: { x: 2 } });
      });

      it('then lets go of what is derived and was not repeated, and names what holds state as an orphan', () => {
        const change = slice.apply([up(1, 'network', 'n'), up(2, 'server', 's')], mark(3, 2, true));
        expect(change.absent).toEqual([
          { kind: 'port', id: 'a' },
          { kind: 'port', id: 'b' },
        ]);
        expect(change.orphaned).toEqual([{ kind: 'server', id: 't' }]);
        expect(change.changed).toEqual([gone(3, 'port', 'a'), gone(3, 'port', 'b')]);
        expect(ids(slice)).toEqual(['1 network n', '2 server s']);
        expect(slice.orphans().map(({ id }) => id)).toEqual(['t']);
        expect(slice.get('server', 't')).toBeUndefined();
      });

      it('names an orphan once, takes it back when it is told again, and lets it go when it is deleted', () => {
        slice.apply([], mark(3, 2, true));
        slice.newGeneration(3);
        expect(slice.apply([], mark(1, 3, true)).orphaned).toEqual([]);
        expect(slice.apply([up(5, 'server', 's')], mark(5, 3)).changed).toEqual([up(5, 'server', 's')]);
        expect(slice.apply([gone(6, 'server', 't')], mark(6, 3)).changed).toEqual([gone(6, 'server', 't')]);
        expect(ids(slice)).toEqual(['5 server s']);
        expect(slice.orphans()).toEqual([]);
      });

      it('does so after a restart in between, and however often it starts over', () => {
        slice.apply([up(1, 'network', 'n')], mark(1, 2));
        if (reopen) slice = reopen();
        slice.newGeneration(2);
        expect(slice.cursor().position).toBe(0);
        slice.apply([up(2, 'server', 's'), up(2, 'server', 't'), up(3, 'port', 'a', { x: 1 })], mark(3, 2, true));
        expect(ids(slice)).toEqual(['2 server s', '2 server t', '3 port a']);
      });
    });

    it('removes nothing at the caught-up mark of a generation that goes on', () => {
      slice.apply([up(1, 'port', 'a')], mark(1, 1, true));
      expect(slice.apply([], mark(2, 1, true))).toEqual({ changed: [], absent: [], orphaned: [] });
      expect(ids(slice)).toEqual(['1 port a']);
    });
  });
}
