import type { FactLine, ProjectedFactStore, PublishedChange } from '@weir/cascade';
import { parseEvent } from '@weir/domain';
import { type EventStore, isSeal, type RecordedEvent, type Subscription } from '@weir/event-store';
import type { LoggedEvent, PlacedChange } from '@weir/topology';
import { type Logger, type Timers, WeirError } from '@weir/kernel';
import { SiteFold } from './site-fold';

const REPLAY_BATCH = 1000;
/** What a full disk had no room for is tried again after so long. */
const FULL_RETRY_MS = 500;

/**
 * The one reader behind the log that turns events into the facts of each site: span is no view of one event, so it keeps
 * the logical network in memory and stores what each event changes, with the event's position and id, in one transaction.
 */
export class SitePublication {
  private readonly state = new SiteFold();
  private subscription: Subscription | undefined;
  private isStopped = false;
  private waiting: { readonly position: number; readonly resolve: () => void }[] = [];

  constructor(
    private readonly store: EventStore,
    private readonly facts: ProjectedFactStore,
    private readonly logger: Logger,
    private readonly timers: Timers,
    /** Told of the sites that something changed for, and of nothing where only the head moved. */
    private readonly changed: (sites: readonly string[]) => void,
    /** The facts are those of a higher generation now. */
    private readonly raised: () => Promise<void>,
    private readonly failed: (error: unknown) => void,
  ) {}

  /** Folds what was published already, publishes what was not, and follows the log from there. Resolves at the log's present head. */
  async start(): Promise<void> {
    const published = this.facts.head().position;
    const head = await this.store.head();
    let after = 0;
    for (;;) {
      const events = await this.store.readAll(after, REPLAY_BATCH);
      for (const event of events) await this.take(event, event.position > published);
      const last = events.at(-1);
      if (!last || last.position >= head) break;
      after = last.position;
    }
    if (head > published) this.logger.info('Published what the log was ahead by', { from: published, to: head });
    this.subscription = this.store.subscribe(
      head,
      async (events) => {
        const sites = new Set<string>();
        for (const event of events) for (const site of await this.take(event, true)) sites.add(site);
        this.changed([...sites]);
      },
      this.failed,
    );
  }

  /** What each of these events would change for which site, one after the other, if they came next; nothing is changed. */
  rehearse(events: readonly LoggedEvent[]): readonly (readonly PlacedChange[])[] {
    const { network, span } = this.state;
    return network.rehearse(() => span.rehearse(() => events.map((event) => span.apply(network.apply(event)))));
  }

  /** The sites that a network's facts go to. */
  sitesOf(network: string): readonly string[] {
    return this.state.span.placesOf(network);
  }

  /** A site's facts when `position` was the last one in the log; folded from the log, since only the present is kept. */
  async factsAt(site: string, position: number): Promise<readonly FactLine[]> {
    const past = new SiteFold();
    const facts = new Map<string, FactLine>();
    for (let after = 0; after < position;) {
      const events = await this.store.readAll(after, REPLAY_BATCH);
      for (const event of events.filter((candidate) => candidate.position <= position)) {
        for (const { place, ...change } of past.apply(event)) {
          if (place !== site) continue;
          const key = `${change.kind}/${change.id}`;
          if (change.op !== 'upsert') facts.delete(key);
          else
            facts.set(key, {
              type: 'upsert',
              kind: change.kind,
              id: change.id,
              position: event.position,
              body: change.body,
            });
        }
      }
      after = events.at(-1)?.position ?? position;
    }
    return [...facts.values()].sort((left, right) => left.position - right.position);
  }

  /** Resolves when the facts are those of this position, or a later one. Rejects with the signal's reason when that is aborted first. */
  async reached(position: number, signal?: AbortSignal): Promise<void> {
    if (this.facts.head().position >= position) return;
    signal?.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const waiter = { position, resolve };
      this.waiting.push(waiter);
      const forget = () => {
        this.waiting = this.waiting.filter((one) => one !== waiter);
        reject(signal?.reason as Error);
      };
      signal?.addEventListener('abort', forget, { once: true });
    });
  }

  stop(): void {
    this.isStopped = true;
    this.subscription?.close();
  }

  private async take(event: RecordedEvent, commit: boolean): Promise<readonly string[]> {
    const placed = this.state.apply(event);
    if (!commit) return [];
    const changes = placed.map(({ place, ...change }): PublishedChange => ({ follower: place, ...change }));
    const { position } = event;
    await this.stored(position, () => this.facts.commit({ position, digest: event.id, changes }));
    await this.raise(event);
    this.waiting = this.waiting.filter((one) => {
      if (one.position <= position) one.resolve();
      return one.position > position;
    });
    return changes.map((change) => change.follower);
  }

  /** What followers are told from here on is of the higher generation, and stands behind everything that led to it. */
  private async raise(event: RecordedEvent): Promise<void> {
    const parsed = isSeal(event) ? undefined : parseEvent(event);
    if (parsed?.type !== 'GenerationRaised') return;
    const { generation } = parsed.data;
    if (generation <= this.facts.generation) return;
    await this.stored(event.position, () => this.facts.raise(generation));
    await this.raised();
  }

  /** The log has it already: where the disk has no room for what follows from it, the sites wait for room. */
  private async stored(position: number, store: () => void): Promise<void> {
    for (let tries = 1; !this.isStopped; tries++) {
      try {
        store();
        if (tries > 1) this.logger.info('There is room again, and the sites are told', { position });
        return;
      } catch (error) {
        if (!(error instanceof WeirError && error.reason === 'no-space')) throw error;
        if (tries === 1) this.logger.error('The disk is full; the sites wait', { position });
      }
      await this.timers.sleep(FULL_RETRY_MS);
    }
  }
}
