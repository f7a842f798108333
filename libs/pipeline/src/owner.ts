import { createHash } from 'node:crypto';

/** The number of each kind of owner: the cookie's upper 16 bits, so that one mask finds all flows of a kind. Never renumbered. */
export const OWNER_KINDS = {
  /** Rows that every host has; the id says which. */
  pipeline: 1,
  /** Another host's tunnel endpoint; the id is its address. */
  peer: 2,
  network: 3,
  subnet: 4,
  'router-interface': 5,
  router: 6,
  port: 7,
} as const;

export type OwnerKind = keyof typeof OWNER_KINDS;

/** The logical resource that a flow is there for. */
export interface Owner {
  readonly kind: OwnerKind;
  readonly id: string;
}

const HASH_BITS = 48n;

/** 16 bits of kind, 48 bits of the id's SHA-256. */
export function cookieOf(owner: Owner): bigint {
  const hash = createHash('sha256').update(owner.id).digest().readBigUInt64BE() >> (64n - HASH_BITS);
  return (BigInt(OWNER_KINDS[owner.kind]) << HASH_BITS) | hash;
}

/** Text that orders owners: where two want the same row, the first one's stands. */
export function ownerKey(owner: Owner): string {
  return `${OWNER_KINDS[owner.kind].toString(16).padStart(4, '0')} ${owner.id}`;
}
