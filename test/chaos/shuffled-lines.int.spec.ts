import { NO_FAULTS } from '@weir/cascade/memory';
import { seededRandom } from '@weir/cascade/contract';
import type { Random } from '@weir/kernel';
import { binding, bindingDeletion, type Change, deletion, network, port, server, subnet } from './facts';
import { scaled } from './scale';
import { SiteChain } from './site-chain';

const HISTORIES = scaled({ sample: 10, whole: 200 });
const STEPS = 12;
/** Of 1000 lines. */
const SHUFFLED = { ...NO_FAULTS, double: 200, swap: 200 };
const SERVERS = 6;
const ELSEWHERE = 900;

jest.setTimeout(30_000 + HISTORIES * 5_000);

/** What tenants want, step by step: servers here, ports elsewhere, and where those are. */
function history(random: Random): readonly (readonly Change[])[] {
  const here = new Set<number>();
  const there = new Set<number>();
  const steps: Change[][] = [[network(1), subnet(1, 1)]];
  while (steps.length < STEPS) {
    const changes: Change[] = [];
    for (let count = 1 + random.integer(2); count > 0; count--) {
      const number = 1 + random.integer(SERVERS);
      const other = 100 + number;
      switch (random.integer(3)) {
        case 0:
          if (here.delete(number)) changes.push(deletion('server', number), deletion('port', number));
          else if (here.add(number)) changes.push(server(number), port(number, 1, number));
          break;
        case 1:
          if (there.delete(other)) changes.push(bindingDeletion(other), deletion('port', other));
          else if (there.add(other)) changes.push(port(other, 1, ELSEWHERE), binding(other));
          break;
        default:
          if (there.has(other)) changes.push(binding(other, `203.0.113.${1 + random.integer(200)}`));
      }
    }
    // One commit says one thing of each fact.
    const last = new Map(changes.map((change) => [`${change.kind}/${change.id}`, change]));
    if (last.size > 0) steps.push([...last.values()]);
  }
  return steps;
}

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
