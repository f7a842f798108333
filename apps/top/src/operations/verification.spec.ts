import { unavailable } from '@weir/kernel';
import { views } from '@weir/domain';
import type { EventStore, LogProblem } from '@weir/event-store';
import { MemoryEventStore } from '@weir/event-store/memory';
import type { HeldSeal } from '@weir/topology';
import { completeHistory } from '@weir/testing/domain';
import { Verifier } from './verification';

const rows = (...names: readonly string[]) =>
  ({ live: () => names.map((name) => ({ id: name, name, lifecycle: 'active' })) }) as never;

/** A log with two seals, and what a site holds that was told them. */
async function sealedLog() {
  const store = new MemoryEventStore({ views });
  const appends = completeHistory().appends();
  for (const append of appends.slice(0, 20)) await store.append(append);
  await store.seal();
  for (const append of appends.slice(20)) await store.append(append);
  await store.seal();
  const seals = (await store.seals(0, 10)).map(({ position, digest, revision, previous }): HeldSeal => ({
    ...{ position, digest, revision, previous },
    generation: 9,
    contradicts: false,
  }));
  return { store, seals };
}

describe('verifying', () => {
  it('names the sites whose seals do not stand in the log', async () => {
    const { store, seals } = await sealedLog();
    const forged = seals.map((seal, index) => (index === 1 ? { ...seal, digest: 'f'.repeat(64) } : seal));
    const answers: Readonly<Record<string, readonly HeldSeal[]>> = { paris: seals, tokyo: forged, rome: [] };
    const verifier = new Verifier(store, rows('paris', 'tokyo', 'rome', 'oslo'), (site) =>
      site === 'oslo'
        ? Promise.reject(unavailable('oslo is not connected.'))
        : Promise.resolve({ seals: answers[site] }),
    );
    const found = await verifier.verify();
    expect(found).toMatchObject({ sound: false, firstWrong: seals[1]?.position, truncated: false });
    expect(found.problems).toMatchObject([{ problem: 'anchor', position: seals[1]?.position }]);
    expect(found.problems[0]?.sites).toContain('tokyo');
    expect(found.sites).toMatchObject([
      { name: 'paris', compared: true, seals: 2 },
      { name: 'tokyo', compared: true, seals: 2 },
      { name: 'rome', compared: true, seals: 0, last: null },
      { name: 'oslo', compared: false, reason: 'oslo is not connected.' },
    ]);
  });

  it('excuses what an earlier generation told, and only that', async () => {
    const { store, seals } = await sealedLog();
    const lost = { ...seals[0], position: 3, digest: 'e'.repeat(64) } as HeldSeal;
    const told = (generation: number) => () => Promise.resolve({ seals: [{ ...lost, generation }, ...seals] });
    const raised = (await store.readStream('publisher')).filter(({ type }) => type === 'GenerationRaised').length;
    expect(raised).toBeGreaterThan(0);
    expect(await new Verifier(store, rows('paris'), told(raised - 1)).verify()).toMatchObject({
      sound: true,
      sites: [{ superseded: 1, seals: 2 }],
    });
    expect((await new Verifier(store, rows('paris'), told(raised)).verify()).sound).toBe(false);
  });

  it('tells of a thousand problems, and that there are more', async () => {
    const store: Pick<EventStore, 'verify' | 'readStream' | 'seals' | 'head'> = {
      head: () => Promise.resolve(5000),
      readStream: () => Promise.resolve([]),
      seals: () => Promise.resolve([]),
      async *verify() {
        for (let position = 1; position <= 5000; position++) {
          await Promise.resolve();
          const problem: LogProblem = { position, problem: 'digest', detail: 'wrong' };
          yield problem;
        }
      },
    };
    const found = await new Verifier(store, rows(), () => Promise.resolve(undefined)).verify();
    expect(found).toMatchObject({ sound: false, firstWrong: 1, truncated: true });
    expect(found.problems).toHaveLength(1000);
  });
});
