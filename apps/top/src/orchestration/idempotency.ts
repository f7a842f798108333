import { createHash } from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { Append, CommandLog } from '@weir/event-store';
import { type Cancel, type Clock, type Logger, type Timers, WeirError } from '@weir/kernel';
import { z } from 'zod';
import { Choices } from './choices';
import type { KeptAnswers } from './kept-answers';
import type { Rehearsals } from './rehearsals';
import { currentScope, within } from './scope';
import type { Sealer } from './sealing';

export const KEPT_MS = 24 * 60 * 60 * 1000;
const SWEEP_MS = 60 * 60 * 1000;
/** Bodies and names of streams, inflated. */
const MAX_RECORD_BYTES = 8 * 1024 * 1024;

const answer = z.object({
  status: z.number(),
  headers: z.record(z.string(), z.string()),
  /** Absent where the answer has none. */
  body: z.unknown().optional(),
});
/** What a request was answered with. */
export type Answer = z.output<typeof answer>;

/** Written before anything is appended, so that a retry can tell whether it was. */
const begun = z.object({
  requestId: z.string(),
  choices: z.array(z.tuple([z.string(), z.unknown()])),
  /** The first event of each append that was tried. */
  tries: z.array(z.object({ stream: z.string(), revision: z.number(), id: z.string() })),
});
const record = z.object({ fingerprint: z.string(), answer: answer.optional(), begun: begun.optional() });
type Kept = z.output<typeof record>;
type Begun = z.output<typeof begun>;

/** The key was used for something else. */
export class IdempotencyKeyReused extends WeirError {
  constructor() {
    super('invalid', 'This Idempotency-Key was used for another request.');
  }
}

/** Whoever sent it first has not been answered yet. */
export class RequestUnderWay extends WeirError {
  constructor() {
    super('conflict', 'The request with this Idempotency-Key is still under way; ask again.');
  }
}

export interface KeyedRequest {
  /** User and project: nobody meets another's keys. */
  readonly owner: string;
  readonly key: string;
  readonly fingerprint: string;
  readonly requestId: string;
}

/** Carries a request out; with the id that its events have as their correlation. Rejects with what is no lasting answer. */
export type Carry = (requestId: string) => Promise<Answer>;

export interface IdempotencyPorts {
  readonly log: CommandLog;
  readonly kept: KeptAnswers;
  readonly rehearsals: Rehearsals;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
}

/** A request with a key is carried out once; whoever sends it again within a day gets the first answer. */
export class Idempotency {
  private readonly running = new Map<string, string>();
  private cancelSweep: Cancel | undefined;

  constructor(private readonly ports: IdempotencyPorts) {
    // For what an earlier life kept.
    this.sweepLater();
  }

  /** Rejects with IdempotencyKeyReused, RequestUnderWay, or as `carry` does: then nothing is kept. */
  async once(request: KeyedRequest, carry: Carry): Promise<{ readonly answer: Answer; readonly isKept: boolean }> {
    const place = createHash('sha256')
      .update(JSON.stringify([request.owner, request.key]))
      .digest('base64url');
    const running = this.running.get(place);
    if (running !== undefined) {
      if (running !== request.fingerprint) throw new IdempotencyKeyReused();
      throw new RequestUnderWay();
    }
    this.running.set(place, request.fingerprint);
    try {
      return await this.alone(place, request, carry);
    } finally {
      this.running.delete(place);
    }
  }

  stop(): void {
    this.cancelSweep?.();
  }

  private async alone(place: string, request: KeyedRequest, carry: Carry) {
    const known = this.read(place);
    if (known && known.fingerprint !== request.fingerprint) throw new IdempotencyKeyReused();
    if (known?.answer) return { answer: known.answer, isKept: true };
    const done = known?.begun && (await this.done(known.begun, carry));
    const answer = done ?? (await this.recorded(place, request, carry));
    try {
      await this.keep(place, request, { answer });
    } catch (error) {
      // It is carried out, and what was noted before says so to a retry.
      this.ports.logger.warn('The answer to a request could not be kept', { error: String(error) });
    }
    return { answer, isKept: done !== undefined };
  }

  /** Notes what is about to be appended before it is. */
  private recorded(place: string, request: KeyedRequest, carry: Carry): Promise<Answer> {
    const { log } = this.ports;
    const tries: Begun['tries'] = [];
    const recording: CommandLog = {
      append: async (append) => {
        tries.push(...firstOf(append));
        // Of the scope that appends: a replay has choices of its own.
        const choices = (currentScope()?.choices.all ?? []).map(([kind, value]): [string, unknown] => [kind, value]);
        await this.keep(place, request, { begun: { requestId: request.requestId, choices, tries } });
        return log.append(append);
      },
      readStream: (...asked) => log.readStream(...asked),
      head: () => log.head(),
    };
    return within({ choices: new Choices(), log: recording }, () => carry(request.requestId));
  }

  /**
   * The answer of a request whose Top died before it could keep it: rehearsed where it was appended, with what was drawn then.
   * Undefined where not all of it stands in the log, and so may be done again.
   */
  private async done({ tries, choices, requestId }: Begun, carry: Carry): Promise<Answer | undefined> {
    const { log, rehearsals } = this.ports;
    for (const { stream, revision, id } of tries) {
      const [event] = await log.readStream(stream, revision);
      if (event?.id !== id) continue;
      const rehearsed = await rehearsals.run(() => carry(requestId), { position: event.position - 1, choices });
      if (rehearsed.events.length > 0 && (await rehearsals.stand(rehearsed.events))) return rehearsed.result;
      return undefined;
    }
    return undefined;
  }

  private read(place: string): Kept | undefined {
    const { kept, sealer, clock } = this.ports;
    const sealed = kept.get(place, clock.now());
    const opened = sealed && sealer.open(contextOf(place), sealed);
    if (!opened) return undefined;
    return record.parse(JSON.parse(inflateRawSync(opened, { maxOutputLength: MAX_RECORD_BYTES }).toString()));
  }

  private async keep(place: string, { owner, fingerprint }: KeyedRequest, what: Omit<Kept, 'fingerprint'>) {
    const { kept, sealer, clock } = this.ports;
    const text = JSON.stringify({ fingerprint, ...what });
    const value = sealer.seal(contextOf(place), deflateRawSync(text));
    await kept.put({ key: place, owner, value, until: clock.now() + KEPT_MS });
    this.sweepLater();
  }

  private sweepLater(): void {
    this.cancelSweep ??= this.ports.timers.after(SWEEP_MS, () => {
      this.cancelSweep = undefined;
      if (this.sweep()) this.sweepLater();
    });
  }

  private sweep(): boolean {
    const { kept, clock, logger } = this.ports;
    try {
      return kept.sweep(clock.now());
    } catch (error) {
      logger.warn('Kept answers that are too old could not be forgotten', { error: String(error) });
      return true;
    }
  }
}

function contextOf(place: string): string {
  return `answer ${place}`;
}

function firstOf({ writes }: Append): Begun['tries'] {
  const [first] = writes;
  const [event] = first?.events ?? [];
  return first && event ? [{ stream: first.stream, revision: first.expected + 1, id: event.id }] : [];
}
