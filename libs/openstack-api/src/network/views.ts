import type { HostRoute } from '@weir/domain';

/** Resources of the Networking API v2.0 as clients see them. Times are RFC 3339 in UTC with seconds, as Neutron writes them. */

interface Common {
  readonly id: string;
  readonly project_id: string;
  readonly name: string;
  readonly description: string;
  readonly created_at: string;
  readonly updated_at: string;
  readonly revision_number: number;
}

export interface NetworkModel extends Common {
  readonly admin_state_up: boolean;
  readonly port_security_enabled: boolean;
  readonly mtu: number;
  readonly segment_type: string;
  readonly segment_key: number;
  readonly availability_zone_hints: readonly string[];
  /** The zones that it spans now. */
  readonly availability_zones: readonly string[];
  readonly subnets: readonly string[];
}

type Resource = { readonly id: string } & Readonly<Record<string, unknown>>;

/** `provider:*` is for admins only (Neutron's default policy). */
export function networkView(network: NetworkModel, admin: boolean): Resource {
  return {
    ...common(network),
    admin_state_up: network.admin_state_up,
    status: 'ACTIVE',
    shared: false,
    'router:external': false,
    is_default: null,
    port_security_enabled: network.port_security_enabled,
    mtu: network.mtu,
    subnets: network.subnets,
    availability_zone_hints: network.availability_zone_hints,
    availability_zones: network.availability_zones,
    ipv4_address_scope: null,
    ipv6_address_scope: null,
    dns_domain: '',
    qos_policy_id: null,
    tags: [],
    ...(admin
      ? {
          'provider:network_type': network.segment_type,
          'provider:physical_network': null,
          'provider:segmentation_id': network.segment_type === 'mac' ? null : network.segment_key,
        }
      : {}),
  };
}

export const NETWORK_FILTERS = [
  'id',
  'name',
  'description',
  'project_id',
  'tenant_id',
  'admin_state_up',
  'status',
  'shared',
  'router:external',
  'mtu',
  'port_security_enabled',
  'provider:network_type',
  'provider:physical_network',
  'provider:segmentation_id',
  'revision_number',
  'is_default',
] as const;

/** Shown to admins only, so tenants can neither filter nor sort by them. */
export const NETWORK_ADMIN_ATTRIBUTES: readonly string[] = [
  'provider:network_type',
  'provider:physical_network',
  'provider:segmentation_id',
];

export interface SubnetModel extends Common {
  readonly network_id: string;
  readonly cidr: string;
  readonly gateway_ip: string | null;
  readonly allocation_pools: readonly unknown[];
  readonly enable_dhcp: boolean;
  readonly dns_nameservers: readonly string[];
  readonly host_routes: readonly HostRoute[];
}

export function subnetView(subnet: SubnetModel): Resource {
  return {
    ...common(subnet),
    network_id: subnet.network_id,
    ip_version: 4,
    cidr: subnet.cidr,
    gateway_ip: subnet.gateway_ip,
    allocation_pools: subnet.allocation_pools,
    enable_dhcp: subnet.enable_dhcp,
    dns_nameservers: subnet.dns_nameservers,
    host_routes: subnet.host_routes,
    ipv6_ra_mode: null,
    ipv6_address_mode: null,
    subnetpool_id: null,
    segment_id: null,
    service_types: [],
    dns_publish_fixed_ip: false,
    router_external: false,
    tags: [],
  };
}

export const SUBNET_FILTERS = [
  'id',
  'name',
  'description',
  'project_id',
  'tenant_id',
  'network_id',
  'ip_version',
  'cidr',
  'gateway_ip',
  'enable_dhcp',
  'subnetpool_id',
  'segment_id',
  'revision_number',
] as const;

export interface RouterModel extends Common {
  readonly admin_state_up: boolean;
  readonly distributed: boolean;
  readonly routes: readonly HostRoute[];
  readonly availability_zone_hints: readonly string[];
  readonly availability_zones: readonly string[];
}

export function routerView(router: RouterModel): Resource {
  return {
    ...common(router),
    admin_state_up: router.admin_state_up,
    status: 'ACTIVE',
    distributed: router.distributed,
    ha: false,
    routes: router.routes,
    external_gateway_info: null,
    availability_zone_hints: router.availability_zone_hints,
    availability_zones: router.availability_zones,
    flavor_id: null,
    tags: [],
  };
}

export const ROUTER_FILTERS = [
  'id',
  'name',
  'description',
  'project_id',
  'tenant_id',
  'admin_state_up',
  'status',
  'distributed',
  'ha',
  'revision_number',
] as const;

export interface PortModel extends Common {
  readonly network_id: string;
  readonly mac_address: string;
  readonly fixed_ips: readonly { readonly subnet_id: string; readonly ip_address: string }[];
  readonly admin_state_up: boolean;
  readonly port_security_enabled: boolean;
  readonly device_id: string;
  readonly device_owner: string;
  /** ACTIVE once its host has programmed it; DOWN else. */
  readonly status: 'ACTIVE' | 'DOWN';
  readonly host: string | null;
}

/** `binding:host_id` and its details are for admins only. */
export function portView(port: PortModel, admin: boolean): Resource {
  return {
    ...common(port),
    network_id: port.network_id,
    mac_address: port.mac_address,
    fixed_ips: port.fixed_ips,
    admin_state_up: port.admin_state_up,
    status: port.status,
    device_id: port.device_id,
    device_owner: port.device_owner,
    port_security_enabled: port.port_security_enabled,
    security_groups: [],
    allowed_address_pairs: [],
    extra_dhcp_opts: [],
    qos_policy_id: null,
    dns_name: '',
    dns_assignment: [],
    tags: [],
    'binding:vnic_type': 'normal',
    ...(admin
      ? {
          'binding:host_id': port.host ?? '',
          'binding:vif_type': port.host === null ? 'unbound' : 'ovs',
          'binding:vif_details': {},
          'binding:profile': {},
        }
      : {}),
  };
}

export const PORT_FILTERS = [
  'id',
  'name',
  'description',
  'project_id',
  'tenant_id',
  'network_id',
  'mac_address',
  'admin_state_up',
  'status',
  'device_id',
  'device_owner',
  'fixed_ips',
  'binding:host_id',
  'port_security_enabled',
  'revision_number',
  'security_groups',
] as const;

/** Shown to admins only, so tenants can neither filter nor sort by them. */
export const PORT_ADMIN_ATTRIBUTES: readonly string[] = ['binding:host_id'];

function common(item: Common): Resource {
  return {
    id: item.id,
    name: item.name,
    description: item.description,
    project_id: item.project_id,
    tenant_id: item.project_id,
    created_at: seconds(item.created_at),
    updated_at: seconds(item.updated_at),
    revision_number: item.revision_number,
  };
}

function seconds(time: string): string {
  return time.replace(/\.\d+Z$/, 'Z');
}

/** Answer of add/remove router interface. */
export function routerInterfaceView(
  router: { readonly id: string; readonly project_id: string },
  port: { readonly portId: string; readonly networkId: string; readonly subnetId: string },
): Resource {
  return {
    id: router.id,
    project_id: router.project_id,
    tenant_id: router.project_id,
    port_id: port.portId,
    network_id: port.networkId,
    subnet_id: port.subnetId,
    subnet_ids: [port.subnetId],
    tags: [],
  };
}

/** What `GET /v2.0/extensions` lists: only what is really there. */
export const EXTENSIONS: readonly { readonly alias: string; readonly name: string; readonly description: string }[] = [
  { alias: 'router', name: 'Neutron L3 Router', description: 'Routers between subnets' },
  { alias: 'dvr', name: 'Distributed Virtual Router', description: 'Every router is distributed' },
  { alias: 'provider', name: 'Provider Network', description: 'Shows the segment of a network to admins' },
  { alias: 'binding', name: 'Port Binding', description: 'Shows where a port is to admins' },
  { alias: 'port-security', name: 'Port Security', description: 'Source address checks per network and port' },
  { alias: 'availability_zone', name: 'Availability Zone', description: 'Zones of sites' },
  { alias: 'network_availability_zone', name: 'Network Availability Zone', description: 'Zones that a network spans' },
  { alias: 'router_availability_zone', name: 'Router Availability Zone', description: 'Zones that a router spans' },
  { alias: 'net-mtu', name: 'Network MTU', description: 'Shows the MTU of a network' },
  { alias: 'net-mtu-writable', name: 'Network MTU (writable)', description: 'Sets the MTU of a network' },
  { alias: 'extraroute', name: 'Neutron Extra Route', description: 'Static routes of a router' },
  { alias: 'standard-attr-description', name: 'standard-attr-description', description: 'Descriptions' },
  { alias: 'standard-attr-revisions', name: 'Resource revision numbers', description: 'Revision numbers' },
  { alias: 'standard-attr-timestamp', name: 'Resource timestamps', description: 'Times of creation and update' },
  { alias: 'project-id', name: 'project_id field enabled', description: 'project_id beside tenant_id' },
  { alias: 'pagination', name: 'Pagination support', description: 'limit and marker' },
  { alias: 'sorting', name: 'Sorting support', description: 'sort_key and sort_dir' },
  { alias: 'filter-validation', name: 'Filter parameters validation', description: 'Unknown filters are refused' },
];

export function extensionView(extension: (typeof EXTENSIONS)[number]): unknown {
  return { ...extension, updated: '2026-01-01T00:00:00-00:00', links: [] };
}

export function versionsView(address: string): unknown {
  return { versions: [{ id: 'v2.0', status: 'CURRENT', links: [{ rel: 'self', href: `${address}/network/v2.0/` }] }] };
}
