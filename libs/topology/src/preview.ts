import { z } from 'zod';
import { bindingFact, type FactChange, type FactKind, factSchemas } from './facts';

/** The question `preview` of the cascade: what would these changes of facts lead to? It changes nothing. */

/** The most changes that one question holds; a line of the cascade bounds it too. */
const MAX_CHANGES = 10_000;
/** The most rows of one list in an answer; a Host bounds them by their length as well. */
const MAX_ROWS = 100_000;
const MAX_ROW_LENGTH = 128 * 1024;

const kinds = Object.keys(factSchemas) as [FactKind, ...FactKind[]];
const factId = z.string().min(1).max(255);

const upsert = z
  .object({ op: z.literal('upsert'), kind: z.enum(kinds), id: factId, body: z.record(z.string(), z.unknown()) })
  .refine(({ kind, body }) => factSchemas[kind].safeParse(body).success, 'a body that is not as agreed');
const removal = z.object({ op: z.literal('delete'), kind: z.enum(kinds), id: factId });

/** In the order in which they would be told; bodies keep the fields that a later version added, as facts do. */
export const previewChanges = z
  .array(z.union([upsert, removal]))
  .max(MAX_CHANGES)
  .transform((changes) => changes as unknown as FactChange[]);

/** Asked of a Bottom. */
export const siteQuestion = z.object({ changes: previewChanges });

/** Asked of a Host. */
export const hostQuestion = z.object({
  changes: previewChanges,
  /** The most that the listed rows may take together, in characters of JSON. */
  maxCharacters: z.number().int().positive(),
});

const row = z.string().max(MAX_ROW_LENGTH);
const count = z.number().int().nonnegative();

/** In OVS's syntax; of changed rows as they would be. All are counted, and as many listed as fit. */
const rowChanges = z.object({
  added: z.array(row).max(MAX_ROWS),
  changed: z.array(row).max(MAX_ROWS),
  removed: z.array(row).max(MAX_ROWS),
  counts: z.object({ added: count, changed: count, removed: count }),
});
export type RowChanges = Readonly<z.output<typeof rowChanges>>;

/** What a switch would be given. A port that is still to be plugged in is named (`in_port=tap…`), since the switch chooses its number. */
export const flowChanges = z.object({
  flows: rowChanges,
  groups: rowChanges,
  meters: rowChanges,
  /** Rows that are counted and not listed. */
  leftOut: count,
});
export type FlowChanges = Readonly<z.output<typeof flowChanges>>;

const unknown = z.object({ unknown: z.string().max(2000) });
/** Nothing is guessed: who did not answer is unknown, for this reason. */
export type Unknown = z.output<typeof unknown>;

/** Of a host whose slice would not change there is nothing. */
const hosts = z.record(z.string().max(255), z.union([flowChanges, unknown]));

/** What a Bottom would do at once with what it would be told. */
export const siteAnswer = z.object({
  hosts,
  /** Where it would put servers that have no place yet, or why it would let them wait. */
  placements: z.record(
    z.string().max(255),
    z.union([z.object({ host: z.string().max(255) }), z.object({ waiting: z.string().max(2000) })]),
  ),
  /** The ports whose place it would report anew. */
  bindings: z.array(bindingFact).max(MAX_CHANGES),
});
export type SiteAnswer = z.output<typeof siteAnswer>;
