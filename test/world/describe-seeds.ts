import { SEEDS_AT_A_TIME, TEST_TIMEOUT_MS } from './scale';
import { live, type Outcome } from './world';

/** A world per seed, each of which must come to what its log says. */
export function describeSeeds(first: number, count: number): void {
  describe('a world', () => {
    for (let from = first; from < first + count; from += SEEDS_AT_A_TIME) {
      const to = Math.min(from + SEEDS_AT_A_TIME, first + count) - 1;
      it(
        `of the seeds ${from} to ${to} comes to what its log says, whatever befalls it`,
        async () => {
          for (let seed = from; seed <= to; seed++) expectSound(await live(seed));
        },
        TEST_TIMEOUT_MS,
      );
    }
  });
}

/** Throws the whole story of one that is not. */
export function expectSound({ seed, violations, story }: Outcome): void {
  if (violations.length === 0) return;
  throw new Error(`${story}\n\n${violations.join('\n')}\n\nReplay it: npm run world -- --seed ${seed}\n`);
}
