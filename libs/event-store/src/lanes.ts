import { LaneFull } from './errors';

/** Waiting requests per lane; with a few milliseconds each, the last one would already wait for seconds. */
const MAX_WAITING = 1000;

/** Work on one key goes one after another, in the order of arrival; other keys go on beside it. */
export class Lanes {
  private readonly lanes = new Map<string, { last: Promise<void>; size: number }>();

  constructor(private readonly maxWaiting = MAX_WAITING) {}

  /** Rejects with LaneFull, or as `work` does; one that fails does not stop the next. */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const lane = this.lanes.get(key) ?? { last: Promise.resolve(), size: 0 };
    if (lane.size > this.maxWaiting) throw new LaneFull(key);
    this.lanes.set(key, lane);
    lane.size++;
    const result = lane.last.then(work);
    lane.last = result.then(
      () => undefined,
      () => undefined,
    );
    try {
      return await result;
    } finally {
      lane.size--;
      if (lane.size === 0) this.lanes.delete(key);
    }
  }
}
