import type {
  FactsHandle,
  FactsHandlers,
  FactsRequest,
  PostAnswer,
  PostOptions,
  Publisher,
  Transport,
} from '@weir/cascade';
import { Link, memoryLink } from '@weir/cascade/memory';
import { type Clock, type Random, silentLogger, type Timers } from '@weir/kernel';
import type { Mortal } from './mortal';

interface Serving {
  readonly publisher: Publisher;
  readonly life: Mortal;
}

/** A socket ends with the process at its other end; a request that it was working on gets no answer. */
class Socket implements Transport {
  constructor(
    private readonly inner: Transport,
    private readonly serving: () => Serving | undefined,
  ) {}

  openFacts(request: FactsRequest, handlers: FactsHandlers): FactsHandle {
    return this.inner.openFacts(request, handlers);
  }

  post(path: Parameters<Transport['post']>[0], body: unknown, options: PostOptions): Promise<PostAnswer> {
    const answer = this.inner.post(path, body, options);
    answer.catch(() => undefined);
    const gaveUp = new Promise<never>((_resolve, reject) =>
      options.signal?.addEventListener('abort', () => reject(new Error('Given up'))),
    );
    const life = this.serving()?.life;
    return Promise.race([answer, gaveUp, ...(life ? [life.death] : [])]);
  }

  close(): void {
    this.inner.close();
  }
}

/** A line between two levels that can be spoilt, to whatever process serves at its end at that time. */
export function wire(
  serving: () => Serving | undefined,
  ports: { readonly clock: Clock; readonly timers: Timers; readonly random: Random },
): Link {
  const direct = memoryLink(() => serving()?.publisher, { ...ports, logger: silentLogger });
  return new Link(new Socket(direct, serving), ports);
}
