import { z } from 'zod';

/** The lines and bodies of the cascade protocol (docs/cascade.md): newline-delimited JSON, a line at most 1 MiB. */
export const PROTOCOL_VERSION = 1;
export const MAX_LINE_BYTES = 1024 * 1024;
/** Silence for longer than this, either way, is `unreachable`. */
export const SILENCE_MS = 5000;
/** A mark comes at least this often; so does a report upwards. */
export const HEARTBEAT_MS = 1000;

const position = z.number().int().nonnegative();
const kind = z.string().min(1).max(64);
const factId = z.string().min(1).max(255);

export const helloLine = z.object({
  type: z.literal('hello'),
  protocol: z.number().int(),
  publisher: z.string(),
  generation: z.number().int().positive(),
  /** Questions and heartbeats alone come on this stream: one of the two is an older copy, and an operator has to decide. */
  quarantined: z.boolean().optional(),
});
export const upsertLine = z.object({
  type: z.literal('upsert'),
  kind,
  id: factId,
  position,
  body: z.record(z.string(), z.unknown()),
});
export const deleteLine = z.object({ type: z.literal('delete'), kind, id: factId, position });
export const markLine = z.object({
  type: z.literal('mark'),
  position,
  /** The mark before it on this connection; at first the request's `after`. */
  previous: position,
  /** Fact lines since that mark. */
  count: z.number().int().nonnegative(),
  /** Names what stands at this position: the id of the event, at a Bottom of its journal entry; '' at position 0. */
  digest: z.string().max(128),
  caughtUp: z.boolean().optional(),
  /** Which mark of this connection it is, from 1: without it the loss of one that moves nothing, such as the caught-up one, went unnoticed. */
  ordinal: z.number().int().positive().optional(),
});
export const queryLine = z.object({
  type: z.literal('query'),
  id: z.string().max(64),
  kind,
  body: z.unknown(),
  timeoutMs: z.number().int().positive(),
});

export const lineSchema = z.discriminatedUnion('type', [helloLine, upsertLine, deleteLine, markLine, queryLine]);
export type Line = z.output<typeof lineSchema>;
export type UpsertLine = z.output<typeof upsertLine>;
export type DeleteLine = z.output<typeof deleteLine>;
export type FactLine = UpsertLine | DeleteLine;
export type MarkLine = z.output<typeof markLine>;
export type QueryLine = z.output<typeof queryLine>;

export const observationSchema = z.object({ kind, id: factId, position, value: z.unknown(), at: z.string().max(40) });
export type Observation = z.output<typeof observationSchema>;

export const reportSchema = z.object({
  cursor: z.object({ position, digest: z.string().max(128) }),
  settled: position,
  observations: z.array(observationSchema).max(10_000),
});
export type Report = z.output<typeof reportSchema>;

export const joinSchema = z.object({
  token: z.string().min(1).max(256),
  name: z.string().min(1).max(255),
  /** 32 random bytes, base64url, made and stored by the follower before it asks. */
  key: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
});
export type JoinRequest = z.output<typeof joinSchema>;
export interface JoinAnswer {
  readonly id: string;
  readonly generation: number;
}

/** A part of an answer to a query: at most 64 KiB of text each, `last` on the final one. */
export const answerSchema = z.object({
  id: z.string().max(64),
  part: position,
  last: z.boolean(),
  body: z.string().max(64 * 1024),
});
export type AnswerPart = z.output<typeof answerSchema>;

/** Why a `facts` call is answered 409; `generation` and `position` are the publisher's. */
export const refusalSchema = z.object({
  /**
   * `generation`: the publisher speaks for another one; a follower that has no higher one starts over, from position 0. Also the answer to
   * a cursor behind what this follower acknowledged: it lost what it had stored, and tombstones that it needs are gone.
   */
  reason: z.enum(['generation', 'digest']),
  generation: z.number().int().positive(),
  position,
});
export type RefusalBody = z.output<typeof refusalSchema>;

/** The most that the parts of one answer hold together, in characters of its text. */
export const MAX_ANSWER_CHARACTERS = 4 * 1024 * 1024;
export const ANSWER_PART_CHARACTERS = 64 * 1024;

/** What the parts of an answer spell: JSON of this. */
export const answerTextSchema = z.discriminatedUnion('ok', [
  z.object({ ok: z.literal(true), value: z.unknown() }),
  z.object({
    ok: z.literal(false),
    error: z.object({
      reason: z.enum([
        'invalid',
        'unauthorized',
        'forbidden',
        'not-found',
        'conflict',
        'over-quota',
        'too-large',
        'unavailable',
      ]),
      message: z.string(),
    }),
  }),
]);

/** Bodies that a publisher reads, in bytes: a larger one is answered 413 unread. */
export const BODY_LIMITS = { join: 16 * 1024, observations: 16 * 1024 * 1024, answers: 1024 * 1024 } as const;
export type PostPath = keyof typeof BODY_LIMITS;

export const joinAnswerSchema = z.object({ id: z.string(), generation: z.number().int().positive() });
