import type { Clock } from '@weir/kernel';

/**
 * The wall clock as it never goes back in the life of a process: set back, it goes on from the latest time that it has shown.
 * What has expired stays expired, and what is issued lives its time and no longer, whatever somebody does to the clock.
 */
export class SteadyClock implements Clock {
  private latest: { readonly now: number; readonly monotonic: number };

  constructor(private readonly clock: Clock) {
    this.latest = { now: clock.now(), monotonic: clock.monotonic() };
  }

  now(): number {
    const monotonic = this.clock.monotonic();
    const passed = Math.floor(monotonic - this.latest.monotonic);
    const steady = this.latest.now + passed;
    const wall = this.clock.now();
    // Only a step forward is taken over: what is carried on is measured from one place, so that rounding does not add up.
    if (wall > steady) this.latest = { now: wall, monotonic };
    return Math.max(wall, steady);
  }

  monotonic(): number {
    return this.clock.monotonic();
  }
}
