import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemRandom } from '@weir/kernel';
import type { Named } from '@weir/lab/deployment';
import { differences, endOf, LabWorld } from './lab-world';
import { scaled } from './scale';
import { lossesOf, NOTHING_LOST, type Pair } from './traffic';

/** Of each signal, each process. */
const RESTARTS = scaled({ sample: 3, whole: 10 });
const SIGNALS = (['SIGTERM', 'SIGKILL'] as const).flatMap((signal) => Array.from({ length: RESTARTS }, () => signal));
/** Behind a change that is asked for, at random up to this. */
const LONGEST_PENDING_MS = 300;
/** A Host that ended before its report of a deletion was taken is asked for it again after 10 s. */
const GONE_DEADLINE_MS = 25_000;
const STAYING = 4;
/** Of the host that is restarted. */
const OWN_ZONE = 'Paris:paris-a';

jest.setTimeout(60_000 + RESTARTS * 60_000);

describe('traffic between instances', () => {
  let world: LabWorld;
  let pairs: readonly Omit<Pair, 'counted'>[];
  /** The server that the last change made; the next one deletes it. */
  let extra: Named | undefined;

  beforeAll(async () => {
    world = await LabWorld.start();
    // Nothing of it on paris-2, where the changes are: a link that comes or goes may cost the tunnels of its host a packet (README).
    const instances = await world.boot({
      one: [OWN_ZONE, 'blue'],
      two: [OWN_ZONE, 'blue'],
      three: ['Tokyo', 'blue'],
      four: ['Tokyo', 'red'],
    });
    const end = (name: string) => {
      const found = instances.find((instance) => instance.name === name);
      if (!found) throw new Error(`${name} is not there.`);
      return endOf(found);
    };
    pairs = [
      { kind: 'same host', from: end('one'), to: end('two') },
      { kind: 'cross-host', from: end('three'), to: end('one') },
      { kind: 'routed', from: end('one'), to: end('four') },
    ];
  });
  afterAll(() => world.stop());

  /** A server comes, or the one that came before goes, while a process ends and starts again. */
  async function change(name: string, zone: string, signal: NodeJS.Signals | undefined): Promise<void> {
    const { weir } = world;
    const process = weir.process(name);
    const gone = extra;
    const made = gone ? undefined : world.create('extra', zone, 'blue');
    const deleted = gone && weir.request('DELETE', `/compute/v2.1/servers/${gone.id}`);
    if (signal) {
      await sleep(systemRandom.integer(LONGEST_PENDING_MS));
      await process.kill(signal);
      await process.start();
    }
    extra = await made;
    await deleted;
    if (extra) await weir.tenant.waitForStatus([extra.id], 'ACTIVE');
    if (gone) {
      const condition = () => !existsSync(`/run/netns/weir-${gone.id}`);
      await weir.wait(condition, { what: 'its namespace to go', deadlineMs: GONE_DEADLINE_MS });
    }
  }

  /** What was made for the changes is gone, everywhere. */
  async function settle(): Promise<void> {
    const { weir } = world;
    if (extra) await weir.request('DELETE', `/compute/v2.1/servers/${extra.id}`);
    extra = undefined;
    const condition = async () => (await weir.tenant.servers()).length === STAYING;
    await weir.wait(condition, { what: 'what was deleted to be gone', deadlineMs: GONE_DEADLINE_MS });
    await weir.waitForSettled();
  }

  it.each<readonly [process: string, what: string, zone: string, kinds: readonly string[]]>([
    ['host-paris-1', 'another host', 'Paris:paris-b', ['same host', 'cross-host', 'routed']],
    ['host-paris-1', 'this host', OWN_ZONE, ['same host']],
    ['bottom-paris', 'a host', 'Paris:paris-b', ['same host', 'cross-host', 'routed']],
  ])(
    `loses nothing when ${RESTARTS} times each SIGTERM and SIGKILL end %s with changes on %s pending`,
    async (name, _where, zone, kinds) => {
      await settle();
      const before = await world.footprint();
      const measured = pairs.map((pair) => ({ ...pair, counted: kinds.includes(pair.kind) }));
      const losses = await lossesOf(measured, async (faulty) => {
        for (const signal of SIGNALS) {
          await change(name, zone, faulty ? signal : undefined);
          // What the restarted one has to do for servers elsewhere shows nowhere else.
          if (zone !== OWN_ZONE) await world.weir.waitForSettled(['paris']);
        }
      });
      expect(losses).toEqual(NOTHING_LOST);
      await settle();
      expect(differences(before, await world.footprint())).toEqual([]);
      expect(await world.orphans()).toEqual([]);
    },
  );

  it('has behind it a Top that does not contradict itself', async () => {
    expect(await world.contradictions()).toEqual([]);
  });
});
