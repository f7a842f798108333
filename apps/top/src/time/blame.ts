import { type Authorship, isResourceKind } from '@weir/domain';
import type { EventStore, RowReader } from '@weir/event-store';
import { notFound, WeirError } from '@weir/kernel';
import { BLAME, siteBlame, type SiteBlame } from '@weir/topology';
import type { Ask } from '../operations/verification';
import type { Histories } from './history';

/** A site that does not answer by then is unknown. */
const ANSWER_MS = 2000;

type HostAnswer = Extract<SiteBlame['hosts'][number], { answered: true }>;

export interface BlamedFact {
  readonly kind: string;
  readonly id: string;
  /** The event that last changed the fact for this site; null where the site decided it itself. */
  readonly event: Authorship | null;
}

export interface HostsBlame {
  readonly site: string;
  readonly host: string | null;
  /** Why it could not say; null where it could. */
  readonly unknown: string | null;
  readonly owner: HostAnswer['owner'];
  readonly flows: number;
  readonly facts: readonly BlamedFact[];
}

export interface Blame {
  readonly cookie: bigint;
  readonly owner: HostAnswer['owner'];
  /** The event with which the owner began; null where it is none of the log's resources. */
  readonly created: Authorship | null;
  readonly hosts: readonly HostsBlame[];
}

/** From a flow on a host to fact, event, request, actor and time. */
export class Blames {
  constructor(
    private readonly log: Pick<EventStore, 'readAll'>,
    private readonly rows: RowReader,
    private readonly histories: Pick<Histories, 'createdBy'>,
    private readonly ask: Ask,
  ) {}

  /** Rejects with `not-found` for a site that is not there. */
  async of(
    cookie: bigint,
    where: { readonly site: string | undefined; readonly host: string | undefined },
  ): Promise<Blame> {
    const joined = this.rows.live('rm_sites').filter((site) => site['lifecycle'] !== 'added');
    const sites = joined
      .map((site) => ({ id: site['id'] as string, name: site['name'] as string }))
      .filter(({ id, name }) => where.site === undefined || where.site === id || where.site === name);
    if (where.site !== undefined && sites.length === 0)
      throw notFound(`There is no site '${where.site.slice(0, 64)}' that has joined.`);
    const hosts = (await Promise.all(sites.map((site) => this.atSite(site, cookie, where.host)))).flat();
    const owner = hosts.find((host) => host.owner)?.owner ?? null;
    return { cookie, owner, created: owner ? await this.createdBy(owner) : null, hosts };
  }

  private async atSite(
    site: { readonly id: string; readonly name: string },
    cookie: bigint,
    host: string | undefined,
  ): Promise<readonly HostsBlame[]> {
    const unknown = (reason: string, name: string | null): HostsBlame => ({
      ...{ site: site.name, host: name, unknown: reason, owner: null, flows: 0, facts: [] },
    });
    let answer: SiteBlame;
    try {
      const question = { cookie: String(cookie), ...(host !== undefined && { host }) };
      answer = siteBlame.parse(await this.ask(site.id, BLAME, question, ANSWER_MS));
    } catch (error) {
      return [unknown(error instanceof WeirError ? error.message : 'it answered something else', null)];
    }
    const told: HostsBlame[] = [];
    for (const one of answer.hosts) {
      if (!one.answered) told.push(unknown(one.reason, one.host));
      else
        told.push({
          site: site.name,
          host: one.host,
          unknown: null,
          owner: one.owner,
          flows: one.flows,
          facts: await this.factsOf(one),
        });
    }
    return told;
  }

  private async factsOf({ facts }: HostAnswer): Promise<readonly BlamedFact[]> {
    return Promise.all(
      facts.map(async ({ kind, id, told }) => ({ kind, id, event: told === null ? null : await this.eventAt(told) })),
    );
  }

  private async eventAt(at: number): Promise<Authorship | null> {
    const [event] = await this.log.readAll(at - 1, 1);
    if (event?.position !== at) return null;
    const { position, type, metadata } = event;
    return { position, type, time: metadata.time, actor: metadata.actor, request: metadata.correlation };
  }

  private async createdBy({ kind, id }: NonNullable<HostAnswer['owner']>): Promise<Authorship | null> {
    return isResourceKind(kind) ? ((await this.histories.createdBy(kind, id)) ?? null) : null;
  }
}
