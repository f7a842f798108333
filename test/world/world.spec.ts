import { BUGS } from './bugs';
import { expectSound } from './describe-seeds';
import { SEEDS, TEST_TIMEOUT_MS } from './scale';
import { live } from './world';

describe('a world', () => {
  it(
    'is the same history again from the same seed, to the last line, and another from another',
    async () => {
      const hashes = [];
      for (const seed of [3, 4, 3, 4]) hashes.push((await live(seed)).hash);
      expect(hashes.slice(2)).toEqual(hashes.slice(0, 2));
      expect(hashes[0]).not.toBe(hashes[1]);
    },
    TEST_TIMEOUT_MS,
  );

  it(
    'tells its story in words',
    async () => {
      const { story } = await live(3);
      expect(story).toMatch(/ s {2}top +starts/);
      expect(story).toMatch(/(blue|green|red) +wants server vm\d+ .* on /);
      expect(story).toMatch(/log +\d+ ServerActive server-vm\d+/);
      expect(story).toMatch(/world +has settled/);
    },
    TEST_TIMEOUT_MS,
  );

  it.each(BUGS)(
    'finds $name',
    async ({ spoilt, seenAs }) => {
      for (let seed = 1; seed <= SEEDS; seed++) {
        const { violations, hash } = await live(seed, spoilt);
        if (!violations.some((violation) => seenAs.test(violation))) continue;
        expect((await live(seed, spoilt)).hash).toBe(hash);
        // It is the bug that was found, not the world.
        expectSound(await live(seed));
        return;
      }
      throw new Error(`None of ${SEEDS} worlds noticed.`);
    },
    TEST_TIMEOUT_MS,
  );
});
