import { seededRandom } from '@weir/cascade/contract';
import { type Clock, systemClock, systemTimers, type Timers } from '@weir/kernel';
import { FakeSite } from '../api/fake-site';
import { TopWorld } from '../api/top-world';
import { history } from './histories';
import { scaled } from './scale';
import { SiteChain } from './site-chain';

const HOUR_MS = 3_600_000;
const JUMPS = [-2, 2, -720, 720].map((hours) => hours * HOUR_MS);
const YEAR_MS = 365 * 24 * HOUR_MS;
const EVERY_MS = 5_000;
const LASTS_MS = 600_000;
const CHAINS = scaled({ sample: 2, whole: 100 });
const ROUNDS = scaled({ sample: 8, whole: 100 });
const ROOM = { vcpus: 100, ramMb: 100_000, diskGb: 1000 };

jest.setTimeout(120_000 + (CHAINS + ROUNDS) * 5_000);

describe('R14: a site whose wall clock jumps every 5 s', () => {
  it(`does what it does by a clock that does not, and nobody is called unreachable, ${CHAINS} times`, async () => {
    for (let seed = 1; seed <= CHAINS; seed++) {
      const [steady, jumping] = [await lived(seed, []), await lived(seed, JUMPS)];
      expect({ seed, ...jumping }).toEqual({ seed, ...steady });
      // One that came, and none that went.
      expect(jumping.edges.map(({ state }) => state)).toEqual(['reachable']);
      expect(jumping.isHeard).toBe(true);
    }
  });

  async function lived(seed: number, jumps: readonly number[]) {
    const random = seededRandom(seed);
    const chain = new SiteChain(seed);
    await chain.start();
    const steps = history(seededRandom(seed));
    for (let passed = 0; passed < LASTS_MS; passed += EVERY_MS) {
      const jump = jumps[random.integer(Math.max(1, jumps.length))];
      if (jump !== undefined) chain.time.jump(jump);
      const [step] = steps.splice(0, passed % (2 * EVERY_MS) === 0 ? 1 : 0);
      if (step) chain.commit(step);
      await chain.time.advance(EVERY_MS);
    }
    await chain.settled();
    const edges = chain.edges.map(({ follower, state }) => ({ follower, state }));
    const outcome = { told: chain.told, state: chain.state(), edges, isHeard: chain.isHeard };
    await chain.stop();
    return outcome;
  }
});

describe('R14: a Top whose wall clock jumps', () => {
  let offset = 0;
  const clock: Clock & Timers = {
    ...systemTimers,
    now: () => systemClock.now() + offset,
    monotonic: () => systemClock.monotonic(),
  };
  const random = seededRandom(14);
  const world = new TopWorld(clock);
  let site: { readonly id: string; readonly fake: FakeSite };
  let events: readonly LogEvent[];

  interface LogEvent {
    readonly position: number;
    readonly type: string;
    readonly time: string;
  }

  beforeAll(async () => {
    await world.start();
    site = await world.site('paris', 'Paris', { a: ROOM });
    for (let round = 0; round < ROUNDS; round++) {
      offset += JUMPS[random.integer(JUMPS.length)] ?? 0;
      // Where the clock went ahead, every token has expired.
      world.forgetTokens();
      await world.network(`n-${round}`);
    }
    world.forgetTokens();
    events = ((await world.get('/weir/v1/events?limit=1000', 'admin')).body as { events: LogEvent[] }).events;
  });
  afterAll(() => world.stop());

  it('keeps the order of its log, whatever its times say', () => {
    const positions = events.map(({ position }) => position);
    expect(positions).toEqual([...positions].sort((left, right) => left - right));
    const times = events.map(({ time }) => time);
    expect(times).not.toEqual([...times].sort());
  });

  it('means by a time the last position before the first later event', async () => {
    const present = await names('');
    for (const { time } of events) {
      const later = events.find((event) => event.time > time);
      const position = later
        ? (events.filter((event) => event.position < later.position).at(-1)?.position ?? 0)
        : undefined;
      const expected = position === undefined ? present : await names(`?as_of=${position}`);
      expect({ time, names: await names(`?as_of=${time}`) }).toEqual({ time, names: expected });
    }
  });

  it('has never lost sight of its site', async () => {
    expect(events.map(({ type }) => type)).not.toContain('SiteUnreachable');
    const { body } = await world.get(`/weir/v1/sites/${site.id}`, 'admin');
    expect((body as { site: { reachability: string } }).site.reachability).toBe('reachable');
  });

  it('takes a token for its hour and no longer, whatever the wall says', async () => {
    const token = await world.token('demo');
    // Beyond wherever it has been.
    offset += YEAR_MS;
    expect(await statusWith(token)).toBe(401);
    offset -= YEAR_MS;
    expect(await statusWith(token)).toBe(401);
    world.forgetTokens();
    const fresh = await world.token('demo');
    offset -= 720 * HOUR_MS;
    expect(await statusWith(fresh)).toBe(200);
  });

  it('answers a repeated request as before where the clock was set back, or ahead by less than a day', async () => {
    const ask = (name: string) =>
      world.send('demo', 'POST', '/network/v2.0/networks', { network: { name } }, { 'idempotency-key': `key-${name}` });
    for (const jump of [-720 * HOUR_MS, -2 * HOUR_MS, 2 * HOUR_MS]) {
      const name = `asked-${jump}`;
      const first = await ask(name);
      offset += jump;
      world.forgetTokens();
      const again = await ask(name);
      expect([again.status, again.body]).toEqual([201, first.body]);
    }
  });

  async function names(query: string): Promise<readonly string[]> {
    const { body } = await world.get(`/network/v2.0/networks${query}`, 'admin');
    return (body as { networks: { name: string }[] }).networks.map(({ name }) => name).sort();
  }

  async function statusWith(token: string): Promise<number> {
    const response = await fetch(`${world.address}/network/v2.0/networks`, { headers: { 'x-auth-token': token } });
    return response.status;
  }
});
