import { type Clock, type Decider, fold, type Random, type Timers } from '@weir/kernel';
import { RequestDeadline, WrongExpectedRevision } from './errors';
import { Lanes } from './lanes';
import { type Append, type EventStore, NO_STREAM, type RecordedEvent, type Revision } from './port';

/** As much of an event store as a command needs; a branch of one has it too. */
export type CommandLog = Pick<EventStore, 'append' | 'readStream' | 'head'>;

export interface ExecuteContext {
  readonly store: CommandLog;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  /** For logs that are one underneath; else each store has its own. */
  readonly lanes?: Lanes;
}

export interface ExecuteOptions {
  /** An instant of `clock.monotonic()`. */
  readonly deadlineMs: number;
  /** A hot stream's name: commands with the same lane go one after another in this process. */
  readonly lane?: string | undefined;
}

export interface ReadStream {
  readonly events: readonly RecordedEvent[];
  readonly revision: Revision;
}

/** Reads each stream once per try, so that a decision sees one state of it. */
export interface StreamReader {
  read(stream: string): Promise<ReadStream>;
}

/** What a decision came to; without `append` there was nothing to do. */
export interface Decision<T> {
  readonly result: T;
  readonly append?: Append | undefined;
}

export interface Executed<T> {
  readonly result: T;
  readonly events: readonly RecordedEvent[];
  /** From here on a reader sees what was done. */
  readonly position: number;
}

/** Lost races up to here are answered at once: by then the winner is usually done. */
const TRIES_WITHOUT_PAUSE = 3;
const MAX_PAUSE_MS = 50;

const lanesOf = new WeakMap<CommandLog, Lanes>();

/**
 * Read, decide, append at the revisions read; when another was first, once more from the start, until the deadline
 * (RequestDeadline). `attempt` may run many times and must have no effects; whatever else it throws is passed on.
 */
export async function execute<T>(
  context: ExecuteContext,
  options: ExecuteOptions,
  attempt: (read: StreamReader, tryNumber: number) => Promise<Decision<T>>,
): Promise<Executed<T>> {
  if (options.lane === undefined) return untilDone(context, options, attempt);
  const lanes = context.lanes ?? lanesOf.get(context.store) ?? new Lanes();
  if (!context.lanes) lanesOf.set(context.store, lanes);
  return lanes.run(options.lane, () => untilDone(context, options, attempt));
}

async function untilDone<T>(
  { store, clock, timers, random }: ExecuteContext,
  { deadlineMs }: ExecuteOptions,
  attempt: (read: StreamReader, tryNumber: number) => Promise<Decision<T>>,
): Promise<Executed<T>> {
  let lost: unknown;
  for (let tryNumber = 1; ; tryNumber++) {
    if (clock.monotonic() >= deadlineMs) throw new RequestDeadline(tryNumber - 1, lost);
    const { result, append } = await attempt(streamReader(store), tryNumber);
    if (!append) return { result, events: [], position: await store.head() };
    try {
      return { result, ...(await store.append(append)) };
    } catch (error) {
      if (!(error instanceof WrongExpectedRevision)) throw error;
      lost = error;
    }
    if (tryNumber >= TRIES_WITHOUT_PAUSE) {
      const longest = Math.min(
        2 ** (tryNumber - TRIES_WITHOUT_PAUSE + 1),
        MAX_PAUSE_MS,
        deadlineMs - clock.monotonic(),
      );
      await timers.sleep(random.integer(Math.max(1, Math.ceil(longest))) + 1);
    }
  }
}

function streamReader(store: CommandLog): StreamReader {
  const seen = new Map<string, Promise<ReadStream>>();
  return {
    read: (stream) => {
      const known = seen.get(stream) ?? readWhole(store, stream);
      seen.set(stream, known);
      return known;
    },
  };
}

async function readWhole(store: CommandLog, stream: string): Promise<ReadStream> {
  const events = await store.readStream(stream);
  return { events, revision: events.at(-1)?.revision ?? NO_STREAM };
}

/** The state of one stream's decider, and the revision to append at. */
export async function load<State, Event>(
  reader: StreamReader,
  decider: Pick<Decider<State, never, Event>, 'initial' | 'evolve'>,
  stream: string,
  parse: (event: RecordedEvent) => Event,
): Promise<{ state: State; revision: Revision }> {
  const { events, revision } = await reader.read(stream);
  return { state: fold(decider, events.map(parse)), revision };
}
