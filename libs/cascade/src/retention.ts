/** Digests stay known this far below the least acknowledged position, so that a follower restored from a young copy can still be told apart. */
export const POSITIONS_KEPT = 10_000;
/** Positions between two prunings. */
const PRUNE_EVERY = 1000;

/** Decides when digests below the followers' cursors may go. */
export class Retention {
  private pruned = 0;

  /** The position below which digests may go, from the head and the followers' cursors; undefined when it is not worth the work yet. */
  bound(head: number, cursors: () => Iterable<{ readonly position: number }>): number | undefined {
    if (head - POSITIONS_KEPT - this.pruned < PRUNE_EVERY) return undefined;
    let least = head;
    for (const { position } of cursors()) least = Math.min(least, position);
    const bound = least - POSITIONS_KEPT;
    if (bound - this.pruned < PRUNE_EVERY) return undefined;
    this.pruned = bound;
    return bound;
  }

  reset(): void {
    this.pruned = 0;
  }
}
