import { createHash } from 'node:crypto';
import type { Flavor } from '@weir/domain';

/** Resources of the Compute API v2.1 as clients see them, by microversion. */

export const MICROVERSIONS = { min: '2.1', max: '2.1' } as const;

/** Flavors at the start; ids are as users see them. */
export const FLAVORS: readonly Flavor[] = [
  { id: '1', name: 'weir.tiny', vcpus: 1, ramMb: 128, diskGb: 1 },
  { id: '2', name: 'weir.small', vcpus: 1, ramMb: 512, diskGb: 5 },
  { id: '3', name: 'weir.medium', vcpus: 2, ramMb: 2048, diskGb: 20 },
];

const selfLinks = (address: string, path: string) => [
  { rel: 'self', href: `${address}/compute/v2.1/${path}` },
  { rel: 'bookmark', href: `${address}/compute/${path}` },
];

export function flavorView(flavor: Flavor, address: string, detailed: boolean): unknown {
  const brief = { id: flavor.id, name: flavor.name, links: selfLinks(address, `flavors/${flavor.id}`) };
  if (!detailed) return brief;
  return {
    ...brief,
    vcpus: flavor.vcpus,
    ram: flavor.ramMb,
    disk: flavor.diskGb,
    swap: '',
    rxtx_factor: 1,
    'OS-FLV-EXT-DATA:ephemeral': 0,
    'OS-FLV-DISABLED:disabled': false,
    'os-flavor-access:is_public': true,
  };
}

export interface ServerModel {
  readonly id: string;
  readonly name: string;
  readonly project_id: string;
  readonly user_id: string;
  readonly status: 'BUILD' | 'ACTIVE' | 'ERROR';
  readonly deleting: boolean;
  readonly fault: { readonly host: string; readonly message: string } | null;
  readonly fault_at: string | null;
  readonly flavor_id: string;
  readonly image_id: string;
  readonly availability_zone: string;
  readonly host: string | null;
  readonly created_at: string;
  readonly updated_at: string;
  readonly launched_at: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  readonly addresses: readonly { readonly network: string; readonly ip: string; readonly mac: string }[];
}

export function serverBriefView(server: ServerModel, address: string): unknown {
  return { id: server.id, name: server.name, links: selfLinks(address, `servers/${server.id}`) };
}

/** The host's name and the hypervisor's are for admins only. */
export function serverView(server: ServerModel, address: string, admin: boolean): Readonly<Record<string, unknown>> {
  return {
    id: server.id,
    name: server.name,
    links: selfLinks(address, `servers/${server.id}`),
    status: server.status,
    tenant_id: server.project_id,
    user_id: server.user_id,
    metadata: server.metadata,
    hostId: server.host === null ? '' : hostId(server.project_id, server.host),
    image: { id: server.image_id, links: [{ rel: 'bookmark', href: `${address}/compute/images/${server.image_id}` }] },
    flavor: {
      id: server.flavor_id,
      links: [{ rel: 'bookmark', href: `${address}/compute/flavors/${server.flavor_id}` }],
    },
    created: seconds(server.created_at),
    updated: seconds(server.updated_at),
    addresses: addressesView(server.addresses),
    accessIPv4: '',
    accessIPv6: '',
    'OS-DCF:diskConfig': 'MANUAL',
    progress: server.status === 'ACTIVE' ? 100 : 0,
    'OS-EXT-AZ:availability_zone': server.availability_zone,
    config_drive: '',
    key_name: null,
    'OS-SRV-USG:launched_at': server.launched_at?.replace('Z', '000') ?? null,
    'OS-SRV-USG:terminated_at': null,
    'OS-EXT-STS:task_state': server.deleting ? 'deleting' : server.status === 'BUILD' ? 'spawning' : null,
    'OS-EXT-STS:vm_state': server.status === 'BUILD' ? 'building' : server.status.toLowerCase(),
    'OS-EXT-STS:power_state': server.status === 'ACTIVE' ? 1 : 0,
    'os-extended-volumes:volumes_attached': [],
    ...(admin
      ? {
          'OS-EXT-SRV-ATTR:host': server.host,
          'OS-EXT-SRV-ATTR:hypervisor_hostname': server.host,
          'OS-EXT-SRV-ATTR:instance_name': `weir-${server.id}`,
        }
      : {}),
    ...(server.fault && server.status === 'ERROR'
      ? {
          fault: {
            code: 500,
            created: seconds(server.fault_at ?? server.updated_at),
            message: server.fault.message,
            ...(admin ? { details: `on ${server.fault.host}` } : {}),
          },
        }
      : {}),
  };
}

export function addressesView(addresses: ServerModel['addresses']): Readonly<Record<string, unknown[]>> {
  const byNetwork: Record<string, unknown[]> = {};
  for (const { network, ip, mac } of addresses) {
    (byNetwork[network] ??= []).push({
      version: 4,
      addr: ip,
      'OS-EXT-IPS:type': 'fixed',
      'OS-EXT-IPS-MAC:mac_addr': mac,
    });
  }
  return byNetwork;
}

/** The same host looks different to each project, as in Nova. */
export function hostId(project: string, host: string): string {
  return createHash('sha224')
    .update(project + host)
    .digest('hex');
}

function seconds(time: string): string {
  return time.replace(/\.\d+Z$/, 'Z');
}

export const SERVER_FILTERS = [
  'id',
  'uuid',
  'name',
  'status',
  'image',
  'flavor',
  'host',
  'availability_zone',
  'project_id',
  'tenant_id',
  'user_id',
  'ip',
] as const;

export function versionView(address: string): Record<string, unknown> {
  return {
    id: 'v2.1',
    status: 'CURRENT',
    version: MICROVERSIONS.max,
    min_version: MICROVERSIONS.min,
    updated: '2013-07-23T11:33:21Z',
    links: [{ rel: 'self', href: `${address}/compute/v2.1/` }],
    'media-types': [{ base: 'application/json', type: 'application/vnd.openstack.compute+json;version=2.1' }],
  };
}

export interface ZoneModel {
  readonly name: string;
  readonly available: boolean;
  readonly hosts: readonly string[];
}

export function zoneView(zone: ZoneModel, detailed: boolean): unknown {
  const hosts = detailed ? Object.fromEntries(zone.hosts.map((host) => [host, {}])) : null;
  return { zoneName: zone.name, zoneState: { available: zone.available }, hosts };
}
