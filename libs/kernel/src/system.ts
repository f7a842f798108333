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

/** Drawn at once, since a call of the generator costs more than the few bytes that an id needs. */
const POOL_BYTES = 4096;
let pool = new Uint8Array();

function pooled(count: number): Uint8Array {
  if (count > POOL_BYTES) return new Uint8Array(randomBytes(count));
  if (count > pool.length) pool = new Uint8Array(randomBytes(POOL_BYTES));
  const bytes = pool.slice(0, count);
  // What was handed out is not kept: it may become a key.
  pool.fill(0, 0, count);
  pool = pool.subarray(count);
  return bytes;
}

export const systemRandom: Random = {
  uuid: () => randomUUID(),
  integer: (below) => randomInt(below),
  bytes: pooled,
};
