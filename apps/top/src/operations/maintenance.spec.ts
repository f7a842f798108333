import { invalid, silentLogger, systemRandom } from '@weir/kernel';
import { VirtualTime } from '@weir/testing/time';
import { Horizon } from './horizon';
import { Maintenance } from './maintenance';

const turns = () => new Promise((resolve) => setImmediate(resolve));

describe('work that outlasts its request', () => {
  const made = () => new Maintenance(new VirtualTime(), systemRandom, silentLogger);

  it('runs, and is found with its result by whoever began it', async () => {
    const maintenance = made();
    const { id, state } = maintenance.begin('check', () => Promise.resolve({ equal: true }));
    expect(state).toBe('running');
    await turns();
    expect(maintenance.get(id)).toMatchObject({ state: 'finished', result: { equal: true }, error: null });
    expect(maintenance.list().map((work) => work.id)).toEqual([id]);
  });
  it('tells why it failed, and of the unforeseen nothing but that', async () => {
    const maintenance = made();
    const known = maintenance.begin('rebuild', () => Promise.reject(invalid('There is no such view.')));
    const unforeseen = maintenance.begin('rebuild', () => Promise.reject(new Error('secret')));
    await turns();
    expect(maintenance.get(known.id)).toMatchObject({ state: 'failed', error: 'There is no such view.' });
    expect(maintenance.get(unforeseen.id).error).not.toContain('secret');
  });
  it('is refused where enough runs, until one has ended', async () => {
    const maintenance = made();
    let end: () => void = () => undefined;
    const long = () => new Promise<void>((resolve) => (end = resolve));
    for (let n = 0; n < 4; n++) maintenance.begin('verify', long);
    expect(() => maintenance.begin('verify', long)).toThrow('run already');
    end();
    await turns();
    expect(maintenance.begin('verify', long).state).toBe('running');
  });
  it('is forgotten when much came after it, and never while it runs', async () => {
    const maintenance = made();
    const running = maintenance.begin('verify', () => new Promise(() => undefined));
    const first = maintenance.begin('check', () => Promise.resolve());
    for (let n = 0; n < 100; n++) {
      maintenance.begin('check', () => Promise.resolve());
      await turns();
    }
    expect(maintenance.get(running.id).state).toBe('running');
    expect(() => maintenance.get(first.id)).toThrow('no such work');
    expect(maintenance.list().length).toBeLessThanOrEqual(50);
  });
});

describe('the horizon', () => {
  it('moves once a day, also after a day on which it could not', async () => {
    const time = new VirtualTime({ start: Date.UTC(2026, 5, 1) });
    const asked: string[] = [];
    const pruned: number[] = [];
    let full = false;
    const store = {
      positionAt: (at: string) => {
        asked.push(at.slice(0, 10));
        return Promise.resolve(asked.length === 1 ? 0 : asked.length * 100);
      },
      pruneVersions: (position: number) => {
        if (full) return Promise.reject(new Error('no space'));
        pruned.push(position);
        return Promise.resolve();
      },
    };
    const horizon = new Horizon(store, 90, { clock: time, timers: time, logger: silentLogger });
    horizon.start();
    await time.advance(60_000);
    // Nothing is that old yet.
    expect([asked, pruned]).toEqual([['2026-03-03'], []]);
    await time.advance(24 * 3_600_000);
    full = true;
    await time.advance(24 * 3_600_000);
    full = false;
    await time.advance(24 * 3_600_000);
    expect(asked).toEqual(['2026-03-03', '2026-03-04', '2026-03-05', '2026-03-06']);
    expect(pruned).toEqual([200, 400]);
    horizon.stop();
    await time.advance(72 * 3_600_000);
    expect(asked).toHaveLength(4);
  });
});
