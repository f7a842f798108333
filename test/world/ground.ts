import { createHash } from 'node:crypto';
import { seededRandom } from '@weir/cascade/contract';
import type { Clock, Random, Timers } from '@weir/kernel';
import { VirtualTime } from '@weir/testing/time';
import { SOUND, type Spoilt } from './bugs';
import { Mortal } from './mortal';
import { Trace } from './trace';

/** What all of a world stands on: one seed, one clock, one trace. */
export class Ground {
  readonly time = new VirtualTime();
  /** As every process sees it: the wall shows whole milliseconds. */
  readonly clock: Clock = { now: () => Math.floor(this.time.now()), monotonic: () => this.time.monotonic() };
  readonly trace = new Trace(() => this.time.monotonic());
  /** What must never be so and was. */
  readonly violations: string[] = [];
  /** Of what belongs to no process: the network. */
  readonly timers: Timers;
  private lives = 0;

  constructor(
    readonly seed: number,
    readonly spoilt: Spoilt = SOUND,
    /** Also what is known to go wrong: see "What is not played" in the README. */
    readonly isUntamed = false,
  ) {
    this.timers = new Mortal('network', this.time, this.random('network order')).timers;
  }

  /** One stream of chances per purpose, so that one more draw here changes nothing there. */
  random(purpose: string): Random {
    return seededRandom(createHash('sha256').update(`${this.seed} ${purpose}`).digest().readUInt32BE());
  }

  /** A new life of a process. */
  life(name: string): Mortal {
    return new Mortal(name, this.time, this.random(`${name} ${++this.lives}`));
  }

  violated(what: string): void {
    this.trace.tell('VIOLATION', what);
    this.violations.push(what);
  }
}

/** One of them, by chance. */
export function oneOf<T>(random: Random, all: readonly T[]): T | undefined {
  return all[random.integer(all.length)];
}

/** An integer in between, both included. */
export function between(random: Random, least: number, most: number): number {
  return least + random.integer(most - least + 1);
}
