import type { Observation } from '@weir/cascade';
import {
  activateSite,
  bindPort,
  changeCapacity,
  completePortDeletion,
  completeServerDeletion,
  reportServerActive,
  reportServerFailed,
  streams,
  type Transaction,
} from '@weir/domain';
import type { RowReader } from '@weir/event-store';
import type { Logger, PortId, ServerId, SiteId } from '@weir/kernel';
import { type ObservationKind, observationSchemas, type ObservationValue } from '@weir/topology';
import type { Origin } from '../orchestration/commands';
import type { Observed } from './observed';

/** A command that an observation leads to. */
export interface Intended {
  readonly command: () => Transaction<unknown>;
  readonly lane?: string | undefined;
}

/** Runs commands on behalf of a site. */
export type Run = (origin: Origin, intended: Intended) => Promise<unknown>;

/**
 * What the sites saw, taken in: kept as last values, and where tenants or other sites depend on it, turned into events.
 * It compares with the read models, so the same observation again leads to nothing.
 */
export class SiteIntake {
  constructor(
    private readonly rows: RowReader,
    private readonly observed: Observed,
    private readonly run: Run,
    private readonly logger: Logger,
  ) {}

  /** Rejects when a command could not be carried out: the site then sends the same again. */
  async take(site: SiteId, observations: readonly Observation[]): Promise<void> {
    const valid = observations.filter((observation) => this.isValid(site, observation));
    this.observed.record(site, valid);
    const origin: Origin = { requestId: `site-${site}`, actor: site, projectId: undefined };
    await Promise.all(
      valid.flatMap((observation) => this.intended(site, observation)).map((intended) => this.run(origin, intended)),
    );
    await this.activate(site, origin);
  }

  /** For a server that is to go and was seen gone before: nothing more will come from its site. */
  async completeDeletion(site: SiteId, server: ServerId): Promise<void> {
    const seen = this.observed.get(site, 'server', server);
    if (!seen) return;
    const origin: Origin = { requestId: `site-${site}`, actor: site, projectId: undefined };
    await Promise.all(
      this.ofServer(site, server, seen.value as ObservationValue<'server'>).map((intended) =>
        this.run(origin, intended),
      ),
    );
  }

  private isValid(site: SiteId, { kind, id, value }: Observation): boolean {
    if (!isKnown(kind)) {
      this.logger.warn('A site reports a kind of observation that this Top does not know', { site, kind });
      return false;
    }
    const result = observationSchemas[kind].safeParse(value);
    if (!result.success)
      this.logger.warn('A site reports a malformed observation', {
        site,
        kind,
        id,
        issues: result.error.issues.length,
      });
    return result.success;
  }

  private intended(site: SiteId, { kind, id, value }: Observation): readonly Intended[] {
    switch (kind) {
      case 'binding':
        return this.ofBinding(site, id as PortId, value as ObservationValue<'binding'>);
      case 'server':
        return this.ofServer(site, id as ServerId, value as ObservationValue<'server'>);
      case 'port':
        return this.ofPort(site, id as PortId, value as ObservationValue<'port'>);
      case 'seal':
        this.logger.error('A site was told seals of this log that do not follow from each other: verify it', {
          site,
          seal: value,
        });
        return [];
      case 'capacity':
        return this.ofCapacity(site, id, value as ObservationValue<'capacity'>);
      default:
        return [];
    }
  }

  private ofBinding(
    site: SiteId,
    portId: PortId,
    { host, endpoint }: ObservationValue<'binding'>,
  ): readonly Intended[] {
    const row = this.rows.get('rm_ports', { id: portId });
    if (
      !row ||
      (row['binding_site_id'] === site && row['binding_host'] === host && row['binding_endpoint'] === endpoint)
    )
      return [];
    return [{ command: () => bindPort({ portId, siteId: site, host, endpoint }) }];
  }

  private ofServer(
    site: SiteId,
    serverId: ServerId,
    { status, host, fault }: ObservationValue<'server'>,
  ): readonly Intended[] {
    const row = this.rows.get('rm_servers', { id: serverId });
    if (row?.['site_id'] !== site) {
      if (status === 'gone') this.observed.drop(site, 'server', serverId);
      return [];
    }
    const deleting = row['task_state'] === 'deleting';
    const lane = streams.capacity(site, row['zone'] as string);
    if (status === 'gone') return deleting ? [{ command: () => completeServerDeletion({ serverId }), lane }] : [];
    if (deleting) return [];
    if (status === 'active' && host !== undefined && (row['status'] !== 'ACTIVE' || row['host'] !== host)) {
      return [{ command: () => reportServerActive({ serverId, host }) }];
    }
    if (status === 'error' && fault && row['status'] !== 'ERROR') {
      // Without a host, no configured one could ever hold it: what it took of the zone is given back.
      const name = this.rows.get('rm_sites', { id: site })?.['name'] as string;
      const shown = host === undefined ? { ...fault, host: name } : fault;
      return [
        { command: () => reportServerFailed({ serverId, fault: shown, freeCapacity: host === undefined }), lane },
      ];
    }
    return [];
  }

  private ofPort(site: SiteId, portId: PortId, { status }: ObservationValue<'port'>): readonly Intended[] {
    if (status !== 'gone') return [];
    const row = this.rows.get('rm_ports', { id: portId });
    if (!row) this.observed.drop(site, 'port', portId);
    return row?.['deleting'] === 1 ? [{ command: () => completePortDeletion({ portId }) }] : [];
  }

  private ofCapacity(siteId: SiteId, zone: string, totals: ObservationValue<'capacity'>): readonly Intended[] {
    const row = this.rows.get('rm_zones', { site_id: siteId, zone });
    if (
      !row ||
      (row['total_vcpus'] === totals.vcpus &&
        row['total_ram_mb'] === totals.ramMb &&
        row['total_disk_gb'] === totals.diskGb)
    )
      return [];
    return [{ command: () => changeCapacity({ siteId, zone, totals }), lane: streams.capacity(siteId, zone) }];
  }

  /** A site is active once it has told what it has. */
  private async activate(siteId: SiteId, origin: Origin): Promise<void> {
    if (
      this.rows.get('rm_sites', { id: siteId })?.['lifecycle'] !== 'joining' ||
      this.observed.all(siteId, 'capacity').size === 0
    )
      return;
    await this.run(origin, { command: () => activateSite({ siteId }) });
  }
}

function isKnown(kind: string): kind is ObservationKind {
  return Object.hasOwn(observationSchemas, kind);
}
