import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '@weir/kernel';
import { VirtualTime } from '@weir/testing/time';
import { describeCascade, describeFactStore, describeSliceStore, remove, seededRandom, upsert } from '../contract';
import { MemoryTransport } from '../memory/transport';
import { openJournal, SqliteFactStore } from './fact-store';
import { SqliteSlice } from './slice';

const folder = mkdtempSync(join(tmpdir(), 'weir-cascade-'));
let files = 0;
const newFile = (): string => join(folder, `${files++}.sqlite`);
afterAll(() => rmSync(folder, { recursive: true }));

describeFactStore('SqliteFactStore', () => new SqliteFactStore({ file: newFile(), generation: 1 }));

describeSliceStore('SqliteSlice', () => {
  const file = newFile();
  const slice = new SqliteSlice({ file });
  return {
    slice,
    reopen: () => {
      slice.close();
      return new SqliteSlice({ file });
    },
  };
});

describeCascade(
  'memory, from SQLite',
  () => {
    const store = new SqliteFactStore({ file: newFile(), generation: 1 });
    return {
      time: new VirtualTime(),
      store,
      transport: (publisher) => new MemoryTransport(publisher, silentLogger),
      dispose: () => store.close(),
    };
  },
  { histories: 10 },
);

describe('a file of facts', () => {
  it('holds facts, tombstones and cursors over a restart', () => {
    const file = newFile();
    const store = new SqliteFactStore({ file, generation: 4, durability: 'full' });
    store.commit({
      position: 3,
      digest: 'three',
      changes: [upsert('paris', 'port', 'a'), upsert('paris', 'port', 'b')],
    });
    store.commit({ position: 6, digest: 'six', changes: [remove('paris', 'port', 'a')] });
    store.acknowledge('paris', { position: 3, digest: 'three' });
    const facts = store.after('paris', 0, 10);
    store.close();
    const again = new SqliteFactStore({ file, generation: 4 });
    expect(again.head()).toEqual({ position: 6, digest: 'six' });
    expect(again.after('paris', 0, 10)).toEqual(facts);
    expect(again.acknowledged('paris')).toEqual({ position: 3, digest: 'three' });
    expect(again.digestAt(3)).toBe('three');
    again.close();
  });

  it('forgets cursors, not facts, when its owner speaks for a higher generation, and refuses a lower one', () => {
    const file = newFile();
    const store = new SqliteFactStore({ file, generation: 4 });
    store.commit({ position: 3, digest: 'three', changes: [upsert('paris', 'port', 'a')] });
    store.acknowledge('paris', { position: 3, digest: 'three' });
    store.close();
    const promoted = new SqliteFactStore({ file, generation: 5 });
    expect([promoted.acknowledged('paris'), promoted.live('paris').length, promoted.head().position]).toEqual([
      undefined,
      1,
      3,
    ]);
    promoted.close();
    expect(() => new SqliteFactStore({ file, generation: 4 })).toThrow('above 4');
  });
});

describe('a journal', () => {
  it('has the millisecond of its making as generation, also when it is opened again', async () => {
    const time = new VirtualTime();
    const file = newFile();
    const journal = openJournal(file, time, seededRandom(1));
    const made = time.now();
    expect(journal.store.generation).toBe(made);
    const first = journal.append([upsert('host-1', 'port', 'a')]);
    journal.close();
    await time.advance(60_000);
    const again = openJournal(file, time, seededRandom(2));
    expect(again.store.generation).toBe(made);
    expect(again.store.head()).toEqual(first);
    const second = again.append([]);
    expect([first.position, second.position]).toEqual([1, 2]);
    expect(second.digest).not.toBe(first.digest);
    again.close();
  });

  it('is renewed with nothing in it, above every generation that was seen, wherever the clock went', () => {
    const time = new VirtualTime();
    const journal = openJournal(newFile(), time, seededRandom(1));
    const made = journal.store.generation;
    journal.append([upsert('host-1', 'port', 'a')]);
    time.jump(-3_600_000);
    journal.renew();
    expect(journal.store.generation).toBe(made + 1);
    expect(journal.store.live('host-1')).toEqual([]);
    journal.renew(made + 50);
    expect(journal.store.generation).toBe(made + 51);
    expect(journal.append([]).position).toBe(1);
    journal.close();
  });
});
