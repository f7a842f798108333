import { WeirError, unavailable, type Cancel, type Clock, type Logger, type Random, type Timers } from '@weir/kernel';
import { answerParts, answerText } from './answer';
import { BrokenStream, FactReader, type Reading } from './fact-reader';
import type { FollowerSink } from './ports';
import {
  joinAnswerSchema,
  PROTOCOL_VERSION,
  refusalSchema,
  SILENCE_MS,
  type JoinAnswer,
  type PostPath,
  type QueryLine,
  type RefusalBody,
  type Report,
} from './protocol';
import { Reporter, type Delivery } from './reporter';
import type { FactsEnd, FactsHandle, PostAnswer, Transport } from './transport';

/** The first pause before dialling again; it doubles up to the second. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5000;
/** Text received and not taken over yet: above it the stream waits. */
const MAX_WAITING_CHARACTERS = 256 * 1024;
/** Questions answered at a time. */
const MAX_QUERIES = 64;
const ANSWER_RETRY_MS = 100;

export interface FollowerOptions {
  readonly name: string;
  readonly transport: Transport;
  readonly key: string;
  readonly sink: FollowerSink;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly logger: Logger;
}

export interface Following {
  readonly connected: boolean;
  /** Milliseconds of the wall clock when the publisher was last heard, once it has been silent for 5 s. */
  readonly unreachableSince?: number;
  /** Why the publisher does not let us follow; it is asked again and again. */
  readonly refused?: { readonly reason: string };
}

interface Session {
  readonly reader: FactReader;
  readonly batches: Extract<Reading, { type: 'batch' }>[];
  readonly dialledAt: number;
  handle: FactsHandle | undefined;
  generation: number;
  waiting: number;
  paused: boolean;
  /** The mark that says so was taken over. */
  caughtUp: boolean;
}

/** Follows one publisher: takes facts over at marks, reports, answers questions, and dials again whenever something does not fit. */
export class Follower {
  private readonly reporter: Reporter;
  private readonly answering = new Set<string>();
  private running = false;
  private session: Session | undefined;
  private connected = false;
  private taking: Promise<void> = Promise.resolve();
  private pauses = 0;
  private heard = 0;
  private heardAt = 0;
  private unreachableSince: number | undefined;
  private refused: string | undefined;
  private cancelDial: Cancel = () => undefined;
  private cancelWatch: Cancel = () => undefined;

  constructor(private readonly options: FollowerOptions) {
    const { sink, clock, timers, logger } = options;
    this.reporter = new Reporter({ sink, clock, timers, logger, deliver: (report) => this.deliver(report) });
  }

  get state(): Following {
    return {
      connected: this.connected,
      ...(this.unreachableSince !== undefined && { unreachableSince: this.unreachableSince }),
      ...(this.refused !== undefined && { refused: { reason: this.refused } }),
    };
  }

  start(): void {
    if (this.running) return;
    this.running = true;
    this.hear();
    this.watch();
    void this.dial();
  }

  /** Resolves when nothing is being taken over any more. */
  async stop(): Promise<void> {
    this.running = false;
    this.cancelDial();
    this.cancelWatch();
    this.leave();
    await this.taking;
  }

  /** Observations changed. */
  reportSoon(): void {
    this.reporter.soon();
  }

  /** More is programmed, or named as failed: told at once when that is all there is. */
  settledChanged(): void {
    const { position } = this.options.sink.cursor();
    const settled = Math.min(this.options.sink.settled(), position);
    if (this.atHead() && settled === position && this.reporter.known?.settled !== settled) this.reporter.atOnce();
    else this.reporter.soon();
  }

  private async dial(): Promise<void> {
    await this.taking;
    if (!this.running || this.session) return;
    const { sink, transport, key, clock } = this.options;
    try {
      const { generation, position, digest } = sink.cursor();
      const session: Session = {
        reader: new FactReader(position),
        batches: [],
        dialledAt: clock.monotonic(),
        handle: undefined,
        generation,
        waiting: 0,
        paused: false,
        caughtUp: false,
      };
      this.session = session;
      session.handle = transport.openFacts(
        { key, generation, after: position, digest },
        {
          onChunk: (text) => this.receive(session, text),
          onEnd: (end) => this.ended(session, end),
        },
      );
      this.watch();
    } catch (error) {
      this.options.logger.error('The publisher could not be dialled', { error });
      this.dialAgain();
    }
  }

  private dialAgain(): void {
    this.leave();
    if (!this.running) return;
    const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.pauses++);
    const pause = longest / 2 + this.options.random.integer(Math.floor(longest / 2) + 1);
    this.cancelDial();
    this.cancelDial = this.options.timers.after(pause, () => void this.dial());
  }

  private leave(): void {
    const { session } = this;
    this.session = undefined;
    this.connected = false;
    this.reporter.disconnected();
    session?.handle?.close();
  }

  private receive(session: Session, text: string): void {
    if (session !== this.session) return;
    this.hear();
    try {
      for (const reading of session.reader.read(text)) {
        // What was read may have ended the session.
        if (session === this.session) this.take(session, reading);
      }
    } catch (error) {
      this.broken(session, error);
    }
  }

  private take(session: Session, reading: Reading): void {
    switch (reading.type) {
      case 'hello':
        this.greeted(session, reading);
        break;
      case 'query':
        void this.answer(reading.query);
        break;
      case 'batch':
        session.batches.push(reading);
        session.waiting += reading.characters;
        if (session.batches.length === 1) this.taking = this.takeOver(session);
        if (session.waiting > MAX_WAITING_CHARACTERS && !session.paused && session === this.session) {
          session.paused = true;
          session.handle?.pause();
        }
    }
  }

  private greeted(session: Session, hello: Extract<Reading, { type: 'hello' }>): void {
    if (hello.protocol !== PROTOCOL_VERSION) return this.refusedBy('protocol', { protocol: hello.protocol });
    if (hello.generation < session.generation) return this.refusedBy('generation', { generation: hello.generation });
    if (hello.generation > session.generation)
      throw new BrokenStream('The publisher speaks for another generation than it answered.');
    if (hello.quarantined === true) this.noteRefusal('quarantine', {});
    else {
      if (this.refused !== undefined) this.options.logger.info('The publisher lets us follow again');
      this.refused = undefined;
    }
    this.connected = true;
    this.reporter.connected();
  }

  /** Takes over what waits, mark by mark; never rejects. */
  private async takeOver(session: Session): Promise<void> {
    const { sink } = this.options;
    try {
      for (let next = session.batches[0]; next && session === this.session; next = session.batches[0]) {
        const { facts, mark } = next;
        const { position } = sink.cursor();
        const caughtUp = mark.caughtUp === true;
        if (mark.position > position || caughtUp) {
          await sink.apply(
            facts.filter((fact) => fact.position > position),
            { position: mark.position, digest: mark.digest, generation: session.generation, caughtUp },
          );
        }
        this.pauses = 0;
        if (caughtUp) session.caughtUp = true;
        session.batches.shift();
        session.waiting -= next.characters;
        this.tookOver(session);
      }
    } catch (error) {
      this.broken(session, error);
    }
  }

  private tookOver(session: Session): void {
    if (session !== this.session) return;
    if (session.paused && session.batches.length === 0) {
      session.paused = false;
      this.hear();
      session.handle?.resume();
    }
    if (this.atHead() && this.options.sink.cursor().position !== this.reporter.known?.cursor.position)
      this.reporter.atOnce();
  }

  /** Everything that the publisher has sent is stored here. */
  private atHead(): boolean {
    return this.session?.caughtUp === true && this.session.batches.length === 0;
  }

  private broken(session: Session, error: unknown): void {
    if (session !== this.session) return;
    if (error instanceof BrokenStream) this.options.logger.warn('The stream of facts does not fit together', { error });
    else this.options.logger.error('Facts could not be taken over', { error });
    this.dialAgain();
  }

  private ended(session: Session, end: FactsEnd): void {
    if (session !== this.session) return;
    if (end.reason === 'ended') {
      this.options.logger.info('The stream of facts ended', { error: end.cause });
      this.dialAgain();
      return;
    }
    const conflict = end.status === 409 ? refusalSchema.safeParse(end.body).data : undefined;
    if (conflict?.reason === 'generation' && conflict.generation >= session.generation)
      void this.startOver(session, conflict);
    else if (conflict) this.refusedBy(conflict.reason, conflict);
    else if (end.status === 401 || end.status === 403)
      this.refusedBy(end.status === 401 ? 'unauthorized' : 'forbidden', {});
    else {
      this.options.logger.warn('The publisher cannot be followed now', { status: end.status });
      this.dialAgain();
    }
  }

  private async startOver(session: Session, conflict: RefusalBody): Promise<void> {
    const { logger, sink } = this.options;
    // The very first publisher of a follower that has nothing is no change worth a word.
    if (session.generation > 0)
      logger.error('The publisher asks to start over', { generation: conflict.generation, ours: session.generation });
    this.leave();
    try {
      this.taking = sink.newGeneration(conflict.generation);
      await this.taking;
    } catch (error) {
      logger.error('The new generation could not be taken over', { error });
      this.taking = Promise.resolve();
      return this.dialAgain();
    }
    if (conflict.generation > session.generation) await this.dial();
    else this.dialAgain();
  }

  /** Said loudly when it begins, and when its reason changes; what is here stays, and forwarding goes on. */
  private refusedBy(reason: string, fields: Readonly<Record<string, unknown>>): void {
    this.noteRefusal(reason, fields);
    this.dialAgain();
  }

  private noteRefusal(reason: string, fields: Readonly<Record<string, unknown>>): void {
    if (this.refused !== reason)
      this.options.logger.error('The publisher refuses us, or we refuse it; we go on with what we have', {
        reason,
        ...fields,
      });
    this.refused = reason;
  }

  private async deliver(report: Report): Promise<Delivery> {
    const { session } = this;
    const { logger } = this.options;
    let answer: PostAnswer;
    try {
      answer = await this.post('observations', report);
    } catch (error) {
      logger.info('A report was not delivered', { error });
      return 'failed';
    }
    if (answer.status < 300) return 'delivered';
    logger.warn('A report was refused', { status: answer.status, answer: answer.body });
    // Sent again it would be refused again, and there would be no heartbeat.
    if (answer.status === 400 || answer.status === 413) return 'refused';
    if (session && session === this.session && [401, 403, 409].includes(answer.status)) this.dialAgain();
    return 'failed';
  }

  private async answer(query: QueryLine): Promise<void> {
    if (this.answering.has(query.id)) return;
    const deadline = this.options.clock.monotonic() + query.timeoutMs;
    const text = await this.answerTo(query);
    for (const part of answerParts(query.id, text)) {
      if (!(await this.deliverPart(part, deadline))) return;
    }
  }

  private async answerTo({ id, kind, body, timeoutMs }: QueryLine): Promise<string> {
    if (this.answering.size >= MAX_QUERIES) return answerText({ error: unavailable('Too many questions at a time.') });
    this.answering.add(id);
    try {
      return answerText({ value: await this.options.sink.query(kind, body, timeoutMs) });
    } catch (error) {
      if (!(error instanceof WeirError)) this.options.logger.error('A question could not be answered', { kind, error });
      return answerText({ error });
    } finally {
      this.answering.delete(id);
    }
  }

  /** False when nobody waits for the rest. A part that may have arrived is sent again: the publisher ignores the second. */
  private async deliverPart(part: unknown, deadline: number): Promise<boolean> {
    const { clock, timers, logger } = this.options;
    while (this.running && clock.monotonic() < deadline) {
      try {
        const { status } = await this.post('answers', part);
        return status < 300;
      } catch (error) {
        logger.info('A part of an answer was not delivered', { error });
      }
      await timers.sleep(ANSWER_RETRY_MS);
    }
    return false;
  }

  private async post(path: PostPath, body: unknown): Promise<PostAnswer> {
    const { transport, key, timers } = this.options;
    const abort = new AbortController();
    const cancel = timers.after(SILENCE_MS, () => abort.abort());
    try {
      return await transport.post(path, body, { key, signal: abort.signal });
    } finally {
      cancel();
    }
  }

  private hear(): void {
    this.heard = this.options.clock.monotonic();
    this.heardAt = this.options.clock.now();
    if (this.unreachableSince !== undefined) this.options.logger.info('The publisher is heard again');
    this.unreachableSince = undefined;
  }

  /** Notices 5 s of silence: of the publisher, and of this connection, which is then given up. */
  private watch(): void {
    this.cancelWatch();
    if (!this.running) return;
    const { clock, timers, logger } = this.options;
    // While we do not read, silence is our own.
    if (this.session?.paused) this.hear();
    const now = clock.monotonic();
    if (this.unreachableSince === undefined && now - this.heard >= SILENCE_MS) {
      this.unreachableSince = this.heardAt;
      logger.error('The publisher is unreachable; we go on with what we have', {
        since: new Date(this.heardAt).toISOString(),
      });
    }
    const quietSince = this.session ? Math.max(this.heard, this.session.dialledAt) : undefined;
    if (quietSince !== undefined && now - quietSince >= SILENCE_MS) {
      logger.info('The connection is silent and is given up');
      this.dialAgain();
    }
    const deadlines = [
      ...(this.unreachableSince === undefined ? [this.heard] : []),
      ...(this.session ? [Math.max(this.heard, this.session.dialledAt)] : []),
    ];
    if (deadlines.length === 0) return;
    this.cancelWatch = timers.after(Math.max(1, Math.min(...deadlines) + SILENCE_MS - now), () => this.watch());
  }
}

/** Joins with a token and a key that was made and stored before; repeating it costs nothing. Rejects with WeirError 'forbidden', 'invalid' or 'unavailable'. */
export async function joinPublisher(options: {
  readonly transport: Transport;
  readonly token: string;
  readonly name: string;
  readonly key: string;
  /** Gives up: a line that is half open never answers. */
  readonly signal?: AbortSignal;
}): Promise<JoinAnswer> {
  const { transport, token, name, key, signal } = options;
  let answer: PostAnswer;
  try {
    answer = await transport.post('join', { token, name, key }, signal ? { signal } : {});
  } catch (cause) {
    throw unavailable('The publisher did not answer.', { cause });
  }
  const joined = joinAnswerSchema.safeParse(answer.body);
  if (answer.status === 200 && joined.success) return joined.data;
  if (answer.status === 403) throw new WeirError('forbidden', 'The join token is unknown, or was used.');
  if (answer.status === 400) throw new WeirError('invalid', 'The request to join is malformed.');
  throw unavailable(`The publisher answered the request to join with ${answer.status}.`);
}
