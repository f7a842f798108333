import type { Cancel, Logger, Timers } from '@weir/kernel';
import type { Cursor, FactStore } from './ports';
import { HEARTBEAT_MS, PROTOCOL_VERSION, type FactLine, type Line } from './protocol';
import type { OutgoingStream } from './transport';

/** Facts read at once, and under one mark: what a follower that reads slowly costs. A position that has more is read whole. */
const BATCH = 256;

interface Batch {
  readonly facts: readonly FactLine[];
  readonly mark: Cursor;
  readonly atHead: boolean;
  next: number;
}

export interface FactStreamOptions {
  readonly publisher: string;
  readonly follower: string;
  readonly facts: FactStore;
  readonly stream: OutgoingStream;
  readonly after: Cursor;
  readonly timers: Timers;
  readonly logger: Logger;
  /** Set where nothing but questions is to go out: the follower's own generation, so that it stays as it is. */
  readonly quarantinedAs?: number | undefined;
  /** False while nothing may be published: only heartbeats go out. */
  readonly publishing: () => boolean;
  /** Called for each fact line, and for each mark without a kind. */
  readonly counted: (kind: string | undefined) => void;
}

/**
 * One connection, seen from the publisher: reads on from the store as far as the socket takes it. There is no queue: what changes
 * while the follower is slow is read in its last state later.
 */
export class FactStream {
  private previous: Cursor;
  private batch: Batch | undefined;
  private blocked = false;
  private closed = false;
  private running = false;
  private caughtUp = false;
  private marks = 0;
  private heartbeatDue = false;
  private cancelHeartbeat: Cancel = () => undefined;

  constructor(private readonly options: FactStreamOptions) {
    this.previous = options.after;
    options.stream.onDrain(() => {
      this.blocked = false;
      this.continue();
    });
  }

  start(): void {
    const { publisher, facts, quarantinedAs } = this.options;
    this.write({
      type: 'hello',
      protocol: PROTOCOL_VERSION,
      publisher,
      generation: quarantinedAs ?? facts.generation,
      ...(quarantinedAs !== undefined && { quarantined: true }),
    });
    this.awaitHeartbeat();
    this.continue();
  }

  /** Writes what is new, until the socket is full. */
  continue(): void {
    if (this.running) return;
    this.running = true;
    try {
      while (!this.closed && !this.blocked) {
        this.batch ??= this.read();
        if (!this.batch) break;
        this.writeNext(this.batch);
      }
    } catch (error) {
      // The store cannot be read: the follower dials again, and finds it better or finds this again.
      this.options.logger.error('A stream of facts was broken off', { follower: this.options.follower, error });
      this.options.stream.close();
    } finally {
      this.running = false;
    }
  }

  write(line: Line): void {
    if (this.closed) return;
    if (!this.options.stream.write(`${JSON.stringify(line)}\n`)) this.blocked = true;
  }

  /** The socket is gone, or must go. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.cancelHeartbeat();
    this.options.stream.close();
  }

  private writeNext(batch: Batch): void {
    const fact = batch.facts[batch.next];
    if (fact) {
      batch.next++;
      this.write(fact);
      this.options.counted(fact.kind);
      return;
    }
    const caughtUp = batch.atHead && !this.caughtUp;
    this.batch = undefined;
    this.heartbeatDue = false;
    const previous = this.previous.position;
    this.previous = batch.mark;
    if (caughtUp) this.caughtUp = true;
    this.write({
      type: 'mark',
      position: batch.mark.position,
      previous,
      count: batch.facts.length,
      digest: batch.mark.digest,
      ...(caughtUp && { caughtUp }),
      ordinal: ++this.marks,
    });
    this.options.counted(undefined);
    this.awaitHeartbeat();
  }

  private read(): Batch | undefined {
    const { facts: store, follower } = this.options;
    if (!this.options.publishing())
      return this.heartbeatDue ? { facts: [], mark: this.previous, atHead: false, next: 0 } : undefined;
    const head = store.head();
    if (head.position === this.previous.position && this.caughtUp && !this.heartbeatDue) return undefined;
    const { facts, whole } = this.readPositions(store, follower);
    if (facts.length === 0 && this.caughtUp && !this.heartbeatDue) return undefined;
    if (whole) return { facts, mark: head, atHead: true, next: 0 };
    const position = facts.at(-1)?.position ?? head.position;
    const digest = store.digestAt(position);
    if (digest === undefined) throw new Error(`No digest is kept for position ${position}`);
    return { facts, mark: { position, digest }, atHead: false, next: 0 };
  }

  /** The next facts, no position torn apart; `whole` when they reach the head. */
  private readPositions(store: FactStore, follower: string): { facts: readonly FactLine[]; whole: boolean } {
    for (let limit = BATCH; ; limit *= 4) {
      const facts = store.after(follower, this.previous.position, limit);
      if (facts.length < limit) return { facts, whole: true };
      const last = facts.at(-1)?.position;
      const complete = facts.findIndex((fact) => fact.position === last);
      if (complete > 0) return { facts: facts.slice(0, complete), whole: false };
    }
  }

  private awaitHeartbeat(): void {
    this.cancelHeartbeat();
    if (this.closed) return;
    this.cancelHeartbeat = this.options.timers.after(HEARTBEAT_MS, () => {
      this.heartbeatDue = true;
      this.awaitHeartbeat();
      this.continue();
    });
  }
}
