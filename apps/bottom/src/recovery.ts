import type { SliceStore } from '@weir/cascade';

/**
 * Whether a Bottom that starts has to learn from its hosts what they run before it places anything: it joined its Top before, and holds
 * nothing that it was told. Then all is lost, or a copy from before the first fact is in its place.
 */
export function hasToLearn(site: { readonly hasJoined: boolean; readonly slice: Pick<SliceStore, 'cursor'> }): boolean {
  return site.hasJoined && site.slice.cursor().position === 0;
}
