import { z } from 'zod';
import { parseCidr, parseIp, parseMac } from '@weir/kernel';
import { descriptionSchema, nameSchema, uuidSchema } from '../common/index';

/** Bodies of the Networking API v2.0. Unknown attributes are refused, as Neutron does. Absent means: not asked for. */

const address = z.string().max(45).transform(parseIp);
const cidr = z.string().max(49).transform(parseCidr);
const mac = z.string().max(17).transform(parseMac);
const hostRoute = z.strictObject({ destination: cidr, nexthop: address });
const project = { project_id: z.string().max(64).optional(), tenant_id: z.string().max(64).optional() };
const zoneHints = z.array(z.string().max(255)).max(32);
/** Attributes that exist in Neutron and can only have this value until their feature comes. */
const only = <T extends z.core.util.Literal>(value: T, what: string) =>
  z.literal(value, { error: `${what} is not supported` });

const networkFields = {
  name: nameSchema.optional(),
  description: descriptionSchema.optional(),
  admin_state_up: z.boolean().optional(),
  port_security_enabled: z.boolean().optional(),
  mtu: z.number().int().min(576).max(9216).optional(),
  shared: only(false, 'A shared network').optional(),
  'router:external': only(false, 'An external network').optional(),
};

export const networkCreate = z.strictObject({
  network: z.strictObject({
    ...networkFields,
    ...project,
    availability_zone_hints: zoneHints.optional(),
    'provider:network_type': z.enum(['vxlan', 'geneve', 'gre', 'vlan', 'mac']).optional(),
    'provider:segmentation_id': z.number().int().nonnegative().optional(),
    is_default: only(false, 'A default network').optional(),
  }),
});
export const networkUpdate = z.strictObject({ network: z.strictObject(networkFields) });

const subnetFields = {
  name: nameSchema.optional(),
  description: descriptionSchema.optional(),
  gateway_ip: address.nullable().optional(),
  enable_dhcp: z.boolean().optional(),
  dns_nameservers: z.array(address).max(20).optional(),
  host_routes: z.array(hostRoute).max(100).optional(),
  allocation_pools: z
    .array(z.strictObject({ start: address, end: address }))
    .max(32)
    .optional(),
};

export const subnetCreate = z.strictObject({
  subnet: z.strictObject({
    ...subnetFields,
    ...project,
    network_id: uuidSchema,
    cidr,
    ip_version: only(4, 'An IP version other than 4').optional(),
    subnetpool_id: z.null({ error: 'Subnet pools are not supported' }).optional(),
    use_default_subnetpool: only(false, 'A subnet pool').optional(),
    segment_id: z.null({ error: 'Network segments are not supported' }).optional(),
    service_types: z.array(z.string()).max(0, { error: 'Service types are not supported' }).optional(),
  }),
});
export const subnetUpdate = z.strictObject({ subnet: z.strictObject(subnetFields) });

const routerFields = {
  name: nameSchema.optional(),
  description: descriptionSchema.optional(),
  admin_state_up: z.boolean().optional(),
  routes: z.array(hostRoute).max(100).optional(),
  external_gateway_info: z
    .null({ error: 'External gateways are not supported' })
    .or(z.strictObject({}).transform(() => null))
    .optional(),
  ha: only(false, 'A highly available virtual router').optional(),
};

export const routerCreate = z.strictObject({
  router: z.strictObject({
    ...routerFields,
    ...project,
    distributed: only(
      true,
      'A centralized router (there are no gateway hosts); distributed must be true or left out, any other value',
    ).optional(),
    availability_zone_hints: zoneHints.optional(),
    flavor_id: z.null({ error: 'Router flavors are not supported' }).optional(),
  }),
});
export const routerUpdate = z.strictObject({ router: z.strictObject(routerFields) });

export const routerInterface = z
  .strictObject({ subnet_id: uuidSchema.optional(), port_id: uuidSchema.optional() })
  .refine(
    (body) => body.subnet_id !== undefined || body.port_id !== undefined,
    'Either subnet_id or port_id must be specified',
  );

const fixedIps = z.array(z.strictObject({ subnet_id: uuidSchema.optional(), ip_address: address.optional() })).max(16);

const portFields = {
  name: nameSchema.optional(),
  description: descriptionSchema.optional(),
  admin_state_up: z.boolean().optional(),
  port_security_enabled: z.boolean().optional(),
  fixed_ips: fixedIps.optional(),
  security_groups: z.array(uuidSchema).max(0, { error: 'Security groups are not supported' }).optional(),
  allowed_address_pairs: z.array(z.unknown()).max(0, { error: 'Allowed address pairs are not supported' }).optional(),
  extra_dhcp_opts: z.array(z.unknown()).max(0, { error: 'Extra DHCP options are not supported' }).optional(),
  'binding:vnic_type': only('normal', 'A vnic type other than normal').optional(),
};

export const portCreate = z.strictObject({
  port: z.strictObject({
    ...portFields,
    ...project,
    network_id: uuidSchema,
    mac_address: mac.optional(),
    device_id: z
      .literal('', { error: 'A port gets its device by creating a server with it or by adding it to a router' })
      .optional(),
    device_owner: z.literal('', { error: 'A port gets its device owner with its device' }).optional(),
  }),
});
export const portUpdate = z.strictObject({ port: z.strictObject(portFields) });

export type NetworkCreate = z.output<typeof networkCreate>['network'];
export type NetworkUpdate = z.output<typeof networkUpdate>['network'];
export type SubnetCreate = z.output<typeof subnetCreate>['subnet'];
export type SubnetUpdate = z.output<typeof subnetUpdate>['subnet'];
export type RouterCreate = z.output<typeof routerCreate>['router'];
export type RouterUpdate = z.output<typeof routerUpdate>['router'];
export type PortCreate = z.output<typeof portCreate>['port'];
export type PortUpdate = z.output<typeof portUpdate>['port'];
export type RouterInterfaceBody = z.output<typeof routerInterface>;
