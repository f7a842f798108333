import { canonicalJson, conflict, invalid, WeirError } from '@weir/kernel';
import type { Cursor, PublishedChange } from './ports';
import { MAX_LINE_BYTES } from './protocol';

/** What a line needs besides the body: names, position, and the worst escapes of both. */
const MAX_BODY_BYTES = MAX_LINE_BYTES - 4096;
const MAX_KIND_LENGTH = 64;
const MAX_ID_LENGTH = 255;
const MAX_DIGEST_LENGTH = 128;

export interface PreparedChange {
  readonly follower: string;
  readonly kind: string;
  readonly id: string;
  /** Canonical JSON; undefined is a tombstone. */
  readonly body: string | undefined;
  /** A tombstone also where nothing is known. */
  readonly bury: boolean;
}

/**
 * Checks an entry before anything of it is stored, whatever the store: throws WeirError 'conflict' when it does not come after the
 * head, 'invalid' or 'too-large' for what no line could carry. Of several changes of one fact the last counts.
 */
export function prepare(
  head: Cursor,
  entry: Cursor & { readonly changes: readonly PublishedChange[] },
): PreparedChange[] {
  if (!Number.isSafeInteger(entry.position) || entry.position <= head.position)
    throw conflict(`Position ${entry.position} does not come after ${head.position}.`);
  if (entry.digest.length === 0 || entry.digest.length > MAX_DIGEST_LENGTH) throw invalid('An entry needs a digest.');
  const last = new Map<string, PreparedChange>();
  for (const change of entry.changes) {
    const { follower, kind, id } = change;
    if (kind.length === 0 || kind.length > MAX_KIND_LENGTH || id.length === 0 || id.length > MAX_ID_LENGTH)
      throw invalid('A fact has a kind of 1 to 64 and an id of 1 to 255 characters.');
    const body = change.op === 'upsert' ? canonicalJson(change.body ?? {}) : undefined;
    if (body !== undefined && Buffer.byteLength(body) > MAX_BODY_BYTES)
      throw new WeirError('too-large', `The body of ${kind} ${id} does not fit on a line.`);
    last.set(`${follower}\n${factKey(kind, id)}`, { follower, kind, id, body, bury: change.op === 'bury' });
  }
  return [...last.values()];
}

export const factKey = (kind: string, id: string): string => `${kind}\n${id}`;
