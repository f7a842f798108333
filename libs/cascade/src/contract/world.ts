import { silentLogger, type Clock, type Random, type Timers } from '@weir/kernel';
import { Follower, joinPublisher } from '../follower';
import type { RestartableFactStore } from '../journal';
import { makeKey } from '../key';
import { Link } from '../memory/link';
import { MemoryMembership } from '../memory/membership';
import { MemorySlice } from '../memory/slice';
import type { PublisherSource } from '../memory/transport';
import type { Cursor, FollowerEvents, FollowerSink, ProjectedFactStore, PublishedChange } from '../ports';
import type { FactLine, Observation } from '../protocol';
import { Publisher } from '../publisher';
import type { FactKey, SliceMark, SliceStore } from '../slice';
import type { Transport } from '../transport';
import { seededRandom } from './random';

/** Time that passes only when a test says so; `until` fails when the condition does not come true in time. */
export interface SteppedTime extends Clock, Timers {
  advance(ms: number): Promise<void>;
  until(condition: () => boolean, withinMs?: number): Promise<void>;
}

/** What an adapter brings to the suite. */
export interface CascadeParts {
  readonly time: SteppedTime;
  /** A new one, of generation 1. */
  readonly store: RestartableFactStore & ProjectedFactStore;
  /** Ways to whatever publisher the source names at that moment. */
  readonly transport: (publisher: PublisherSource) => Transport | Promise<Transport>;
  readonly dispose: () => void | Promise<void>;
}

/** A follower's end that remembers everything that happened to it. */
export class RecordingSink implements FollowerSink {
  readonly batches: { readonly facts: readonly FactLine[]; readonly mark: SliceMark; readonly from: number }[] = [];
  /** Lines that changed something, in order, by the start in which they did. */
  readonly effects: { readonly start: number; readonly line: FactLine }[] = [];
  readonly orphaned: FactKey[] = [];
  starts = 0;
  /** While set, nothing is taken over. */
  hold: Promise<void> | undefined;
  /** Undefined: whatever is stored is settled at once. */
  settledAt: number | undefined;
  answer: (kind: string, body: unknown) => Promise<unknown> | object | string = (kind, body) => ({ kind, body });
  private readonly values = new Map<string, Observation>();
  private changed: Observation[] = [];

  constructor(readonly slice: SliceStore = new MemorySlice()) {}

  cursor(): Cursor & { readonly generation: number } {
    return this.slice.cursor();
  }

  newGeneration(generation: number): Promise<void> {
    this.starts++;
    this.slice.newGeneration(generation);
    return Promise.resolve();
  }

  async apply(facts: readonly FactLine[], mark: SliceMark): Promise<void> {
    const from = this.cursor().position;
    if (this.hold) await this.hold;
    const change = this.slice.apply(facts, mark);
    this.batches.push({ facts, mark, from });
    for (const line of change.changed) this.effects.push({ start: this.starts, line });
    this.orphaned.push(...change.orphaned);
  }

  settled(): number {
    return this.settledAt ?? this.cursor().position;
  }

  observe(observation: Observation): void {
    this.values.set(`${observation.kind} ${observation.id}`, observation);
    this.changed.push(observation);
  }

  observations(whole: boolean): readonly Observation[] {
    const observations = whole ? [...this.values.values()] : this.changed;
    this.changed = [];
    return observations;
  }

  async query(kind: string, body: unknown): Promise<unknown> {
    return await this.answer(kind, body);
  }

  facts(): readonly Omit<FactLine, 'type'>[] {
    return this.slice.facts();
  }
}

export interface ReportedReport {
  readonly follower: string;
  readonly cursor: Cursor;
  readonly settled: number;
  readonly observations: readonly Observation[];
}

/** An owner that remembers what its publisher told. */
export class RecordingEvents implements FollowerEvents {
  readonly reports: ReportedReport[] = [];
  readonly edges: { readonly follower: string; readonly state: string; readonly since: number }[] = [];
  readonly divergences: { readonly follower: string; readonly position: number }[] = [];
  /** Set: reports are answered with this error. */
  failing: Error | undefined;

  reported(follower: string, report: Omit<ReportedReport, 'follower'>): Promise<void> {
    if (this.failing) return Promise.reject(this.failing);
    this.reports.push({ follower, ...report });
    return Promise.resolve();
  }

  reachability(follower: string, state: string, since: number): void {
    this.edges.push({ follower, state, since });
  }

  diverged(follower: string, { position }: Cursor): void {
    this.divergences.push({ follower, position });
  }
}

export interface Member {
  readonly name: string;
  readonly key: string;
  readonly sink: RecordingSink;
  readonly link: Link;
  /** The running one; `restart` puts another in its place. */
  follower: Follower;
}

/** A publisher and its followers around one adapter. */
export class CascadeWorld {
  readonly membership: MemoryMembership;
  readonly events = new RecordingEvents();
  readonly random: Random;
  readonly members: Member[] = [];
  publisher: Publisher | undefined;
  private store: RestartableFactStore & ProjectedFactStore;

  constructor(
    readonly parts: CascadeParts,
    seed = 1,
  ) {
    this.random = seededRandom(seed);
    this.store = parts.store;
    this.membership = new MemoryMembership(() => this.store.generation);
    this.publish();
  }

  get time(): SteppedTime {
    return this.parts.time;
  }

  get facts(): RestartableFactStore & ProjectedFactStore {
    return this.store;
  }

  /** Runs a publisher, over another store if one is given: a copy, or a later life. */
  publish(store = this.store, reachable: readonly string[] = []): Publisher {
    this.publisher?.close();
    this.store = store;
    const { time, random } = this;
    this.publisher = new Publisher({
      name: 'top',
      facts: store,
      membership: this.membership,
      events: this.events,
      clock: time,
      timers: time,
      random,
      logger: silentLogger,
      reachable,
    });
    return this.publisher;
  }

  get current(): Publisher {
    if (!this.publisher) throw new Error('No publisher is running.');
    return this.publisher;
  }

  async member(name: string, sink = new RecordingSink()): Promise<Member> {
    const { time, random } = this;
    const transport = await this.parts.transport(() => this.publisher);
    const link = new Link(transport, { clock: time, timers: time, random });
    const key = makeKey(random);
    this.membership.invite(`token of ${name}`, name);
    const joined = joinPublisher({ transport, token: `token of ${name}`, name, key });
    let done = false;
    void joined.catch(() => undefined).finally(() => (done = true));
    await time.until(() => done);
    await joined;
    const member = { name, key, sink, link, follower: this.followerOf({ key, sink, link, name }) };
    this.members.push(member);
    return member;
  }

  /** A member that follows and has caught up. */
  async following(name: string): Promise<Member> {
    const member = await this.member(name);
    member.follower.start();
    await this.quiet();
    return member;
  }

  /** The process ends and comes back: only what is stored remains. */
  async restart(member: Member): Promise<void> {
    await member.follower.stop();
    member.follower = this.followerOf(member);
    member.follower.start();
  }

  commit(...changes: PublishedChange[]): Cursor {
    const position = this.store.head().position + 1 + this.random.integer(3);
    const cursor = { position, digest: `${this.store.generation}:${position}:${this.random.integer(1e9)}` };
    this.store.commit({ ...cursor, changes });
    this.publisher?.changed();
    return cursor;
  }

  /** Until everybody has reported that everything is stored. */
  async quiet(): Promise<void> {
    await this.time.until(() =>
      this.members.every(({ name, follower, sink }) => {
        const head = this.store.head();
        const status = this.publisher?.status(name);
        return (
          follower.state.connected &&
          sink.cursor().position === head.position &&
          sink.cursor().generation === this.store.generation &&
          status?.reachability === 'reachable' &&
          status.cursor.digest === head.digest
        );
      }),
    );
  }

  /** What a promise comes to while time passes. */
  async outcome<T>(promise: Promise<T>): Promise<{ readonly value: T } | { readonly error: unknown }> {
    let outcome: { readonly value: T } | { readonly error: unknown } | undefined;
    void promise.then(
      (value) => (outcome = { value }),
      (error: unknown) => (outcome = { error }),
    );
    await this.time.until(() => outcome !== undefined);
    if (!outcome) throw new Error('unreached');
    return outcome;
  }

  async dispose(): Promise<void> {
    for (const { follower, link } of this.members) {
      await follower.stop();
      link.close();
    }
    this.publisher?.close();
    await this.parts.dispose();
  }

  private followerOf({ name, key, sink, link }: Omit<Member, 'follower'>): Follower {
    const { time, random } = this;
    return new Follower({ name, transport: link, key, sink, clock: time, timers: time, random, logger: silentLogger });
  }
}

export const upsert = (
  follower: string,
  kind: string,
  id: string,
  body: Record<string, unknown> = {},
): PublishedChange => ({
  follower,
  op: 'upsert',
  kind,
  id,
  body,
});

export const remove = (follower: string, kind: string, id: string): PublishedChange => ({
  follower,
  op: 'delete',
  kind,
  id,
});
