import { silentLogger, type Logger } from '@weir/kernel';
import { VirtualTime } from '@weir/testing/time';
import { CascadeWorld, seededRandom, upsert, type Member } from './contract';
import { Follower } from './follower';
import { MemoryFactStore } from './memory/fact-store';
import { MemoryTransport } from './memory/transport';
import type { Transport } from './transport';

describe('a follower', () => {
  let time: VirtualTime;
  let world: CascadeWorld;
  let spoil: (text: string) => string;
  let dials: number[];
  let logged: string[];

  beforeEach(() => {
    time = new VirtualTime();
    spoil = (text) => text;
    dials = [];
    logged = [];
    world = new CascadeWorld({
      time,
      store: new MemoryFactStore({ generation: 1 }),
      transport: (publisher): Transport => {
        const memory = new MemoryTransport(publisher, silentLogger);
        return {
          openFacts: (request, handlers) => {
            dials.push(time.monotonic());
            return memory.openFacts(request, {
              onEnd: (end) => handlers.onEnd(end),
              onChunk: (text) => handlers.onChunk(spoil(text)),
            });
          },
          post: (path, body, options) => memory.post(path, body, options),
          close: () => memory.close(),
        };
      },
      dispose: () => undefined,
    });
  });
  afterEach(() => world.dispose());

  const logger: Logger = {
    info: () => undefined,
    warn: (message) => logged.push(message),
    error: (message) => logged.push(message),
  };
  const withLog = async (member: Member): Promise<void> => {
    await member.follower.stop();
    const { name, key, sink, link } = member;
    member.follower = new Follower({
      name,
      transport: link,
      key,
      sink,
      clock: time,
      timers: time,
      random: seededRandom(3),
      logger,
    });
    member.follower.start();
  };
  const pauses = (): number[] => dials.slice(1).map((at, i) => at - (dials[i] ?? 0));

  it('says once per change that it is refused, and goes on asking', async () => {
    const paris = await world.following('paris');
    const original = world.facts;
    world.commit(upsert('paris', 'port', 'a'));
    await world.quiet();
    world.publish(new MemoryFactStore({ generation: 1 }));
    await withLog(paris);
    await time.advance(60_000);
    expect(logged.filter((message) => message.includes('refuses us'))).toHaveLength(1);
    expect(dials.length).toBeGreaterThan(10);
    world.publish(original);
    await world.quiet();
    world.publish(new MemoryFactStore({ generation: 1 }));
    await time.advance(10_000);
    expect(logged.filter((message) => message.includes('refuses us'))).toHaveLength(2);
  });

  it('pauses 0.1 s at first, doubling to 5 s, never twice the same, and begins anew after a success', async () => {
    const paris = await world.following('paris');
    paris.link.cut();
    world.publisher?.close();
    world.publisher = undefined;
    paris.link.heal();
    dials.length = 0;
    await time.advance(60_000);
    const ceilings = [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000];
    for (const [i, pause] of pauses().slice(0, 6).entries()) {
      expect(pause).toBeGreaterThanOrEqual((ceilings[i + 1] ?? 5000) / 2);
      expect(pause).toBeLessThanOrEqual(ceilings[i + 1] ?? 5000);
    }
    expect(Math.max(...pauses())).toBeLessThanOrEqual(5000);
    expect(new Set(pauses()).size).toBeGreaterThan(6);
    world.publish();
    await world.quiet();
    dials.length = 0;
    const cut = time.monotonic();
    paris.link.breakConnections();
    await time.until(() => dials.length === 1);
    expect((dials[0] ?? Infinity) - cut).toBeLessThanOrEqual(100);
  });

  it.each([
    ['a malformed line', (text: string) => text.replace('"mark"', '"murk"')],
    ['half a line', (text: string) => (text.includes('mark') ? text.slice(5) : text)],
    ['a line of more than 1 MiB', (text: string) => (text.includes('mark') ? `${'x'.repeat(2 ** 20 + 1)}\n` : text)],
  ])('dials again at %s, takes nothing of it, and comes through once the line is good', async (_what, bad) => {
    world.commit(upsert('paris', 'port', 'a'));
    spoil = bad;
    const paris = await world.member('paris');
    paris.follower.start();
    await time.advance(10_000);
    expect(paris.sink.facts()).toEqual([]);
    expect(dials.length).toBeGreaterThan(3);
    // Nothing succeeded, so it does not hammer.
    expect(dials.length).toBeLessThan(15);
    spoil = (text) => text;
    await world.quiet();
    expect(paris.sink.facts()).toHaveLength(1);
  });

  it('keeps what it has when a batch cannot be stored, says so, and tries again later and later', async () => {
    const paris = await world.following('paris');
    await withLog(paris);
    await world.quiet();
    const { slice } = paris.sink;
    const apply = slice.apply.bind(slice);
    slice.apply = () => {
      throw new Error('database or disk is full');
    };
    world.commit(upsert('paris', 'port', 'a'));
    dials.length = 0;
    await time.advance(30_000);
    expect(paris.sink.facts()).toEqual([]);
    expect(logged).toContain('Facts could not be taken over');
    expect(dials.length).toBeLessThan(15);
    slice.apply = apply;
    await world.quiet();
    expect(paris.sink.facts()).toHaveLength(1);
  });

  it('does not take its own slowness for silence', async () => {
    const paris = await world.following('paris');
    let release: () => void = () => undefined;
    paris.sink.hold = new Promise((resolve) => (release = resolve));
    dials.length = 0;
    for (let i = 0; i < 30; i++) {
      world.commit(upsert('paris', 'port', 'a', { text: 'x'.repeat(50_000), i }));
      await time.advance(1000);
    }
    expect(dials).toEqual([]);
    expect(paris.follower.state).toEqual({ connected: true });
    expect(world.current.status('paris').reachability).toBe('reachable');
    paris.sink.hold = undefined;
    release();
    await world.quiet();
  });

  it('does not dial again before what it had received is stored', async () => {
    const paris = await world.following('paris');
    let release: () => void = () => undefined;
    paris.sink.hold = new Promise((resolve) => (release = resolve));
    world.commit(upsert('paris', 'port', 'a'));
    await time.advance(100);
    dials.length = 0;
    paris.link.breakConnections();
    await time.advance(10_000);
    expect(dials).toEqual([]);
    paris.sink.hold = undefined;
    release();
    await world.quiet();
    expect(paris.sink.batches.flatMap(({ facts }) => facts)).toHaveLength(1);
  });

  it('follows a new generation without a pause', async () => {
    await world.following('paris');
    world.facts.restart(2);
    dials.length = 0;
    world.current.startOver();
    world.commit(upsert('paris', 'port', 'a'));
    await world.quiet();
    expect(dials).toHaveLength(2);
    expect(pauses()).toEqual([0]);
  });

  it('does nothing any more once it is stopped', async () => {
    const paris = await world.following('paris');
    await paris.follower.stop();
    world.commit(upsert('paris', 'port', 'a'));
    dials.length = 0;
    const reports = world.events.reports.length;
    await time.advance(20_000);
    expect([dials.length, paris.sink.facts().length, world.events.reports.length]).toEqual([0, 0, reports]);
    expect(paris.follower.state).toMatchObject({ connected: false });
  });

  it('goes on reporting when one observation is refused for its form', async () => {
    const paris = await world.following('paris');
    paris.sink.observe({ kind: '', id: 'x', position: 1, value: 1, at: '' });
    paris.follower.reportSoon();
    await time.advance(10_000);
    expect(world.current.status('paris').reachability).toBe('reachable');
    expect(world.events.edges).toHaveLength(1);
  });
});
