import * as fc from 'fast-check';
import { silentLogger } from '@weir/kernel';
import { VirtualTime } from '@weir/testing/time';
import { CascadeWorld, remove, upsert } from './contract';
import { MemoryFactStore } from './memory/fact-store';
import { MemoryTransport } from './memory/transport';
import type { PublishedChange } from './ports';
import type { FactLine } from './protocol';

/** A few times as long as a follower pauses before it dials again at first. */
const SEVERAL_DIALS_MS = 700;
const TIMEOUT_MS = 120_000;
const SEED = 20_260_101;

const ids = ['a', 'b', 'c', 'd'];
const change = fc.oneof(
  fc
    .record({ id: fc.constantFrom(...ids), n: fc.nat(9) })
    .map(({ id, n }): PublishedChange => upsert('paris', 'port', id, { n })),
  fc.constantFrom(...ids).map((id): PublishedChange => remove('paris', 'port', id)),
);
const plan = fc.array(change, { maxLength: 5 });

function worldOf(store: MemoryFactStore, seed: number): CascadeWorld {
  return new CascadeWorld(
    {
      time: new VirtualTime(),
      store,
      transport: (publisher) => new MemoryTransport(publisher, silentLogger),
      dispose: () => undefined,
    },
    seed,
  );
}

const bodies = (facts: readonly Omit<FactLine, 'type'>[]): unknown[] =>
  facts.map((fact) => ({ kind: fact.kind, id: fact.id, body: (fact as { body?: unknown }).body }));

/** Publishers that both believe they lead, reached one after the other by the same follower, in every order. */
describe('two publishers', () => {
  it(
    'of which one speaks for a stale plan: it never moves a follower back, and in the end the newer plan stands',
    async () => {
      const deliveries = fc.array(fc.constantFrom('stale' as const, 'newer' as const), { minLength: 2, maxLength: 8 });
      const property = fc.asyncProperty(
        fc.scheduler(),
        fc.record({ stale: plan, newer: plan, raised: fc.boolean(), seed: fc.nat() }),
        deliveries,
        async (scheduler, { stale, newer, raised, seed }, order) => {
          const old = new MemoryFactStore({ generation: 1 });
          const world = worldOf(old, seed);
          const paris = await world.member('paris');
          world.commit(...stale);
          const now = old.copy();
          world.publish(now);
          world.commit(...newer);
          if (raised) now.raise(2);
          const reached = () => paris.sink.batches.some(({ mark }) => mark.digest === now.head().digest);
          const stores = { stale: old, newer: now };
          let publications = Promise.resolve();
          for (const which of order) {
            // The scheduler says when it is delivered; then it is spoken for some time, or not at all.
            void scheduler.schedule(Promise.resolve(which)).then((delivered) => {
              publications = publications.then(async () => {
                const [before, isReached] = [bodies(paris.sink.facts()), reached()];
                world.publish(stores[delivered]);
                await world.time.advance(world.random.integer(3) * SEVERAL_DIALS_MS);
                if (delivered === 'stale' && isReached) expect(bodies(paris.sink.facts())).toEqual(before);
              });
            });
          }
          world.publish(old);
          paris.follower.start();
          await scheduler.waitIdle();
          await publications;
          const cursors = paris.sink.batches.map(({ mark }) => [mark.generation, mark.position] as const);
          world.publish(now);
          await world.quiet();
          expect(bodies(paris.sink.facts())).toEqual(bodies(now.live('paris')));
          for (const [index, [generation, position]] of cursors.entries()) {
            const [before, at] = cursors[index - 1] ?? [0, 0];
            expect(generation > before || (generation === before && position >= at)).toBe(true);
          }
          await world.dispose();
        },
      );
      await fc.assert(property, { numRuns: 1000, seed: SEED, endOnFailure: true });
    },
    TIMEOUT_MS,
  );

  it(
    'that have both written on: a follower belongs to the first that it followed, or to the higher generation, and to no mixture',
    async () => {
      const turn = fc.oneof(
        fc.record({
          step: fc.constant('speaks' as const),
          who: fc.constantFrom(0, 1),
          times: fc.integer({ min: 0, max: 2 }),
        }),
        fc.record({ step: fc.constant('writes' as const), who: fc.constantFrom(0, 1), changes: plan }),
      );
      const property = fc.asyncProperty(
        fc.array(turn, { minLength: 3, maxLength: 14 }),
        fc.record({ shared: plan, raised: fc.boolean(), seed: fc.nat() }),
        async (turns, { shared, raised, seed }) => {
          const first = new MemoryFactStore({ generation: 1 });
          const world = worldOf(first, seed);
          const paris = await world.following('paris');
          world.commit(...shared);
          await world.quiet();
          const common = first.head().position;
          const both = [first, first.copy()] as const;
          if (raised) both[1].raise(2);
          const led: number[] = [];
          for (const one of turns) {
            const store = both[one.who === 0 ? 0 : 1];
            if (one.step === 'speaks') {
              world.publish(store);
              await world.time.advance(one.times * SEVERAL_DIALS_MS);
            } else {
              const digest = `${one.who} writes ${store.head().position + 1}`;
              store.commit({ position: store.head().position + 1, digest, changes: one.changes });
              world.current.changed();
              await world.time.advance(10);
            }
            const { generation, position } = paris.sink.cursor();
            const leader = both.findIndex(
              (of) => of.digestAt(position) === paris.sink.cursor().digest && of.generation >= generation,
            );
            if (position > common) led.push(leader);
            // Whatever it holds, one of the two has said exactly that.
            expect(leader).not.toBe(-1);
          }
          for (const [index, leader] of led.entries()) {
            const before = led[index - 1];
            // From the lower generation to the higher, once, and never back.
            if (before !== undefined && before !== leader) expect([before, leader, raised]).toEqual([0, 1, true]);
          }
          await world.dispose();
        },
      );
      await fc.assert(property, { numRuns: 500, seed: SEED, endOnFailure: true });
    },
    TIMEOUT_MS,
  );
});
