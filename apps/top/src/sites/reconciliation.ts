import type { FactStore, Publisher } from '@weir/cascade';
import {
  AdoptionConflicts,
  adoptResources,
  type AdoptResources,
  liftQuarantine,
  settleDivergence,
  SiteNotFound,
  unsettledSites,
} from '@weir/domain';
import type { EventStore, RowReader } from '@weir/event-store';
import { conflict, type Random, type SiteId, unavailable, type UserId } from '@weir/kernel';
import { HELD_FACTS, type HeldFact, heldFactsAnswer, type HeldFactsAnswer } from '@weir/topology';
import type { Origin } from '../orchestration/commands';
import type { Rehearsals } from '../orchestration/rehearsals';
import { adoptionOf } from './adoption';
import { compareFacts, type Differences } from './differences';
import type { Run } from './intake';
import type { SitePublication } from './publication';
import type { Quarantine } from './quarantine';

/** For one page of what a site holds. */
const PAGE_TIMEOUT_MS = 10_000;

export interface Decision {
  /** `all`: every site that has shown what the log does not know, and is not decided about. */
  readonly sites: readonly string[] | 'all';
  /** Sites that are not connected start over when they come: what the log does not know there is named as an orphan and left alone. */
  readonly force: boolean;
}

export interface ReconciliationPorts {
  readonly store: EventStore;
  readonly rows: RowReader;
  readonly facts: FactStore;
  readonly publisher: Publisher;
  readonly publication: SitePublication;
  readonly quarantine: Quarantine;
  readonly run: Run;
  readonly rehearsals: Rehearsals;
  readonly random: Random;
}

type Held = ReadonlyMap<SiteId, readonly HeldFact[]>;

/** What an operator does about a quarantine. */
export class Reconciliation {
  private isDeciding = false;

  constructor(private readonly ports: ReconciliationPorts) {}

  /** Rejects with WeirError 'unavailable' when the site is not connected. */
  async differences(id: string): Promise<Differences> {
    const siteId = this.site(id);
    const held = await this.held(siteId);
    return compareFacts(held, this.ports.facts.live(siteId));
  }

  /** The log wins there. With the last site that is decided about, the quarantine ends. */
  discard(origin: Origin, decision: Decision): Promise<void> {
    return this.alone(async () => {
      const sites = await this.toDecide(decision);
      const held = await this.heldAtEnd(sites, decision.force);
      for (const siteId of sites)
        await this.ports.run(origin, { command: () => settleDivergence({ siteId, by: 'discard' }) });
      await this.end(origin, held);
    });
  }

  /** What only the sites know is taken into the log first; where it cannot take all that a site has, it takes nothing of it and says why. */
  adopt(origin: Origin, decision: Decision): Promise<void> {
    return this.alone(async () => {
      const sites = await this.toDecide(decision);
      const held = await this.heldAtEnd(sites, decision.force);
      for (const siteId of sites) {
        await this.take(origin, siteId, held?.get(siteId) ?? (await this.held(siteId)));
        await this.ports.run(origin, { command: () => settleDivergence({ siteId, by: 'adopt' }) });
      }
      await this.end(origin, held);
    });
  }

  /** One decision at a time: another one's end would delete at the sites what this one is still taking into the log. */
  private async alone(decide: () => Promise<void>): Promise<void> {
    if (this.isDeciding)
      throw conflict('Another decision about the quarantine is under way; look what it comes to first.');
    this.isDeciding = true;
    try {
      await decide();
    } finally {
      this.isDeciding = false;
    }
  }

  private async take(origin: Origin, siteId: SiteId, held: readonly HeldFact[]): Promise<void> {
    const { store, facts, publication, random, rehearsals, run } = this.ports;
    // What another site has brought is known by now.
    await publication.reached(await store.head());
    const { onlySite } = compareFacts(held, facts.live(siteId));
    const userId = origin.actor as UserId;
    const { steps, conflicts } = await adoptionOf(onlySite, held, { siteId, userId, log: store, random });
    const take = async (step: AdoptResources): Promise<void> => {
      await run(origin, { command: () => adoptResources(step) });
    };
    // Nobody else writes meanwhile: what can be taken on a branch can be taken.
    const rehearsed = await rehearsals.run(async () => {
      const found = [...conflicts];
      for (const step of steps) {
        await take(step).catch((error: unknown) => {
          if (!(error instanceof AdoptionConflicts)) throw error;
          found.push(...error.conflicts);
        });
      }
      return found;
    });
    if (rehearsed.result.length > 0) throw new AdoptionConflicts(rehearsed.result);
    for (const step of steps) await take(step);
  }

  private async toDecide({ sites }: Decision): Promise<readonly SiteId[]> {
    const { quarantine } = this.ports;
    if (!quarantine.active) throw conflict('This Top is not in quarantine: there is nothing to decide.');
    await quarantine.recorded();
    return sites === 'all' ? unsettledSites(quarantine.publisherState) : sites.map((id) => this.site(id));
  }

  /** Where this decision is the last one: what every site holds, before anything is decided. */
  private async heldAtEnd(sites: readonly SiteId[], force: boolean): Promise<Held | undefined> {
    if (unsettledSites(this.ports.quarantine.publisherState).some((site) => !sites.includes(site))) return undefined;
    const held = new Map<SiteId, readonly HeldFact[]>();
    for (const row of this.ports.rows.live('rm_sites')) {
      const siteId = row['id'] as SiteId;
      if (row['lifecycle'] === 'added') continue;
      if (this.ports.publisher.status(siteId).connected) held.set(siteId, await this.held(siteId));
      else if (!force)
        throw conflict(
          `Site '${row['name'] as string}' is not connected, so that what it holds is not known. Bring it back, or use force: what the log does not know there is then named as an orphan and left alone.`,
        );
    }
    return held;
  }

  /** What a site holds and the log does not want there is deleted there, explicitly; then the log is published as a higher generation. */
  private async end(origin: Origin, held: Held | undefined): Promise<void> {
    const { store, facts, publication, quarantine, run } = this.ports;
    await quarantine.load();
    if (!held) return;
    await publication.reached(await store.head());
    const discarded = [...held].flatMap(([siteId, of]) => {
      const { onlySite } = compareFacts(of, facts.live(siteId));
      return onlySite.length === 0 ? [] : [{ siteId, facts: onlySite.map(({ kind, id }) => ({ kind, id })) }];
    });
    await run(origin, { command: () => liftQuarantine({ discarded }) });
    await publication.reached(await store.head());
  }

  private async held(siteId: SiteId): Promise<readonly HeldFact[]> {
    const { publisher, rows } = this.ports;
    const name = rows.get('rm_sites', { id: siteId })?.['name'] as string;
    if (!publisher.status(siteId).connected)
      throw unavailable(`Site '${name}' is not connected, so that what it holds is not known.`);
    const facts: HeldFact[] = [];
    for (let after: HeldFactsAnswer['next']; ;) {
      const answer = await publisher.query(siteId, HELD_FACTS, { ...(after && { after }) }, PAGE_TIMEOUT_MS);
      const page = heldFactsAnswer.safeParse(answer);
      if (!page.success) throw unavailable(`Site '${name}' has not told what it holds in a form that this Top knows.`);
      facts.push(...page.data.facts);
      if (!page.data.next) return facts;
      after = page.data.next;
    }
  }

  private site(id: string): SiteId {
    const row = this.ports.rows.get('rm_sites', { id });
    if (!row) throw new SiteNotFound(id.slice(0, 64));
    return row['id'] as SiteId;
  }
}
