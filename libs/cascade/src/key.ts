import { createHash } from 'node:crypto';
import type { Random } from '@weir/kernel';

/** The key that a follower makes and stores before it joins: 32 random bytes, base64url. */
export function makeKey(random: Random): string {
  return Buffer.from(random.bytes(32)).toString('base64url');
}

/** What a follower shows once when it joins. In hexadecimal: it is given on command lines, where a dash would begin a flag. */
export function makeToken(random: Random): string {
  return Buffer.from(random.bytes(32)).toString('hex');
}

/** What a publisher keeps of a key. Keys are random, so a plain hash is enough. */
export function keyHash(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}
