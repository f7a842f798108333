import { Journal } from '@weir/cascade';
import { seededRandom } from '@weir/cascade/contract';
import { MemoryFactStore, MemorySlice } from '@weir/cascade/memory';
import type { Logger } from '@weir/kernel';
import { VirtualTime } from '@weir/testing/time';
import type { HeldSeal, SealFact } from '@weir/topology';
import { Hosts } from './hosts';
import { MemorySiteRecords } from './memory-records';
import type { SiteRecords } from './records';
import { contradictionOf, KEPT_SEALS } from './seals';
import { Site, STATE_HOLDING } from './site';
import { SqliteSiteRecords } from './sqlite-records';

const digest = (n: number, log = 0) => `${log}${n.toString(16)}`.padStart(64, '0');

/** The seal after so many others, of one log or another. */
const seal = (revision: number, log = 0): SealFact => ({
  position: revision * 10 + 11,
  digest: digest(revision + 1, log),
  revision,
  previous: revision === 0 ? '' : digest(revision, log),
});
const held = (...seals: readonly SealFact[]): HeldSeal[] =>
  seals.map((each) => ({ ...each, generation: 1, contradicts: false }));

describe('a seal that a site is told', () => {
  it('follows from the one before, also after some that nobody told', () => {
    expect(contradictionOf([], seal(5))).toBeUndefined();
    expect(contradictionOf(held(seal(0), seal(1)), seal(2))).toBeUndefined();
    expect(contradictionOf(held(seal(0), seal(1)), seal(7))).toBeUndefined();
    expect(contradictionOf(held(seal(0), seal(1)), seal(1))).toBeUndefined();
  });
  it('contradicts another one at its position, a chain that it does not go on, and any that came before', () => {
    expect(contradictionOf(held(seal(0), seal(1)), seal(1, 7))).toContain('was another one');
    expect(contradictionOf(held(seal(0), seal(1)), seal(2, 7))).toContain('before it was another one');
    expect(contradictionOf(held(seal(0), seal(1), seal(2)), seal(0))).toContain('goes back');
    expect(contradictionOf(held(seal(3)), seal(2))).toContain('goes back');
  });
  it('is no contradiction any more where the log goes on from the one that was', () => {
    expect(contradictionOf(held(seal(0), seal(1), seal(1, 7)), seal(2, 7))).toBeUndefined();
  });
});

describe.each([
  ['in a file', () => new SqliteSiteRecords(':memory:')],
  ['in memory', () => new MemorySiteRecords()],
])('seals kept %s', (_, open: () => SiteRecords) => {
  it('are a tail in the order in which they were told, and what contradicts outlives it', () => {
    const records = open();
    const told = (each: SealFact, contradicts = false) => records.addSeal({ ...each, generation: 1, contradicts });
    told(seal(0));
    told(seal(1));
    told(seal(1, 7), true);
    for (let revision = 2; revision < KEPT_SEALS + 100; revision++) told(seal(revision, 7));
    const kept = records.seals();
    expect(kept.length).toBeLessThanOrEqual(KEPT_SEALS + 2);
    expect(kept.at(-1)).toEqual({ ...seal(KEPT_SEALS + 99, 7), generation: 1, contradicts: false });
    expect(kept.slice(0, 2)).toEqual([
      { ...seal(1), generation: 1, contradicts: false },
      { ...seal(1, 7), generation: 1, contradicts: true },
    ]);
    records.close();
  });
});

describe('a site', () => {
  const time = new VirtualTime();
  const errors: string[] = [];
  const logger: Logger = {
    info: () => undefined,
    warn: (text) => errors.push(text),
    error: (text) => errors.push(text),
  };
  const records = new MemorySiteRecords();
  const slice = new MemorySlice({ stateHolding: STATE_HOLDING });
  const store = new MemoryFactStore({ generation: 1 });
  const start = () =>
    new Site({
      name: () => 'paris',
      slice,
      journal: new Journal(store, time, seededRandom(1)),
      records,
      hosts: new Hosts({ records, token: 't', generation: () => 1, clock: time }),
      clock: time,
      logger,
      recovering: false,
      outlets: {
        published: () => undefined,
        startedOver: () => undefined,
        observed: () => undefined,
        settled: () => undefined,
      },
    });
  const tell = (site: Site, body: SealFact, generation: number, position = body.position) =>
    site.apply([{ type: 'upsert', kind: 'seal', id: 'log', position, body }], {
      ...{ position, digest: `${position}`, generation, caughtUp: true },
    });
  const observed = (site: Site) => site.observations(true).filter(({ kind }) => kind === 'seal');

  it('keeps what it was told, tells its hosts nothing of it, and is quiet while all is well', async () => {
    slice.newGeneration(1);
    const site = start();
    for (const revision of [0, 1, 1, 2]) await tell(site, seal(revision), 1);
    expect(records.seals().map(({ revision }) => revision)).toEqual([0, 1, 2]);
    expect(store.head().position).toBe(0);
    expect([errors, observed(site)]).toEqual([[], []]);
  });
  it('keeps both where one contradicts, says so loudly, and goes on saying so after a restart', async () => {
    const site = start();
    await tell(site, seal(2, 7), 1, 50);
    expect(records.seals().slice(-2)).toMatchObject([seal(2), { ...seal(2, 7), contradicts: true }]);
    expect(errors).toEqual(['The log of the Top is not the one that there was: verify it']);
    const observation = { id: 'log', value: { position: 31, digest: digest(3, 7) } };
    expect(observed(site)).toMatchObject([observation]);
    expect(observed(start())).toMatchObject([observation]);
  });
  it('keeps them where a Top that started over does not repeat them', async () => {
    const site = start();
    await site.newGeneration(2);
    await site.apply([], { position: 60, digest: 'sixty', generation: 2, caughtUp: true });
    expect(records.seals()).toHaveLength(4);
  });
  it('passes over a seal that is not as agreed', async () => {
    await tell(start(), { ...seal(4), digest: 'short' }, 2, 70);
    expect(records.seals()).toHaveLength(4);
    expect(errors.at(-1)).toContain('malformed');
  });
});
