import type { Cancel, Clock, Logger, Random, Timers } from '@weir/kernel';
import type { PostPath } from '../protocol';
import type {
  FactsEnd,
  FactsHandle,
  FactsHandlers,
  FactsRequest,
  PostAnswer,
  PostOptions,
  Transport,
} from '../transport';
import { MemoryTransport, type PublisherSource } from './transport';

/** What a bad line does; chances are per mille. */
export interface LinkFaults {
  /** Lines of facts that never arrive. */
  readonly lose: number;
  /** Lines of facts that arrive twice. */
  readonly double: number;
  /** Lines of facts that arrive after the one behind them. */
  readonly swap: number;
  /** Posts that fail: half of them after they were carried out. */
  readonly losePosts: number;
  /** Each way, from and to; lines keep their order. */
  readonly delayMs: readonly [number, number];
}

export const NO_FAULTS: LinkFaults = { lose: 0, double: 0, swap: 0, losePosts: 0, delayMs: [0, 0] };

const MAX_QUEUED_CHARACTERS = 64 * 1024;

export interface LinkOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  /** Seeded: one seed gives one history of faults. */
  readonly random: Random;
}

/** One follower's line to its publisher, over any transport, with hooks to spoil it. */
export class Link implements Transport {
  faults: LinkFaults = NO_FAULTS;
  private readonly streams = new Set<LinkedStream>();
  private epoch = 0;
  private down = false;
  private silentDown = false;
  private silentUp = false;

  constructor(
    private readonly inner: Transport,
    private readonly options: LinkOptions,
  ) {}

  /** Breaks every connection, and lets no new one through until `heal`. */
  cut(): void {
    this.down = true;
    this.breakConnections();
  }

  /** Breaks every connection; new ones work. */
  breakConnections(): void {
    this.epoch++;
    for (const stream of [...this.streams]) stream.cut();
  }

  /** Half open: nothing passes in this direction any more, and nobody is told. What was open stays silent after `heal`. */
  silence(direction: 'down' | 'up' | 'both'): void {
    if (direction !== 'up') {
      this.silentDown = true;
      for (const stream of this.streams) stream.silence();
    }
    if (direction !== 'down') this.silentUp = true;
  }

  heal(): void {
    this.down = false;
    this.silentDown = false;
    this.silentUp = false;
  }

  openFacts(request: FactsRequest, handlers: FactsHandlers): FactsHandle {
    const stream = new LinkedStream(handlers, this.options, () => this.faults);
    this.streams.add(stream);
    stream.onClose = () => this.streams.delete(stream);
    if (this.down) queueMicrotask(() => stream.cut());
    // A request that does not come through, or whose answer does not, opens nothing that anyone could tell from silence.
    else if (!this.silentUp && !this.silentDown) stream.open(this.inner, request);
    return stream;
  }

  async post(path: PostPath, body: unknown, options: PostOptions): Promise<PostAnswer> {
    const { timers, random } = this.options;
    const { epoch } = this;
    if (this.down) throw new Error('Cut off');
    if (this.silentUp) return never(options.signal);
    const lost = random.integer(1000) < this.faults.losePosts;
    if (lost && random.integer(2) === 0) throw new Error('Lost on the way');
    await timers.sleep(this.delay());
    if (epoch !== this.epoch) throw new Error('Cut off');
    const answer = await this.inner.post(path, body, options);
    await timers.sleep(this.delay());
    if (this.silentDown) return never(options.signal);
    if (lost || epoch !== this.epoch) throw new Error('The answer was lost');
    return answer;
  }

  close(): void {
    this.cut();
    this.inner.close();
  }

  private delay(): number {
    return delay(this.faults, this.options.random);
  }
}

/** The twin of HTTP: a follower's line to a publisher in the same process. */
export function memoryLink(publisher: PublisherSource, options: LinkOptions & { readonly logger: Logger }): Link {
  return new Link(new MemoryTransport(publisher, options.logger), options);
}

type Item = { readonly due: number } & ({ readonly line: string } | { readonly end: FactsEnd });

class LinkedStream implements FactsHandle {
  onClose: () => void = () => undefined;
  private handle: FactsHandle | undefined;
  private readonly queue: Item[] = [];
  private rest = '';
  private held: string | undefined;
  private queued = 0;
  private innerPaused = false;
  private paused = false;
  private silent = false;
  private closed = false;
  private cancel: Cancel = () => undefined;

  constructor(
    private readonly handlers: FactsHandlers,
    private readonly options: LinkOptions,
    private readonly faults: () => LinkFaults,
  ) {}

  open(inner: Transport, request: FactsRequest): void {
    this.handle = inner.openFacts(request, {
      onChunk: (text) => this.receive(text),
      onEnd: (end) => this.enqueue({ due: this.due(), end }),
    });
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.flow();
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.cancel();
    this.handle?.close();
    this.onClose();
  }

  cut(): void {
    if (this.closed) return;
    this.close();
    this.handlers.onEnd({ reason: 'ended', cause: new Error('Cut off') });
  }

  silence(): void {
    this.silent = true;
  }

  private receive(text: string): void {
    const lines = (this.rest + text).split('\n');
    this.rest = lines.pop() ?? '';
    for (const line of lines) this.spoil(`${line}\n`);
  }

  private spoil(line: string): void {
    const { random } = this.options;
    const { lose, double, swap } = this.faults();
    if (random.integer(1000) < lose) return;
    if (this.held === undefined && random.integer(1000) < swap) {
      this.held = line;
      return;
    }
    this.enqueue({ due: this.due(), line });
    if (random.integer(1000) < double) this.enqueue({ due: this.due(), line });
    if (this.held === undefined) return;
    this.enqueue({ due: this.due(), line: this.held });
    this.held = undefined;
  }

  private due(): number {
    const due = this.options.clock.monotonic() + delay(this.faults(), this.options.random);
    return Math.max(due, this.queue.at(-1)?.due ?? 0);
  }

  private enqueue(item: Item): void {
    this.queue.push(item);
    if ('line' in item) this.queued += item.line.length;
    if (this.queued > MAX_QUEUED_CHARACTERS && !this.innerPaused) {
      this.innerPaused = true;
      this.handle?.pause();
    }
    this.flow();
  }

  /** Delivers what is due, in order. */
  private flow(): void {
    this.cancel();
    while (!this.paused && !this.closed && !this.silent) {
      const item = this.queue[0];
      if (!item) break;
      const wait = item.due - this.options.clock.monotonic();
      if (wait > 0) {
        this.cancel = this.options.timers.after(wait, () => this.flow());
        return;
      }
      this.queue.shift();
      if ('end' in item) {
        this.close();
        this.handlers.onEnd(item.end);
        return;
      }
      this.queued -= item.line.length;
      this.handlers.onChunk(item.line);
    }
    if (this.innerPaused && this.queued <= MAX_QUEUED_CHARACTERS / 2) {
      this.innerPaused = false;
      this.handle?.resume();
    }
  }
}

function delay({ delayMs: [from, to] }: LinkFaults, random: Random): number {
  return from + (to > from ? random.integer(to - from + 1) : 0);
}

/** Waits until the caller gives up. */
function never(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal?.addEventListener('abort', () => reject(new Error('Given up')));
  });
}
