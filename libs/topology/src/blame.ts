import { z } from 'zod';

/** The question `blame`: whose is the flow with this cookie, and which facts is it compiled from? */
export const BLAME = 'blame';

export const blameQuestion = z.object({
  /** Decimal: 64 bits do not fit into a JSON number. */
  cookie: z.string().regex(/^\d{1,20}$/),
  /** To a Bottom: only this host. */
  host: z.string().max(255).optional(),
});
export type BlameQuestion = z.output<typeof blameQuestion>;

/** Of what has members without end, as many are named. */
export const MAX_BLAMED_FACTS = 100;

const text = z.string().max(255);
const position = z.number().int().nonnegative();
const owner = z.object({ kind: text, id: text });

/** What a Host answers. */
export const hostBlame = z.object({
  /** The logical resource that the flow is there for; null where this host has no flow of this cookie. */
  owner: owner.nullable(),
  /** How many flows that owner has here. */
  flows: z.number().int().nonnegative(),
  /** The facts that they are compiled from, with their positions in the journal of this site. */
  facts: z.array(z.object({ kind: text, id: text, position })).max(MAX_BLAMED_FACTS),
});
export type HostBlame = z.output<typeof hostBlame>;

/** What a Bottom answers: of each host its answer, or why there is none. */
export const siteBlame = z.object({
  hosts: z
    .array(
      z.discriminatedUnion('answered', [
        z.object({ host: text, answered: z.literal(false), reason: z.string().max(500) }),
        z.object({
          host: text,
          answered: z.literal(true),
          owner: owner.nullable(),
          flows: z.number().int().nonnegative(),
          facts: z
            .array(
              z.object({
                kind: text,
                id: text,
                position,
                /** The position at which the Top told it; null: this site decided it itself, such as where a server is. */
                told: position.nullable(),
              }),
            )
            .max(MAX_BLAMED_FACTS),
        }),
      ]),
    )
    .max(10_000),
});
export type SiteBlame = z.output<typeof siteBlame>;
