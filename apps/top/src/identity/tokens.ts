import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';
import { z } from 'zod';
import type { Clock, Random } from '@weir/kernel';

/** What a token says of its bearer. Roles are not in it: they are looked up at each use, so that a change acts at once. */
const payload = z.object({
  user: z.string(),
  methods: z.array(z.string()),
  project: z.string().optional(),
  system: z.boolean(),
  /** Milliseconds since the epoch. */
  issuedAt: z.number(),
  expiresAt: z.number(),
  auditIds: z.array(z.string()),
});
export type TokenPayload = z.output<typeof payload>;

export interface TokenKey {
  readonly id: string;
  /** 32 bytes, base64url. */
  readonly secret: string;
}

const PREFIX = 'wt1';
const SALT_BYTES = 16;
const TAG_BYTES = 16;
export const TOKEN_LIFETIME_MS = 3_600_000;
/** A token of an earlier life whose clock was ahead by more is none: it would live for as long as that clock was ahead. */
const CORRECTION_MS = 60_000;
/** Tokens that are kept opened: a client sends the same one with every request of an hour. */
const KEPT_OPEN = 1000;

/**
 * Opaque tokens `wt1.<key id>.<salt, ciphertext, tag>`: AES-256-GCM under a key derived per token (HKDF-SHA256), so that nonces never repeat;
 * the head is authenticated too.
 */
export class Tokens {
  private readonly opened = new Map<string, TokenPayload>();

  constructor(
    private readonly keys: readonly TokenKey[],
    private readonly clock: Clock,
    private readonly random: Random,
  ) {}

  seal(token: TokenPayload): string {
    const [key] = this.keys;
    if (!key) throw new Error('There is no token key.');
    const salt = Buffer.from(this.random.bytes(SALT_BYTES));
    const head = `${PREFIX}.${key.id}`;
    const cipher = createCipheriv('aes-256-gcm', ...derived(key, salt)).setAAD(Buffer.from(head));
    const sealed = Buffer.concat([
      salt,
      cipher.update(JSON.stringify(token), 'utf8'),
      cipher.final(),
      cipher.getAuthTag(),
    ]);
    return `${head}.${sealed.toString('base64url')}`;
  }

  /** The token's payload while it is valid; undefined for anything forged, foreign, cut or expired. */
  open(text: string): TokenPayload | undefined {
    const opened = this.opened.get(text) ?? this.decrypted(text);
    const now = this.clock.now();
    if (!opened || opened.expiresAt <= now || opened.issuedAt > now + CORRECTION_MS) {
      this.opened.delete(text);
      return undefined;
    }
    this.opened.set(text, opened);
    const [oldest] = this.opened.keys();
    if (oldest !== undefined && this.opened.size > KEPT_OPEN) this.opened.delete(oldest);
    return opened;
  }

  private decrypted(text: string): TokenPayload | undefined {
    const [prefix, keyId, body, ...rest] = text.split('.');
    const key = this.keys.find((candidate) => candidate.id === keyId);
    if (prefix !== PREFIX || !key || body === undefined || rest.length > 0 || !/^[A-Za-z0-9_-]{40,1400}$/.test(body))
      return undefined;
    const sealed = Buffer.from(body, 'base64url');
    // Base64 ignores stray bits at its end: two texts for one token would defeat revocation by text.
    if (sealed.toString('base64url') !== body || sealed.length <= SALT_BYTES + TAG_BYTES) return undefined;
    const salt = sealed.subarray(0, SALT_BYTES);
    const decipher = createDecipheriv('aes-256-gcm', ...derived(key, salt))
      .setAAD(Buffer.from(`${PREFIX}.${key.id}`))
      .setAuthTag(sealed.subarray(-TAG_BYTES));
    try {
      const text = Buffer.concat([decipher.update(sealed.subarray(SALT_BYTES, -TAG_BYTES)), decipher.final()]).toString(
        'utf8',
      );
      return payload.parse(JSON.parse(text));
    } catch {
      return undefined;
    }
  }
}

/** Key and nonce of one token. */
function derived(key: TokenKey, salt: Buffer): [Buffer, Buffer] {
  const bytes = Buffer.from(hkdfSync('sha256', Buffer.from(key.secret, 'base64url'), salt, 'weir/token/v1', 44));
  return [bytes.subarray(0, 32), bytes.subarray(32)];
}
