import { inspect } from 'node:util';
import fc from 'fast-check';
import { Rehearsal, RehearsedMap, RehearsedSet } from './rehearsal';

/** Everything that an object holds, in order. */
const whole = (value: object) => inspect(value, { depth: Infinity, maxArrayLength: Infinity });

type Act = { readonly act: 'set' | 'delete'; readonly key: string; readonly value: number } | { readonly act: 'clear' };

const keys = fc.constantFrom('a', 'b', 'c', 'd', 'e');
const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ act: fc.constantFrom('set', 'delete'), key: keys, value: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.constant({ act: 'clear' as const }) },
);
const acts = fc.array(act, { maxLength: 20 });

function doAll(map: Map<string, number>, set: Set<string>, list: readonly Act[]): unknown[] {
  return list.map((one) => {
    if (one.act === 'clear') return [map.clear(), set.clear()];
    if (one.act === 'delete') return [map.delete(one.key), set.delete(one.key)];
    return [map.set(one.key, one.value) === map, set.add(one.key) === set];
  });
}

/** Whatever can be asked of them. */
function seen(map: Map<string, number>, set: Set<string>): unknown {
  const each: unknown[] = [];
  map.forEach((value, key) => each.push([key, value]));
  set.forEach((value) => each.push(value));
  return {
    map: [map.size, [...map], [...map.keys()], [...map.values()], [...map.entries()]],
    set: [set.size, [...set], [...set.keys()], [...set.values()], [...set.entries()]],
    each,
    asked: ['a', 'b', 'c', 'd', 'e', 'f'].map((key) => [map.get(key), map.has(key), set.has(key)]),
  };
}

describe('a rehearsal', () => {
  it('shows its maps and sets as plain ones would be, and then all as it was, order included', () => {
    fc.assert(
      fc.property(acts, acts, acts, (first, rehearsed, then) => {
        const rehearsal = new Rehearsal();
        const [map, set] = [new RehearsedMap<string, number>(rehearsal), new RehearsedSet<string>(rehearsal)];
        const [plainMap, plainSet] = [new Map<string, number>(), new Set<string>()];
        doAll(map, set, first);
        doAll(plainMap, plainSet, first);
        const before = seen(map, set);
        const [otherMap, otherSet] = [new Map(plainMap), new Set(plainSet)];
        rehearsal.run(() => {
          expect(doAll(map, set, rehearsed)).toEqual(doAll(otherMap, otherSet, rehearsed));
          expect(seen(map, set)).toEqual(seen(otherMap, otherSet));
        });
        expect(seen(map, set)).toEqual(before);
        expect(doAll(map, set, then)).toEqual(doAll(plainMap, plainSet, then));
        expect(seen(map, set)).toEqual(seen(plainMap, plainSet));
      }),
    );
  });

  it('takes everything back where the work throws', () => {
    const rehearsal = new Rehearsal();
    const map = new RehearsedMap<string, number>(rehearsal).set('a', 1).set('b', 2);
    const before = whole(map);
    const work = () =>
      rehearsal.run(() => {
        map.delete('a');
        map.set('c', 3);
        throw new Error('in the middle');
      });
    expect(work).toThrow('in the middle');
    expect(whole(map)).toBe(before);
  });

  it('takes values back in the order opposite to that of their changes, and keeps nothing of what is meant', () => {
    const rehearsal = new Rehearsal();
    let value = 1;
    const become = (next: number) => {
      const old = value;
      rehearsal.before(() => (value = old));
      value = next;
    };
    become(2);
    rehearsal.run(() => {
      become(3);
      become(4);
    });
    expect(value).toBe(2);
    expect(rehearsal.isOn).toBe(false);
  });

  it('is one at a time', () => {
    const rehearsal = new Rehearsal();
    expect(() => rehearsal.run(() => rehearsal.run(() => 1))).toThrow('on already');
    expect(rehearsal.run(() => 1)).toBe(1);
  });
});
