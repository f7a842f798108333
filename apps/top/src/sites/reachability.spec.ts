import { StoreFull } from '@weir/event-store';
import { invalid, silentLogger } from '@weir/kernel';
import { VirtualTime } from '@weir/testing/time';
import { SiteReachability } from './reachability';

/** A log that refuses so many commands first; tells how often it was asked, and what it took. */
function refusing(refusals: number, error: () => Error) {
  const log = { asked: 0, taken: 0 };
  const run = (): Promise<void> => {
    if (++log.asked <= refusals) return Promise.reject(error());
    log.taken++;
    return Promise.resolve();
  };
  return { log, run };
}

const EDGE = { state: 'reachable', since: 0 } as const;

describe('the reachability of sites', () => {
  it('comes into the log once there is room again', async () => {
    const time = new VirtualTime();
    const { log, run } = refusing(3, () => new StoreFull());
    const reachability = new SiteReachability(run, time, silentLogger);
    reachability.turn('paris', EDGE);
    await time.advance(10_000);
    expect(log).toEqual({ asked: 4, taken: 1 });
  });

  it('is recorded as it is at last, where it turned while there was no room', async () => {
    const time = new VirtualTime();
    const { log, run } = refusing(2, () => new StoreFull());
    const reachability = new SiteReachability(run, time, silentLogger);
    reachability.turn('paris', EDGE);
    reachability.turn('paris', { state: 'unreachable', since: 5 });
    reachability.turn('paris', { state: 'reachable', since: 9 });
    await time.advance(10_000);
    expect(log).toEqual({ asked: 3, taken: 1 });
    reachability.turn('paris', { state: 'unreachable', since: 20_000 });
    await time.advance(10);
    expect(log.taken).toBe(2);
  });

  it('is not tried for ever where the log says no', async () => {
    const time = new VirtualTime();
    const { log, run } = refusing(1, () => invalid('No such site.'));
    const reachability = new SiteReachability(run, time, silentLogger);
    reachability.turn('paris', EDGE);
    await time.advance(10_000);
    expect(log).toEqual({ asked: 1, taken: 0 });
  });

  it('is not tried after the Top has stopped', async () => {
    const time = new VirtualTime();
    const { log, run } = refusing(Infinity, () => new StoreFull());
    const reachability = new SiteReachability(run, time, silentLogger);
    reachability.turn('paris', EDGE);
    await time.advance(1);
    reachability.stop();
    await time.advance(10_000);
    expect(log.asked).toBe(1);
  });
});
