import { createHash } from 'node:crypto';
import type { RecordedEvent } from '@weir/event-store';
import { Branch, type BranchOf } from '@weir/event-store/branch';
import { canonicalJson } from '@weir/kernel';
import { type Choice, Choices } from './choices';
import { within } from './scope';

/** What a request would have come to at a position. */
export interface Rehearsed<T> {
  readonly result: T;
  /** Where it was decided. */
  readonly position: number;
  readonly events: readonly RecordedEvent[];
  readonly choices: readonly Choice[];
  readonly branch: Branch;
}

export interface RehearsalOptions {
  /** The log's head, unless given. */
  readonly position?: number;
  /** Draws to be handed out again. */
  readonly choices?: readonly Choice[];
}

/** Carries requests out on a branch of the log: decided as ever, stored nowhere. */
export class Rehearsals {
  constructor(private readonly of: BranchOf) {}

  /** The same work at the same position with the same choices comes to the same. Rejects as the work does. */
  async run<T>(work: () => Promise<T>, options: RehearsalOptions = {}): Promise<Rehearsed<T>> {
    const position = options.position ?? (await this.of.store.head());
    const branch = await Branch.at(position, this.of);
    const choices = new Choices(options.choices);
    const result = await within({ choices, log: branch, branch }, work);
    return { result, position, events: branch.events, choices: choices.all, branch };
  }

  /** Whether all of these were appended for real. */
  async stand(events: readonly RecordedEvent[]): Promise<boolean> {
    for (const { stream, revision, id } of events) {
      const found = await this.of.store.readStream(stream, revision);
      if (!found.some((event) => event.id === id)) return false;
    }
    return true;
  }
}

/** Of everything that an event says but its place in the log, which others move. */
export function digestOfAll(events: readonly RecordedEvent[]): string {
  const said = events.map(({ stream, revision, id, type, schemaVersion, data, metadata }) => [
    ...[stream, revision, id, type, schemaVersion],
    ...[data, metadata],
  ]);
  return createHash('sha256').update(canonicalJson(said)).digest('base64url');
}
