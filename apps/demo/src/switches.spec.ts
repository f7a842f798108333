import { expectSame, type SwitchState } from './switches';

const state = (host: string, flows: readonly string[], ports: readonly string[]): SwitchState => ({
  host,
  flows: new Set(flows),
  ports: new Set(ports),
});
const before = [state('paris-1', ['a', 'b'], ['w1']), state('tokyo-1', ['c'], [])];

describe('switches that should be as before', () => {
  it('are, whatever the order of their flows', () => {
    expect(() => expectSame(before, [state('paris-1', ['b', 'a'], ['w1']), state('tokyo-1', ['c'], [])])).not.toThrow();
  });

  it.each([
    [state('tokyo-1', ['c', 'd'], []), 'tokyo-1 had 1 flows before and has 2; one that differs: d'],
    [state('tokyo-1', ['d'], []), 'tokyo-1 had 1 flows before and has 1; one that differs: d'],
    [state('tokyo-1', [], []), 'tokyo-1 had 1 flows before and has 0; one that differs: c'],
    [state('tokyo-1', ['c'], ['w2']), 'tokyo-1 had 0 ports before and has 1; one that differs: w2'],
  ])('are told apart by what differs', (after, message) => {
    expect(() => expectSame(before, [...before.slice(0, 1), after])).toThrow(message);
  });
});
