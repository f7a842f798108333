import { z } from 'zod';
import {
  isIp,
  isUuid,
  type Cidr,
  type Ip,
  type Mac,
  type NetworkId,
  type PortId,
  type RouterId,
  type ServerId,
  type SiteId,
  type SubnetId,
} from '@weir/kernel';

/**
 * The facts that travel down the cascade: the last state of each thing, as a place below needs to know it.
 * No body grows with other facts; whatever has members has them as facts of their own.
 */

const id = <T>() =>
  z
    .string()
    .refine(isUuid, 'not a UUID')
    .transform((text) => text as T);
const ip = z
  .string()
  .refine(isIp, 'not an IP address')
  .transform((text) => text as Ip);
const cidr = z
  .string()
  .max(49)
  .transform((text) => text as Cidr);
const mac = z
  .string()
  .regex(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/)
  .transform((text) => text as Mac);
const name = z.string().max(255);

/** Isolation on the wire; `key` is the VNI, GRE key or VLAN id; `mac` has none. */
export const segmentSchema = z.object({
  type: z.enum(['vxlan', 'geneve', 'gre', 'vlan', 'mac']),
  key: z.number().int().nonnegative(),
});

export const networkFact = z.object({
  id: id<NetworkId>(),
  project: z.string(),
  name,
  /** Bytes of IP packet that an instance may send. */
  mtu: z.number().int().min(576).max(9216),
  segment: segmentSchema,
});

export const subnetFact = z.object({
  id: id<SubnetId>(),
  network: id<NetworkId>(),
  name,
  cidr,
  gatewayIp: ip.nullable(),
  enableDhcp: z.boolean(),
  dnsNameservers: z.array(ip).max(20),
  hostRoutes: z.array(z.object({ destination: cidr, nexthop: ip })).max(100),
  /** The DHCP server's address: the gateway's, or one reserved when the subnet has none. */
  serverIp: ip,
  /** One MAC for the subnet's life, which DHCP server and router interface both use. */
  serverMac: mac,
});

export const routerFact = z.object({
  id: id<RouterId>(),
  project: z.string(),
  name,
  adminStateUp: z.boolean(),
  routes: z.array(z.object({ destination: cidr, nexthop: ip })).max(100),
});

export const routerInterfaceFact = z.object({
  /** The id of the Neutron port of this interface. */
  id: id<PortId>(),
  router: id<RouterId>(),
  network: id<NetworkId>(),
  subnet: id<SubnetId>(),
  ip,
  mac,
});

/** A port of an instance. Ports without a device are not published. */
export const portFact = z.object({
  id: id<PortId>(),
  network: id<NetworkId>(),
  project: z.string(),
  name,
  mac,
  fixedIps: z.array(z.object({ subnet: id<SubnetId>(), ip })).max(16),
  adminStateUp: z.boolean(),
  /** Off: the port may send from any address. */
  portSecurity: z.boolean(),
  server: id<ServerId>(),
});

export const serverFact = z.object({
  id: id<ServerId>(),
  project: z.string(),
  name,
  site: id<SiteId>(),
  /** The zone's name inside its site. */
  zone: z.string().max(255),
  vcpus: z.number().int().positive(),
  ramMb: z.number().int().positive(),
  diskGb: z.number().int().nonnegative(),
  image: z.string(),
  /** In order: eth0, eth1, … */
  ports: z.array(id<PortId>()).max(16),
  power: z.enum(['on', 'off']),
});

/** Where a port is; `endpoint` is the host's tunnel address. */
export const bindingFact = z.object({
  port: id<PortId>(),
  host: z.string().max(255),
  endpoint: ip,
});

/**
 * A server, or a port that is deleted alone, that is to go and was not seen gone yet. It is told until then, so that who forgot it, or never
 * heard of it, hears of it again; the tombstone of the thing itself is told once.
 */
export const departureFact = z.object({
  id: z.string().refine(isUuid, 'not a UUID'),
  of: z.enum(['server', 'port']),
  /** The server itself, or the one that the port is of. */
  server: id<ServerId>(),
});

export const factSchemas = {
  network: networkFact,
  subnet: subnetFact,
  router: routerFact,
  'router-interface': routerInterfaceFact,
  port: portFact,
  server: serverFact,
  /** The fact's id is the port's. */
  binding: bindingFact,
  /** The fact's id is that of what departs. */
  departure: departureFact,
} as const;

export type FactKind = keyof typeof factSchemas;
export type FactBody<K extends FactKind> = z.output<(typeof factSchemas)[K]>;

export type NetworkFact = FactBody<'network'>;
export type SubnetFact = FactBody<'subnet'>;
export type RouterFact = FactBody<'router'>;
export type RouterInterfaceFact = FactBody<'router-interface'>;
export type PortFact = FactBody<'port'>;
export type ServerFact = FactBody<'server'>;
export type BindingFact = FactBody<'binding'>;

/** A typed change of one fact. */
export type FactChange =
  | {
      [K in FactKind]: { readonly op: 'upsert'; readonly kind: K; readonly id: string; readonly body: FactBody<K> };
    }[FactKind]
  | { readonly op: 'delete'; readonly kind: FactKind; readonly id: string };

/** The same change, for one place (a site at the Top, a host at a Bottom). */
export type PlacedChange = FactChange & { readonly place: string };
