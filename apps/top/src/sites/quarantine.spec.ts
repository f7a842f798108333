import * as fc from 'fast-check';
import { Follower, makeKey, type FollowerSink } from '@weir/cascade';
import { MemoryFactStore, memoryLink, MemorySlice } from '@weir/cascade/memory';
import { createNetwork, findDivergence, views } from '@weir/domain';
import { MemoryEventStore, MemoryLog } from '@weir/event-store/memory';
import { type Id, silentLogger, type SiteId } from '@weir/kernel';
import { sample, seededRandom } from '@weir/testing/domain';
import { VirtualTime } from '@weir/testing/time';
import { type Core, startCore } from '../core';
import { Intend } from '../orchestration/commands';
import { MemoryObserved } from './observed';
import { TopInQuarantine } from './quarantine';

const OPERATOR = { requestId: 'req-operator', actor: 'operator', projectId: undefined };
/** Networks of the whole log; each is two events. */
const NETWORKS = 520;
const OLDEST = 1000;
const RUNS = 25;

/** A site that follows, and keeps what it was told over restarts of its Top. */
class FollowingSite {
  readonly slice = new MemorySlice();
  private follower: Follower | undefined;

  constructor(
    private readonly time: VirtualTime,
    readonly key: string,
  ) {}

  async follow(core: Core): Promise<void> {
    await this.follower?.stop();
    const { time, slice, key } = this;
    const ports = { clock: time, timers: time, random: seededRandom(2), logger: silentLogger };
    const sink: FollowerSink = {
      cursor: () => slice.cursor(),
      newGeneration: (generation) => Promise.resolve(slice.newGeneration(generation)),
      apply: (facts, mark) => Promise.resolve(void slice.apply(facts, mark)),
      settled: () => slice.cursor().position,
      observations: () => [],
      query: () => Promise.resolve({ facts: slice.facts() }),
    };
    this.follower = new Follower({
      name: 'paris',
      transport: memoryLink(() => core.publisher, ports),
      key,
      sink,
      ...ports,
    });
    this.follower.start();
  }

  stop(): Promise<void> | undefined {
    return this.follower?.stop();
  }
}

describe('R26: a Top that is an older copy', () => {
  const time = new VirtualTime();
  const whole = new MemoryLog();
  let site: FollowingSite;
  let lives = 0;

  /** Over as much of the log as there was then. */
  async function started(log: MemoryLog, facts = new MemoryFactStore({ generation: 1 })) {
    const store = new MemoryEventStore({ views, log });
    const core = await startCore({
      store,
      rows: store.reader,
      observed: new MemoryObserved(),
      openFacts: () => facts,
      clock: time,
      timers: time,
      random: seededRandom(++lives),
      logger: silentLogger,
      failed: (error) => {
        throw error;
      },
    });
    return { core, facts };
  }

  const networkOf = (n: number, of: string) => ({
    networkId: `${n.toString(16).padStart(8, '0')}-${of}-4000-8000-000000000000` as Id<'network'>,
    segment: { type: 'vxlan', key: 10_000 + n + (of === 'aaaa' ? 0 : 100_000), picked: false } as const,
  });
  const create = (core: Core, n: number, of = 'aaaa') =>
    core.shell.execute(new Intend(OPERATOR, () => createNetwork(sample.createNetwork(networkOf(n, of)))));
  const older = (by: number) => {
    const log = new MemoryLog();
    for (const event of whole.events.slice(0, whole.events.length - by)) log.push(event);
    return log;
  };

  beforeAll(async () => {
    const { core } = await started(whole);
    const added = await core.sites.add(OPERATOR, {
      ...{ name: 'paris', data_center: 'paris', availability_zones: ['a'] },
      ...{ driver: 'ovs', tunnel: { type: 'vxlan', mtu: 1500 } },
    });
    const key = makeKey(seededRandom(1));
    site = new FollowingSite(time, key);
    await core.publisher.join({ token: added.joinToken, name: 'paris', key });
    await site.follow(core);
    await time.until(() => site.slice.cursor().position > 0);
    for (let n = 0; n < NETWORKS; n++) await create(core, n);
    await time.until(() => site.slice.cursor().position === whole.events.length);
    await site.stop();
    core.stop();
  });

  it('by 1 to 1,000 events is in quarantine as soon as its site shows where it is, also when it has written on', async () => {
    const property = fc.asyncProperty(
      fc.integer({ min: 1, max: OLDEST }),
      fc.integer({ min: 0, max: 6 }),
      fc.boolean(),
      async (by, written, outruns) => {
        const { core } = await started(older(by));
        const before = { cursor: site.slice.cursor(), facts: site.slice.facts() };
        // As much as it lacks, or more: then every position that the site knows is one of this log, too.
        const writes = outruns && by < 100 ? by : written;
        for (let n = 0; n < writes; n++) await create(core, n, 'bbbb');
        await site.follow(core);
        await time.until(() => core.quarantine.active);
        await core.quarantine.recorded();
        expect(core.quarantine.divergences).toMatchObject([{ ...before.cursor, settled: null }]);
        await expect(create(core, 999, 'cccc')).rejects.toThrow(TopInQuarantine);
        await time.advance(10_000);
        expect({ cursor: site.slice.cursor(), facts: site.slice.facts() }).toEqual(before);
        core.stop();
        await site.stop();
      },
    );
    await fc.assert(property, { numRuns: RUNS, seed: 20_260_101, endOnFailure: true });
  }, 60_000);

  it('is in quarantine before any site has spoken when what it published is not of its log', async () => {
    const { core, facts } = await started(older(0));
    core.stop();
    const restored = await started(older(3), facts);
    expect(restored.core.quarantine.divergences).toMatchObject([{ siteId: null, generation: 1 }]);
    expect(restored.facts.head().position).toBe(whole.events.length - 3 + 1);
    restored.core.stop();
  });

  it('stays in quarantine when it is started again', async () => {
    const log = older(10);
    const { core, facts } = await started(log);
    const [row] = core.rows.live('rm_sites');
    const siteId = row?.['id'] as SiteId;
    const shown = { siteId, generation: 1, position: 7, digest: 'seven' };
    await core.shell.execute(new Intend(OPERATOR, () => findDivergence(shown)));
    core.stop();
    const again = await started(log, facts);
    expect(again.core.quarantine.active).toBe(true);
    expect(again.core.publisher.quarantined).toBe(true);
    again.core.stop();
  });

  it('is none when it is whole: its site goes on where it was', async () => {
    const { core } = await started(older(0));
    await site.follow(core);
    await time.until(() => core.publisher.status(core.rows.live('rm_sites')[0]?.['id'] as string).connected);
    expect(core.quarantine.active).toBe(false);
    await site.stop();
    core.stop();
  });
});
