import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '@weir/cascade/contract';
import { waitFor } from '@weir/lab';
import { FakeSite } from '../api/fake-site';
import { contradictions } from './contradictions';
import { scaled } from './scale';
import { TopProcess } from './top-process';
import { type Ground, Writers } from './writers';

/** Kills over one state folder; a longer log would only make every restart slower. */
const KILLS_A_ROUND = 20;
const ROUNDS = scaled({ sample: 40, whole: 200 }) / KILLS_A_ROUND;
const WRITERS = 20;
/** Answers that a life gives before it is killed, at random up to this; and then within this, so that kills meet every phase. */
const MOST_ANSWERS = 60;
const JITTER_MS = 15;
/** One start in so many is killed on its way, at random within `START_MS`; it does not count. */
const KILLED_STARTS = 8;
const START_MS = 250;
/** Few enough that the zone fills up. */
const ROOM = { vcpus: 40, ramMb: 40_000, diskGb: 400 };

jest.setTimeout(ROUNDS * 120_000);

describe('a Top that is killed', () => {
  let folder: string;
  let top: TopProcess;
  let site: FakeSite | undefined;

  beforeAll(() => TopProcess.build(), 60_000);
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'weir-chaos-'));
    top = new TopProcess(folder);
  });
  afterEach(async () => {
    await site?.stop();
    await top.end();
    rmSync(folder, { recursive: true });
  });

  async function addSite(): Promise<string> {
    const asked = {
      name: 'paris',
      data_center: 'Paris',
      availability_zones: ['a'],
      driver: 'ovs',
      tunnel: { type: 'vxlan', mtu: 1500 },
    };
    const added = await top.api.request<{ site: { id: string }; join_token: string }>('POST', '/weir/v1/sites', {
      site: asked,
    });
    site = await FakeSite.join(top.api.address, 'paris', added.join_token, { a: ROOM });
    await waitFor(
      async () => {
        const found = await top.api.request<{ site: { lifecycle: string } }>('GET', `/weir/v1/sites/${added.site.id}`);
        return found.site.lifecycle === 'active';
      },
      { what: 'the site to be active' },
    );
    return 'Paris:a';
  }

  async function ground(name: string, cidr: string): Promise<Ground> {
    const asked = { network: { name } };
    const { network } = await top.api.request<{ network: { id: string } }>(
      'POST',
      '/network/v2.0/networks',
      asked,
      'weir-demo',
    );
    const subnet = { network_id: network.id, ip_version: 4, cidr };
    const made = await top.api.request<{ subnet: { id: string } }>(
      'POST',
      '/network/v2.0/subnets',
      { subnet },
      'weir-demo',
    );
    return { id: network.id, subnet: made.subnet.id };
  }

  async function nothingDeleting(): Promise<boolean> {
    const { servers } = await top.api.request<{ servers: Record<string, unknown>[] }>(
      'GET',
      '/compute/v2.1/servers/detail',
    );
    return servers.every((server) => server['OS-EXT-STS:task_state'] === null);
  }

  it.each(Array.from({ length: ROUNDS }, (_, round) => round + 1))(
    `${KILLS_A_ROUND} times under ${WRITERS} writers has everything that it acknowledged, once (round %i)`,
    async (seed) => {
      const random = seededRandom(seed);
      await top.start();
      let up: Promise<void> = Promise.resolve();
      const zone = await addSite();
      // One of them fills up.
      const grounds = [await ground('wide', '10.99.0.0/16'), await ground('narrow', '10.98.0.0/26')];
      const writers = new Writers(top.api, random, grounds, zone, () => up);
      writers.start(WRITERS);
      for (let kill = 0; kill < KILLS_A_ROUND; kill++) {
        const enough = writers.acknowledged + 1 + random.integer(MOST_ANSWERS);
        const answered = () => writers.acknowledged >= enough;
        await waitFor(answered, { what: 'answers of the Top', deadlineMs: 30_000, everyMs: 2 });
        await sleep(random.integer(JITTER_MS));
        let release: () => void = () => undefined;
        up = new Promise((resolve) => (release = resolve));
        await top.kill();
        if (random.integer(KILLED_STARTS) === 0) {
          top.begin();
          await sleep(random.integer(START_MS));
          await top.kill();
        }
        await top.start();
        release();
      }
      await writers.stop();

      expect(writers.unexpected).toEqual([]);
      await waitFor(nothingDeleting, { what: 'deleted servers to go', deadlineMs: 20_000 });
      expect(await writers.lost()).toEqual([]);
      await top.end();
      expect(await contradictions(top.state)).toEqual([]);
    },
  );
});
