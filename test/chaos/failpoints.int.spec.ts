import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom } from '@weir/cascade/contract';
import { type Failpoint, FAILPOINTS } from '@weir/event-store';
import type { Random } from '@weir/kernel';
import { waitFor } from '@weir/lab';
import { contradictions } from './contradictions';
import { isWhole, scaled } from './scale';
import { TopProcess } from './top-process';
import { TopTenancy } from './top-tenancy';
import { Writers } from './writers';

const RUNS = scaled({ sample: 1, whole: 5 });
/** Of the points, how many a sample dies at; all of them are hit in any case. */
const SAMPLE = 2;
const WRITERS = 8;
const ROOM = { vcpus: 400, ramMb: 400_000, diskGb: 4000 };
/** At which hit of its life a point acts, at random up to this. */
const LATEST_HIT = 30;
const DEADLINE_MS = 60_000;
const BUSY = { WEIR_BUSY_UPKEEP: '1' };
const MODES = ['exit', 'throw', 'sleep:20'] as const;
/** Of a store that fails behind a commit: what was refused may be done, and be gone when it is to be taken back. */
const UNCERTAIN = [404, 500, 503];

/** Reached once a life, and before a Top listens. */
const AT_FIRST_START: readonly Failpoint[] = ['identity/passwords-told', 'identity/written'];
/** Reached once in each round of upkeep. */
const SELDOM = /^(seal|rebuild|prune)\//;
const UNDER_WRITERS = FAILPOINTS.filter((point) => !AT_FIRST_START.includes(point));

jest.setTimeout(600_000);

describe('R2: a Top that dies at a named point', () => {
  let folder: string;
  let top: TopProcess;
  let tenancy: TopTenancy;
  let writers: Writers | undefined;
  let release: () => void = () => undefined;
  let up: Promise<void> = Promise.resolve();

  beforeAll(() => TopProcess.build(), 60_000);
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'weir-failpoints-'));
    top = new TopProcess(folder, { modules: [join(__dirname, 'busy-upkeep.cjs')] });
    tenancy = new TopTenancy(top);
  });
  afterEach(async () => {
    release();
    await writers?.stop();
    writers = undefined;
    await tenancy.end();
    await top.end();
    rmSync(folder, { recursive: true });
  });

  async function begin(random: Random, mode: (typeof MODES)[number] = 'exit'): Promise<void> {
    await top.start();
    const zone = await tenancy.addSite(ROOM);
    const grounds = [await tenancy.ground('wide', '10.99.0.0/16'), await tenancy.ground('narrow', '10.98.0.0/26')];
    // While a failpoint throws, what the store says of itself is no surprise.
    writers = new Writers(top.api, random, grounds, zone, () => up, mode === 'throw' ? UNCERTAIN : [500, 503]);
    writers.start(WRITERS);
  }

  /** Ends this life, by whatever is armed in the next or at once. */
  async function nextLife(armed: Readonly<Record<string, string>>): Promise<void> {
    up = new Promise((resolve) => (release = resolve));
    await top.kill();
    await top.start({ ...BUSY, ...armed }).catch((error: unknown) => {
      // Also what a start does may reach the point.
      if (!top.output.includes('failpoint ')) throw error;
    });
    release();
  }

  async function told(point: Failpoint): Promise<void> {
    const told = () => top.output.includes(`failpoint ${point}\n`);
    await waitFor(told, { what: `${point} to be reached`, deadlineMs: DEADLINE_MS });
  }

  async function expectSound(): Promise<void> {
    await writers?.stop();
    expect(writers?.unexpected).toEqual([]);
    await waitFor(() => tenancy.isNothingDeleting(), { what: 'deleted servers to go', deadlineMs: DEADLINE_MS });
    await waitFor(() => tenancy.isSettled(), { what: 'the site to have all', deadlineMs: DEADLINE_MS });
    expect(await writers?.lost()).toEqual([]);
    await top.end();
    expect(await contradictions(top.state)).toEqual([]);
  }

  it('reaches each of them in its life', async () => {
    await begin(seededRandom(1));
    const points = UNDER_WRITERS.map((point) => `${point}=sleep:0`).join(',');
    await nextLife({ WEIR_FAILPOINTS: points });
    for (const point of UNDER_WRITERS) await told(point);
    await expectSound();
  });

  it.each(AT_FIRST_START)('%s of its first start makes its identities anew, or keeps them', async (point) => {
    top.begin({ WEIR_FAILPOINTS: `${point}=exit` });
    await waitFor(() => !top.isRunning, { what: 'the Top to die', deadlineMs: DEADLINE_MS });
    expect(top.output).toContain(`failpoint ${point}\n`);
    await top.start();
    await tenancy.ground('first', '10.99.0.0/16');
  });

  it.each(Array.from({ length: RUNS }, (_, run) => run + 1))(
    'has everything that it acknowledged, once (run %i)',
    async (seed) => {
      const random = seededRandom(seed);
      const mode = isWhole ? (MODES[seed % MODES.length] ?? 'exit') : 'exit';
      await begin(random, mode);
      const points = isWhole ? UNDER_WRITERS : sample(UNDER_WRITERS, SAMPLE, random);
      for (const point of points) {
        const hit = 1 + random.integer(SELDOM.test(point) ? 2 : LATEST_HIT);
        await nextLife({ WEIR_FAILPOINTS: `${point}=${mode}@${hit}` });
        await told(point);
        if (mode === 'exit') await waitFor(() => !top.isRunning, { what: 'the Top to die', deadlineMs: DEADLINE_MS });
      }
      await nextLife({});
      await expectSound();
    },
  );
});

describe('R2: a Top', () => {
  it('does not start when it is to fail at a point that there is none of', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'weir-failpoints-'));
    const top = new TopProcess(folder);
    await expect(top.start({ WEIR_FAILPOINTS: 'append/after-lunch=exit' })).rejects.toThrow('append/after-lunch');
    await top.end();
    rmSync(folder, { recursive: true });
  });
});

function sample<T>(all: readonly T[], count: number, random: Random): readonly T[] {
  const left = [...all];
  return Array.from({ length: count }, () => left.splice(random.integer(left.length), 1)).flat();
}
