import { fold, type Decider } from '@weir/kernel';
import { begin, type Change, type DomainEvent, encodeEvent, type Transaction } from '@weir/domain';

type ErrorClass = new (...args: never[]) => Error;

/** For one decider: `const given = judge(network); given(created).when(close).then(closing)`. */
export function judge<State, Command, Event>(decider: Decider<State, Command, Event>) {
  return (...events: readonly Event[]) => ({
    when: (command: Command) => outcome(() => decider.decide(command, fold(decider, events))),
  });
}

function outcome<Event>(decide: () => readonly Event[]) {
  return {
    then: (...expected: readonly Event[]) => {
      expect(decide()).toEqual(expected);
    },
    thenNothing: () => {
      expect(decide()).toEqual([]);
    },
    thenFails: (error: ErrorClass, message?: string | RegExp) => {
      expectFailure(decide, error, message);
    },
  };
}

/** Events of one stream, as history or as what a command wrote. */
export interface Stretch {
  readonly stream: string;
  readonly events: readonly DomainEvent[];
}

export function on(stream: string, ...events: readonly DomainEvent[]): Stretch {
  return { stream, events };
}

/** For commands over several streams: `given(on(stream, …)).when(createPort(input)).then(on(stream, …))`. */
export function given(...history: readonly Stretch[]) {
  const log = new Log();
  for (const { stream, events } of history) log.append(stream, ...events);
  return {
    when: <Result>(command: Transaction<Result>) => ({
      /** Exactly these streams get exactly these events, in any order of the streams. */
      then: (...expected: readonly Stretch[]) => {
        const { writes } = log.decide(command);
        expect(byName(writes)).toEqual(byName(expected));
      },
      thenAnswers: (expected: Result) => {
        expect(log.decide(command).result).toEqual(expected);
      },
      thenNothing: () => {
        expect(log.decide(command).writes).toEqual([]);
      },
      /** It holds only while these streams stay as they were read. */
      thenChecks: (...streams: readonly string[]) => {
        expect(log.decide(command).checks.map(({ stream }) => stream)).toEqual(expect.arrayContaining([...streams]));
      },
      thenFails: (error: ErrorClass, message?: string | RegExp) => {
        expectFailure(() => log.decide(command), error, message);
      },
    }),
  };
}

function byName(stretches: readonly Stretch[]): Record<string, readonly DomainEvent[]> {
  return Object.fromEntries(stretches.map(({ stream, events }) => [stream, events]));
}

/** Once only: a command is used up by running it. */
function expectFailure(action: () => unknown, error: ErrorClass, message: string | RegExp = ''): void {
  let failure: unknown;
  expect(() => {
    try {
      action();
    } catch (thrown) {
      failure = thrown;
      throw thrown;
    }
  }).toThrow(message);
  expect(failure).toBeInstanceOf(error);
}

export interface Logged {
  readonly stream: string;
  readonly revision: number;
  readonly position: number;
  readonly event: DomainEvent;
}

/** A log in memory, without envelopes and time, that commands run against one after another. Takes no malformed event. */
export class Log {
  readonly all: Logged[] = [];
  private readonly streams = new Map<string, DomainEvent[]>();

  append(stream: string, ...events: readonly DomainEvent[]): void {
    const known = this.streams.get(stream) ?? [];
    for (const event of events) {
      encodeEvent(event);
      this.all.push({ stream, revision: known.length, position: this.all.length + 1, event });
      known.push(event);
    }
    this.streams.set(stream, known);
  }

  eventsOf(stream: string): readonly DomainEvent[] {
    return this.streams.get(stream) ?? [];
  }

  /** What the command would append, from the log as it is. */
  decide<Result>(command: Transaction<Result>): Change<Result> {
    let step = begin(command);
    while (!step.done) {
      step = step.next(
        step.streams.map(({ stream, decider }) => {
          const events = this.eventsOf(stream);
          return { state: fold(decider, events), revision: events.length - 1 };
        }),
      );
    }
    return step.change;
  }

  /** Appends a change unless a stream moved since it was decided: then it changes nothing, and answers false. */
  commit(change: Change<unknown>): boolean {
    const stale = [...change.writes, ...change.checks].some(
      ({ stream, expected }) => this.eventsOf(stream).length - 1 !== expected,
    );
    if (stale) return false;
    for (const { stream, events } of change.writes) this.append(stream, ...events);
    return true;
  }

  /** Decides and appends; throws what the command throws. */
  run<Result>(command: Transaction<Result>): Result {
    const change = this.decide(command);
    if (!this.commit(change)) throw new Error('A stream that was called new exists already.');
    return change.result;
  }

  /** The same log for an event store, event by event: event n happened n seconds after `start`. */
  appends(start = Date.parse('2026-01-01T00:00:00Z')) {
    return this.all.map(({ stream, revision, position, event }) => {
      const time = new Date(start + position * 1000).toISOString();
      const metadata = { correlation: 'request', causation: 'request', actor: 'user', time };
      const events = [{ id: `event-${position}`, ...encodeEvent(event), metadata }];
      return { writes: [{ stream, expected: revision - 1, events }] };
    });
  }
}
