import { z } from 'zod';

/** The question `facts`: what a site holds of what it was told, page by page, in order of kind and id. */
export const HELD_FACTS = 'facts';

const key = z.object({ kind: z.string().max(64), id: z.string().max(255) });

export const heldFactsQuestion = z.object({
  /** The last one of the page before. */
  after: key.optional(),
});

const heldFact = key.extend({
  /** The Top's, at which it was last told. */
  position: z.number().int().nonnegative(),
  body: z.record(z.string(), z.unknown()),
});
export type HeldFact = z.output<typeof heldFact>;

export const heldFactsAnswer = z.object({
  facts: z.array(heldFact),
  /** Where the next page goes on; missing on the last one. */
  next: key.optional(),
});
export type HeldFactsAnswer = z.output<typeof heldFactsAnswer>;

/** Far below the bound of an answer, whatever one more fact adds. */
const PAGE_CHARACTERS = 1024 * 1024;

/** One page of them. */
export function heldFactsPage(
  facts: readonly HeldFact[],
  { after }: z.output<typeof heldFactsQuestion>,
): HeldFactsAnswer {
  const ordered = facts.filter((fact) => !after || compare(fact, after) > 0).sort(compare);
  let characters = 0;
  const page = ordered.findIndex(({ body }) => (characters += JSON.stringify(body).length + 128) > PAGE_CHARACTERS);
  if (page < 0) return { facts: ordered };
  const kept = ordered.slice(0, Math.max(1, page));
  const last = kept.at(-1);
  return { facts: kept, ...(last && kept.length < ordered.length && { next: { kind: last.kind, id: last.id } }) };
}

function compare(one: z.output<typeof key>, other: z.output<typeof key>): number {
  if (one.kind !== other.kind) return one.kind < other.kind ? -1 : 1;
  return one.id < other.id ? -1 : one.id > other.id ? 1 : 0;
}
