import * as fc from 'fast-check';
import { BrokenStream, FactReader } from './fact-reader';
import type { Line } from './protocol';

const up = (id: string, position: number): Line => ({ type: 'upsert', kind: 'port', id, position, body: { position } });
const gone = (id: string, position: number): Line => ({ type: 'delete', kind: 'port', id, position });
const mark = (position: number, previous: number, count: number, caughtUp?: true): Line => ({
  type: 'mark',
  position,
  previous,
  count,
  digest: `event ${position}`,
  ...(caughtUp && { caughtUp }),
});
const hello: Line = { type: 'hello', protocol: 1, publisher: 'top', generation: 1 };

const lines: Line[] = [
  hello,
  up('a', 1),
  up('b', 1),
  mark(1, 0, 2),
  up('c', 2),
  gone('a', 3),
  mark(5, 1, 2, true),
  up('b', 6),
  mark(6, 5, 1),
  gone('c', 7),
  up('d', 7),
  mark(9, 6, 2),
  ...Array.from({ length: 3 }, () => mark(9, 9, 0)),
];
let ordinal = 0;
for (const line of lines) if (line.type === 'mark') line.ordinal = ++ordinal;

const textOf = (of: readonly Line[]): string => of.map((line) => `${JSON.stringify(line)}\n`).join('');

/** What a follower has after these lines, or that it noticed that something is wrong. */
function follow(of: readonly Line[]): unknown {
  const reader = new FactReader(0);
  const facts = new Map<string, number>();
  let caughtUp = false;
  try {
    for (const reading of reader.read(textOf(of))) {
      if (reading.type !== 'batch') continue;
      for (const fact of reading.facts) {
        if (fact.type === 'upsert') facts.set(fact.id, fact.position);
        else facts.delete(fact.id);
      }
      if (reading.mark.caughtUp) caughtUp = true;
    }
  } catch (error) {
    if (error instanceof BrokenStream) return 'noticed';
    throw error;
  }
  return { facts: [...facts].sort(), caughtUp };
}

type Fault = (of: readonly Line[]) => Line[];
const faults: Fault[] = lines.flatMap((_, i) => [
  (of: readonly Line[]) => of.toSpliced(i, 1),
  (of: readonly Line[]) => of.toSpliced(i, 0, ...of.slice(i, i + 1)),
  (of: readonly Line[]) => [...of.slice(0, i), ...of.slice(i, i + 2).reverse(), ...of.slice(i + 2)],
]);

describe('a stream of facts', () => {
  const whole = follow(lines);

  it('is read to the end when nothing is wrong with it', () => {
    expect(whole).toEqual({
      facts: [
        ['b', 6],
        ['d', 7],
      ],
      caughtUp: true,
    });
  });

  it('with any line lost, doubled or swapped is noticed, or means the same', () => {
    for (const fault of faults) expect(['noticed', whole]).toContainEqual(follow(fault(lines)));
    expect(faults.filter((fault) => follow(fault(lines)) === 'noticed').length).toBeGreaterThan(35);
  });

  it('with any two such faults is noticed, or means the same', () => {
    const wrong = faults
      .flatMap((one) => faults.map((other) => follow(other(one(lines)))))
      .filter((found) => found !== 'noticed');
    for (const found of wrong) expect(found).toEqual(whole);
  });

  it('may come from a publisher that does not number its marks', () => {
    const bare = lines.map((line): Line => (line.type === 'mark' ? { ...line, ordinal: undefined } : line));
    expect(follow(bare)).toEqual(whole);
  });

  it('may be cut into chunks anywhere', () => {
    const text = textOf(lines);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1 }), (sizes) => {
        const reader = new FactReader(0);
        let batches = 0;
        for (let at = 0, i = 0; at < text.length; i++) {
          const size = sizes[i % sizes.length] ?? 1;
          batches += reader.read(text.slice(at, at + size)).filter(({ type }) => type === 'batch').length;
          at += size;
        }
        expect(batches).toBe(7);
      }),
      { numRuns: 50, seed: 1 },
    );
  });

  it('gives nothing out before its mark', () => {
    const reader = new FactReader(0);
    expect(reader.read(textOf([hello, up('a', 1)])).map(({ type }) => type)).toEqual(['hello']);
    expect(reader.read(textOf([mark(1, 0, 1)])).map(({ type }) => type)).toEqual(['batch']);
  });

  it.each([
    ['is no JSON', '{"type":"mark"\n'],
    ['is of an unknown type', '{"type":"rumour"}\n'],
    ['has a position that is no number', '{"type":"delete","kind":"port","id":"a","position":"1"}\n'],
    [
      'is longer than 1 MiB',
      textOf([{ type: 'upsert', kind: 'port', id: 'a', position: 1, body: { text: 'x'.repeat(1024 * 1024) } }]),
    ],
    [
      'is longer than 1 MiB in bytes',
      textOf([{ type: 'upsert', kind: 'port', id: 'a', position: 1, body: { text: '€'.repeat(400_000) } }]),
    ],
    ['never ends', 'x'.repeat(1024 * 1024 + 1)],
  ])('with a line that %s is broken', (_what, text) => {
    const reader = new FactReader(0);
    reader.read(textOf([hello]));
    expect(() => reader.read(text)).toThrow(BrokenStream);
  });

  it('begins with one hello', () => {
    expect(follow(lines.slice(1))).toBe('noticed');
    expect(follow([hello, ...lines])).toBe('noticed');
  });
});
