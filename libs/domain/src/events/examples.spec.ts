import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { completeHistory, type EventExample, foldExample, foldRecording, type Recording } from '@weir/testing/domain';
import { eventCatalogue } from './catalogue';
import { encodeEvent, parseEvent } from './index';
import { upcasters } from './upcasters';

const examples = join(__dirname, 'examples');
const releases = join(examples, 'releases');
const namesIn = (folder: string) => readdirSync(folder).filter((name) => name.endsWith('.json'));
const read = (folder: string, name: string): unknown => JSON.parse(readFileSync(join(folder, name), 'utf8'));
const types = eventCatalogue.flatMap(({ events }) => Object.entries(events));

describe('the examples of events', () => {
  it('are of every version of every type (else: npm run generate:events)', () => {
    const wanted = types.flatMap(([type, { version }]) =>
      Array.from({ length: version }, (_, index) => `${type}.v${index + 1}.json`),
    );
    expect(namesIn(examples).sort()).toEqual(wanted.sort());
  });
  it.each(namesIn(examples))('%s is still read, and folded to the same', (name) => {
    const { folded, ...example } = read(examples, name) as EventExample;
    expect(name).toBe(`${example.event.type}.v${example.event.schemaVersion}.json`);
    expect(foldExample(example)).toEqual(folded);
    for (const event of [...example.earlier, example.event]) expect(encodeEvent(parseEvent(event))).toBeDefined();
  });
  it('are not changed by being read', () => {
    for (const name of namesIn(examples)) {
      const { event } = read(examples, name) as EventExample;
      const before = JSON.stringify(event);
      parseEvent(event);
      expect(JSON.stringify(event)).toBe(before);
    }
  });
});

describe('the log of a release', () => {
  it.each(namesIn(releases))('%s still folds to the same streams and rows', (name) => {
    const { events, folded } = read(releases, name) as Recording;
    expect(foldRecording(events)).toEqual(folded);
  });
});

describe('a type of event', () => {
  it('has an upcaster from each of its older versions, and no other has', () => {
    const older = types.flatMap(([type, { version }]) =>
      Array.from({ length: version - 1 }, (_, index) => `${type}.v${index + 1}`),
    );
    const known = Object.entries(upcasters).flatMap(([type, from]) =>
      Object.keys(from).map((version) => `${type}.v${version}`),
    );
    expect(known.sort()).toEqual(older.sort());
  });
  it('stands in the streams that the catalogue names, and in no other', () => {
    const forms = eventCatalogue.flatMap(({ streams, events }) =>
      Object.keys(streams).map((form) => ({ form: new RegExp(`^${form.replace(/<[^>]+>/g, '.+')}$`), events })),
    );
    for (const { stream, event } of completeHistory().all) {
      const fitting = forms.filter(({ form }) => form.test(stream));
      expect(fitting.some(({ events }) => event.type in events)).toBe(true);
    }
  });
  it('happens in the complete history', () => {
    const seen = new Set(completeHistory().all.map(({ event }) => event.type as string));
    expect(types.map(([type]) => type).filter((type) => !seen.has(type))).toEqual([]);
  });
});
