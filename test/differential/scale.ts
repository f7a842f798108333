/** A topology has two or three hosts with instances on average, each of which is a slice. */
export const SEEDS = process.env['WEIR_CHAOS'] === '1' ? 240 : 26;
export const SEEDS_AT_A_TIME = 10;

/** One seed, to see again what it showed. */
export const ONLY_SEED = process.env['WEIR_SEED'] === undefined ? undefined : Number(process.env['WEIR_SEED']);

export const SLICES = process.env['WEIR_CHAOS'] === '1' ? 500 : 50;
