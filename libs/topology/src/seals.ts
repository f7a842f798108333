import { z } from 'zod';

/** The seals of the Top's log go down to every site as the last state of this one fact; hosts need none. */
export const SEAL_FACT = { kind: 'seal', id: 'log' } as const;

const digest = z.string().regex(/^[0-9a-f]{64}$/);

/** `digest` commits to the log up to `position`: by its own range, and through `previous` to every range before. */
export const sealFact = z.object({
  position: z.number().int().positive(),
  digest,
  /** From 0: how many seals stand before it. */
  revision: z.number().int().nonnegative(),
  /** The digest of the seal before; empty for the first one. */
  previous: z.union([digest, z.literal('')]),
});
export type SealFact = z.output<typeof sealFact>;

export const heldSeal = sealFact.extend({
  /** Of the Top that told it. */
  generation: z.number().int().nonnegative(),
  /** It does not follow from what was told before. */
  contradicts: z.boolean(),
});
export type HeldSeal = z.output<typeof heldSeal>;

/** What a Bottom answers to the question `seals`, in the order in which it was told. */
export const sealsAnswer = z.object({ seals: z.array(heldSeal).max(10_000) });
