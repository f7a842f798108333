import fc from 'fast-check';
import { waitFor } from '@weir/lab';
import { ErringPublisher, scripts } from './erring-publisher';
import { binding, bindingDeletion, type Change, deletion, network, port, server, subnet, uuid } from './facts';
import { fastTime } from './fast-time';
import { BottomLevel, HostLevel, type Level } from './levels';
import { scaled } from './scale';

const RUNS = scaled({ sample: 25, whole: 500 });
/** Silence of 5 s is noticed within a quarter of one. */
const FACTOR = 20;
const DEADLINE_MS = 20_000;
const ELSEWHERE = 900;

jest.setTimeout(RUNS * 5_000 + 30_000);

describe.each<[string, (time: ReturnType<typeof fastTime>) => Level]>([
  ['a Bottom', (time) => new BottomLevel(time)],
  ['a Host', (time) => new HostLevel(time)],
])('%s whose publisher errs', (_, makeLevel) => {
  const time = fastTime(FACTOR);
  let publisher: ErringPublisher;
  let level: Level;
  let last = 100;
  let footprint: readonly string[];
  const asked = new Set<string>();

  const carriedOut = (what: string, condition: () => boolean) => waitFor(condition, { what, deadlineMs: DEADLINE_MS });
  const isThere = (number: number) => () => level.knows('port', uuid('port', number));
  const unasked = () => level.deletions.filter((one) => !asked.has(one));

  /** A tenant's change in the middle of it all: a port elsewhere goes, another comes. */
  async function exchange(): Promise<void> {
    const before = last++;
    publisher.commit(port(last, 1, ELSEWHERE), binding(last));
    publisher.commit(deletion('port', before), bindingDeletion(before));
    for (const kind of ['port', 'binding']) asked.add(`${kind}/${uuid('port', before)}`);
    await carriedOut(
      `port ${last} instead of port ${before}`,
      () => !publisher.misbehaving && isThere(last)() && !isThere(before)(),
    );
  }

  beforeAll(async () => {
    publisher = await ErringPublisher.listen(time);
    level = makeLevel(time);
    await level.follow(publisher);
    publisher.commit(network(1), subnet(1, 1), server(1), port(1, 1, 1));
    publisher.commit(port(last, 1, ELSEWHERE), binding(last));
    await carriedOut('the first facts', () => isThere(last)() && level.complete);
    footprint = level.footprint;
  });
  afterAll(async () => {
    await level.stop();
    await publisher.close();
  });

  it('plans no deletion but those that were asked for, and goes on', async () => {
    const property = fc.asyncProperty(
      fc.array(scripts, { minLength: 1, maxLength: 4 }),
      fc.boolean(),
      async (script, restarted) => {
        publisher.misbehave(script);
        if (restarted) await level.restart();
        await exchange();
        expect(unasked()).toEqual([]);
        expect(level.footprint).toEqual(footprint);
      },
    );
    await fc.assert(property, { numRuns: RUNS, endOnFailure: true });
  });

  it('keeps what it has of a fact whose fields are called otherwise', async () => {
    const renamed = ({ body = {}, ...change }: Change): readonly Change[] =>
      Object.keys(body).map((field) => {
        const { [field]: value, ...others } = body;
        return { ...change, body: { ...others, [`${field}_`]: value } };
      });
    const facts = [network(1), subnet(1, 1), server(1), port(1, 1, 1)];
    for (const change of facts.flatMap(renamed)) publisher.commit(change);
    await exchange();
    await level.restart();
    await exchange();
    expect(unasked()).toEqual([]);
    expect(level.footprint).toEqual(footprint);
  });
});
