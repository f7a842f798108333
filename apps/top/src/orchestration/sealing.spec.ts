import { systemRandom } from '@weir/kernel';
import { Sealer } from './sealing';

describe('a seal', () => {
  const sealer = new Sealer(systemRandom.bytes(32), systemRandom);
  const plain = Buffer.from('a join token');

  it('opens for what it was made for, and hides it', () => {
    const sealed = sealer.seal('answer 1', plain);
    expect(sealer.open('answer 1', sealed)).toEqual(plain);
    expect(sealed.includes(plain)).toBe(false);
    expect(sealer.seal('answer 1', plain)).not.toEqual(sealed);
  });

  it('does not open for anything else, with another key, or with any bit changed', () => {
    const sealed = sealer.seal('answer 1', plain);
    expect(sealer.open('answer 2', sealed)).toBeUndefined();
    expect(new Sealer(systemRandom.bytes(32), systemRandom).open('answer 1', sealed)).toBeUndefined();
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const forged = Buffer.from(sealed);
      forged[bit >> 3] = (forged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(sealer.open('answer 1', forged)).toBeUndefined();
    }
    for (let length = 0; length < sealed.length; length++)
      expect(sealer.open('answer 1', sealed.subarray(0, length))).toBeUndefined();
  });
});
