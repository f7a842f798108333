import { systemRandom } from '@weir/kernel';
import { VirtualTime } from '@weir/testing/time';
import { SteadyClock } from './steady-clock';
import { TOKEN_LIFETIME_MS, Tokens } from './tokens';

const KEY = { id: 'k1', secret: Buffer.alloc(32, 7).toString('base64url') };
const HOUR_MS = 3_600_000;
const JUMPS = [-720, -2, 2, 720].map((hours) => hours * HOUR_MS);

function issuing() {
  const time = new VirtualTime();
  const clock = new SteadyClock(time);
  const tokens = new Tokens([KEY], clock, systemRandom);
  const issue = () => {
    const issuedAt = clock.now();
    const expiresAt = issuedAt + TOKEN_LIFETIME_MS;
    return tokens.seal({ user: 'u', methods: ['password'], system: false, issuedAt, expiresAt, auditIds: ['a'] });
  };
  return { time, clock, issue, isValid: (token: string) => tokens.open(token) !== undefined };
}

describe('R14: the clock of tokens', () => {
  it('is that on the wall while nobody sets it', async () => {
    const { time, clock } = issuing();
    for (let i = 0; i < 10; i++) {
      await time.advance(333.3);
      expect(Math.abs(clock.now() - time.now())).toBeLessThanOrEqual(1);
    }
  });

  it.each(JUMPS)('lets no token live longer than its hour, whenever it jumps by %i ms', async (jump) => {
    for (const after of [0, TOKEN_LIFETIME_MS / 2, TOKEN_LIFETIME_MS]) {
      const { time, issue, isValid } = issuing();
      const before = issue();
      await time.advance(after);
      time.jump(jump);
      const behind = issue();
      expect(isValid(behind)).toBe(true);
      time.jump(-jump);
      await time.advance(TOKEN_LIFETIME_MS);
      expect([isValid(before), isValid(behind)]).toEqual([false, false]);
    }
  });

  it('never lets an expired token be valid again', async () => {
    const { time, issue, isValid } = issuing();
    const token = issue();
    await time.advance(TOKEN_LIFETIME_MS);
    expect(isValid(token)).toBe(false);
    for (const jump of JUMPS) {
      time.jump(jump);
      expect(isValid(token)).toBe(false);
      await time.advance(5000);
    }
  });

  it('takes no token of a life whose clock was ahead, but by as little as clocks are corrected', () => {
    const { time, issue } = issuing();
    const validAfter = (ahead: number): boolean => {
      const token = issue();
      time.jump(-ahead);
      return new Tokens([KEY], new SteadyClock(time), systemRandom).open(token) !== undefined;
    };
    expect([validAfter(1000), validAfter(2 * HOUR_MS)]).toEqual([true, false]);
  });

  it('keeps a token valid where the clock is set back while it lives', async () => {
    const { time, issue, isValid } = issuing();
    const token = issue();
    time.jump(-2 * HOUR_MS);
    await time.advance(TOKEN_LIFETIME_MS - 1000);
    expect(isValid(token)).toBe(true);
  });
});
