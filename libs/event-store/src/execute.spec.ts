import { type Clock, conflict, type Decider, type Random, systemRandom, type Timers, uuid7 } from '@weir/kernel';
import {
  type Decision,
  execute,
  type ExecuteContext,
  LaneFull,
  Lanes,
  load,
  type NewEvent,
  NO_STREAM,
  RequestDeadline,
  type StreamReader,
  WrongExpectedRevision,
} from './index';
import { MemoryEventStore } from './memory';

/** A world whose time passes only while someone sleeps. */
function world() {
  let now = 0;
  const sleeps: number[] = [];
  const clock: Clock = { now: () => now, monotonic: () => now };
  const timers: Timers = {
    after: () => () => undefined,
    sleep: (ms) => {
      sleeps.push(ms);
      now += ms;
      return Promise.resolve();
    },
  };
  const random: Random = { ...systemRandom, integer: (below) => below - 1 };
  const store = new MemoryEventStore();
  const context: ExecuteContext = { store, clock, timers, random };
  const event = (type: string): NewEvent => ({
    id: uuid7(clock, random),
    type,
    schemaVersion: 1,
    data: {},
    metadata: { correlation: 'r', causation: 'r', actor: 'a', time: '2025-03-01T12:00:00.000Z' },
  });
  return { store, context, event, sleeps, clock };
}

type World = ReturnType<typeof world>;

/** Counts the events of a stream and adds one; `rival` runs between reading and appending. */
function adding(
  { event }: World,
  stream: string,
  rival: (tryNumber: number) => Promise<unknown> = () => Promise.resolve(),
) {
  return async (reader: StreamReader, tryNumber: number): Promise<Decision<number>> => {
    const { events, revision } = await reader.read(stream);
    await rival(tryNumber);
    return {
      result: events.length + 1,
      append: { writes: [{ stream, expected: revision, events: [event('Added')] }] },
    };
  };
}

async function appendOne({ store, event }: World, stream: string): Promise<void> {
  const { length } = await store.readStream(stream);
  await store.append({ writes: [{ stream, expected: length - 1, events: [event('Rival')] }] });
}

describe('executing a command', () => {
  it('appends what was decided and answers the result with its events', async () => {
    const w = world();
    const done = await execute(w.context, { deadlineMs: 1000 }, adding(w, 's'));
    expect(done).toMatchObject({ result: 1, position: 1, events: [{ stream: 's', revision: 0, type: 'Added' }] });
    expect(await w.store.readStream('s')).toEqual(done.events);
  });

  it('appends nothing when there is nothing to do', async () => {
    const w = world();
    await appendOne(w, 's');
    expect(await execute(w.context, { deadlineMs: 1000 }, () => Promise.resolve({ result: 'as it was' }))).toEqual({
      result: 'as it was',
      events: [],
      position: 1,
    });
  });

  it('decides again on what it reads then, when another was first', async () => {
    const w = world();
    const done = await execute(
      w.context,
      { deadlineMs: 1000 },
      adding(w, 's', (tryNumber) => (tryNumber === 1 ? appendOne(w, 's') : Promise.resolve())),
    );
    expect(done.result).toBe(2);
    expect((await w.store.readStream('s')).map((recorded) => recorded.type)).toEqual(['Rival', 'Added']);
    expect(w.sleeps).toEqual([]);
  });

  it('pauses longer and longer after the third lost race, and gives up at the deadline', async () => {
    const w = world();
    const command = execute(
      w.context,
      { deadlineMs: 100 },
      adding(w, 's', () => appendOne(w, 's')),
    );
    await expect(command).rejects.toMatchObject({
      constructor: RequestDeadline,
      reason: 'unavailable',
      cause: expect.any(WrongExpectedRevision) as unknown,
    });
    expect(w.sleeps.slice(0, 5)).toEqual([2, 4, 8, 16, 32]);
    expect(w.clock.monotonic()).toBe(100);
    expect((await w.store.readStream('s')).every((recorded) => recorded.type === 'Rival')).toBe(true);
  });

  it('does not begin after the deadline', async () => {
    const w = world();
    await expect(execute(w.context, { deadlineMs: 0 }, adding(w, 's'))).rejects.toThrow(RequestDeadline);
    expect(await w.store.head()).toBe(0);
  });

  it('passes on what the decision throws, at once', async () => {
    const w = world();
    const refuse = () => Promise.reject(conflict('The network has ports.'));
    await expect(execute(w.context, { deadlineMs: 1000 }, refuse)).rejects.toThrow('The network has ports.');
  });

  it('shows one state of a stream during one try', async () => {
    const w = world();
    await execute(w.context, { deadlineMs: 1000 }, async (reader, tryNumber) => {
      const before = await reader.read('s');
      if (tryNumber === 1) await appendOne(w, 's');
      expect(await reader.read('s')).toBe(before);
      expect(before.revision).toBe(tryNumber === 1 ? NO_STREAM : 0);
      return { result: undefined, append: { writes: [], checks: [{ stream: 's', expected: before.revision }] } };
    });
  });

  it('in one lane meets no conflict, however many do it at once', async () => {
    const w = world();
    const tries: number[] = [];
    const commands = Array.from({ length: 50 }, () =>
      execute(w.context, { deadlineMs: 1000, lane: 's' }, async (reader, tryNumber) => {
        tries.push(tryNumber);
        return adding(w, 's')(reader, tryNumber);
      }),
    );
    expect((await Promise.all(commands)).map((done) => done.result)).toEqual(
      Array.from({ length: 50 }, (_, i) => i + 1),
    );
    expect(tries).toEqual(Array.from({ length: 50 }, () => 1));
  });
});

describe('loading a decider', () => {
  it('folds the stream and answers the revision to append at', async () => {
    const w = world();
    const counter: Pick<Decider<number, never, string>, 'initial' | 'evolve'> = {
      initial: 0,
      evolve: (state, type) => (type === 'Rival' ? state + 1 : state),
    };
    const seen: unknown[] = [];
    const see = async (reader: StreamReader) => {
      seen.push(await load(reader, counter, 's', (recorded) => recorded.type));
      return { result: undefined };
    };
    await execute(w.context, { deadlineMs: 1 }, see);
    await appendOne(w, 's');
    await appendOne(w, 's');
    await execute(w.context, { deadlineMs: 1 }, see);
    expect(seen).toEqual([
      { state: 0, revision: NO_STREAM },
      { state: 2, revision: 1 },
    ]);
  });
});

describe('a lane', () => {
  it('takes work in the order of arrival, one at a time, and other lanes go on beside it', async () => {
    const lanes = new Lanes();
    const log: string[] = [];
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    const work = (name: string, wait?: Promise<void>) => async () => {
      log.push(`${name} begins`);
      await wait;
      log.push(`${name} ends`);
    };
    const slow = [lanes.run('a', work('a1', gate)), lanes.run('a', work('a2')), lanes.run('a', work('a3'))];
    await lanes.run('b', work('b1'));
    expect(log).toEqual(['a1 begins', 'b1 begins', 'b1 ends']);
    release();
    await Promise.all(slow);
    expect(log.slice(3)).toEqual(['a1 ends', 'a2 begins', 'a2 ends', 'a3 begins', 'a3 ends']);
  });

  it('goes on behind work that fails', async () => {
    const lanes = new Lanes();
    const failing = lanes.run('a', () => Promise.reject(new Error('broken')));
    const next = lanes.run('a', () => Promise.resolve('done'));
    await expect(failing).rejects.toThrow('broken');
    expect(await next).toBe('done');
  });

  it('refuses work when too many wait, and takes it again later', async () => {
    const lanes = new Lanes(2);
    const running = [1, 2, 3].map((n) => lanes.run('a', () => Promise.resolve(n)));
    await expect(lanes.run('a', () => Promise.resolve(4))).rejects.toThrow(LaneFull);
    expect(await Promise.all(running)).toEqual([1, 2, 3]);
    expect(await lanes.run('a', () => Promise.resolve(5))).toBe(5);
  });
});
