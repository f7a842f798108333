import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';
import type { Random } from '@weir/kernel';

const KEY_BYTES = 32;
const SALT_BYTES = 16;
const TAG_BYTES = 16;

/**
 * Bytes that only this Top can read or make: AES-256-GCM under a key derived per seal (HKDF-SHA256), so that nonces never
 * repeat. `context` says what they are for; they open for nothing else.
 */
export class Sealer {
  /** `key` has 32 random bytes. */
  constructor(
    private readonly key: Uint8Array,
    private readonly random: Random,
  ) {}

  seal(context: string, plain: Uint8Array): Buffer {
    const salt = Buffer.from(this.random.bytes(SALT_BYTES));
    const cipher = createCipheriv('aes-256-gcm', ...this.derived(salt)).setAAD(Buffer.from(context));
    return Buffer.concat([salt, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  }

  /** Undefined for anything forged, foreign, cut, or sealed for something else. */
  open(context: string, sealed: Uint8Array): Buffer | undefined {
    if (sealed.length < SALT_BYTES + TAG_BYTES) return undefined;
    const salt = Buffer.from(sealed.subarray(0, SALT_BYTES));
    const decipher = createDecipheriv('aes-256-gcm', ...this.derived(salt))
      .setAAD(Buffer.from(context))
      .setAuthTag(sealed.subarray(-TAG_BYTES));
    try {
      return Buffer.concat([decipher.update(sealed.subarray(SALT_BYTES, -TAG_BYTES)), decipher.final()]);
    } catch {
      return undefined;
    }
  }

  /** Key and nonce of one seal. */
  private derived(salt: Buffer): [Buffer, Buffer] {
    const bytes = Buffer.from(hkdfSync('sha256', this.key, salt, 'weir/request/v1', KEY_BYTES + 12));
    return [bytes.subarray(0, KEY_BYTES), bytes.subarray(KEY_BYTES)];
  }
}
