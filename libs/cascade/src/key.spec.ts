import { systemRandom } from '@weir/kernel';
import { joinSchema } from './protocol';
import { makeKey, makeToken } from './key';

describe('what a follower joins with', () => {
  it('has the form that a publisher takes', () => {
    const request = { token: makeToken(systemRandom), name: 'paris', key: makeKey(systemRandom) };
    expect(joinSchema.parse(request)).toEqual(request);
  });

  it('is no flag on a command line, whatever its bytes', () => {
    for (const byte of Array.from({ length: 256 }).keys()) {
      expect(makeToken({ ...systemRandom, bytes: (count) => new Uint8Array(count).fill(byte) })).toMatch(
        /^[0-9a-f]{64}$/,
      );
    }
  });
});
