/** A change as one who watches is given it. */
export interface Watched {
  /** What changed: of an event its id, of a state the name of the thing. */
  readonly key: string;
  readonly position: number;
  /** What was committed together. */
  readonly transaction: string;
}

/** What one connection gave, from its start to its cut. */
export interface Watch {
  /** It was to go on behind this position. */
  readonly after: number;
  /** What was taken over at once; `bookmark`: everything up to there has come. */
  readonly batches: readonly { readonly items: readonly Watched[]; readonly bookmark: number }[];
}

/** The history that is watched, in order; of a key only the last state need come. */
export type Truth = readonly Watched[];

const items = (watch: Watch): readonly Watched[] => watch.batches.flatMap((batch) => batch.items);
const named = ({ key, position }: Watched): string => `${key} of ${position}`;

/** Never back: neither in a connection nor behind what it was to go on from. */
export function ordered(watches: readonly Watch[]): readonly string[] {
  return watches.flatMap((watch) => {
    let last = watch.after;
    return items(watch).flatMap((item) => {
      const before = last;
      last = item.position;
      return item.position < before ? [`${named(item)} came behind ${before}`] : [];
    });
  });
}

/** Never twice, also over cuts. */
export function unique(watches: readonly Watch[]): readonly string[] {
  const seen = new Set<string>();
  return watches.flatMap(items).flatMap((item) => {
    if (seen.has(named(item))) return [`${named(item)} came twice`];
    seen.add(named(item));
    return [];
  });
}

/** What was committed together comes together, as far as it comes. */
export function atomic(watches: readonly Watch[]): readonly string[] {
  const batchOf = new Map<string, unknown>();
  return watches.flatMap(({ batches }) =>
    batches.flatMap((batch) =>
      batch.items.flatMap((item) => {
        const other = batchOf.get(item.transaction);
        batchOf.set(item.transaction, batch);
        return other === undefined || other === batch ? [] : [`${named(item)} came apart from what it belongs to`];
      }),
    ),
  );
}

/** In the end the last state of everything has come, and nothing that never was. */
export function reliable(watches: readonly Watch[], truth: Truth): readonly string[] {
  const seen = new Set(watches.flatMap(items).map(named));
  const last = new Map(truth.map((item) => [item.key, item]));
  const real = new Set(truth.map(named));
  return [
    ...[...last.values()].filter((item) => !seen.has(named(item))).map((item) => `${named(item)} never came`),
    ...[...seen].filter((one) => !real.has(one)).map((one) => `${one} came, and never was`),
  ];
}

/** A connection goes on where it was to: what it gives is behind that, and nothing between is left out. */
export function resumable(watches: readonly Watch[], truth: Truth): readonly string[] {
  return watches.flatMap((watch) => {
    const early = items(watch).filter(({ position }) => position <= watch.after);
    const first = watch.batches[0];
    return [
      ...early.map((item) => `${named(item)} came again after ${watch.after}`),
      ...(first ? missing(truth, watch.after, first.bookmark, new Set(first.items.map(named))) : []),
    ];
  });
}

/** At a bookmark everything up to it has come, but for states that were replaced since. */
export function bookmarkable(watches: readonly Watch[], truth: Truth): readonly string[] {
  return watches.flatMap(({ after, batches }) => {
    const seen = new Set<string>();
    return batches.flatMap((batch) => {
      for (const item of batch.items) seen.add(named(item));
      return missing(truth, after, batch.bookmark, seen);
    });
  });
}

/** Of the truth in (after, until], what was neither seen nor replaced later. */
function missing(truth: Truth, after: number, until: number, seen: ReadonlySet<string>): readonly string[] {
  const last = new Map(truth.map((item) => [item.key, item.position]));
  return truth
    .filter((item) => item.position > after && item.position <= until && item.position === last.get(item.key))
    .filter((item) => !seen.has(named(item)))
    .map((item) => `${named(item)} is missing at the bookmark ${until} of a connection after ${after}`);
}

/** The guarantees of a watch, by their names, each with what breaks it. */
export const GUARANTEES = {
  Ordered: ordered,
  Unique: unique,
  Atomic: atomic,
  Reliable: reliable,
  Resumable: resumable,
  Bookmarkable: bookmarkable,
} as const;
