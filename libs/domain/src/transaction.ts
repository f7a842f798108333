import type { Decider } from '@weir/kernel';
import type { DomainEvent } from './events/index';

/** A stream, and the decider that its events are folded and its commands judged with. `isNew`: its id was just made, so nobody needs to read it. */
export interface StreamOf<State, Command, Event extends DomainEvent> {
  readonly stream: string;
  readonly decider: Decider<State, Command, Event>;
  readonly isNew?: true;
}
export type AnyStream = StreamOf<unknown, never, DomainEvent>;

export interface Loaded<State = unknown> {
  readonly state: State;
  /** Of the stream's last event; NO_STREAM (-1) where there is none. */
  readonly revision: number;
}

/** What to append, all or nothing: every stream that was read and not written is checked. */
export interface Change<Result> {
  readonly writes: readonly {
    readonly stream: string;
    readonly expected: number;
    readonly events: readonly DomainEvent[];
  }[];
  readonly checks: readonly { readonly stream: string; readonly expected: number }[];
  readonly result: Result;
}

/** A stream inside a transaction: the state as the transaction has made it so far, and its commands. */
export interface Opened<State, Command> {
  readonly state: State;
  /** Decides, keeps the events for the append and goes on with the state after them; throws what the decider throws. */
  do(command: Command): void;
}

/**
 * A command over several streams, pure: it asks for streams, decides, and returns its result. Each call makes one attempt;
 * after a lost race or a CandidateTaken, call the command again with new picks.
 */
export type Transaction<Result> = Generator<readonly AnyStream[], Result, readonly Opened<unknown, never>[]>;

/** Either streams to read first, or the change. */
export type Step<Result> =
  | { readonly done: false; readonly streams: readonly AnyStream[]; next(loaded: readonly Loaded[]): Step<Result> }
  | { readonly done: true; readonly change: Change<Result> };

/**
 * Runs a transaction up to the first streams that it needs:
 * `let step = begin(createPort(input)); while (!step.done) step = step.next(await Promise.all(step.streams.map(load)));`
 */
export function begin<Result>(transaction: Transaction<Result>): Step<Result> {
  const opened = new Map<string, OpenStream>();
  const answer = (wanted: readonly AnyStream[]) => wanted.flatMap((ref) => opened.get(ref.stream) ?? []);
  const advance = (turn: IteratorResult<readonly AnyStream[], Result>): Step<Result> => {
    while (!turn.done) {
      const wanted = turn.value;
      for (const ref of wanted) {
        if (ref.isNew && !opened.has(ref.stream))
          opened.set(ref.stream, new OpenStream(ref, { state: ref.decider.initial, revision: -1 }));
      }
      const missing = [
        ...new Map(wanted.filter((ref) => !opened.has(ref.stream)).map((ref) => [ref.stream, ref])).values(),
      ];
      if (missing.length > 0) {
        return {
          done: false,
          streams: missing,
          next: (loaded) => {
            missing.forEach((ref, index) => {
              const found = loaded[index];
              if (!found) throw new RangeError(`The stream ${ref.stream} was asked for and not supplied.`);
              opened.set(ref.stream, new OpenStream(ref, found));
            });
            return advance(transaction.next(answer(wanted)));
          },
        };
      }
      turn = transaction.next(answer(wanted));
    }
    return { done: true, change: changeOf([...opened.values()], turn.value) };
  };
  return advance(transaction.next([]));
}

class OpenStream implements Opened<unknown, never> {
  readonly events: DomainEvent[] = [];
  readonly revision: number;
  state: unknown;

  constructor(
    private readonly ref: AnyStream,
    loaded: Loaded,
  ) {
    this.state = loaded.state;
    this.revision = loaded.revision;
  }

  get stream(): string {
    return this.ref.stream;
  }

  do(command: never): void {
    for (const event of this.ref.decider.decide(command, this.state)) {
      this.events.push(event);
      this.state = this.ref.decider.evolve(this.state, event);
    }
  }
}

function changeOf<Result>(streams: readonly OpenStream[], result: Result): Change<Result> {
  const written = streams.filter(({ events }) => events.length > 0);
  const read = streams.filter(({ events }) => events.length === 0);
  return {
    writes: written.map(({ stream, revision, events }) => ({ stream, expected: revision, events })),
    checks: read.map(({ stream, revision }) => ({ stream, expected: revision })),
    result,
  };
}

/** Reads one stream: `const network = yield* open(at.network(id))`. The same stream opened twice is the same. */
export function* open<State, Command, Event extends DomainEvent>(
  ref: StreamOf<State, Command, Event>,
): Generator<readonly AnyStream[], Opened<State, Command>, readonly Opened<unknown, never>[]> {
  const [opened] = yield [ref];
  return opened as Opened<State, Command>;
}

/** Reads several streams of a kind at once, in their order. */
export function* openAll<State, Command, Event extends DomainEvent>(
  refs: readonly StreamOf<State, Command, Event>[],
): Generator<readonly AnyStream[], readonly Opened<State, Command>[], readonly Opened<unknown, never>[]> {
  if (refs.length === 0) return [];
  return (yield refs) as readonly Opened<State, Command>[];
}

/** A stream whose id was just made at the edge: it is not read, and the append fails if somebody wrote it. */
export function fresh<State, Command, Event extends DomainEvent>(
  ref: StreamOf<State, Command, Event>,
): StreamOf<State, Command, Event> {
  return { ...ref, isNew: true };
}
