import type { Row, RowReader } from '@weir/event-store';
import type { NetworkModel, PortModel, RouterModel, SubnetModel } from '@weir/openstack-api/network';
import { asOfPosition } from '../orchestration/past';
import type { Observed } from '../sites/observed';

/** From rows of the read models to what the views render. */

const flag = (value: unknown) => value === 1;

function common(row: Row) {
  return {
    id: row['id'] as string,
    project_id: row['project_id'] as string,
    name: row['name'] as string,
    description: row['description'] as string,
    created_at: row['created_at'] as string,
    updated_at: row['updated_at'] as string,
    revision_number: row['revision_number'] as number,
  };
}

export class NetworkModels {
  constructor(
    private readonly observed: Observed,
    /** The sites that a network's facts go to. */
    private readonly sitesOf: (network: string) => readonly string[],
  ) {}

  network(rows: RowReader, row: Row): NetworkModel {
    const id = row['id'] as string;
    return {
      ...common(row),
      admin_state_up: flag(row['admin_state_up']),
      port_security_enabled: flag(row['port_security_enabled']),
      mtu: row['mtu'] as number,
      segment_type: row['segment_type'] as string,
      segment_key: row['segment_key'] as number,
      availability_zone_hints: row['availability_zone_hints'] as string[],
      availability_zones: this.zones(rows, this.spanned(rows, id)),
      subnets: rows.live('rm_subnets', { network_id: id }).map((subnet) => subnet['id'] as string),
    };
  }

  subnet(row: Row): SubnetModel {
    return {
      ...common(row),
      network_id: row['network_id'] as string,
      cidr: row['cidr'] as string,
      gateway_ip: row['gateway_ip'] as string | null,
      allocation_pools: row['allocation_pools'] as unknown[],
      enable_dhcp: flag(row['enable_dhcp']),
      dns_nameservers: row['dns_nameservers'] as string[],
      host_routes: row['host_routes'] as unknown as SubnetModel['host_routes'],
    };
  }

  router(rows: RowReader, row: Row): RouterModel {
    const networks = rows
      .live('rm_router_interfaces', { router_id: row['id'] as string })
      .map((port) => port['network_id'] as string);
    return {
      ...common(row),
      admin_state_up: flag(row['admin_state_up']),
      distributed: flag(row['distributed']),
      routes: row['routes'] as unknown as RouterModel['routes'],
      availability_zone_hints: row['availability_zone_hints'] as string[],
      availability_zones: this.zones(rows, [...new Set(networks.flatMap((network) => this.spanned(rows, network)))]),
    };
  }

  port(rows: RowReader, row: Row): PortModel {
    const site = row['binding_site_id'] as string | null;
    return {
      ...common(row),
      network_id: row['network_id'] as string,
      mac_address: row['mac_address'] as string,
      fixed_ips: row['fixed_ips'] as unknown as PortModel['fixed_ips'],
      admin_state_up: flag(row['admin_state_up']),
      port_security_enabled: flag(row['port_security_enabled']),
      device_id: row['device_id'] as string,
      device_owner: row['device_owner'] as string,
      status: this.portStatus(rows, row, site),
      host: row['binding_host'] as string | null,
    };
  }

  /**
   * Routers and DHCP servers are everywhere that their network is; an instance's port is ACTIVE once its host said so.
   * What hosts said has no history: in the past, a port was ACTIVE while its server was.
   */
  private portStatus(rows: RowReader, row: Row, site: string | null): 'ACTIVE' | 'DOWN' {
    if ((row['device_owner'] as string).startsWith('network:')) return 'ACTIVE';
    if (site === null) return 'DOWN';
    if (asOfPosition.getStore() !== undefined) {
      return rows.get('rm_servers', { id: row['device_id'] as string })?.['status'] === 'ACTIVE' ? 'ACTIVE' : 'DOWN';
    }
    const seen = this.observed.get(site, 'port', row['id'] as string)?.value as { status?: string } | undefined;
    return seen?.status === 'active' ? 'ACTIVE' : 'DOWN';
  }

  /** The sites that a network spans; of the past, by the servers on it and on the networks that routers joined with it. */
  private spanned(rows: RowReader, network: string): readonly string[] {
    return asOfPosition.getStore() === undefined ? this.sitesOf(network) : pastSites(rows, network);
  }

  private zones(rows: RowReader, sites: readonly string[]): readonly string[] {
    return sites
      .flatMap((site) => rows.live('rm_zones', { site_id: site }).map((zone) => zone['availability_zone'] as string))
      .sort();
  }
}

function pastSites(rows: RowReader, network: string): readonly string[] {
  const joined = new Set([network]);
  for (const id of joined) {
    for (const { router_id: router } of rows.live('rm_router_interfaces', { network_id: id })) {
      const others = rows.live('rm_router_interfaces', { router_id: router as string });
      for (const other of others) joined.add(other['network_id'] as string);
    }
  }
  const servers = [...joined]
    .flatMap((id) => rows.live('rm_server_ports', { network_id: id }))
    .map((port) => port['server_id'] as string);
  const sites = [...new Set(servers)].map((id) => rows.get('rm_servers', { id })?.['site_id'] as string | undefined);
  return [...new Set(sites.filter((site) => site !== undefined))];
}
