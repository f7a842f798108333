import type { Cancel, Clock, Timers } from '@weir/kernel';

interface Pending {
  readonly at: number;
  readonly action: () => void;
  cancelled: boolean;
}

/** Lets every promise that can go on do so, and what sockets have ready. */
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export interface VirtualTimeOptions {
  /** Of the wall clock, in milliseconds. */
  readonly start?: number;
  /** What happens between two timers, so that promises run; a test with real sockets may give them a real millisecond. */
  readonly turn?: () => Promise<void>;
}

/**
 * A clock that only moves when told: timers run in the order in which they are due, and after each one promises run until
 * nothing can go on. Two runs of the same steps are equal.
 */
export class VirtualTime implements Clock, Timers {
  private elapsed = 0;
  private offset: number;
  private readonly turn: () => Promise<void>;
  /** By time, then by order of asking. */
  private readonly pending: Pending[] = [];

  constructor(options: VirtualTimeOptions = {}) {
    this.offset = options.start ?? Date.UTC(2026, 0, 1);
    this.turn = options.turn ?? nextTurn;
  }

  now(): number {
    return this.offset + this.elapsed;
  }

  monotonic(): number {
    return this.elapsed;
  }

  after(ms: number, action: () => void): Cancel {
    const timer = { at: this.elapsed + Math.max(0, ms), action, cancelled: false };
    let low = 0;
    let high = this.pending.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.pending[middle]?.at ?? Infinity) <= timer.at) low = middle + 1;
      else high = middle;
    }
    this.pending.splice(low, 0, timer);
    return () => {
      timer.cancelled = true;
    };
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }

  /** Sets the wall clock forward or back; the monotonic one and timers do not notice. */
  jump(ms: number): void {
    this.offset += ms;
  }

  /** Passes `ms` of time. */
  async advance(ms: number): Promise<void> {
    const end = this.elapsed + ms;
    await this.turn();
    while (await this.fire(end)) continue;
    this.elapsed = end;
  }

  /** Passes time, timer by timer, until the condition holds; fails when it does not within `withinMs` of virtual time. */
  async until(condition: () => boolean, withinMs = 60_000): Promise<void> {
    const end = this.elapsed + withinMs;
    // What waits for a promise or a socket, not for time, gets the chance before any time passes.
    for (let turns = 0; turns < 20; turns++) {
      if (condition()) return;
      await this.turn();
    }
    while (!condition()) {
      if (!(await this.fire(end))) throw new Error(`Not so within ${withinMs} ms: ${condition.toString()}`);
      await this.turn();
    }
  }

  /** Runs the next timer that is due by `end`. */
  private async fire(end: number): Promise<boolean> {
    while (this.pending[0]?.cancelled) this.pending.shift();
    const timer = this.pending[0];
    if (!timer || timer.at > end) return false;
    this.pending.shift();
    this.elapsed = Math.max(this.elapsed, timer.at);
    timer.action();
    await this.turn();
    return true;
  }
}
