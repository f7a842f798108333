import { systemRandom } from '@weir/kernel';
import { TOKEN_LIFETIME_MS, Tokens } from './tokens';

const KEY = { id: 'k1', secret: Buffer.alloc(32, 7).toString('base64url') };
const ISSUED = 1_740_830_400_000;

function issued() {
  let now = ISSUED;
  const tokens = new Tokens([KEY], { now: () => now, monotonic: () => now }, systemRandom);
  const payload = {
    user: 'u',
    methods: ['password'],
    system: false,
    issuedAt: ISSUED,
    expiresAt: ISSUED + TOKEN_LIFETIME_MS,
    auditIds: ['a'],
  };
  return { tokens, payload, text: tokens.seal(payload), wait: (ms: number) => (now += ms) };
}

describe('a token', () => {
  it('says what it was issued for, as often as it is sent', () => {
    const { tokens, payload, text } = issued();
    expect([tokens.open(text), tokens.open(text)]).toEqual([payload, payload]);
  });

  it('is none any more after its hour, however often it was sent before', () => {
    const { tokens, text, wait } = issued();
    expect(tokens.open(text)).toBeDefined();
    wait(TOKEN_LIFETIME_MS);
    expect(tokens.open(text)).toBeUndefined();
  });

  it('is none with any of its letters changed, also beside one that was sent before', () => {
    const { tokens, text } = issued();
    tokens.open(text);
    for (let at = 0; at < text.length; at++) {
      const other = text[at] === 'A' ? 'B' : 'A';
      expect(tokens.open(text.slice(0, at) + other + text.slice(at + 1))).toBeUndefined();
    }
  });

  it('of another key is none', () => {
    const { text } = issued();
    const other = new Tokens(
      [{ ...KEY, secret: Buffer.alloc(32, 8).toString('base64url') }],
      { now: () => ISSUED, monotonic: () => 0 },
      systemRandom,
    );
    expect(other.open(text)).toBeUndefined();
  });
});
