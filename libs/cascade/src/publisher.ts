import { invalid, unavailable, WeirError, type Clock, type Logger, type Random, type Timers } from '@weir/kernel';
import { FactStream } from './fact-stream';
import type { Cursor, FactStore, FollowerEvents, Membership } from './ports';
import {
  answerSchema,
  joinSchema,
  MAX_LINE_BYTES,
  reportSchema,
  SILENCE_MS,
  type JoinAnswer,
  type QueryLine,
  type RefusalBody,
} from './protocol';
import { OpenQueries } from './queries';
import type { OutgoingStream } from './transport';

export interface PublisherOptions {
  /** As followers see it in `hello`. */
  readonly name: string;
  readonly facts: FactStore;
  readonly membership: Membership;
  readonly events: FollowerEvents;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly logger: Logger;
  /**
   * The followers that the owner's own record calls reachable. Nothing is published until each of them has shown its cursor, or 5 s have
   * passed: a restored copy is noticed before it speaks. Those still silent then are told as unreachable.
   */
  readonly reachable?: readonly string[];
  /** It was in quarantine when it stopped. */
  readonly quarantined?: boolean;
}

export interface Refusal {
  readonly status: 409;
  readonly body: RefusalBody;
}

export interface FollowerStatus {
  readonly connected: boolean;
  readonly reachability: 'reachable' | 'unreachable';
  /** Milliseconds of the wall clock: of the first report, or of the last one before the silence. */
  readonly since: number;
  /** What it has stored, as it last said. */
  readonly cursor: Cursor;
  readonly settled: number;
}

/** Half of what a number can be, so that there is always a generation above one that was shown. */
const HIGHEST_SHOWN = 2 ** 52;

interface Follower {
  readonly name: string;
  readonly queries: OpenQueries;
  readonly messages: Map<string, number>;
  marks: number;
  connection: FactStream | undefined;
  followed: boolean;
  reachability: 'reachable' | 'unreachable';
  since: number;
  /** The last sign of life: monotonic, and on the wall. */
  heard: number;
  heardAt: number;
  watched: boolean;
  settled: number;
}

/** Answers followers and streams facts to them; knows no sockets. One per store; `close` ends all streams. */
export class Publisher {
  private readonly followersByName = new Map<string, Follower>();
  private readonly awaited: Set<string>;
  private readonly startedAt: number;
  private closed = false;
  private inQuarantine: boolean;

  constructor(private readonly options: PublisherOptions) {
    const { clock, timers, reachable = [] } = options;
    this.startedAt = clock.now();
    this.inQuarantine = options.quarantined ?? false;
    this.awaited = new Set(reachable);
    for (const name of reachable) {
      const follower = this.follower(name);
      follower.reachability = 'reachable';
      this.watch(follower);
    }
    if (this.awaited.size > 0) timers.after(SILENCE_MS, () => this.publishRegardless());
  }

  get generation(): number {
    return this.options.facts.generation;
  }

  /** Rejects with WeirError 'invalid', or as the membership does. */
  async join(body: unknown): Promise<JoinAnswer> {
    const request = joinSchema.safeParse(body);
    if (!request.success) throw invalid('The request to join is malformed.', { cause: request.error });
    return this.options.membership.join(request.data);
  }

  authenticate(key: string): string | undefined {
    return this.options.membership.authenticate(key);
  }

  /** The owner has committed something; `followers` names those that it concerns, when known. Their streams go on at once. */
  changed(followers?: Iterable<string>): void {
    if (followers) {
      for (const name of followers) this.followersByName.get(name)?.connection?.continue();
      return;
    }
    for (const follower of this.followersByName.values()) follower.connection?.continue();
  }

  /** Opens the stream of a follower, in place of the one that it had; or says why not, and then nothing was written. */
  async connect(
    name: string,
    request: Cursor & { readonly generation: number },
    stream: OutgoingStream,
  ): Promise<Refusal | undefined> {
    this.assertOpen();
    if (request.generation > Math.max(HIGHEST_SHOWN, this.generation)) throw invalid('No publisher is so old.');
    const follower = this.follower(name);
    if (!follower.followed && !this.inQuarantine) {
      await this.options.membership.followed(name);
      follower.followed = true;
      this.assertOpen();
    }
    // Who begins it is told why, and comes again.
    const isQuarantined = this.inQuarantine;
    const refusal = this.refusal(name, request);
    this.shown(name);
    // Who has nothing yet is told our generation, and comes again.
    if (isQuarantined && request.generation > 0) {
      this.open(follower, request, stream);
      return undefined;
    }
    if (refusal) return refusal;
    this.acceptCursor(follower, request);
    this.open(follower, request, stream);
    return undefined;
  }

  /** Nobody is to follow it any more. */
  get isClosed(): boolean {
    return this.closed;
  }

  private assertOpen(): void {
    if (this.closed) throw unavailable('The publisher is stopping.');
  }

  get quarantined(): boolean {
    return this.inQuarantine;
  }

  /** From here on nothing is published and nothing that followers say is taken over; questions to them are still answered. Idempotent. */
  quarantine(): void {
    if (this.inQuarantine) return;
    this.inQuarantine = true;
    this.startOver();
  }

  /** The store speaks for a generation above all that followers have shown: they start over, with what it holds. */
  release(): void {
    this.inQuarantine = false;
    this.startOver();
  }

  /**
   * What a follower has stored, made true and seen. Rejects with WeirError 'invalid' or 'conflict' (a cursor that we do not know),
   * or as the owner does.
   */
  async report(name: string, body: unknown): Promise<void> {
    const report = reportSchema.safeParse(body);
    if (!report.success) throw invalid('The report is malformed.', { cause: report.error });
    const { cursor, settled, observations } = report.data;
    const { facts, events } = this.options;
    if (this.inQuarantine) return this.hear(this.follower(name));
    // Not yet a divergence: a report may have been on its way while the publisher changed. The next connect tells.
    if (!this.knows(cursor)) throw new WeirError('conflict', 'The cursor is not one of this publisher.');
    const follower = this.follower(name);
    this.hear(follower);
    if (cursor.position > (facts.acknowledged(name)?.position ?? -1)) facts.acknowledge(name, cursor);
    follower.settled = Math.min(settled, cursor.position);
    await events.reported(name, { cursor, settled: follower.settled, observations });
  }

  /** A part of an answer. Throws WeirError 'invalid', 'not-found' (nobody waits any more), 'conflict' or 'too-large'. */
  answer(name: string, body: unknown): void {
    const part = answerSchema.safeParse(body);
    if (!part.success) throw invalid('The answer is malformed.', { cause: part.error });
    this.follower(name).queries.take(part.data);
  }

  /** Asks a follower something that changes nothing. Rejects with WeirError: 'unavailable' when it is not connected or time is out, else its own reason. */
  query(name: string, kind: string, body: unknown, timeoutMs: number): Promise<unknown> {
    const follower = this.followersByName.get(name);
    const connection = follower?.connection;
    if (!follower || !connection) return Promise.reject(unavailable(`${name} is not connected.`));
    // On the line it is a whole number, and the follower ends a connection that says otherwise.
    const wholeMs = Math.max(1, Math.ceil(timeoutMs));
    const line: QueryLine = { type: 'query', id: this.options.random.uuid(), kind, body, timeoutMs: wholeMs };
    if (Buffer.byteLength(JSON.stringify(line)) >= MAX_LINE_BYTES)
      return Promise.reject(new WeirError('too-large', 'The question is longer than a line may be.'));
    return follower.queries.ask(line.id, timeoutMs, () => {
      this.count(follower, 'query');
      connection.write(line);
    });
  }

  status(name: string): FollowerStatus {
    const follower = this.followersByName.get(name);
    return {
      connected: follower?.connection !== undefined,
      reachability: follower?.reachability ?? 'unreachable',
      since: follower?.since ?? this.startedAt,
      cursor: this.options.facts.acknowledged(name) ?? { position: 0, digest: '' },
      settled: follower?.settled ?? 0,
    };
  }

  /** The followers that this publisher has heard of since it started. */
  followers(): readonly string[] {
    return [...this.followersByName.keys()];
  }

  /** Fact lines by the fact's kind, and questions as `query`, since the start. */
  messages(name: string): Readonly<Record<string, number>> {
    return Object.fromEntries(this.followersByName.get(name)?.messages ?? []);
  }

  marks(name: string): number {
    return this.followersByName.get(name)?.marks ?? 0;
  }

  /** The store speaks for another generation now: every stream is ended; followers dial again and are told. */
  startOver(): void {
    for (const follower of this.followersByName.values()) {
      follower.settled = 0;
      this.disconnect(follower, 'The publisher starts over.');
    }
  }

  /** Forgets a follower that left for good. */
  remove(name: string): void {
    const follower = this.followersByName.get(name);
    this.followersByName.delete(name);
    if (follower) this.disconnect(follower, `${name} left.`);
    this.options.facts.remove(name);
  }

  close(): void {
    this.closed = true;
    for (const follower of this.followersByName.values()) this.disconnect(follower, 'The publisher is stopping.');
  }

  private refusal(name: string, presented: Cursor & { readonly generation: number }): Refusal | undefined {
    const { facts, events, logger } = this.options;
    const refuse = (reason: RefusalBody['reason']): Refusal => ({
      status: 409,
      body: { reason, generation: facts.generation, position: facts.head().position },
    });
    const diverged = (reason: RefusalBody['reason']): Refusal => {
      logger.error('A follower knows what this publisher does not: one of the two is an older copy', {
        follower: name,
        presented,
        generation: facts.generation,
        head: facts.head(),
      });
      events.diverged(name, presented);
      return refuse(reason);
    };
    if (presented.generation > facts.generation) return diverged('generation');
    if (presented.generation < facts.generation) return refuse('generation');
    if (!this.knows(presented)) return diverged('digest');
    // Behind what it acknowledged: it lost what it had stored, and the tombstones between are gone. Only a start from 0 tells it all.
    const acknowledged = facts.acknowledged(name)?.position ?? 0;
    return presented.position > 0 && presented.position < acknowledged ? refuse('generation') : undefined;
  }

  private knows(cursor: Cursor): boolean {
    const { facts } = this.options;
    if (cursor.position === 0) return true;
    return cursor.position <= facts.head().position && facts.digestAt(cursor.position) === cursor.digest;
  }

  /** From here on this cursor is what the follower stands at, also when it starts over; its digest is kept. */
  private acceptCursor(follower: Follower, { position, digest }: Cursor): void {
    const { facts } = this.options;
    const cursor = position === 0 ? { position, digest: '' } : { position, digest };
    if (facts.acknowledged(follower.name)?.position !== position) facts.acknowledge(follower.name, cursor);
    follower.settled = Math.min(follower.settled, position);
  }

  private open(follower: Follower, request: Cursor & { readonly generation: number }, stream: OutgoingStream): void {
    const { name: publisher, facts, clock, timers, logger } = this.options;
    this.disconnect(follower, `${follower.name} connected anew.`);
    const connection = new FactStream({
      publisher,
      follower: follower.name,
      facts,
      stream,
      after: { position: request.position, digest: request.position === 0 ? '' : request.digest },
      timers,
      logger,
      quarantinedAs: this.inQuarantine ? request.generation : undefined,
      publishing: () => this.awaited.size === 0 && !this.inQuarantine,
      counted: (kind) => {
        if (kind === undefined) follower.marks++;
        else this.count(follower, kind);
      },
    });
    follower.connection = connection;
    stream.onClose(() => {
      if (follower.connection === connection) this.disconnect(follower, `${follower.name} is gone.`);
      else connection.close();
    });
    follower.heard = clock.monotonic();
    this.watch(follower);
    connection.start();
  }

  private disconnect(follower: Follower, why: string): void {
    const { connection } = follower;
    follower.connection = undefined;
    connection?.close();
    follower.queries.rejectAll(why);
  }

  /** Nothing is published before every follower that should be there has shown its cursor. */
  private shown(name: string): void {
    if (this.awaited.delete(name) && this.awaited.size === 0) this.changed();
  }

  private publishRegardless(): void {
    if (this.awaited.size === 0) return;
    this.awaited.clear();
    this.changed();
  }

  private hear(follower: Follower): void {
    const { clock } = this.options;
    follower.heard = clock.monotonic();
    follower.heardAt = clock.now();
    if (follower.reachability === 'unreachable') this.turn(follower, 'reachable', follower.heardAt);
    this.watch(follower);
  }

  private watch(follower: Follower): void {
    if (follower.watched || this.closed) return;
    const { clock, timers } = this.options;
    follower.watched = true;
    timers.after(Math.max(0, follower.heard + SILENCE_MS - clock.monotonic()), () => {
      follower.watched = false;
      if (this.closed || this.followersByName.get(follower.name) !== follower) return;
      if (clock.monotonic() - follower.heard < SILENCE_MS) return this.watch(follower);
      if (follower.reachability === 'reachable') this.turn(follower, 'unreachable', follower.heardAt);
      // Its socket may be half open: what it holds is let go, and a follower that lives dials again.
      this.disconnect(follower, `${follower.name} is silent.`);
    });
  }

  private turn(follower: Follower, state: 'reachable' | 'unreachable', since: number): void {
    follower.reachability = state;
    follower.since = since;
    this.options.logger.info(`A follower is ${state}`, {
      follower: follower.name,
      since: new Date(since).toISOString(),
    });
    this.options.events.reachability(follower.name, state, since);
  }

  private count(follower: Follower, kind: string): void {
    follower.messages.set(kind, (follower.messages.get(kind) ?? 0) + 1);
  }

  private follower(name: string): Follower {
    let follower = this.followersByName.get(name);
    if (!follower) {
      const { clock, timers } = this.options;
      follower = {
        name,
        queries: new OpenQueries(name, timers),
        messages: new Map(),
        marks: 0,
        connection: undefined,
        followed: false,
        reachability: 'unreachable',
        since: this.startedAt,
        heard: clock.monotonic(),
        heardAt: clock.now(),
        watched: false,
        settled: 0,
      };
      this.followersByName.set(name, follower);
    }
    return follower;
  }
}
