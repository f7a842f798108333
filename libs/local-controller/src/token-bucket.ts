import type { Clock } from '@weir/kernel';

export interface Rate {
  /** A second. */
  readonly rate: number;
  readonly burst: number;
}

/** Lets `rate` through a second, and `burst` at once. */
export class TokenBucket {
  private tokens: number;
  private filledAt: number;

  constructor(
    private readonly limit: Rate,
    private readonly clock: Pick<Clock, 'monotonic'>,
  ) {
    this.tokens = limit.burst;
    this.filledAt = clock.monotonic();
  }

  take(): boolean {
    const now = this.clock.monotonic();
    this.tokens = Math.min(this.limit.burst, this.tokens + ((now - this.filledAt) / 1000) * this.limit.rate);
    this.filledAt = now;
    if (this.tokens < 1) return false;
    this.tokens -= 1;
    return true;
  }
}
