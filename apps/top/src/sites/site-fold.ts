import { parseEvent } from '@weir/domain';
import { isSeal, type RecordedEvent, sealOf } from '@weir/event-store';
import { LogicalNetwork, type PlacedChange, SEAL_FACT, type SealFact, sitePlacement, Span } from '@weir/topology';

interface SealChange {
  readonly op: 'upsert';
  readonly kind: typeof SEAL_FACT.kind;
  readonly id: string;
  readonly body: SealFact;
  readonly place: string;
}

/** Of what a site holds and the log does not know; its kind may be one that this version does not know either. */
interface DiscardedFact {
  readonly op: 'bury';
  readonly kind: string;
  readonly id: string;
  readonly place: string;
}

/** What a site needs to know of the log: of the network what its span says, of the log itself the last seal, and what an operator discarded. */
export type SiteChange = PlacedChange | SealChange | DiscardedFact;

/** Folds the log, event by event in order, into what each changes for which site. */
export class SiteFold {
  readonly network = new LogicalNetwork();
  readonly span = new Span(sitePlacement);
  private readonly sites = new Set<string>();

  apply(event: RecordedEvent): readonly SiteChange[] {
    if (isSeal(event)) return this.sealed(event);
    const parsed = parseEvent(event);
    if (parsed.type === 'SiteAdded') this.sites.add(siteIn(event.stream));
    if (parsed.type === 'SiteRemoved') this.sites.delete(siteIn(event.stream));
    if (parsed.type === 'FactsDiscarded') {
      const place = siteIn(event.stream);
      return parsed.data.facts.map(({ kind, id }) => ({ op: 'bury', kind, id, place }));
    }
    return this.span.apply(this.network.apply(parsed));
  }

  /** One that is added later is told of the next seal, which commits to this one. */
  private sealed(event: RecordedEvent): readonly SiteChange[] {
    const { position, digest, revision, previous } = sealOf(event);
    return [...this.sites].map((place) => ({
      op: 'upsert',
      ...SEAL_FACT,
      body: { position, digest, revision, previous },
      place,
    }));
  }
}

function siteIn(stream: string): string {
  return stream.slice('site-'.length);
}
