import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ServerId } from '@weir/kernel';
import type { HeldSeal } from '@weir/topology';
import { MemorySiteRecords } from './memory-records';
import type { HostRecord, SiteRecords } from './records';
import { KEPT_SEALS } from './seals';
import { SqliteSiteRecords } from './sqlite-records';

const host = (name: string, keyHash = `key of ${name}`): HostRecord => ({
  ...{ name, keyHash, reachable: true, since: 1 },
  said: undefined,
});
const placement = (server: string, on: string) => ({
  server: server as ServerId,
  host: on,
  takes: { vcpus: 1, ramMb: 128, diskGb: 1 },
});
const seal = (revision: number, contradicts = false): HeldSeal => ({
  ...{ position: 10 * revision, digest: `${revision}`.repeat(64).slice(0, 64), revision },
  ...{ previous: '0'.repeat(64), generation: 1, contradicts },
});

describe.each<[string, () => SiteRecords]>([
  ['memory', () => new MemorySiteRecords()],
  ['SQLite', () => new SqliteSiteRecords(':memory:')],
])("a Bottom's records in %s", (_name, open) => {
  let records: SiteRecords;
  beforeEach(() => (records = open()));
  afterEach(() => records.close());

  it('keep the last that was said of each thing, in order', () => {
    records.putHost(host('two'));
    records.putHost(host('one'));
    records.putHost({ ...host('two'), reachable: false, since: 5 });
    expect(records.hosts()).toEqual([host('one'), { ...host('two'), reachable: false, since: 5 }]);
    for (const server of ['b', 'a']) records.putPlacement(placement(server, 'one'));
    records.putPlacement(placement('b', 'two'));
    expect(records.placements()).toEqual([placement('a', 'one'), placement('b', 'two')]);
    for (const server of ['b', 'a'] as ServerId[]) records.putDeparting(server, 7);
    expect([...records.departing()]).toEqual([
      ['a', 7],
      ['b', 7],
    ]);
    const gone = [
      { kind: 'port', id: 'x', position: 9, at: 1 },
      { kind: 'server', id: 'x', position: 9, at: 2 },
      { kind: 'port', id: 'y', position: 10, at: 3 },
    ] as const;
    for (const each of gone.toReversed()) records.putGone(each);
    expect(records.gone()).toEqual(gone);
  });

  it('forget what is removed, and a host with what was placed on it', () => {
    for (const name of ['one', 'two']) records.putHost(host(name));
    for (const [server, on] of [
      ['a', 'one'],
      ['b', 'two'],
      ['c', 'two'],
    ] as const)
      records.putPlacement(placement(server, on));
    records.removeHost('two');
    expect(records.hosts()).toEqual([host('one')]);
    expect(records.placements()).toEqual([placement('a', 'one')]);
    records.removePlacement('a' as ServerId);
    records.putDeparting('a' as ServerId, 1);
    records.removeDeparting('a' as ServerId);
    records.putGone({ kind: 'port', id: 'x', position: 1, at: 1 });
    records.removeGone('port', 'x');
    expect([records.placements(), [...records.departing()], records.gone()]).toEqual([[], [], []]);
  });

  it('keep all of what happens at once, or nothing', () => {
    records.putDeparting('a' as ServerId, 1);
    const work = () => {
      records.removeDeparting('a' as ServerId);
      records.putGone({ kind: 'server', id: 'a', position: 1, at: 1 });
      throw new Error('The disk is full');
    };
    expect(() => records.atOnce(work)).toThrow('The disk is full');
    expect([[...records.departing()], records.gone()]).toEqual([[['a', 1]], []]);
  });

  it('refuse the key of another host', () => {
    records.putHost(host('one', 'the same'));
    expect(() => records.putHost(host('two', 'the same'))).toThrow();
    expect(records.hosts()).toHaveLength(1);
  });

  it('drop the oldest seals, but neither a contradiction nor what it contradicts', () => {
    records.addSeal(seal(0));
    records.addSeal(seal(1));
    records.addSeal(seal(1, true));
    for (let revision = 2; revision < KEPT_SEALS + 2; revision++) records.addSeal(seal(revision));
    const kept = records.seals();
    expect(kept.slice(0, 3)).toEqual([seal(1), seal(1, true), seal(2)]);
    expect(kept).toHaveLength(KEPT_SEALS + 2);
  });

  it('say that a site is learnt anew until that has ended', () => {
    expect(records.isRecovering()).toBe(false);
    records.beginRecovery();
    records.beginRecovery();
    expect(records.isRecovering()).toBe(true);
    records.endRecovery();
    expect(records.isRecovering()).toBe(false);
  });
});

describe("a file of a Bottom's records", () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'weir-records-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  const isRecovering = (isSiteNew: boolean): boolean => {
    const records = new SqliteSiteRecords(join(folder, 'records.db'), { isSiteNew });
    const answer = records.isRecovering();
    records.close();
    return answer;
  };

  it('begins a recovery where it takes the place of one that was lost, and no kill comes between', () => {
    expect([isRecovering(false), isRecovering(false)]).toEqual([true, true]);
  });

  it('begins none with its site, nor where it was there before', () => {
    expect([isRecovering(true), isRecovering(false)]).toEqual([false, false]);
  });

  it('begins one where its first write was cut short', () => {
    writeFileSync(join(folder, 'records.db'), '');
    expect(isRecovering(false)).toBe(true);
  });
});
