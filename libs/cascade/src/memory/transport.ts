import type { Logger } from '@weir/kernel';
import { Endpoint } from '../endpoint';
import { BODY_LIMITS, type PostPath } from '../protocol';
import type { Publisher } from '../publisher';
import type {
  FactsEnd,
  FactsHandle,
  FactsHandlers,
  FactsRequest,
  OutgoingStream,
  PostAnswer,
  PostOptions,
  Transport,
} from '../transport';

/** What a socket would hold before its writer has to wait. */
const HIGH_WATER_CHARACTERS = 64 * 1024;

/** A publisher in the same process; undefined while it is not running. */
export type PublisherSource = () => Publisher | undefined;

/** Carries the same texts as HTTP does, without sockets: what is written arrives with the next promise that runs. */
export class MemoryTransport implements Transport {
  constructor(
    private readonly publisher: PublisherSource,
    private readonly logger: Logger,
  ) {}

  openFacts({ key, generation, after, digest }: FactsRequest, handlers: FactsHandlers): FactsHandle {
    const stream = new MemoryStream(handlers);
    const publisher = this.publisher();
    if (!publisher) {
      stream.end({ reason: 'ended', cause: new Error('Connection refused') });
      return stream.handle;
    }
    const query = { generation: String(generation), after: String(after), digest };
    void new Endpoint(publisher, this.logger).facts(key, query, stream.outgoing).then((refusal) => {
      if (refusal) stream.end({ reason: 'refused', status: refusal.status, body: copy(refusal.body) });
    });
    return stream.handle;
  }

  async post(path: PostPath, body: unknown, { key, signal }: PostOptions): Promise<PostAnswer> {
    const text = JSON.stringify(body);
    await Promise.resolve();
    const publisher = this.publisher();
    if (!publisher) throw new Error('Connection refused');
    signal?.throwIfAborted();
    if (Buffer.byteLength(text) > BODY_LIMITS[path]) return { status: 413, body: undefined };
    const answer = await new Endpoint(publisher, this.logger).post(path, key, text);
    signal?.throwIfAborted();
    return { status: answer.status, body: copy(answer.body) };
  }

  close(): void {
    // Holds nothing.
  }
}

/** Both ends of one stream of facts. */
class MemoryStream {
  private readonly lines: string[] = [];
  private readonly drainHandlers: (() => void)[] = [];
  private readonly closeHandlers: (() => void)[] = [];
  private characters = 0;
  private full = false;
  private paused = false;
  /** By the follower: nothing is delivered any more. */
  private left = false;
  /** By the publisher, or because it could not be opened. */
  private ending: FactsEnd | undefined;
  private scheduled = false;

  constructor(private readonly handlers: FactsHandlers) {}

  readonly outgoing: OutgoingStream = {
    write: (line) => {
      if (this.left || this.ending) return false;
      this.lines.push(line);
      this.characters += line.length;
      this.full = this.characters >= HIGH_WATER_CHARACTERS;
      this.schedule();
      return !this.full;
    },
    onDrain: (handler) => void this.drainHandlers.push(handler),
    onClose: (handler) => {
      this.closeHandlers.push(handler);
      if (this.left) queueMicrotask(handler);
    },
    close: () => this.end({ reason: 'ended' }),
  };

  readonly handle: FactsHandle = {
    pause: () => {
      this.paused = true;
    },
    resume: () => {
      this.paused = false;
      this.schedule();
    },
    close: () => {
      if (this.left) return;
      this.left = true;
      queueMicrotask(() => this.closed());
    },
  };

  /** What was not delivered is lost, as with a socket that is destroyed. */
  end(how: FactsEnd): void {
    if (this.ending) return;
    this.ending = how;
    this.lines.length = 0;
    queueMicrotask(() => {
      if (!this.left) this.handlers.onEnd(how);
      this.closed();
    });
  }

  private closed(): void {
    for (const handler of this.closeHandlers.splice(0)) handler();
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    queueMicrotask(() => {
      this.scheduled = false;
      this.deliver();
    });
  }

  private deliver(): void {
    while (!this.paused && !this.left) {
      const line = this.lines.shift();
      if (line === undefined) break;
      this.characters -= line.length;
      this.handlers.onChunk(line);
    }
    if (!this.full || this.lines.length > 0) return;
    this.full = false;
    for (const handler of this.drainHandlers) handler();
  }
}

const copy = (body: unknown): unknown => (body === undefined ? undefined : JSON.parse(JSON.stringify(body)));
