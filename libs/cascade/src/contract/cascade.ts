import * as fc from 'fast-check';
import { invalid } from '@weir/kernel';
import { joinPublisher } from '../follower';
import { makeKey } from '../key';
import { NO_FAULTS } from '../memory/link';
import { MemoryFactStore } from '../memory/fact-store';
import type { FactLine } from '../protocol';
import { CascadeWorld, RecordingSink, remove, upsert, type CascadeParts, type Member } from './world';

export interface CascadeSuiteOptions {
  /** Random histories that are played. */
  readonly histories: number;
}

const plain = (lines: readonly FactLine[]): unknown[] =>
  lines.map((line) => ({
    kind: line.kind,
    id: line.id,
    position: line.position,
    ...(line.type === 'upsert' && { body: line.body }),
  }));

/** What etcd promises of a watch, for one follower: ordered, unique, atomic, bookmarkable. */
function expectOrderly(world: CascadeWorld, { name, sink }: Member): void {
  const seen = new Set<string>();
  for (const { start, line } of sink.effects) {
    const key = `${start} ${line.type} ${line.kind} ${line.id} ${line.position}`;
    expect({ key, again: seen.has(key) }).toEqual({ key, again: false });
    seen.add(key);
  }
  for (const { facts, mark, from } of sink.batches) {
    const positions = facts.map((fact) => fact.position);
    expect(positions).toEqual([...positions].sort((a, b) => a - b));
    for (const position of positions) {
      expect(position).toBeGreaterThan(from);
      expect(position).toBeLessThanOrEqual(mark.position);
    }
  }
  // Reliable: whatever happened on the way.
  expect({ name, facts: sink.facts() }).toEqual({ name, facts: plain(world.facts.live(name)) });
}

/** The suite of everything that carries the cascade; `make` gives its own parts to each test. */
export function describeCascade(
  name: string,
  make: () => CascadeParts | Promise<CascadeParts>,
  options: CascadeSuiteOptions,
): void {
  describe(`the cascade over ${name}`, () => {
    let world: CascadeWorld;
    beforeEach(async () => {
      world = new CascadeWorld(await make());
    });
    afterEach(async () => {
      await world.dispose();
    });

    describe('facts', () => {
      it('come whole at first, then as they change, and say once that they have caught up', async () => {
        world.commit(upsert('paris', 'network', 'n', { mtu: 1450 }), upsert('tokyo', 'network', 'n', { mtu: 1450 }));
        world.commit(upsert('paris', 'port', 'a'));
        const paris = await world.following('paris');
        expectOrderly(world, paris);
        world.commit(upsert('paris', 'port', 'b'), remove('paris', 'port', 'a'));
        await world.quiet();
        expectOrderly(world, paris);
        expect(paris.sink.facts().map(({ id }) => id)).toEqual(['n', 'b']);
        await world.time.advance(3000);
        expect(paris.sink.batches.filter(({ mark }) => mark.caughtUp)).toHaveLength(1);
      });

      it('of others cost a follower no message, yet its cursor follows the head', async () => {
        const paris = await world.following('paris');
        for (let i = 0; i < 20; i++) world.commit(upsert('tokyo', 'port', `p${i}`));
        await world.quiet();
        expect(world.current.messages('paris')).toEqual({});
        expect(world.current.marks('paris')).toBeGreaterThan(0);
        expect(paris.sink.cursor().position).toBe(world.facts.head().position);
        world.commit(upsert('paris', 'port', 'a'));
        await world.quiet();
        expect(world.current.messages('paris')).toEqual({ port: 1 });
      });

      it('of one position are taken over together, however many', async () => {
        world.commit(...Array.from({ length: 700 }, (_, i) => upsert('paris', 'port', `p${i}`)));
        world.commit(upsert('paris', 'port', 'last'));
        const paris = await world.following('paris');
        expectOrderly(world, paris);
        expect(paris.sink.batches.some(({ facts }) => facts.length >= 700)).toBe(true);
      });

      it('go on from the cursor after a restart', async () => {
        world.commit(upsert('paris', 'port', 'a'), upsert('paris', 'port', 'b'));
        const paris = await world.following('paris');
        await paris.follower.stop();
        world.commit(upsert('paris', 'port', 'b', { moved: true }));
        await world.restart(paris);
        await world.quiet();
        expect(paris.sink.batches.flatMap(({ facts }) => facts).map(({ id }) => id)).toEqual(['a', 'b', 'b']);
        expectOrderly(world, paris);
      });

      it('that were deleted are told until the follower has passed them, and then no more', async () => {
        world.commit(upsert('paris', 'port', 'a'));
        const paris = await world.following('paris');
        paris.link.cut();
        world.commit(remove('paris', 'port', 'a'));
        expect(world.facts.after('paris', 0, 10)).toHaveLength(1);
        paris.link.heal();
        await world.quiet();
        expect(paris.sink.facts()).toEqual([]);
        expect(world.facts.after('paris', 0, 10)).toEqual([]);
      });

      it('reach a slow reader in their last state only, and wait nowhere else', async () => {
        const paris = await world.following('paris');
        let release: () => void = () => undefined;
        paris.sink.hold = new Promise((resolve) => (release = resolve));
        const text = 'x'.repeat(100_000);
        for (let i = 0; i < 400; i++) {
          world.commit(upsert('paris', 'port', 'a', { i, text }));
          if (i % 20 === 0) await world.time.advance(10);
        }
        paris.sink.hold = undefined;
        release();
        await world.quiet();
        expectOrderly(world, paris);
        expect(paris.sink.slice.get('port', 'a')?.body['i']).toBe(399);
        // The rest of 40 MB was never sent: sockets hold some, nobody else any.
        expect(world.current.messages('paris')['port']).toBeLessThan(300);
      });
    });

    describe('a bad line', () => {
      it.each(['lose', 'double', 'swap'] as const)('that may %s lines costs time only', async (fault) => {
        const paris = await world.following('paris');
        paris.link.faults = { ...NO_FAULTS, [fault]: 300 };
        for (let i = 0; i < 40; i++) {
          world.commit(
            upsert('paris', 'port', `p${i % 7}`, { i }),
            i % 5 ? upsert('paris', 'network', `n${i}`) : remove('paris', 'network', `n${i - 4}`),
          );
          await world.time.advance(50);
        }
        paris.link.faults = NO_FAULTS;
        await world.quiet();
        expectOrderly(world, paris);
      });

      it('that is cut is dialled again, and what was missed is made up for', async () => {
        const paris = await world.following('paris');
        for (let cut = 0; cut < 5; cut++) {
          paris.link.cut();
          world.commit(upsert('paris', 'port', `p${cut}`));
          await world.time.advance(2000);
          expect(paris.follower.state.connected).toBe(false);
          paris.link.heal();
          await world.quiet();
        }
        expectOrderly(world, paris);
        expect(paris.sink.facts()).toHaveLength(5);
      });

      it('that goes silent without breaking is given up after 5 s, from both ends', async () => {
        const paris = await world.following('paris');
        const silentFrom = world.time.now();
        paris.link.silence('both');
        await world.time.until(() => world.current.status('paris').reachability === 'unreachable', 7000);
        await world.time.until(() => paris.follower.state.unreachableSince !== undefined, 7000);
        expect(world.current.status('paris').connected).toBe(false);
        expect(Math.abs(world.current.status('paris').since - silentFrom)).toBeLessThanOrEqual(1000);
        expect(Math.abs((paris.follower.state.unreachableSince ?? 0) - silentFrom)).toBeLessThanOrEqual(1000);
        expect(paris.sink.facts()).toEqual(plain(world.facts.live('paris')));
        paris.link.heal();
        await world.time.until(() => world.current.status('paris').reachability === 'reachable');
        await world.quiet();
        expect(paris.follower.state).toEqual({ connected: true });
        expect(world.events.edges.map(({ state }) => state)).toEqual(['reachable', 'unreachable', 'reachable']);
      });

      it.each(['down', 'up'] as const)(
        'that is silent %swards only is noticed, and does not flap when it is slow',
        async (direction) => {
          const paris = await world.following('paris');
          paris.link.silence(direction);
          await world.time.advance(15_000);
          expect(
            paris.follower.state.unreachableSince !== undefined ||
              world.current.status('paris').reachability === 'unreachable',
          ).toBe(true);
          paris.link.heal();
          await world.quiet();
          const before = world.events.edges.length;
          paris.link.faults = { ...NO_FAULTS, delayMs: [150, 400], losePosts: 50 };
          for (let i = 0; i < 30; i++) {
            world.commit(upsert('paris', 'port', 'a', { i }));
            await world.time.advance(1000);
          }
          expect(world.events.edges.length).toBe(before);
          await world.quiet();
          expectOrderly(world, paris);
        },
      );
    });

    describe('a report', () => {
      const power = (value: string) => ({
        kind: 'server',
        id: 's',
        position: 1,
        value,
        at: '2026-01-01T00:00:00.000Z',
      });

      it('says at once when the head is stored, and when it is settled', async () => {
        const paris = await world.following('paris');
        paris.sink.settledAt = 0;
        const { position } = world.commit(upsert('paris', 'port', 'a'));
        await world.time.until(() => world.events.reports.at(-1)?.cursor.position === position, 100);
        expect(world.current.status('paris').settled).toBeLessThan(position);
        paris.sink.settledAt = position;
        paris.follower.settledChanged();
        await world.time.until(() => world.current.status('paris').settled === position, 100);
      });

      it('never calls settled what is not stored', async () => {
        const paris = await world.member('paris');
        paris.sink.settledAt = 1000;
        paris.follower.start();
        await world.quiet();
        expect(world.current.status('paris').settled).toBe(world.facts.head().position);
      });

      it('comes each second when there is nothing to say', async () => {
        await world.following('paris');
        const before = world.events.reports.length;
        await world.time.advance(5000);
        expect(world.events.reports.length - before).toBeGreaterThanOrEqual(4);
        expect(world.events.reports.length - before).toBeLessThanOrEqual(6);
      });

      it('brings observations at once, then at most once a second, the last value of each', async () => {
        const paris = await world.following('paris');
        await world.time.advance(2000);
        const before = world.events.reports.length;
        paris.sink.observe(power('on'));
        paris.follower.reportSoon();
        await world.time.until(() => world.events.reports.length > before, 100);
        for (let i = 0; i < 50; i++) {
          paris.sink.observe(power(`${i}`));
          paris.follower.reportSoon();
          await world.time.advance(10);
        }
        await world.time.advance(1500);
        const values = world.events.reports
          .slice(before)
          .flatMap(({ observations }) => observations.map(({ value }) => value));
        expect(values[0]).toBe('on');
        expect(values.at(-1)).toBe('49');
        expect(values.length).toBeLessThanOrEqual(4);
      });

      it('brings all observations after a connect, and again those that were not delivered', async () => {
        const paris = await world.following('paris');
        world.events.failing = new Error('The disk is full.');
        paris.sink.observe(power('on'));
        paris.follower.reportSoon();
        await world.time.advance(2500);
        world.events.failing = undefined;
        await world.time.until(() => world.events.reports.some(({ observations }) => observations.length === 1));
        await world.time.advance(2000);
        const before = world.events.reports.length;
        paris.link.breakConnections();
        await world.time.until(() =>
          world.events.reports.slice(before).some(({ observations }) => observations.length === 1),
        );
      });

      it('of many observations is cut into several', async () => {
        const paris = await world.following('paris');
        const before = world.events.reports.length;
        for (let i = 0; i < 12_000; i++) paris.sink.observe({ ...power('on'), id: `s${i}` });
        paris.follower.reportSoon();
        const ids = () =>
          new Set(world.events.reports.slice(before).flatMap(({ observations }) => observations.map(({ id }) => id)));
        await world.time.until(() => ids().size === 12_000);
        expect(Math.max(...world.events.reports.map(({ observations }) => observations.length))).toBeLessThanOrEqual(
          10_000,
        );
      });
    });

    describe('a question', () => {
      it('is answered by the follower, whatever the answer holds', async () => {
        const paris = await world.following('paris');
        paris.sink.answer = (kind, body) => ({ kind, body, text: 'é💧"\\'.repeat(60_000) });
        const outcome = await world.outcome(world.current.query('paris', 'trace', { port: 'a' }, 2000));
        expect(outcome).toEqual({ value: { kind: 'trace', body: { port: 'a' }, text: 'é💧"\\'.repeat(60_000) } });
        expect(world.current.messages('paris')).toEqual({ query: 1 });
      });

      it('is answered while facts wait to be taken over', async () => {
        const paris = await world.following('paris');
        let release: () => void = () => undefined;
        paris.sink.hold = new Promise((resolve) => (release = resolve));
        world.commit(upsert('paris', 'port', 'a'));
        expect(await world.outcome(world.current.query('paris', 'ping', 1, 1999.5))).toEqual({
          value: { kind: 'ping', body: 1 },
        });
        paris.sink.hold = undefined;
        release();
        await world.quiet();
      });

      it('gets the error that the follower has for it', async () => {
        const paris = await world.following('paris');
        paris.sink.answer = () => {
          throw invalid('No such port here.');
        };
        expect(await world.outcome(world.current.query('paris', 'trace', {}, 2000))).toMatchObject({
          error: { reason: 'invalid', message: 'No such port here.' },
        });
        paris.sink.answer = () => {
          throw new Error('secret of the machine room');
        };
        expect(await world.outcome(world.current.query('paris', 'trace', {}, 2000))).toMatchObject({
          error: { reason: 'unavailable', message: 'The question could not be answered.' },
        });
      });

      it('is refused when the answer is longer than 4 MiB', async () => {
        const paris = await world.following('paris');
        paris.sink.answer = () => 'x'.repeat(5 * 1024 * 1024);
        expect(await world.outcome(world.current.query('paris', 'bytes', {}, 2000))).toMatchObject({
          error: { reason: 'too-large' },
        });
      });

      it('is unavailable when nobody is connected, when time is out, and when the follower goes meanwhile', async () => {
        expect(await world.outcome(world.current.query('paris', 'trace', {}, 2000))).toMatchObject({
          error: { reason: 'unavailable' },
        });
        const paris = await world.following('paris');
        paris.sink.answer = () => new Promise(() => undefined);
        const asked = world.time.monotonic();
        expect(await world.outcome(world.current.query('paris', 'trace', {}, 2000))).toMatchObject({
          error: { reason: 'unavailable' },
        });
        expect(world.time.monotonic() - asked).toBe(2000);
        const pending = world.outcome(world.current.query('paris', 'trace', {}, 60_000));
        paris.link.cut();
        expect(await pending).toMatchObject({ error: { reason: 'unavailable' } });
        expect(world.time.monotonic() - asked).toBeLessThan(30_000);
      });
    });

    describe('joining', () => {
      it('gives the same answer to the same token and key until the first facts are asked for', async () => {
        const { name: id, key, link, follower } = await world.member('paris');
        const join = (token: string, withKey: string) =>
          world.outcome(joinPublisher({ transport: link, token, name: id, key: withKey }));
        expect(await join('token of paris', key)).toEqual({ value: { id: 'paris', generation: 1 } });
        expect(await join('token of paris', makeKey(world.random))).toMatchObject({ error: { reason: 'forbidden' } });
        expect(await join('no token', key)).toMatchObject({ error: { reason: 'forbidden' } });
        expect(await join('token of paris', 'short')).toMatchObject({ error: { reason: 'invalid' } });
        follower.start();
        await world.quiet();
        expect(await join('token of paris', key)).toMatchObject({ error: { reason: 'forbidden' } });
      });

      it('fails as unavailable when nobody answers, and may be tried again', async () => {
        const { link, key } = await world.member('paris');
        world.publisher?.close();
        world.publisher = undefined;
        const attempt = joinPublisher({ transport: link, token: 'token of paris', name: 'paris', key });
        expect(await world.outcome(attempt)).toMatchObject({ error: { reason: 'unavailable' } });
      });
    });

    describe('a refusal', () => {
      it('of an unknown key leaves what is there, and is asked about again', async () => {
        world.commit(upsert('paris', 'port', 'a'));
        const paris = await world.following('paris');
        const stranger = { ...paris, key: makeKey(world.random) };
        await world.restart(stranger);
        await paris.follower.stop();
        await world.time.until(() => stranger.follower.state.refused?.reason === 'unauthorized');
        await world.time.advance(10_000);
        expect(stranger.follower.state).toMatchObject({ connected: false, refused: { reason: 'unauthorized' } });
        expect(paris.sink.facts()).toHaveLength(1);
        await stranger.follower.stop();
        await world.restart(paris);
        await world.quiet();
        expect(paris.follower.state).toEqual({ connected: true });
      });

      it('meets a follower that is ahead of a restored copy, and the owner is told', async () => {
        world.commit(upsert('paris', 'port', 'a'));
        const paris = await world.following('paris');
        const copy = new MemoryFactStore({ generation: 1 });
        copy.commit({ ...world.facts.head(), changes: [upsert('paris', 'port', 'a')] });
        const original = world.facts;
        world.commit(remove('paris', 'port', 'a'), upsert('paris', 'server', 's'));
        await world.quiet();
        world.publish(copy);
        await world.time.until(() => paris.follower.state.refused?.reason === 'digest');
        // Also when the copy has written on since, past that position.
        copy.commit({ position: original.head().position + 10, digest: 'of the copy', changes: [] });
        const told = world.events.divergences.length;
        await world.time.until(() => world.events.divergences.length > told);
        expect(world.events.divergences.at(-1)).toEqual({ follower: 'paris', position: original.head().position });
        expect(paris.sink.facts()).toEqual(plain(original.live('paris')));
        world.publish(original);
        await world.quiet();
        expect(paris.follower.state).toEqual({ connected: true });
      });

      it('meets an older generation that goes on speaking: only the highest is followed', async () => {
        world.commit(upsert('paris', 'port', 'a'));
        const paris = await world.following('paris');
        const old = world.facts;
        const promoted = new MemoryFactStore({ generation: 2 });
        promoted.commit({ position: 1, digest: 'promoted', changes: [upsert('paris', 'port', 'b')] });
        world.publish(promoted);
        await world.quiet();
        expect(paris.sink.facts().map(({ id }) => id)).toEqual(['b']);
        world.publish(old);
        world.commit(upsert('paris', 'port', 'stale'));
        await world.time.until(() => paris.follower.state.refused?.reason === 'generation');
        await world.time.advance(10_000);
        expect(world.events.divergences.length).toBeGreaterThan(0);
        expect(paris.sink.facts().map(({ id }) => id)).toEqual(['b']);
        world.publish(promoted);
        await world.quiet();
      });
    });

    describe('quarantine', () => {
      it('publishes nothing, takes nothing over and still asks, until what is wanted is published as a higher generation', async () => {
        world.commit(upsert('paris', 'port', 'a'), upsert('tokyo', 'port', 'a'));
        const [paris, tokyo] = [await world.following('paris'), await world.following('tokyo')];
        const copy = new MemoryFactStore({ generation: 1 });
        copy.commit({ ...world.facts.head(), changes: [upsert('paris', 'port', 'a'), upsert('tokyo', 'port', 'a')] });
        world.commit(upsert('paris', 'server', 'newer'));
        await world.quiet();
        const standing = [paris.sink.cursor(), tokyo.sink.cursor()];
        world.publish(copy);
        world.current.quarantine();
        world.commit(remove('paris', 'port', 'a'), upsert('tokyo', 'port', 'stale'));
        await world.time.until(() =>
          [paris, tokyo].every(({ follower: { state } }) => state.connected && state.refused?.reason === 'quarantine'),
        );
        const reports = world.events.reports.length;
        paris.sink.observe({ kind: 'server', id: 's', position: 1, value: 'gone', at: 'now' });
        paris.follower.reportSoon();
        await world.time.advance(20_000);
        expect([paris.sink.cursor(), tokyo.sink.cursor()]).toEqual(standing);
        expect(world.events.reports).toHaveLength(reports);
        expect(world.current.status('paris')).toMatchObject({ connected: true, reachability: 'reachable' });
        expect(await world.outcome(world.current.query('paris', 'facts', {}, 1000))).toEqual({
          value: { kind: 'facts', body: {} },
        });

        copy.commit({
          position: copy.head().position + 1,
          digest: 'discarded',
          changes: [{ follower: 'paris', op: 'bury', kind: 'server', id: 'newer' }],
        });
        copy.raise(2);
        world.current.release();
        await world.quiet();
        expect(paris.sink.facts()).toEqual([]);
        expect(paris.sink.orphaned).toEqual([]);
        expect(paris.sink.effects.at(-1)?.line).toMatchObject({ type: 'delete', kind: 'server', id: 'newer' });
        expect(tokyo.sink.facts().map(({ id }) => id)).toEqual(['a', 'stale']);
        expect(world.events.reports.at(-1)?.observations).toBeDefined();
        expect(paris.follower.state).toEqual({ connected: true });
      });

      it('is noticed by a follower that has nothing yet no sooner than it has something', async () => {
        world.current.quarantine();
        const paris = await world.member('paris');
        paris.follower.start();
        await world.time.until(() => paris.follower.state.refused?.reason === 'quarantine');
        world.commit(upsert('paris', 'port', 'a'));
        await world.time.advance(5000);
        expect(paris.sink.cursor()).toMatchObject({ generation: 1, position: 0 });
      });
    });

    describe('starting over', () => {
      it('under a new generation keeps facts until caught up, lets go of what is derived and names what holds state', async () => {
        world.commit(upsert('paris', 'network', 'n'), upsert('paris', 'port', 'a'), upsert('paris', 'server', 's'));
        const paris = await world.following('paris');
        world.facts.restart(2);
        world.current.startOver();
        world.commit(upsert('paris', 'network', 'n'));
        await world.quiet();
        expect(paris.sink.facts()).toEqual(plain(world.facts.live('paris')));
        expect(paris.sink.orphaned).toEqual([{ kind: 'server', id: 's' }]);
        expect(paris.sink.cursor().generation).toBe(2);
      });

      it('is asked of a follower that lost what it had acknowledged: its tombstones are gone', async () => {
        world.commit(upsert('paris', 'port', 'a'), upsert('paris', 'port', 'b'));
        const before = await world.following('paris');
        const early = new RecordingSink();
        early.slice.newGeneration(1);
        const { position, digest } = before.sink.cursor();
        early.slice.apply(
          before.sink.batches.flatMap(({ facts }) => facts),
          { generation: 1, position, digest, caughtUp: true },
        );
        world.commit(remove('paris', 'port', 'a'));
        await world.quiet();
        await before.follower.stop();
        world.members.length = 0;
        const restored: Member = { ...before, sink: early };
        world.members.push(restored);
        await world.restart(restored);
        await world.quiet();
        expect(early.starts).toBe(1);
        expectOrderly(world, restored);
      });
    });

    describe('a publisher', () => {
      it('gives a follower one stream: the second takes the place of the first', async () => {
        const paris = await world.following('paris');
        const twin: Member = { ...paris, sink: new RecordingSink() };
        await world.restart({ ...twin });
        await paris.follower.stop();
        expect(world.current.followers()).toEqual(['paris']);
      });

      it('that restarts goes on where its followers are', async () => {
        world.commit(upsert('paris', 'port', 'a'));
        const paris = await world.following('paris');
        world.publisher?.close();
        world.publisher = undefined;
        world.commit(upsert('paris', 'port', 'b'));
        await world.time.advance(3000);
        world.publish();
        await world.quiet();
        expectOrderly(world, paris);
        expect(paris.sink.batches.flatMap(({ facts }) => facts).map(({ id }) => id)).toEqual(['a', 'b']);
      });

      it('says nothing after a start until those that should be there have shown their cursor', async () => {
        const paris = await world.following('paris');
        const tokyo = await world.following('tokyo');
        tokyo.link.cut();
        world.publish(world.facts, ['paris', 'tokyo']);
        world.commit(upsert('paris', 'port', 'a'));
        await world.time.until(() => world.current.status('paris').connected);
        await world.time.advance(1500);
        expect(paris.sink.facts()).toEqual([]);
        tokyo.link.heal();
        await world.quiet();
        expect(paris.sink.facts()).toHaveLength(1);
      });

      it('waits 5 s for them at most, and then tells who is missing', async () => {
        const paris = await world.following('paris');
        const tokyo = await world.following('tokyo');
        await tokyo.follower.stop();
        world.members.splice(1);
        const edges = world.events.edges.length;
        world.publish(world.facts, ['paris', 'tokyo']);
        world.commit(upsert('paris', 'port', 'a'));
        await world.quiet();
        expect(paris.sink.facts()).toHaveLength(1);
        await world.time.advance(1000);
        expect(world.events.edges.slice(edges)).toMatchObject([{ follower: 'tokyo', state: 'unreachable' }]);
      });

      it('forgets a follower that is removed', async () => {
        world.commit(upsert('paris', 'port', 'a'));
        const paris = await world.following('paris');
        await paris.follower.stop();
        world.current.remove('paris');
        expect(world.facts.live('paris')).toEqual([]);
        expect(world.current.followers()).toEqual([]);
        expect(world.current.status('paris')).toMatchObject({ connected: false, cursor: { position: 0 } });
      });
    });

    it('brings every follower to the publisher’s facts after any history of commits, cuts, restarts and bad lines', async () => {
      await world.dispose();
      const follower = fc.constantFrom('paris', 'tokyo');
      const fact = fc.record({
        kind: fc.constantFrom('network', 'port', 'server'),
        id: fc.constantFrom('a', 'b', 'c', 'd'),
      });
      const change = fc
        .tuple(follower, fact, fc.option(fc.integer({ min: 0, max: 9 })))
        .map(([to, { kind, id }, n]) => (n === null ? remove(to, kind, id) : upsert(to, kind, id, { n })));
      const step = fc.oneof(
        {
          weight: 6,
          arbitrary: fc.record({ step: fc.constant('commit' as const), changes: fc.array(change, { maxLength: 6 }) }),
        },
        { weight: 2, arbitrary: fc.record({ step: fc.constant('break' as const), follower }) },
        { weight: 1, arbitrary: fc.record({ step: fc.constant('cut' as const), follower }) },
        { weight: 2, arbitrary: fc.record({ step: fc.constant('heal' as const), follower }) },
        { weight: 1, arbitrary: fc.record({ step: fc.constant('restart' as const), follower }) },
        { weight: 1, arbitrary: fc.record({ step: fc.constant('silence' as const), follower }) },
        { weight: 1, arbitrary: fc.record({ step: fc.constant('publisher restarts' as const) }) },
        { weight: 1, arbitrary: fc.record({ step: fc.constant('new generation' as const) }) },
        {
          weight: 2,
          arbitrary: fc.record({
            step: fc.constant('spoil' as const),
            follower,
            lose: fc.constantFrom(0, 200),
            double: fc.constantFrom(0, 200),
            swap: fc.constantFrom(0, 200),
            losePosts: fc.constantFrom(0, 300),
          }),
        },
        {
          weight: 4,
          arbitrary: fc.record({ step: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 1500 }) }),
        },
      );
      const history = fc.asyncProperty(
        fc.array(step, { minLength: 10, maxLength: 50 }),
        fc.nat(),
        async (steps, seed) => {
          world = new CascadeWorld(await make(), seed);
          const members = [await world.member('paris'), await world.member('tokyo')];
          for (const member of members) member.follower.start();
          const memberOf = (name: string): Member => members.find((member) => member.name === name) ?? fail(name);
          for (const one of steps) {
            if (one.step === 'commit') world.commit(...one.changes);
            else if (one.step === 'break') memberOf(one.follower).link.breakConnections();
            else if (one.step === 'cut') memberOf(one.follower).link.cut();
            else if (one.step === 'heal') memberOf(one.follower).link.heal();
            else if (one.step === 'silence') memberOf(one.follower).link.silence('both');
            else if (one.step === 'restart') await world.restart(memberOf(one.follower));
            else if (one.step === 'publisher restarts') world.publish();
            else if (one.step === 'new generation') {
              world.facts.restart(world.facts.generation + 1);
              world.current.startOver();
            } else if (one.step === 'wait') await world.time.advance(one.ms);
            else {
              const { lose, double, swap, losePosts } = one;
              memberOf(one.follower).link.faults = { lose, double, swap, losePosts, delayMs: [0, 50] };
            }
          }
          for (const { link } of members) {
            link.faults = NO_FAULTS;
            link.heal();
          }
          // The head of a new generation is position 0, where a follower stands before it has caught up, too.
          world.commit();
          await world.quiet();
          for (const member of members) {
            expectOrderly(world, member);
            expect(member.sink.starts).toBeLessThanOrEqual(world.facts.generation);
          }
          expect(world.events.divergences).toEqual([]);
          await world.dispose();
        },
      );
      await fc.assert(history, { numRuns: options.histories, seed: 20_260_101, endOnFailure: true });
    });
  });
}
