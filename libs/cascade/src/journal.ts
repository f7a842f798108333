import { uuid7, type Clock, type Random } from '@weir/kernel';
import type { Cursor, FactStore, PublishedChange } from './ports';

/** A store that can begin again with nothing, as another generation. */
export interface RestartableFactStore extends FactStore {
  /** Forgets all facts, cursors and positions. Throws WeirError 'conflict' unless the generation is higher. */
  restart(generation: number): void;
  close(): void;
}

/** Numbers what a Bottom publishes: its generation is the millisecond at which it was made. */
export class Journal {
  constructor(
    readonly store: RestartableFactStore,
    private readonly clock: Clock,
    private readonly random: Random,
  ) {}

  /** One transaction: the next position, and what it changes. */
  append(changes: readonly PublishedChange[]): Cursor {
    const cursor = { position: this.store.head().position + 1, digest: uuid7(this.clock, this.random) };
    this.store.commit({ ...cursor, changes });
    return cursor;
  }

  /**
   * Begins a new journal with nothing in it, of a generation above `seen` too: what a follower presented. Publish the slices whole
   * after it, and tell the publisher to start over.
   */
  renew(seen = 0): void {
    this.store.restart(Math.max(this.clock.now(), this.store.generation + 1, seen + 1));
  }

  close(): void {
    this.store.close();
  }
}
