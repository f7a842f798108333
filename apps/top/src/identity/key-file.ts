import { existsSync, readFileSync } from 'node:fs';
import type { Random } from '@weir/kernel';
import { writeDurably } from './identity-store';

const KEY_BYTES = 32;

/** A key of 32 bytes in a file of mode 0600, made at the first start. Throws for a file that holds something else. */
export function openKeyFile(file: string, random: Random): Buffer {
  if (existsSync(file)) {
    const key = Buffer.from(readFileSync(file, 'utf8').trim(), 'base64url');
    if (key.length !== KEY_BYTES) throw new Error(`${file} holds no key of ${KEY_BYTES} bytes.`);
    return key;
  }
  const key = Buffer.from(random.bytes(KEY_BYTES));
  writeDurably(file, `${key.toString('base64url')}\n`);
  return key;
}
