import { type Ip, ipv4FromNumber, ipv4ToNumber, type Mac, macFromBytes, type Random } from '@weir/kernel';
import type { AllocationPool, Segment, SegmentType } from '../events/index';

/** Up to here the free ones are listed and one of them is drawn; above, that costs more than drawing and looking. */
const LISTED = 4096;
/** With half of a large pool taken, all of these fail once in 2^32 picks; then it is searched. */
const PROBES = 32;

export type Taken<Value> = ReadonlySet<Value> | ((value: Value) => boolean);

/** Which keys a segment type may have; `mac` has none. vxlan leaves the low ones to whoever numbers networks by hand. */
export const SEGMENT_KEYS: Readonly<
  Record<Exclude<SegmentType, 'mac'>, { readonly first: number; readonly last: number }>
> = {
  vxlan: { first: 10_000, last: 16_777_215 },
  geneve: { first: 10_000, last: 16_777_215 },
  gre: { first: 10_000, last: 4_294_967_295 },
  vlan: { first: 1, last: 4094 },
};

/** One of the pools' free addresses, each as likely as the next; undefined when all are taken. */
export function pickAddress(from: {
  readonly pools: readonly AllocationPool[];
  readonly taken: Taken<Ip>;
  readonly random: Random;
}): Ip | undefined {
  const ranges = from.pools.map(({ start, end }) => ({ first: ipv4ToNumber(start), last: ipv4ToNumber(end) }));
  const isTaken = predicate(from.taken);
  const picked = pickNumber(ranges, (value) => isTaken(ipv4FromNumber(value)), from.random);
  return picked === undefined ? undefined : ipv4FromNumber(picked);
}

/** A free key of the type's range; undefined when all are taken. */
export function candidateSegment(type: SegmentType, taken: Taken<number>, random: Random): Segment | undefined {
  if (type === 'mac') return { type, key: 0 };
  const key = pickNumber([SEGMENT_KEYS[type]], predicate(taken), random);
  return key === undefined ? undefined : { type, key };
}

/** `fa:16:3e` is the prefix that OpenStack's instances have. */
export function candidateMac(random: Random): Mac {
  return macFromBytes(Uint8Array.from([0xfa, 0x16, 0x3e, ...random.bytes(3)]));
}

interface Range {
  readonly first: number;
  readonly last: number;
}

function pickNumber(ranges: readonly Range[], taken: (value: number) => boolean, random: Random): number | undefined {
  const size = ranges.reduce((sum, range) => sum + range.last - range.first + 1, 0);
  if (size === 0) return undefined;
  if (size <= LISTED) {
    const free: number[] = [];
    for (const range of ranges)
      for (let value = range.first; value <= range.last; value++) if (!taken(value)) free.push(value);
    return free.length === 0 ? undefined : free[random.integer(free.length)];
  }
  for (let probe = 0; probe < PROBES; probe++) {
    const value = nth(ranges, random.integer(size));
    if (!taken(value)) return value;
  }
  const start = random.integer(size);
  for (let step = 0; step < size; step++) {
    const value = nth(ranges, (start + step) % size);
    if (!taken(value)) return value;
  }
  return undefined;
}

function nth(ranges: readonly Range[], index: number): number {
  let rest = index;
  for (const range of ranges) {
    const size = range.last - range.first + 1;
    if (rest < size) return range.first + rest;
    rest -= size;
  }
  throw new RangeError(`The pools have no place ${index}.`);
}

function predicate<Value>(taken: Taken<Value>): (value: Value) => boolean {
  return typeof taken === 'function' ? taken : (value) => taken.has(value);
}
