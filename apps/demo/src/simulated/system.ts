import type { Clock, Logger, Random, Timers } from '@weir/kernel';

/** What every level stands on. */
export interface System {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly logger: Logger;
}
