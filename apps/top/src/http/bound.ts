import { WeirError } from '@weir/kernel';

export class TooManyAtOnce extends WeirError {
  constructor(what: string) {
    super('unavailable', `Too many ${what} are under way; ask again.`);
  }
}

export interface BoundOptions {
  /** For the message, in the plural. */
  readonly what: string;
  readonly perOwner: number;
  readonly inAll: number;
}

/** How much of one kind may go on at the same time. Who comes on top is refused, not queued: a queue would only be a longer wait. */
export class Bound {
  private readonly running = new Map<string, number>();
  private total = 0;

  constructor(private readonly options: BoundOptions) {}

  /** Rejects with TooManyAtOnce, or as `work` does. */
  async within<T>(owner: string, work: () => Promise<T>): Promise<T> {
    const { what, perOwner, inAll } = this.options;
    if (this.total >= inAll || this.of(owner) >= perOwner) throw new TooManyAtOnce(what);
    this.count(owner, 1);
    try {
      return await work();
    } finally {
      this.count(owner, -1);
    }
  }

  private of(owner: string): number {
    return this.running.get(owner) ?? 0;
  }

  private count(owner: string, by: 1 | -1): void {
    this.total += by;
    const running = this.of(owner) + by;
    if (running === 0) this.running.delete(owner);
    else this.running.set(owner, running);
  }
}
