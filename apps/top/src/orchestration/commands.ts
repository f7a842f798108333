import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import {
  type AnyStream,
  begin,
  CandidateTaken,
  type Change,
  type DomainEvent,
  encodeEvent,
  type Loaded,
  parseEvent,
  type Transaction,
} from '@weir/domain';
import {
  type Append,
  type CommandLog,
  execute,
  type ExecuteContext,
  type Executed,
  type EventMetadata,
  Lanes,
  NO_STREAM,
  type NewEvent,
  RequestDeadline,
  StoreClosed,
  StoreFailed,
} from '@weir/event-store';
import { type Clock, type ProjectId, type Random, type Timers, uuid7, WeirError } from '@weir/kernel';
import { chosen, currentScope, tryFromHere, unlessRehearsed } from './scope';

/** Who asked, for the envelope of every event that follows. */
export interface Origin {
  readonly requestId: string;
  readonly actor: string;
  readonly projectId: ProjectId | undefined;
}

/** An intent on its way to the log. */
export class Intend<T> extends Command<Executed<T>> {
  constructor(
    readonly origin: Origin,
    /** Makes the command, with fresh picks at each try; has no effects. */
    readonly command: () => Transaction<T>,
    /** The hot stream that it writes, if any: such commands go one after another. */
    readonly lane?: string,
    /** Ends what was begun: where the log cannot take it now, it is tried until it can, whoever asked having been told. */
    readonly isOwed = false,
  ) {
    super();
  }
}

export interface ShellPorts {
  readonly store: CommandLog;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
}

/** A request gives up after this long, and says so. */
export const REQUEST_DEADLINE_MS = 20_000;

/** Fresh picks are mostly free. */
const PICKS_WITHOUT_PAUSE = 5;
const PICK_AGAIN_MS = 20;
const OWED_AGAIN_MS = 1000;

/** The one shell between commands and log: read, decide, append; again when another was first or a picked candidate was taken. */
export class Shell {
  private readonly states: StateCache;
  private readonly rehearsed = new WeakMap<CommandLog, StateCache>();
  private readonly context: ExecuteContext;

  constructor(private readonly ports: ShellPorts) {
    this.states = new StateCache(ports.store);
    this.context = { ...ports, lanes: new Lanes() };
  }

  /** What commands read and append where no request has a log of its own. */
  get log(): CommandLog {
    return this.ports.store;
  }

  async execute<T>(intent: Intend<T>): Promise<Executed<T>> {
    try {
      return await this.carriedOut(intent);
    } catch (error) {
      if (intent.isOwed && isPassing(error))
        unlessRehearsed(() => this.ports.timers.after(OWED_AGAIN_MS, () => this.again(intent)));
      throw error;
    }
  }

  /** A refusal for good ends it: then the log says that nothing is owed any more. */
  private again(intent: Intend<unknown>): void {
    this.execute(intent).catch(() => undefined);
  }

  private carriedOut<T>(intent: Intend<T>): Promise<Executed<T>> {
    const deadlineMs = this.ports.clock.monotonic() + REQUEST_DEADLINE_MS;
    const again = tryFromHere();
    return execute(this.contextNow(), { deadlineMs, lane: intent.lane }, async (_read, tryNumber) => {
      if (tryNumber > 1) again();
      const { writes, checks, result } = await this.decided(intent, deadlineMs);
      if (writes.length === 0) return { result };
      const time = chosen('time', () => this.ports.clock.now());
      const metadata = metadataOf(intent.origin, time);
      const append: Append = {
        writes: writes.map((write) => ({
          ...write,
          events: write.events.map((event) => this.envelope(event, metadata)),
        })),
        checks,
      };
      return { result, append };
    });
  }

  /** Where the request under way has its commands carried out. */
  private contextNow(): ExecuteContext {
    const scope = currentScope();
    if (!scope) return this.context;
    return { ...(scope.branch ? this.ports : this.context), store: scope.log };
  }

  private statesNow(): StateCache {
    const branch = currentScope()?.branch;
    if (!branch) return this.states;
    const states =
      this.rehearsed.get(branch) ?? new StateCache(branch, { states: this.states, until: branch.position });
    this.rehearsed.set(branch, states);
    return states;
  }

  private async decided<T>(intent: Intend<T>, deadlineMs: number): Promise<Change<T>> {
    const states = this.statesNow();
    const again = tryFromHere();
    for (let tries = 1; ; tries++) {
      try {
        let step = begin(intent.command());
        while (!step.done) step = step.next(await Promise.all(step.streams.map((ref) => states.current(ref))));
        return step.change;
      } catch (error) {
        if (!(error instanceof CandidateTaken)) throw error;
        again();
        if (this.ports.clock.monotonic() >= deadlineMs) throw new RequestDeadline(tries, error);
        // Where nothing is free but what this very request has taken, no try helps: others go on meanwhile.
        if (tries >= PICKS_WITHOUT_PAUSE) await this.ports.timers.sleep(PICK_AGAIN_MS);
      }
    }
  }

  private envelope(event: DomainEvent, metadata: EventMetadata): NewEvent {
    const { clock, random } = this.ports;
    return { id: chosen('event', () => uuid7(clock, random)), ...encodeEvent(event), metadata };
  }
}

function metadataOf(origin: Origin, time: number): EventMetadata {
  return {
    correlation: origin.requestId,
    causation: origin.requestId,
    actor: origin.actor,
    ...(origin.projectId === undefined ? {} : { project: origin.projectId }),
    time: new Date(time).toISOString(),
  };
}

/** No room, or no time: later there may be. */
function isPassing(error: unknown): boolean {
  if (error instanceof StoreClosed || error instanceof StoreFailed) return false;
  return error instanceof WeirError && ['no-space', 'unavailable'].includes(error.reason);
}

@CommandHandler(Intend)
export class IntendHandler implements ICommandHandler<Intend<unknown>> {
  constructor(private readonly shell: Shell) {}

  execute(intent: Intend<unknown>): Promise<Executed<unknown>> {
    return this.shell.execute(intent);
  }
}

/** Folded states of the streams used last are kept, so that a long stream is not read whole for each command. */
const CACHED_STREAMS = 10_000;

interface Folded extends Loaded {
  /** Of the last event in it. */
  readonly position: number;
}

class StateCache {
  private readonly cache = new Map<string, Folded>();

  /** A branch goes on from what is known of the log that it comes from, up to where it begins. */
  constructor(
    private readonly log: CommandLog,
    private readonly from?: { readonly states: StateCache; readonly until: number },
  ) {}

  /** A stream belongs to one decider, so its name is the key. */
  async current({ stream, decider }: AnyStream): Promise<Loaded> {
    const cached = this.known(stream) ?? { state: decider.initial, revision: NO_STREAM, position: 0 };
    const newer = await this.log.readStream(stream, cached.revision + 1);
    const fresh = newer.reduce<Folded>(
      (sofar, event) => ({
        state: decider.evolve(sofar.state, parseEvent(event)),
        revision: event.revision,
        position: event.position,
      }),
      cached,
    );
    this.cache.delete(stream);
    if (fresh.revision !== NO_STREAM) this.cache.set(stream, fresh);
    const [oldest] = this.cache.keys();
    if (oldest !== undefined && this.cache.size > CACHED_STREAMS) this.cache.delete(oldest);
    return fresh;
  }
  private known(stream: string): Folded | undefined {
    const own = this.cache.get(stream);
    if (own || !this.from) return own;
    const below = this.from.states.known(stream);
    return below && below.position <= this.from.until ? below : undefined;
  }
}
