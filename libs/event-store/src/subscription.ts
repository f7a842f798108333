import type { RecordedEvent, Subscription } from './port';

/** Events handed over at once; a slow handler is asked to hold no more in memory. */
const BATCH = 500;

/** Reads on from where it stands whenever it is woken; adapters wake it after a commit. */
export class Follower implements Subscription {
  private closed = false;
  private woken = true;
  private resume: (() => void) | undefined;

  constructor(
    private position: number,
    private readonly handler: (events: readonly RecordedEvent[]) => Promise<void>,
    private readonly onError: (error: unknown) => void,
    private readonly source: {
      read(after: number, limit: number): Promise<readonly RecordedEvent[]>;
      /** Lets others run between batches. */
      pause(): Promise<void>;
      ended(follower: Follower): void;
    },
  ) {
    void this.follow();
  }

  wake(): void {
    this.woken = true;
    this.resume?.();
  }

  close(): void {
    this.closed = true;
    this.source.ended(this);
    this.resume?.();
  }

  private async follow(): Promise<void> {
    try {
      for (;;) {
        await this.source.pause();
        if (this.closed) return;
        this.woken = false;
        const events = await this.source.read(this.position, BATCH);
        const last = events.at(-1);
        if (this.closed) return;
        if (last) {
          await this.handler(events);
          this.position = last.position;
        } else if (!this.woken) {
          await new Promise<void>((resolve) => (this.resume = resolve));
        }
      }
    } catch (error) {
      this.close();
      this.onError(error);
    }
  }
}
