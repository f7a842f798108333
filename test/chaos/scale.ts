/** Whether the whole counts are asked for. */
export const isWhole = 'chaosInWhole' in globalThis;

/** How often a fault is made: a sample in `npm test`, the whole count in `npm run test:chaos`. */
export function scaled(counts: { readonly sample: number; readonly whole: number }): number {
  return isWhole ? counts.whole : counts.sample;
}
