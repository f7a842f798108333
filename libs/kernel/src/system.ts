import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import type { Clock, Random, Timers } from './ports';

/** The real clock, timers and randomness; composition roots hand them in, tests and the deterministic world bring their own. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};

export const systemTimers: Timers = {
  after: (ms, action) => {
    const timer = setTimeout(action, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};

export const systemRandom: Random = {
  uuid: () => randomUUID(),
  integer: (below) => randomInt(below),
  bytes: (count) => new Uint8Array(randomBytes(count)),
};
