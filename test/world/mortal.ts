import type { Random, Timers } from '@weir/kernel';
import type { VirtualTime } from '@weir/testing/time';

/** A promise that a dead process waits for. */
const never = new Promise<never>(() => undefined);

type Callable = (...given: unknown[]) => unknown;

/**
 * One life of one process. When it is killed, nothing of it runs any more: its timers do not fire, its ports do not answer, and nobody
 * calls it back. What it had stored by then stays; what it held in memory is lost.
 */
export class Mortal {
  private living = true;
  private end: (error: Error) => void = () => undefined;
  /** Rejects when it dies: what another process waits for from here. */
  readonly death: Promise<never>;
  /** Its own order of what is due at the same time. */
  readonly timers: Timers;

  constructor(
    readonly name: string,
    time: VirtualTime,
    random: Random,
  ) {
    this.death = new Promise<never>((_resolve, reject) => (this.end = reject));
    this.death.catch(() => undefined);
    const after = (ms: number, action: () => void) =>
      time.after(ms + random.integer(1000) / 1000, () => {
        if (this.living) action();
      });
    this.timers = { after, sleep: (ms) => new Promise((resolve) => void after(ms, resolve)) };
  }

  get alive(): boolean {
    return this.living;
  }

  kill(): void {
    this.living = false;
    this.end(new Error(`${this.name} was killed`));
  }

  /** The same thing as this process sees it. */
  port<T extends object>(target: T): T {
    return new Proxy(target, {
      get: (of, name) => {
        const value: unknown = Reflect.get(of, name, of);
        if (typeof value !== 'function') return value;
        return (...given: unknown[]): unknown => {
          if (!this.living) return never;
          return (value as Callable).apply(
            of,
            given.map((one) => (typeof one === 'function' ? this.callback(one as Callable) : one)),
          );
        };
      },
    });
  }

  private callback(call: Callable): Callable {
    return (...given) => (this.living ? call(...given) : undefined);
  }
}
