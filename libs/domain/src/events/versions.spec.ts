import { z } from 'zod';
import { event } from './fields';
import type { Upcasters } from './upcasters';
import { EventVersions, MalformedEvent, UnknownEvent } from './versions';

interface LampLit {
  readonly type: 'LampLit';
  readonly data: { readonly colour: string; readonly lumens: number };
}
interface LampBroken {
  readonly type: 'LampBroken';
  readonly data: Record<string, never>;
}

/** First a lamp was only lit; then it had a `color`; now it has a colour and a brightness. */
const upcasters: Upcasters = {
  LampLit: {
    1: () => ({ color: 'white' }),
    2: ({ color = null }) => ({ colour: color, lumens: 800 }),
  },
};
const schemas = {
  LampLit: event(3, 'Somebody lights it.', {
    colour: z.string().describe('Of its light.'),
    lumens: z.int().describe('How bright.'),
  }),
  LampBroken: event(1, 'It broke.', {}),
};
const lamps = new EventVersions<LampLit | LampBroken>(schemas, upcasters);

function failureOf(action: () => unknown): unknown {
  try {
    return action();
  } catch (error) {
    return error;
  }
}

describe('an event of the log', () => {
  it('is answered as it is when it is of the newest version', () => {
    const stored = { type: 'LampLit', schemaVersion: 3, data: { colour: 'red', lumens: 1 }, stream: 'lamp-1' };
    expect(lamps.parse(stored)).toBe(stored);
  });
  it.each([
    [1, {}, { colour: 'white', lumens: 800 }],
    [2, { color: 'red' }, { colour: 'red', lumens: 800 }],
  ])(
    'of version %i becomes one of the newest, in its envelope, and stays what it was',
    (schemaVersion, data, newest) => {
      const stored = { type: 'LampLit', schemaVersion, data: Object.freeze(data), stream: 'lamp-1', position: 7 };
      expect(lamps.parse(stored)).toEqual({ ...stored, schemaVersion: 3, data: newest });
      expect(stored.data).toBe(data);
    },
  );
  it.each([
    ['LampSold', 1],
    ['LampLit', 4],
    ['LampLit', 0],
    ['LampLit', 1.5],
    ['LampLit', NaN],
    ['toString', 1],
  ])('of a type or version that nobody knows (%s, %d) stops its reader', (type, schemaVersion) => {
    const parse = () => lamps.parse({ type, schemaVersion, data: {} });
    expect(parse).toThrow(UnknownEvent);
    expect(parse).toThrow(`an event ${type} of version ${schemaVersion}`);
    expect(failureOf(parse)).toMatchObject({ type, version: schemaVersion, reason: 'unavailable' });
  });
  it('stops its reader when one of its versions cannot be brought up', () => {
    const gap = new EventVersions<LampLit | LampBroken>(schemas, { LampLit: { 2: () => ({}) } });
    expect(() => gap.parse({ type: 'LampLit', schemaVersion: 1, data: {} })).toThrow(UnknownEvent);
  });
  it.each([[undefined], [null], [[]], ['lit']])('without fields (%p) is malformed', (data) => {
    expect(() => lamps.parse({ type: 'LampLit', schemaVersion: 3, data })).toThrow(MalformedEvent);
  });
  it('is malformed when what an older version held makes nothing of the newest', () => {
    const parse = () => lamps.parse({ type: 'LampLit', schemaVersion: 2, data: { color: 5 } });
    expect(parse).toThrow(MalformedEvent);
    expect(parse).toThrow('The event LampLit of version 3 is malformed: colour: Invalid input: expected string');
  });
  it('is malformed when an upcaster cannot read it, and says why', () => {
    const cause = new TypeError('no lamp');
    const strict = new EventVersions<LampLit | LampBroken>(schemas, {
      LampLit: {
        2: () => {
          throw cause;
        },
      },
    });
    const parse = () => strict.parse({ type: 'LampLit', schemaVersion: 2, data: {} });
    expect(parse).toThrow(MalformedEvent);
    expect(failureOf(parse)).toHaveProperty('cause', cause);
  });
});

describe('an event to write', () => {
  it('gets the newest version', () => {
    const lit = { type: 'LampLit', data: { colour: 'red', lumens: 1 } } as const;
    expect(lamps.encode(lit)).toEqual({ ...lit, schemaVersion: 3 });
  });
  it.each([
    ['lacks a field', { colour: 'red' }, 'lumens: Invalid input: expected number'],
    ['has a field that nobody knows', { colour: 'red', lumens: 1, watts: 60 }, 'Unrecognized key: "watts"'],
    ['has a field of another type', { colour: 'red', lumens: '1' }, 'lumens: Invalid input: expected number'],
    ['has a field that JSON does not know', { colour: 'red', lumens: NaN }, 'lumens: Invalid input'],
  ])('is refused when it %s', (_, data, problem) => {
    const encode = () => lamps.encode({ type: 'LampLit', data } as unknown as LampLit);
    expect(encode).toThrow(MalformedEvent);
    expect(encode).toThrow(problem);
  });
});
