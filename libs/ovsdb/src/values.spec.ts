import fc from 'fast-check';
import { OvsdbMalformed } from './errors';
import { applyDifference, type Atom, decodeDatum, namedUuid, ovsMap, ovsSet, Row, sameDatum, uuid } from './values';

const ID = '550e8400-e29b-41d4-a716-446655440000';

describe('an OVSDB value', () => {
  it('is written as RFC 7047 §5.1 says', () => {
    expect(uuid(ID)).toEqual(['uuid', ID]);
    expect(namedUuid('bridge')).toEqual(['named-uuid', 'bridge']);
    expect(ovsSet(['a', namedUuid('b')])).toEqual(['set', ['a', ['named-uuid', 'b']]]);
    expect(ovsMap({ a: 'b' })).toEqual(['map', [['a', 'b']]]);
  });

  it('is read from an atom, a set or a map', () => {
    expect(decodeDatum(7)).toEqual([7]);
    expect(decodeDatum(['uuid', ID])).toEqual([ID]);
    expect(decodeDatum(['set', []])).toEqual([]);
    expect(decodeDatum(['set', ['b', 'a', 'b']])).toEqual(['a', 'b']);
    expect(decodeDatum(['map', [['k', 'v']]])).toEqual(new Map([['k', 'v']]));
  });

  it.each([
    ['null', null],
    ['an object', {}],
    ['an unknown tag', ['bag', []]],
    ['a set in a set', ['set', [['set', []]]]],
    ['a map of no pairs', ['map', ['a']]],
    ['a map of triples', ['map', [['a', 'b', 'c']]]],
    ['a uuid of a number', ['uuid', 1]],
    ['an empty array', []],
  ])('is refused when it is %s', (_what, value) => {
    expect(() => decodeDatum(value)).toThrow(OvsdbMalformed);
  });

  it('becomes another by the difference of ovsdb-server(7)', () => {
    expect(applyDifference(['a', 'b'], ['b', 'c'])).toEqual(['a', 'c']);
    const before = new Map<Atom, Atom>([
      ['kept', '1'],
      ['gone', '2'],
      ['changed', '3'],
    ]);
    const difference = new Map<Atom, Atom>([
      ['gone', '2'],
      ['changed', '4'],
      ['new', '5'],
    ]);
    expect(applyDifference(before, difference)).toEqual(
      new Map([
        ['kept', '1'],
        ['changed', '4'],
        ['new', '5'],
      ]),
    );
    expect(() => applyDifference(before, ['a'])).toThrow(OvsdbMalformed);
  });

  it('comes back by applying the difference of sets both ways', () => {
    const sets = fc.uniqueArray(fc.nat({ max: 20 })).map((atoms) => decodeDatum(ovsSet(atoms)));
    fc.assert(
      fc.property(sets, sets, (left, right) => {
        const there = applyDifference(left, right);
        expect(sameDatum(applyDifference(there, right), left)).toBe(true);
      }),
    );
  });
});

describe('a row', () => {
  const row = new Row(
    ID,
    new Map([
      ['name', decodeDatum('br-int')],
      ['ofport', decodeDatum(['set', []])],
      ['cur_cfg', decodeDatum(7)],
      ['ports', decodeDatum(['set', [['uuid', ID]]])],
      ['external_ids', decodeDatum(ovsMap({ a: 'b' }))],
    ]),
  );

  it('is read by column', () => {
    expect(row.text('name')).toBe('br-int');
    expect(row.optionalText('error')).toBeUndefined();
    expect(row.integer('ofport')).toBeUndefined();
    expect(row.integer('cur_cfg')).toBe(7);
    expect(row.texts('ports')).toEqual([ID]);
    expect(row.textMap('external_ids')).toEqual({ a: 'b' });
  });

  it('answers with nothing for a column of another type', () => {
    expect([row.text('cur_cfg'), row.integer('name'), row.texts('external_ids'), row.textMap('name')]).toEqual([
      '',
      undefined,
      [],
      {},
    ]);
  });

  it('cannot be poisoned by a key that means something to JavaScript', () => {
    const poisoned = row.with(new Map([['external_ids', decodeDatum(['map', [['__proto__', 'x']]])]]));
    expect(Object.entries(poisoned.textMap('external_ids'))).toEqual([['__proto__', 'x']]);
  });
});
