import { conflict, systemClock } from '@weir/kernel';
import { play, type Step, textOf } from './play';

const step = (name: string, needed: boolean, error?: Error): Step => ({
  name,
  needed,
  run: async () => {
    if (error) return Promise.reject(error);
    return `${name} was fine`;
  },
});

describe('a play', () => {
  const written: string[] = [];
  beforeEach(() => {
    written.length = 0;
    const keep = (chunk: string | Uint8Array): boolean => written.push(chunk.toString()) > 0;
    jest.spyOn(process.stdout, 'write').mockImplementation(keep);
    jest.spyOn(process.stderr, 'write').mockImplementation(keep);
  });
  afterEach(() => jest.restoreAllMocks());

  it('tells of each step what was found and how long it took', async () => {
    const results = await play([step('one', true), step('two', false)], systemClock);
    expect(results).toMatchObject([
      { name: 'one', ok: true, detail: 'one was fine' },
      { name: 'two', ok: true, detail: 'two was fine' },
    ]);
    expect(results.every(({ ms }) => Number.isInteger(ms))).toBe(true);
    expect(written.join('')).toContain('two: two was fine');
  });

  it('goes on behind a step that does not hold', async () => {
    const results = await play([step('one', false, conflict('It is late.')), step('two', true)], systemClock);
    expect(results).toMatchObject([
      { name: 'one', ok: false, played: true, detail: 'It is late.' },
      { name: 'two', ok: true },
    ]);
  });

  it('stops behind one that the others need, and says so of them', async () => {
    const results = await play([step('one', true, conflict('It is late.')), step('two', true)], systemClock);
    expect(results[1]).toEqual({
      name: 'two',
      ok: false,
      played: false,
      ms: 0,
      detail: "not played, since 'one' did not hold",
    });
  });

  it('tells an error with its causes, in one line', () => {
    expect(textOf(conflict('Outer\nline', { cause: new Error('inner') }))).toBe('Outer line: inner');
  });
});
