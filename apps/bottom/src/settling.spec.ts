import { Settling } from './settling';

describe('what is settled', () => {
  it('is all that was taken over while no host has to do anything', () => {
    expect(new Settling().settled(7)).toBe(7);
  });

  it('stops before the first change that a host has not programmed', () => {
    const settling = new Settling();
    settling.published(1, 4, ['h1', 'h2']);
    settling.published(2, 6, ['h2']);
    expect(settling.settled(8)).toBe(4);
    settling.programmed('h1', 1);
    expect(settling.settled(8)).toBe(4);
    settling.programmed('h2', 1);
    expect(settling.settled(8)).toBe(6);
    settling.programmed('h2', 2);
    expect(settling.settled(8)).toBe(8);
  });

  it('does not wait for a host that is named as unreachable, and does again when it is back', () => {
    const settling = new Settling();
    settling.published(1, 4, ['h1']);
    settling.reachable('h1', false);
    expect(settling.settled(8)).toBe(8);
    settling.reachable('h1', true);
    expect(settling.settled(8)).toBe(4);
  });

  it('never passes what was taken over, also when the Top counts anew', () => {
    const settling = new Settling();
    settling.published(1, 400, ['h1']);
    expect(settling.settled(3)).toBe(3);
    settling.startOver();
    expect(settling.settled(3)).toBe(0);
  });
});
