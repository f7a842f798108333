import { idOf } from '@weir/testing/domain';
import { at } from './at';
import { begin, fresh, open, openAll, type Step, type Transaction } from './transaction';

const siteName = at.siteName('paris');
const other = at.siteName('tokyo');
const empty = { state: { held: false }, revision: -1 } as const;

function needed(step: Step<unknown>): readonly string[] {
  return step.done ? [] : step.streams.map(({ stream }) => stream);
}

describe('a transaction', () => {
  it('asks for each stream once, in as few turns as its reads allow', () => {
    function* command(): Transaction<string> {
      const [one] = yield* openAll([siteName, other, siteName]);
      const again = yield* open(siteName);
      one?.do({ type: 'Take', by: 'me' });
      return again.state.held ? again.state.by : 'nobody';
    }
    const step = begin(command());
    expect(needed(step)).toEqual([siteName.stream, other.stream]);
    const next = step.done ? step : step.next([empty, empty]);
    expect(next).toMatchObject({ done: true, change: { result: 'me' } });
  });
  it('writes what it decided at the revision that it read, and checks what it only read', () => {
    function* command(): Transaction<void> {
      const name = yield* open(siteName);
      name.do({ type: 'Free', by: 'me' });
      name.do({ type: 'Take', by: 'you' });
      yield* open(other);
    }
    let step = begin(command());
    while (!step.done) {
      const [stream] = needed(step);
      step = step.next([stream === other.stream ? empty : { state: { held: true, by: 'me' }, revision: 4 }]);
    }
    expect(step.change).toEqual({
      writes: [
        {
          stream: siteName.stream,
          expected: 4,
          events: [
            { type: 'Freed', data: {} },
            { type: 'Taken', data: { by: 'you' } },
          ],
        },
      ],
      checks: [{ stream: other.stream, expected: -1 }],
      result: undefined,
    });
  });
  it('does not ask for a stream whose id was just made', () => {
    function* command(): Transaction<boolean> {
      return (yield* open(fresh(at.port(idOf('port'))))).state.exists;
    }
    const checks = [{ stream: at.port(idOf('port')).stream, expected: -1 }];
    expect(begin(command())).toEqual({ done: true, change: { writes: [], checks, result: false } });
  });
  it('that needs nothing is done at once', () => {
    function* command(): Transaction<number> {
      return (yield* openAll([])).length;
    }
    expect(begin(command())).toMatchObject({ done: true, change: { result: 0 } });
  });
  it('does not go on with less than it asked for', () => {
    const step = begin(openBoth());
    expect(() => (step.done ? undefined : step.next([empty]))).toThrow(RangeError);
  });
});

function* openBoth(): Transaction<void> {
  yield* openAll([siteName, other]);
}
