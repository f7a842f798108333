import { canonicalJson, isUuid, systemRandom, uuid7 } from './index';

describe('a UUID of version 7', () => {
  const at = (now: number) => uuid7({ now: () => now, monotonic: () => now }, systemRandom);
  it('is a UUID that carries its version and variant', () =>
    expect(at(1_700_000_000_000)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/));
  it('sorts by the millisecond of its making', () => {
    const ids = [1, 2, 1_700_000_000_000, 1_700_000_000_001].map(at);
    expect([...ids].sort()).toEqual(ids);
    expect(ids.every(isUuid)).toBe(true);
  });
});

describe('canonical JSON', () => {
  it('is one text for equal values, whatever the order of their keys', () =>
    expect(canonicalJson({ b: [1, { d: 1, c: null }], a: 'x' })).toBe(
      canonicalJson({ a: 'x', b: [1, { c: null, d: 1 }] }),
    ));
  it('leaves out what is undefined', () => expect(canonicalJson({ a: undefined, b: 1 })).toBe('{"b":1}'));
});
