import type { FactLine, FactStore, PublishedChange } from '@weir/cascade';
import type { EventStore, RecordedEvent, Subscription } from '@weir/event-store';
import type { Logger } from '@weir/kernel';
import { SiteFold } from './site-fold';

const REPLAY_BATCH = 1000;

/**
 * The one reader behind the log that turns events into the facts of each site: span is no view of one event, so it keeps
 * the logical network in memory and stores what each event changes, with the event's position and id, in one transaction.
 */
export class SitePublication {
  private readonly state = new SiteFold();
  private subscription: Subscription | undefined;

  constructor(
    private readonly store: EventStore,
    private readonly facts: FactStore,
    private readonly logger: Logger,
    /** Told of the sites that something changed for, and of nothing where only the head moved. */
    private readonly changed: (sites: readonly string[]) => void,
    private readonly failed: (error: unknown) => void,
  ) {}

  /** Folds what was published already, publishes what was not, and follows the log from there. Resolves at the log's present head. */
  async start(): Promise<void> {
    const published = this.facts.head().position;
    const head = await this.store.head();
    if (published > head)
      throw new Error(
        `The sites were told up to position ${published}, and the log ends at ${head}: it was restored from an older copy.`,
      );
    let after = 0;
    for (;;) {
      const events = await this.store.readAll(after, REPLAY_BATCH);
      for (const event of events) this.take(event, event.position > published);
      const last = events.at(-1);
      if (!last || last.position >= head) break;
      after = last.position;
    }
    if (head > published) this.logger.info('Published what the log was ahead by', { from: published, to: head });
    this.subscription = this.store.subscribe(
      head,
      (events) => {
        const sites = events.flatMap((event) => this.take(event, true));
        this.changed([...new Set(sites)]);
        return Promise.resolve();
      },
      this.failed,
    );
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
          if (change.op === 'delete') facts.delete(key);
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

  stop(): void {
    this.subscription?.close();
  }

  private take(event: RecordedEvent, commit: boolean): readonly string[] {
    const placed = this.state.apply(event);
    if (!commit) return [];
    const changes = placed.map(({ place, ...change }): PublishedChange => ({ follower: place, ...change }));
    this.facts.commit({ position: event.position, digest: event.id, changes });
    return changes.map((change) => change.follower);
  }
}
