import { type FactStore, makeToken, type Observation, type Publisher } from '@weir/cascade';
import { addSite, removeSite, SiteNotFound } from '@weir/domain';
import type { Row, RowReader } from '@weir/event-store';
import type { Random, SiteId } from '@weir/kernel';
import type { SiteCreate, SiteModel } from '@weir/openstack-api/sites';
import type { Origin } from '../orchestration/commands';
import type { Run } from './intake';
import type { SiteIntake } from './intake';
import { secretHash } from './membership';
import { asOfPosition } from '../orchestration/past';
import { chosen, unlessRehearsed } from '../orchestration/scope';
import type { Observed } from './observed';
import type { SitePublication } from './publication';
import type { Quarantine, Shown } from './quarantine';
import type { SiteReachability } from './reachability';

/** The sites of this Top: added, followed, shown, removed. */
export class Sites {
  constructor(
    private readonly rows: RowReader,
    private readonly facts: FactStore,
    private readonly publisher: Publisher,
    private readonly publication: SitePublication,
    private readonly observed: Observed,
    private readonly run: Run,
    private readonly random: Random,
    private readonly quarantine: Quarantine,
  ) {}

  /** The join token is told here, once; only its hash is kept. */
  async add(origin: Origin, body: SiteCreate): Promise<{ readonly site: SiteModel; readonly joinToken: string }> {
    const siteId = chosen('id', () => this.random.uuid() as SiteId);
    const joinToken = chosen('join token', () => makeToken(this.random));
    await this.run(origin, {
      command: () =>
        addSite({
          siteId,
          name: body.name,
          dataCenter: body.data_center,
          availabilityZones: body.availability_zones,
          driver: body.driver,
          tunnel: body.tunnel,
          joinTokenHash: secretHash(joinToken),
        }),
    });
    return { site: this.show(this.rows, siteId), joinToken };
  }

  list(rows: RowReader): readonly SiteModel[] {
    return rows.live('rm_sites', {}, { orderBy: [{ column: 'name' }] }).map((row) => this.model(rows, row));
  }

  show(rows: RowReader, id: string): SiteModel {
    return this.model(rows, rowOf(rows, id));
  }

  async remove(origin: Origin, id: string): Promise<void> {
    const siteId = rowOf(this.rows, id)['id'] as SiteId;
    await this.run(origin, { command: () => removeSite({ siteId }) });
    unlessRehearsed(() => {
      this.publisher.remove(siteId);
      this.observed.forget(siteId);
    });
  }

  /** The site's read model: what the Top wants there, position by position. */
  async factsOf(rows: RowReader, id: string): Promise<readonly unknown[]> {
    const siteId = rowOf(rows, id)['id'] as string;
    const position = asOfPosition.getStore();
    const lines = position === undefined ? this.facts.live(siteId) : await this.publication.factsAt(siteId, position);
    return lines.map((line) => ({
      kind: line.kind,
      id: line.id,
      position: line.position,
      body: 'body' in line ? line.body : undefined,
    }));
  }

  /** Asks a site something that changes nothing. */
  query(site: string, kind: string, body: unknown, timeoutMs: number): Promise<unknown> {
    return this.publisher.query(site, kind, body, timeoutMs);
  }

  private model(rows: RowReader, row: Row): SiteModel {
    const past = asOfPosition.getStore();
    const id = row['id'] as string;
    const joined = row['lifecycle'] !== 'added';
    const since = row['unreachable_since'] as string | null;
    const status = this.publisher.status(id);
    const connected = past === undefined && status.reachability === 'reachable';
    return {
      id,
      name: row['name'] as string,
      data_center: row['data_center'] as string,
      availability_zones: row['availability_zones'] as string[],
      driver: row['driver'] as string,
      tunnel: row['tunnel'] as unknown as SiteModel['tunnel'],
      lifecycle: row['lifecycle'] as string,
      reachability: !joined ? 'unknown' : since === null ? 'reachable' : 'unreachable',
      reachability_since: since ?? (connected ? new Date(status.since).toISOString() : (row['updated_at'] as string)),
      // What a site has stored and settled is an observation: it has no history.
      stored: joined && past === undefined ? status.cursor.position : null,
      settled: joined && past === undefined ? status.settled : null,
      published: past ?? this.facts.head().position,
      capacity: rows.live('rm_zones', { site_id: id }).map((zone) => ({
        zone: zone['zone'] as string,
        total: resources(zone, 'total'),
        taken: resources(zone, 'taken'),
      })),
      divergence: past === undefined ? this.divergence(id) : null,
      created_at: row['created_at'] as string,
    };
  }

  private divergence(site: string): SiteModel['divergence'] {
    const found = this.quarantine.divergences.find(({ siteId }) => siteId === site);
    return found ? { generation: found.generation, position: found.position, decision: found.settled } : null;
  }
}

function rowOf(rows: RowReader, id: string): Row {
  const row = rows.get('rm_sites', { id });
  if (!row) throw new SiteNotFound(id.slice(0, 64));
  return row;
}

function resources(zone: Row, which: 'total' | 'taken') {
  return {
    vcpus: zone[`${which}_vcpus`] as number,
    ramMb: zone[`${which}_ram_mb`] as number,
    diskGb: zone[`${which}_disk_gb`] as number,
  };
}

/** What the publisher tells of sites, carried into the log. */
export function siteEvents(intake: SiteIntake, reachability: SiteReachability, quarantine: Quarantine) {
  return {
    reported: (site: string, report: { readonly observations: readonly Observation[] }) =>
      intake.take(site as SiteId, report.observations),
    reachability: (site: string, state: 'reachable' | 'unreachable', since: number) =>
      reachability.turn(site, { state, since }),
    diverged: (site: string, shown: Shown) => void quarantine.found(site as SiteId, shown),
  };
}
