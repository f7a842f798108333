import fc from 'fast-check';
import { OvsdbMalformed } from './errors';
import { JsonSplitter } from './framing';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The messages that come out of `text` cut at `cuts`. */
function split(text: string, cuts: readonly number[] = [], limits = { maxBytes: 10_000, maxDepth: 8 }): unknown[] {
  const bytes = utf8(text);
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  const splitter = new JsonSplitter(limits);
  return ends.flatMap((end, i) => [...splitter.push(bytes.subarray(ends[i - 1] ?? 0, end))]);
}

describe('a stream of JSON messages', () => {
  it('is cut where an object ends, with or without space between', () => {
    expect(split('{"a":1}{"b":[{}]}\n\t {"c":{"d":"}"}}')).toEqual([{ a: 1 }, { b: [{}] }, { c: { d: '}' } }]);
  });

  it('may be cut in the middle of a character', () => {
    const text = '{"name":"Zürich 🏔 東京"}';
    for (let cut = 0; cut < utf8(text).length; cut++) expect(split(text, [cut])).toEqual([{ name: 'Zürich 🏔 東京' }]);
  });

  it('is not misled by brackets, quotes and backslashes in strings', () => {
    expect(split('{"\\"}{":"[{\\\\"}{"a":"\\\\\\"]"}')).toEqual([{ '"}{': '[{\\' }, { a: '\\"]' }]);
  });

  it('gives the same messages wherever it is cut', () => {
    const message = fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ maxDepth: 3 }), {
      noNullPrototype: true,
    });
    fc.assert(
      fc.property(fc.array(message, { maxLength: 4 }), fc.array(fc.nat(), { maxLength: 6 }), (messages, cuts) => {
        const text = messages.map((each) => JSON.stringify(each)).join(' ');
        const expected = messages.map((each) => JSON.parse(JSON.stringify(each)) as unknown);
        expect(split(text, cuts, { maxBytes: 1_000_000, maxDepth: 100 })).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ['a message that is no object', '[1]', "starts with byte 0x5b, not with '{'"],
    ['a bracket too many', '{}}', "starts with byte 0x7d, not with '{'"],
    ['brackets that do not match', '{"a":[1}}', 'is not valid JSON'],
    ['something that is not JSON', '{a}', 'is not valid JSON'],
    ['deep nesting', '{"a":[[[[[[[[', 'nests deeper than 8'],
    ['a message without an end', '{"a":"' + 'x'.repeat(10_000), 'is longer than 10000 bytes'],
  ])('with %s is refused', (_what, text, reason) => {
    expect(() => split(text)).toThrow(OvsdbMalformed);
    expect(() => split(text)).toThrow(reason);
  });

  it('with broken UTF-8 is refused', () => {
    const splitter = new JsonSplitter();
    expect(() => [...splitter.push(Uint8Array.of(0x7b, 0x22, 0xc3, 0x28, 0x22, 0x3a, 0x31, 0x7d))]).toThrow(
      OvsdbMalformed,
    );
  });

  it('keeps nothing of the space between messages', () => {
    const splitter = new JsonSplitter({ maxBytes: 100, maxDepth: 8 });
    for (let i = 0; i < 50; i++) expect([...splitter.push(utf8(' '.repeat(50)))]).toEqual([]);
    expect([...splitter.push(utf8('{}'))]).toEqual([{}]);
  });

  it('of random bytes gives messages or is refused', () => {
    const piece = fc.oneof(
      fc.constantFrom('{', '}', '[', ']', '"', '\\', ':', ',', ' ', '1', '{"a":1}', 'null'),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        try {
          split(pieces.join(''));
        } catch (error) {
          expect(error).toBeInstanceOf(OvsdbMalformed);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
