import type { Publisher } from '@weir/cascade';
import { streams } from '@weir/domain';
import { type Clock, type SiteId, type Timers, unavailable, WeirError } from '@weir/kernel';
import { type FactChange, type LoggedEvent, type PlacedChange, type SiteAnswer, siteAnswer } from '@weir/topology';
import type { SitePublication } from './publication';

/** The facts are behind the log for some milliseconds, or for as long as a disk is full. */
const UP_TO_DATE_MS = 2000;
/** A site that has not answered by then is unknown, whether it was asked once or twice. */
const ANSWERS_MS = 2000;
/** Of it kept for the second round: a site that does not answer the first takes nothing from those that did. */
const SECOND_ROUND_MS = 500;

type Unknown = { readonly unknown: string };

/** What a site would do, or why that is not known. */
export type SitePreview = Pick<SiteAnswer, 'hosts' | 'placements'> | Unknown;

/** What would follow from events that were not appended. By the sites' names; a site that would be told nothing has no entry. */
export interface Preview {
  /** As each site would be told, in order. */
  readonly facts: Readonly<Record<string, readonly FactChange[]>>;
  /** What it would be told when other sites have reported where they put ports; the flows know of it. */
  readonly bindings: Readonly<Record<string, readonly FactChange[]>>;
  readonly flows: Readonly<Record<string, SitePreview>>;
  /** Sites that may put ports somewhere and have not said where: the flows of the others towards these ports are not known. */
  readonly withoutBindingsOf: readonly string[];
}

export interface PreviewOptions {
  /** The position of the last event in the log. */
  readonly head: () => Promise<number>;
  readonly publication: SitePublication;
  readonly publisher: Pick<Publisher, 'query'>;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly timers: Timers;
  readonly nameOf: (site: string) => string;
}

type BySite<T> = ReadonlyMap<string, T>;
type Answer = SiteAnswer | Unknown;

/** Says what events would change below, and changes nothing. */
export class Previews {
  constructor(private readonly options: PreviewOptions) {}

  /** Rejects with `unavailable` while the sites' facts are behind the log. */
  async of(events: readonly LoggedEvent[]): Promise<Preview> {
    await this.upToDate();
    const told = this.factsBySite(events);
    const { clock } = this.options;
    const end = clock.monotonic() + ANSWERS_MS;
    const first = await this.askAll(told, ANSWERS_MS - SECOND_ROUND_MS);
    const bound = [...first].flatMap(([site, answer]) => ('unknown' in answer ? [] : boundEvents(site, answer)));
    const later = bound.length === 0 ? told : this.factsBySite([...events, ...bound]);
    const bindings = new Map([...later].map(([site, facts]) => [site, since(told.get(site), facts)] as const));
    const again = [...later].filter(([site]) => bindings.get(site)?.length && !isUnknown(first.get(site)));
    const second = await this.askAll(new Map(again), Math.max(1, Math.floor(end - clock.monotonic())));
    return {
      facts: this.named(told),
      bindings: this.named(new Map([...bindings].filter(([, facts]) => facts.length > 0))),
      flows: this.named(new Map([...first, ...second].map(([site, answer]) => [site, shown(answer)]))),
      withoutBindingsOf: [...first]
        .filter(([site, answer]) => isUnknown(answer) && told.get(site)?.some(mayBind))
        .map(([site]) => this.options.nameOf(site)),
    };
  }

  private async upToDate(): Promise<void> {
    const { head, publication, timers } = this.options;
    const position = await head();
    const late = new AbortController();
    const cancel = timers.after(UP_TO_DATE_MS, () =>
      late.abort(unavailable('The facts of the sites are behind the log; ask again.')),
    );
    try {
      await publication.reached(position, late.signal);
    } finally {
      cancel();
    }
  }

  /** All at once. */
  private async askAll(questions: BySite<readonly FactChange[]>, timeoutMs: number): Promise<BySite<Answer>> {
    const asked = [...questions].map(
      async ([site, changes]) => [site, await this.ask(site, changes, timeoutMs)] as const,
    );
    return new Map(await Promise.all(asked));
  }

  private async ask(site: string, changes: readonly FactChange[], timeoutMs: number): Promise<Answer> {
    try {
      const answer = await this.options.publisher.query(site, 'preview', { changes }, timeoutMs);
      const parsed = siteAnswer.safeParse(answer);
      return parsed.success ? parsed.data : { unknown: 'It answered in another form than agreed.' };
    } catch (error) {
      if (error instanceof WeirError) return { unknown: error.message };
      throw error;
    }
  }

  /** The last state of each fact, at the event that last changed it: what a site that is up to date is told, and the order in which it is. */
  private factsBySite(events: readonly LoggedEvent[]): BySite<readonly FactChange[]> {
    const last = new Map<string, { readonly step: number; readonly change: PlacedChange }>();
    for (const [step, changes] of this.options.publication.rehearse(events).entries()) {
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

  private named<T>(bySite: BySite<T>): Readonly<Record<string, T>> {
    return Object.fromEntries([...bySite].map(([site, value]) => [this.options.nameOf(site), value]));
  }
}

/** What the Top would record when a site reports where its ports are. */
function boundEvents(site: string, { bindings }: SiteAnswer): LoggedEvent[] {
  return bindings.map(({ port, host, endpoint }) => ({
    stream: streams.port(port),
    type: 'PortBound',
    data: { siteId: site as SiteId, host, endpoint },
  }));
}

/** Those of `later` that are not as they were told before. */
function since(told: readonly FactChange[] | undefined, later: readonly FactChange[]): readonly FactChange[] {
  const known = new Set(told?.map((change) => JSON.stringify(change)));
  return later.filter((change) => !known.has(JSON.stringify(change)));
}

/** A site finds a place for a server that it is told of, and reports where each of its ports is. */
function mayBind({ op, kind }: FactChange): boolean {
  return op === 'upsert' && (kind === 'server' || kind === 'port');
}

function isUnknown(answer: Answer | undefined): boolean {
  return answer !== undefined && 'unknown' in answer;
}

function shown(answer: Answer): SitePreview {
  return 'unknown' in answer ? answer : { hosts: answer.hosts, placements: answer.placements };
}
