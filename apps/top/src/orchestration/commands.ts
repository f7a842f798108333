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
  type EventStore,
  execute,
  type Executed,
  NO_STREAM,
  type NewEvent,
  RequestDeadline,
} from '@weir/event-store';
import { type Clock, type ProjectId, type Random, type Timers, uuid7 } from '@weir/kernel';

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
  ) {
    super();
  }
}

export interface ShellPorts {
  readonly store: EventStore;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
}

/** A request gives up after this long, and says so. */
export const REQUEST_DEADLINE_MS = 20_000;

/** Fresh picks are mostly free. */
const PICKS_WITHOUT_PAUSE = 5;
const PICK_AGAIN_MS = 20;

/** The one shell between commands and log: read, decide, append; again when another was first or a picked candidate was taken. */
export class Shell {
  private readonly states: StateCache;

  constructor(private readonly ports: ShellPorts) {
    this.states = new StateCache(ports.store);
  }

  execute<T>(intent: Intend<T>): Promise<Executed<T>> {
    const deadlineMs = this.ports.clock.monotonic() + REQUEST_DEADLINE_MS;
    return execute(this.ports, { deadlineMs, lane: intent.lane }, async () => {
      const { writes, checks, result } = await this.decided(intent, deadlineMs);
      if (writes.length === 0) return { result };
      const append: Append = {
        writes: writes.map((write) => ({
          ...write,
          events: write.events.map((event) => this.envelope(event, intent.origin)),
        })),
        checks,
      };
      return { result, append };
    });
  }

  private async decided<T>(intent: Intend<T>, deadlineMs: number): Promise<Change<T>> {
    for (let tries = 1; ; tries++) {
      try {
        let step = begin(intent.command());
        while (!step.done) step = step.next(await Promise.all(step.streams.map((ref) => this.states.current(ref))));
        return step.change;
      } catch (error) {
        if (!(error instanceof CandidateTaken)) throw error;
        if (this.ports.clock.monotonic() >= deadlineMs) throw new RequestDeadline(tries, error);
        // Where nothing is free but what this very request has taken, no try helps: others go on meanwhile.
        if (tries >= PICKS_WITHOUT_PAUSE) await this.ports.timers.sleep(PICK_AGAIN_MS);
      }
    }
  }

  private envelope(event: DomainEvent, origin: Origin): NewEvent {
    const { clock, random } = this.ports;
    return {
      id: uuid7(clock, random),
      ...encodeEvent(event),
      metadata: {
        correlation: origin.requestId,
        causation: origin.requestId,
        actor: origin.actor,
        ...(origin.projectId === undefined ? {} : { project: origin.projectId }),
        time: new Date(clock.now()).toISOString(),
      },
    };
  }
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

class StateCache {
  private readonly cache = new Map<string, Loaded>();

  constructor(private readonly store: EventStore) {}

  /** A stream belongs to one decider, so its name is the key. */
  async current({ stream, decider }: AnyStream): Promise<Loaded> {
    const cached = this.cache.get(stream) ?? { state: decider.initial, revision: NO_STREAM };
    const newer = await this.store.readStream(stream, cached.revision + 1);
    const fresh = newer.reduce<Loaded>(
      (sofar, event) => ({ state: decider.evolve(sofar.state, parseEvent(event)), revision: event.revision }),
      cached,
    );
    this.cache.delete(stream);
    if (fresh.revision !== NO_STREAM) this.cache.set(stream, fresh);
    const [oldest] = this.cache.keys();
    if (oldest !== undefined && this.cache.size > CACHED_STREAMS) this.cache.delete(oldest);
    return fresh;
  }
}
