import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { Append, AppendResult, CommandLog, Revision } from '@weir/event-store';
import { canonicalJson, type Clock, conflict, invalid, WeirError } from '@weir/kernel';
import { z } from 'zod';
import { Choices } from './choices';
import { digestOfAll, type Rehearsed, Rehearsals } from './rehearsals';
import { currentScope, within } from './scope';
import type { Sealer } from './sealing';

/** Long enough to have a change looked at by others. */
export const REPLAY_LIFETIME_MS = 24 * 60 * 60 * 1000;
/** What fits into a header beside the others; the server takes 32 KiB in all. */
export const MAX_TOKEN_LENGTH = 24 * 1024;
/** Inflated; far more than a token of that length comes to. */
const MAX_REPLAY_BYTES = 1024 * 1024;
const CONTEXT = 'replay';
const PREFIX = 'wr1.';

const replay = z.object({
  /** Of the request: the same one may be replayed, and no other. */
  fingerprint: z.string(),
  /** The correlation of its events. */
  requestId: z.string(),
  /** Milliseconds since the epoch. */
  expiresAt: z.number(),
  position: z.number(),
  choices: z.array(z.tuple([z.string(), z.unknown()])),
  digest: z.string(),
});
export type Replay = z.output<typeof replay>;

/** What was rehearsed cannot be carried out any more; nothing was. */
class ReplayOutdated extends WeirError {
  constructor(why: string, cause?: unknown) {
    super('conflict', `The request cannot be carried out as it was rehearsed: ${why} Rehearse it again.`, { cause });
  }
}

class NoReplay extends WeirError {
  constructor() {
    super('invalid', 'X-Weir-Replay is no token of a dry run of this Top.');
  }
}

type Work<T> = () => Promise<T>;
/** What the caller may be told of a stream. */
type NameOf = (stream: string) => string;

/** Tokens that hold what a dry run drew, and the carrying out of exactly what it came to. */
export class Replays {
  constructor(
    private readonly log: CommandLog,
    private readonly rehearsals: Rehearsals,
    private readonly sealer: Sealer,
    private readonly clock: Clock,
  ) {}

  /** Undefined where a header could not hold it. */
  token(
    request: { readonly fingerprint: string; readonly requestId: string },
    rehearsed: Rehearsed<unknown>,
  ): string | undefined {
    const made: Replay = {
      fingerprint: request.fingerprint,
      requestId: request.requestId,
      expiresAt: this.clock.now() + REPLAY_LIFETIME_MS,
      position: rehearsed.position,
      choices: rehearsed.choices.map(([kind, value]) => [kind, value]),
      digest: digestOfAll(rehearsed.events),
    };
    const text = PREFIX + this.sealer.seal(CONTEXT, deflateRawSync(JSON.stringify(made))).toString('base64url');
    return text.length > MAX_TOKEN_LENGTH ? undefined : text;
  }

  /** Throws `invalid` for what is no token of this Top for this request, and `conflict` for one that is too old. */
  open(token: string, fingerprint: string): Replay {
    const body = token.startsWith(PREFIX) ? token.slice(PREFIX.length) : '';
    const opened = /^[\w-]+$/.test(body) ? this.sealer.open(CONTEXT, Buffer.from(body, 'base64url')) : undefined;
    if (!opened) throw new NoReplay();
    const inflated = inflateRawSync(opened, { maxOutputLength: MAX_REPLAY_BYTES }).toString();
    const { data: made } = replay.safeParse(JSON.parse(inflated));
    // Of another version of this program.
    if (!made) throw new NoReplay();
    if (made.fingerprint !== fingerprint) throw invalid('X-Weir-Replay is of another request, or of another user.');
    if (made.expiresAt <= this.clock.now()) throw conflict('The dry run is too long ago. Rehearse it again.');
    return made;
  }

  /**
   * Appends exactly the events that the dry run showed and answers as it said, or rejects with `conflict` and has
   * appended nothing; the message names the stream that moved as `named` says. What was carried out before is answered again.
   */
  async carryOut<T>({ position, choices, digest }: Replay, work: Work<T>, named: NameOf): Promise<T> {
    const then = await this.rehearsals.run(work, { position, choices });
    if (digestOfAll(then.events) !== digest) throw new ReplayOutdated('this Top decides otherwise now.');
    if (then.events.length > 0 && (await this.rehearsals.stand(then.events))) return then.result;
    await this.assertUnmoved(then.branch.revisions, named);
    const now = await orOutdated(this.rehearsals.run(work, { choices }));
    if (digestOfAll(now.events) !== digest) throw new ReplayOutdated('what it depends on has changed.');
    const carrier = new Carrier(currentScope()?.log ?? this.log, now.branch.appends[0], named);
    return within({ choices: new Choices(choices), log: carrier }, async () => {
      try {
        return await work();
      } catch (error) {
        throw carrier.hasCarried ? error : outdatedBy(error);
      }
    });
  }

  private async assertUnmoved(revisions: ReadonlyMap<string, Revision>, named: NameOf): Promise<void> {
    for (const [stream, revision] of revisions) {
      const [later] = await this.log.readStream(stream, revision + 1);
      if (later) throw new ReplayOutdated(`${named(stream)} has changed since.`);
    }
  }
}

/**
 * A log that takes one append and no other first. What a request appends behind it is decided on what then is: nobody can tell
 * before a network is closed whether it is empty.
 */
class Carrier implements CommandLog {
  hasCarried = false;

  constructor(
    private readonly log: CommandLog,
    private readonly expected: Append | undefined,
    private readonly named: NameOf,
  ) {}

  async append(append: Append): Promise<AppendResult> {
    if (!this.hasCarried && canonicalJson(append) !== canonicalJson(this.expected))
      throw new ReplayOutdated(`${this.moved(append) ?? 'what it depends on'} has changed since.`);
    const result = await this.log.append(append);
    this.hasCarried = true;
    return result;
  }

  readStream: CommandLog['readStream'] = (...asked) => this.log.readStream(...asked);
  head: CommandLog['head'] = () => this.log.head();

  private moved(append: Append): string | undefined {
    const before = new Map(
      [...(this.expected?.writes ?? []), ...(this.expected?.checks ?? [])].map((one) => [one.stream, one.expected]),
    );
    const now = [...append.writes, ...(append.checks ?? [])];
    const moved = now.find(({ stream, expected }) => before.has(stream) && before.get(stream) !== expected);
    return moved && this.named(moved.stream);
  }
}

async function orOutdated<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw outdatedBy(error);
  }
}

/** A refusal of what was allowed in the dry run. */
function outdatedBy(error: unknown): unknown {
  if (!(error instanceof WeirError) || error instanceof ReplayOutdated) return error;
  if (['unavailable', 'no-space'].includes(error.reason)) return error;
  return new ReplayOutdated(error.message, error);
}
