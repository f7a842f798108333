import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type KeptAnswers,
  type KeptBounds,
  type KeptEntry,
  MemoryKeptAnswers,
  TooManyKeptAnswers,
} from '../orchestration/kept-answers';
import { SqliteKeptAnswers } from './sqlite-kept-answers';

const folders: string[] = [];
const files: SqliteKeptAnswers[] = [];

function inFile(bounds?: KeptBounds, folder = mkdtempSync(join(tmpdir(), 'weir-answers-'))): SqliteKeptAnswers {
  folders.push(folder);
  const answers = new SqliteKeptAnswers(join(folder, 'answers.db'), bounds);
  files.push(answers);
  return answers;
}

afterAll(async () => {
  for (const file of files) await file.close();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

const entry = (key: string, value: string, over: Partial<KeptEntry> = {}): KeptEntry => ({
  ...{ key, owner: 'ada', value: Buffer.from(value), until: 100 },
  ...over,
});
const text = (answers: KeptAnswers, key: string, now = 0) => {
  const value = answers.get(key, now);
  return value && Buffer.from(value).toString();
};

describe.each<[string, (bounds?: KeptBounds) => KeptAnswers]>([
  ['in memory', (bounds) => new MemoryKeptAnswers(bounds)],
  ['in a file', (bounds) => inFile(bounds)],
])('answers kept %s', (_where, open) => {
  it('are there until their time, and replaced by later ones', async () => {
    const answers = open();
    await answers.put(entry('a', 'first'));
    await answers.put(entry('a', 'second'));
    expect([text(answers, 'a', 99), text(answers, 'a', 100), text(answers, 'b')]).toEqual([
      'second',
      undefined,
      undefined,
    ]);
  });

  it('are refused beyond what an owner may have, until the old ones have gone', async () => {
    const answers = open({ perOwner: 2, bytes: 1000 });
    await answers.put(entry('a', 'x'));
    await answers.put(entry('b', 'x', { until: 50 }));
    await expect(answers.put(entry('c', 'x'))).rejects.toThrow(TooManyKeptAnswers);
    await answers.put(entry('c', 'x', { owner: 'eve' }));
    await answers.put(entry('a', 'y'));
    answers.sweep(49);
    await expect(answers.put(entry('d', 'x'))).rejects.toThrow(TooManyKeptAnswers);
    answers.sweep(50);
    await answers.put(entry('d', 'x'));
    expect(['a', 'b', 'c', 'd'].map((key) => text(answers, key))).toEqual(['y', undefined, 'x', 'x']);
  });

  it('are refused beyond what all may have, until old ones have gone', async () => {
    const answers = open({ perOwner: 100, bytes: 10 });
    await answers.put(entry('a', '12345', { until: 50 }));
    await answers.put(entry('b', '12345', { owner: 'eve' }));
    await expect(answers.put(entry('c', '1'))).rejects.toThrow(TooManyKeptAnswers);
    answers.sweep(50);
    await answers.put(entry('c', '1'));
  });
});

describe('answers kept in a file', () => {
  it('are there when it is opened again, and count', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'weir-answers-'));
    const before = new SqliteKeptAnswers(join(folder, 'answers.db'));
    await before.put(entry('a', '12345'));
    await before.close();
    const after = inFile({ perOwner: 100, bytes: 5 }, folder);
    expect(text(after, 'a')).toBe('12345');
    await expect(after.put(entry('b', '1'))).rejects.toThrow(TooManyKeptAnswers);
  });
});
