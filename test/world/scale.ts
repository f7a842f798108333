/** Worlds that are lived through: a sample in `npm test`, the whole count where `WEIR_CHAOS` is set. */
export const SEEDS = process.env['WEIR_CHAOS'] === '1' ? 10_000 : 300;

/** Seeds of one test, so that a failure is heard of early. */
export const SEEDS_AT_A_TIME = 25;

/** One world takes some 0.15 s; the machine may be busy with other things. */
export const TEST_TIMEOUT_MS = 300_000;
