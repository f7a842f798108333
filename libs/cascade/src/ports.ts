import type { FactLine, JoinAnswer, JoinRequest, Observation } from './protocol';

export interface Cursor {
  readonly position: number;
  readonly digest: string;
}

/** A change of one fact for one follower, as the publisher's owner hands it over. */
export interface PublishedChange {
  readonly follower: string;
  /** `delete` makes a tombstone of what the store holds for this follower; `bury` also of what only the follower is known to hold. */
  readonly op: 'upsert' | 'delete' | 'bury';
  readonly kind: string;
  readonly id: string;
  /** Present on an upsert. */
  readonly body?: Readonly<Record<string, unknown>>;
}

/**
 * What a publisher has to say, kept: the last state of each fact per follower, ordered by the position that last changed it there.
 * `commit` is one transaction: changes, and the owner's own position; positions only grow. Where the disk has no room it throws
 * WeirError 'no-space', and can be tried again; an acknowledgement is then kept for as long as the process lives.
 * A tombstone stays until that follower's cursor has passed it.
 */
export interface FactStore {
  readonly generation: number;
  head(): Cursor;
  commit(entry: Cursor & { readonly changes: readonly PublishedChange[] }): void;
  /** The digest at `position`; undefined where this publisher never stood there. 0 has ''. */
  digestAt(position: number): string | undefined;
  /** Facts and tombstones of one follower after `position`, in order of position, at most `limit`. */
  after(follower: string, position: number, limit: number): readonly FactLine[];
  /** All live facts of one follower (no tombstones), in order of position. */
  live(follower: string): readonly FactLine[];
  acknowledged(follower: string): Cursor | undefined;
  acknowledge(follower: string, cursor: Cursor): void;
  /** Forgets a follower that left for good. */
  remove(follower: string): void;
}

/** Facts that are projected from a log: their owner may come to speak for another generation, or project them anew. */
export interface ProjectedFactStore extends FactStore {
  /** Facts and tombstones stay, cursors are forgotten, since followers start over. Throws WeirError 'conflict' unless it is higher. */
  raise(generation: number): void;
  /** Forgets all facts, cursors and positions, and speaks for this generation, which may be lower. */
  reset(generation: number): void;
}

/** Who may follow, decided by the publisher's owner (the Top: sites and join tokens; a Bottom: its reusable host token). */
export interface Membership {
  /** Rejects with WeirError 'forbidden' for an unknown or used token. The same token with the same key gets the same answer until the first `facts`. */
  join(request: JoinRequest): Promise<JoinAnswer>;
  /** The follower whose key this is, or undefined. */
  authenticate(key: string): string | undefined;
  /** Called at a follower's first `facts` call: its join token is used up for good. */
  followed(follower: string): Promise<void>;
}

/** What the publisher tells its owner about followers. */
export interface FollowerEvents {
  /** Called with each report: what the follower has stored, what is settled, and what it saw. Its promise is awaited before the report is answered. */
  reported(
    follower: string,
    report: { readonly cursor: Cursor; readonly settled: number; readonly observations: readonly Observation[] },
  ): Promise<void>;
  /** Edges only. `since` is milliseconds of the wall clock. */
  reachability(follower: string, state: 'reachable' | 'unreachable', since: number): void;
  /** A cursor whose digest differs from ours, or ahead of us: one side was restored from an older copy. The follower was refused. */
  diverged(follower: string, cursor: Cursor & { readonly generation: number }): void;
}

/** Where a follower keeps what it was told. */
export interface FollowerSink {
  cursor(): { readonly generation: number; readonly position: number; readonly digest: string };
  /**
   * A publisher with a higher generation speaks, or one with the same asks to start over (what was acknowledged is no longer stored here):
   * the next batch starts from position 0, so that is the cursor now; state stays until the caught-up mark.
   */
  newGeneration(generation: number): Promise<void>;
  /** One mark's worth: facts and cursor taken over together; stored when it resolves. `caughtUp`: this was the publisher's head at connect. */
  apply(
    facts: readonly FactLine[],
    mark: Cursor & { readonly generation: number; readonly caughtUp: boolean },
  ): Promise<void>;
  /** The highest position up to which everything below is programmed, or named as unreachable or failed. */
  settled(): number;
  /** Last values to send; `whole` after a connect: all of them, else what changed since the last call. The follower keeps what was not delivered. */
  observations(whole: boolean): readonly Observation[];
  /** Answers a query that changes nothing; throws to answer an error. */
  query(kind: string, body: unknown, timeoutMs: number): Promise<unknown>;
}
