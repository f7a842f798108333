import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '@weir/cascade/contract';
import { waitFor } from '@weir/lab';
import { contradictions } from './contradictions';
import { scaled } from './scale';
import { TopProcess } from './top-process';
import { TopTenancy } from './top-tenancy';
import { Writers } from './writers';

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

describe('R1, R12: a Top that is killed', () => {
  let folder: string;
  let top: TopProcess;
  let tenancy: TopTenancy;

  beforeAll(() => TopProcess.build(), 60_000);
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'weir-chaos-'));
    top = new TopProcess(folder);
    tenancy = new TopTenancy(top);
  });
  afterEach(async () => {
    await tenancy.end();
    await top.end();
    rmSync(folder, { recursive: true });
  });

  it.each(Array.from({ length: ROUNDS }, (_, round) => round + 1))(
    `${KILLS_A_ROUND} times under ${WRITERS} writers has everything that it acknowledged, once (round %i)`,
    async (seed) => {
      const random = seededRandom(seed);
      await top.start();
      let up: Promise<void> = Promise.resolve();
      const zone = await tenancy.addSite(ROOM);
      // One of them fills up.
      const grounds = [await tenancy.ground('wide', '10.99.0.0/16'), await tenancy.ground('narrow', '10.98.0.0/26')];
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
      await waitFor(() => tenancy.isNothingDeleting(), { what: 'deleted servers to go', deadlineMs: 20_000 });
      expect(await writers.lost()).toEqual([]);
      await top.end();
      expect(await contradictions(top.state)).toEqual([]);
    },
  );
});
