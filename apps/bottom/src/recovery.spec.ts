import { MemorySlice } from '@weir/cascade/memory';
import { hasToLearn } from './recovery';

describe('a Bottom that starts', () => {
  const told = (position: number) => {
    const slice = new MemorySlice();
    slice.newGeneration(1);
    if (position > 0) slice.apply([], { generation: 1, position, digest: 'd', caughtUp: true });
    return slice;
  };

  it('has nothing to learn from its hosts where its site is new', () => {
    expect(hasToLearn({ hasJoined: false, slice: new MemorySlice() })).toBe(false);
  });

  it('has to learn from them what they run where it joined, and holds nothing that it was told', () => {
    expect(hasToLearn({ hasJoined: true, slice: new MemorySlice() })).toBe(true);
    expect(hasToLearn({ hasJoined: true, slice: told(0) })).toBe(true);
  });

  it('goes on with what it holds', () => {
    expect(hasToLearn({ hasJoined: true, slice: told(3) })).toBe(false);
  });
});
