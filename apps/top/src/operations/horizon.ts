import type { EventStore } from '@weir/event-store';
import type { Cancel, Clock, Logger, Timers } from '@weir/kernel';

const DAY_MS = 24 * 60 * 60 * 1000;
/** A start has other things to do first. */
const FIRST_MS = 60_000;

/**
 * Forgets, once a day, row versions that ended more than so many days ago: reads as of before are folded from the log, which keeps
 * everything, and answer the same.
 */
export class Horizon {
  private cancel: Cancel | undefined;
  private isStopped = false;

  constructor(
    private readonly store: Pick<EventStore, 'positionAt' | 'pruneVersions'>,
    private readonly days: number,
    private readonly ports: { readonly clock: Clock; readonly timers: Timers; readonly logger: Logger },
  ) {}

  start(): void {
    this.schedule(FIRST_MS);
  }

  stop(): void {
    this.isStopped = true;
    this.cancel?.();
  }

  private schedule(ms: number): void {
    if (!this.isStopped) this.cancel = this.ports.timers.after(ms, () => void this.prune());
  }

  private async prune(): Promise<void> {
    const { clock, logger } = this.ports;
    const until = new Date(clock.now() - this.days * DAY_MS).toISOString();
    try {
      const position = await this.store.positionAt(until);
      if (position > 0) await this.store.pruneVersions(position);
    } catch (error) {
      if (!this.isStopped)
        logger.warn('Old row versions were not pruned; it is tried again in a day', { until, error });
    }
    this.schedule(DAY_MS);
  }
}
