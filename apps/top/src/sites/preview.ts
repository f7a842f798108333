import type { Publisher } from '@weir/cascade';
import { WeirError } from '@weir/kernel';
import { type FactChange, type LoggedEvent, type PlacedChange, type SiteAnswer, siteAnswer } from '@weir/topology';
import type { SitePublication } from './publication';

/** A site that has not answered by then is unknown. */
export const PREVIEW_TIMEOUT_MS = 2000;

/** What a site would do, or why that is not known. */
export type SitePreview = Pick<SiteAnswer, 'hosts' | 'placements'> | { readonly unknown: string };

/** What would follow from events that were not appended. By the sites' names; a site that would be told nothing has no entry. */
export interface Preview {
  /** As each site would be told, in order. */
  readonly facts: Readonly<Record<string, readonly FactChange[]>>;
  readonly flows: Readonly<Record<string, SitePreview>>;
}

export interface PreviewOptions {
  readonly publication: SitePublication;
  readonly publisher: Pick<Publisher, 'query'>;
  readonly nameOf: (site: string) => string;
}

/** Says what events would change below, and changes nothing. */
export class Previews {
  constructor(private readonly options: PreviewOptions) {}

  async of(events: readonly LoggedEvent[]): Promise<Preview> {
    const { publication, nameOf } = this.options;
    const told = [...factsBySite(publication.rehearse(events))];
    const flows = await Promise.all(told.map(([site, changes]) => this.ask(site, changes)));
    return {
      facts: Object.fromEntries(told.map(([site, changes]) => [nameOf(site), changes])),
      flows: Object.fromEntries(told.map(([site], n) => [nameOf(site), flows[n] ?? { unknown: 'It was not asked.' }])),
    };
  }

  private async ask(site: string, changes: readonly FactChange[]): Promise<SitePreview> {
    try {
      const answer = await this.options.publisher.query(site, 'preview', { changes }, PREVIEW_TIMEOUT_MS);
      const parsed = siteAnswer.safeParse(answer);
      if (!parsed.success) return { unknown: 'It answered in another form than agreed.' };
      const { hosts, placements } = parsed.data;
      return { hosts, placements };
    } catch (error) {
      if (error instanceof WeirError) return { unknown: error.message };
      throw error;
    }
  }
}

/** The last state of each fact, at the event that last changed it: what a site that is up to date is told, and the order in which it is. */
function factsBySite(placed: readonly (readonly PlacedChange[])[]): ReadonlyMap<string, readonly FactChange[]> {
  const last = new Map<string, { readonly step: number; readonly change: PlacedChange }>();
  for (const [step, changes] of placed.entries()) {
    for (const change of changes) last.set(`${change.place}\n${change.kind}\n${change.id}`, { step, change });
  }
  const ordered = [...last].sort(([a, one], [b, other]) => one.step - other.step || (a < b ? -1 : 1));
  const bySite = new Map<string, FactChange[]>();
  for (const [, { change }] of ordered) {
    const { place, ...fact } = change;
    const facts = bySite.get(place);
    if (facts) facts.push(fact);
    else bySite.set(place, [fact]);
  }
  return bySite;
}
