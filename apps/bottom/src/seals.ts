import type { HeldSeal, SealFact } from '@weir/topology';

/** A seal commits to all before it, so a tail is enough; a site that was cut off for a day is told one seal, not all it missed. */
export const KEPT_SEALS = 1000;

/**
 * Why a seal does not follow from those that are held, in the order in which they were told; undefined where it does. The Top that
 * wrote its log on has told none of these: the log was changed, cut, or restored from a copy.
 */
export function contradictionOf(held: readonly HeldSeal[], told: SealFact): string | undefined {
  const last = held.at(-1);
  if (!last || isSame(last, told)) return undefined;
  if (held.some(({ position, digest }) => position === told.position && digest !== told.digest))
    return `the seal at position ${told.position} was another one`;
  if (told.revision <= last.revision || told.position <= last.position)
    return `it goes back: the last seal stood at position ${last.position}`;
  const before = held.filter(({ revision }) => revision === told.revision - 1);
  if (before.length > 0 && !before.some(({ digest }) => digest === told.previous))
    return `the seal before it was another one`;
  return undefined;
}

export function isSame(left: SealFact, right: SealFact): boolean {
  return left.position === right.position && left.digest === right.digest;
}
