import { type Clock, conflict, type Logger, notFound, type Random, WeirError } from '@weir/kernel';

/** Long work that changes no intent; it goes on when nobody waits for it. */
export interface Work {
  readonly id: string;
  readonly kind: 'verify' | 'rebuild' | 'check';
  readonly state: 'running' | 'finished' | 'failed';
  /** RFC 3339. */
  readonly startedAt: string;
  readonly finishedAt: string | null;
  readonly result: unknown;
  readonly error: string | null;
}

/** What ended is kept so that its asker finds it; more than that only a log needs. */
const KEPT = 50;
const MAX_RUNNING = 4;

/** Work that outlasts a request: it is begun by one and looked at by others. It dies with the process, and then is asked for again. */
export class Maintenance {
  private readonly all = new Map<string, Work>();

  constructor(
    private readonly clock: Clock,
    private readonly random: Random,
    private readonly logger: Logger,
  ) {}

  /** Throws `conflict` where enough runs already. */
  begin(kind: Work['kind'], work: () => Promise<unknown>): Work {
    if ([...this.all.values()].filter(({ state }) => state === 'running').length >= MAX_RUNNING)
      throw conflict(`${MAX_RUNNING} such works run already; wait for one of them.`);
    const id = this.random.uuid();
    const begun: Work = {
      id,
      kind,
      state: 'running',
      startedAt: this.now(),
      finishedAt: null,
      result: null,
      error: null,
    };
    this.all.set(id, begun);
    this.forgetOld();
    work().then(
      (result) => this.end({ ...begun, state: 'finished', result: result ?? null }),
      (error: unknown) => {
        this.logger.error('A maintenance work failed', { id, kind, error });
        const message = error instanceof WeirError ? error.message : 'It failed; the log of the Top says why.';
        this.end({ ...begun, state: 'failed', error: message });
      },
    );
    return begun;
  }

  get(id: string): Work {
    const work = this.all.get(id);
    if (!work) throw notFound('There is no such work; one that ended before a restart is forgotten.');
    return work;
  }

  /** Newest first. */
  list(): readonly Work[] {
    return [...this.all.values()].reverse();
  }

  private end(work: Work): void {
    this.all.set(work.id, { ...work, finishedAt: this.now() });
  }

  private forgetOld(): void {
    const ended = [...this.all.values()].filter(({ state }) => state !== 'running');
    for (const { id } of ended.slice(0, Math.max(0, this.all.size - KEPT))) this.all.delete(id);
  }

  private now(): string {
    return new Date(this.clock.now()).toISOString();
  }
}
