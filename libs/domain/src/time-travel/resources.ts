import type { NetworkId, PortId, RouterId, ServerId, SiteId } from '@weir/kernel';
import { parseEvent, type VersionedEvent } from '../events/index';
import { streams } from '../streams';
import { idIn } from '../views/view';

/** What diffs and histories tell of, each a row of one table. */
export type ResourceKind = 'site' | 'zone' | 'network' | 'subnet' | 'router' | 'router-interface' | 'port' | 'server';

interface ResourceTable {
  /** The table of its rows, by the columns of `key`. */
  readonly table: string;
  readonly key: readonly string[];
  /** Columns that are nobody's to read, or that tell what other resources tell already. */
  readonly hidden: readonly string[];
  /** Columns that tell how the operator carries it out: tenants do not see them. */
  readonly operators: readonly string[];
  /** Whose history it is a part of, and the column that names it. */
  readonly owner?: { readonly kind: ResourceKind; readonly column: string };
}

export const RESOURCES: Readonly<Record<ResourceKind, ResourceTable>> = {
  site: { table: 'rm_sites', key: ['id'], hidden: ['join_token_hash', 'key_hash'], operators: [] },
  zone: {
    table: 'rm_zones',
    key: ['site_id', 'zone'],
    hidden: ['taken_vcpus', 'taken_ram_mb', 'taken_disk_gb', 'servers'],
    operators: [],
    owner: { kind: 'site', column: 'site_id' },
  },
  network: { table: 'rm_networks', key: ['id'], hidden: [], operators: ['segment_type', 'segment_key'] },
  subnet: {
    table: 'rm_subnets',
    key: ['id'],
    hidden: [],
    operators: [],
    owner: { kind: 'network', column: 'network_id' },
  },
  router: { table: 'rm_routers', key: ['id'], hidden: [], operators: [] },
  'router-interface': {
    table: 'rm_router_interfaces',
    key: ['port_id'],
    hidden: [],
    operators: [],
    owner: { kind: 'router', column: 'router_id' },
  },
  port: {
    table: 'rm_ports',
    key: ['id'],
    hidden: [],
    operators: ['binding_site_id', 'binding_host', 'binding_endpoint'],
    owner: { kind: 'server', column: 'device_id' },
  },
  server: { table: 'rm_servers', key: ['id'], hidden: [], operators: ['host', 'site_id', 'zone', 'fault'] },
};
export const RESOURCE_KINDS = Object.keys(RESOURCES) as readonly ResourceKind[];

export function isResourceKind(text: string): text is ResourceKind {
  return Object.hasOwn(RESOURCES, text);
}

/**
 * The streams that historyOf needs of a resource. A zone's id is `<site>/<zone>`. A subnet stands in its network's stream, and
 * an interface in its router's: `owner` is their id, and without it there is no stream.
 */
export function streamsOf(kind: ResourceKind, id: string, owner?: string): readonly string[] {
  switch (kind) {
    case 'site':
      return [streams.site(id as SiteId)];
    case 'zone': {
      const [site = '', zone = ''] = id.split('/');
      return [streams.site(site as SiteId), streams.capacity(site as SiteId, zone)];
    }
    case 'network':
      return [streams.network(id as NetworkId)];
    case 'subnet':
      return owner === undefined ? [] : [streams.network(owner as NetworkId)];
    case 'router':
      return [streams.router(id as RouterId)];
    case 'router-interface':
      return owner === undefined ? [] : [streams.router(owner as RouterId)];
    case 'port':
      return [streams.port(id as PortId)];
    case 'server':
      return [streams.server(id as ServerId)];
  }
}

/**
 * The streams of what these events say that their resources hold: ports, addresses, MACs, segments, names. Those of a server's ports hold
 * more in turn, so ask again with their events.
 */
export function heldStreams(events: readonly (VersionedEvent & { readonly stream: string })[]): readonly string[] {
  return [...new Set(events.flatMap(heldStreamsOf))];
}

function heldStreamsOf(stored: VersionedEvent & { readonly stream: string }): readonly string[] {
  const event = parseEvent(stored);
  switch (event.type) {
    case 'SiteAdded': {
      const { name, dataCenter, availabilityZones } = event.data;
      return [streams.siteName(name), ...availabilityZones.map((zone) => streams.zone(dataCenter, zone))];
    }
    case 'NetworkCreated':
    case 'NetworkAdopted':
      return event.data.segment.type === 'mac' ? [] : [streams.segment(event.data.segment)];
    case 'SubnetAdded':
    case 'SubnetAdopted':
      return [streams.mac(idIn(event.stream, 'network') as NetworkId, event.data.serverMac)];
    case 'RouterInterfaceAdded':
    case 'RouterInterfaceAdopted':
      return [streams.port(event.data.portId)];
    case 'PortCreated':
    case 'PortAdopted': {
      const { networkId, mac, fixedIps } = event.data;
      return [streams.mac(networkId, mac), ...fixedIps.map(({ subnetId, ip }) => streams.address(subnetId, ip))];
    }
    case 'PortUpdated':
      return (event.data.fixedIps ?? []).map(({ subnetId, ip }) => streams.address(subnetId, ip));
    case 'ServerRequested':
    case 'ServerAdopted':
      return event.data.ports.map(({ portId }) => streams.port(portId));
    default:
      return [];
  }
}
