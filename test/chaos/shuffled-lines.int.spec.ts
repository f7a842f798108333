import { NO_FAULTS } from '@weir/cascade/memory';
import { seededRandom } from '@weir/cascade/contract';
import { history } from './histories';
import { scaled } from './scale';
import { SiteChain } from './site-chain';

const HISTORIES = scaled({ sample: 10, whole: 200 });
/** Of 1000 lines. */
const SHUFFLED = { ...NO_FAULTS, double: 200, swap: 200 };

jest.setTimeout(30_000 + HISTORIES * 5_000);

async function lived(seed: number, isShuffled: boolean) {
  const chain = new SiteChain(seed);
  await chain.start();
  if (isShuffled) chain.spoil(SHUFFLED);
  for (const changes of history(seededRandom(seed))) {
    chain.commit(changes);
    await chain.settled();
  }
  const outcome = { told: chain.told, state: chain.state(), lastedMs: chain.time.monotonic() };
  await chain.stop();
  return outcome;
}

describe('R13: a site whose lines come doubled and swapped', () => {
  it(`ends where one ends whose lines do not, and tells its switch the same, ${HISTORIES} times`, async () => {
    for (let seed = 1; seed <= HISTORIES; seed++) {
      const [quiet, shuffled] = [await lived(seed, false), await lived(seed, true)];
      expect({ seed, state: shuffled.state }).toEqual({ seed, state: quiet.state });
      expect({ seed, ...shuffled.told }).toEqual({ seed, ...quiet.told });
      // It dialled again and again, which takes time.
      expect(shuffled.lastedMs).toBeGreaterThan(quiet.lastedMs);
    }
  });
});
