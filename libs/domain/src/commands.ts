import type {
  Cidr,
  Ip,
  Mac,
  NetworkId,
  PortId,
  ProjectId,
  RouterId,
  ServerId,
  SiteId,
  SubnetId,
  UserId,
} from '@weir/kernel';
import type {
  AllocationPool,
  FixedIp,
  Flavor,
  HostRoute,
  NetworkFields,
  Resources,
  RouterFields,
  Segment,
  SegmentType,
  SiteDriverName,
} from './events/index';

/**
 * What each command takes. Ids, time and picks are chosen at the edge. `picked: true` marks a candidate of ours: where it is
 * taken the command throws CandidateTaken (pick again); what a user named fails with the error of its API instead.
 */

/** Fields to change; a field left out, or undefined, stays as it is. */
export type Changes<Fields> = { readonly [Name in keyof Fields]?: Fields[Name] | undefined };

/** `subnetId` may be left out only where the user named an address alone. */
export interface AddressChoice {
  readonly subnetId?: SubnetId | undefined;
  readonly ip: Ip;
  readonly picked: boolean;
}
export interface MacChoice {
  readonly mac: Mac;
  readonly picked: boolean;
}

export interface AddSite {
  readonly siteId: SiteId;
  readonly name: string;
  readonly dataCenter: string;
  readonly availabilityZones: readonly string[];
  readonly driver: SiteDriverName;
  readonly tunnel: { readonly type: 'vxlan' | 'geneve' | 'gre'; readonly mtu: number };
  readonly joinTokenHash: string;
}
export interface JoinSite {
  readonly siteId: SiteId;
  readonly tokenHash: string;
  readonly keyHash: string;
}
export interface OfSite {
  readonly siteId: SiteId;
}
export interface MarkSiteUnreachable {
  readonly siteId: SiteId;
  /** RFC 3339. */
  readonly since: string;
}
export interface ChangeCapacity {
  readonly siteId: SiteId;
  /** The zone's name inside its site. */
  readonly zone: string;
  readonly totals: Resources;
}
export interface RaiseGeneration {
  /** Raised only if this is the present one (0: none yet), so that of two callers one wins. */
  readonly from: number;
}

/** What a site, or the Top's own record of what it published, has shown. */
export interface FindDivergence {
  readonly siteId: SiteId | null;
  readonly generation: number;
  readonly position: number;
  readonly digest: string;
}
export interface SettleDivergence {
  readonly siteId: SiteId;
  readonly by: 'adopt' | 'discard';
}
export interface DiscardedFact {
  readonly kind: string;
  readonly id: string;
}
export interface LiftQuarantine {
  readonly discarded: readonly { readonly siteId: SiteId; readonly facts: readonly DiscardedFact[] }[];
}

/** What only a site knows, as it was told of it. One append: a large site's are several. */
export interface AdoptResources {
  readonly siteId: SiteId;
  /** The operator, since nobody below knows who asked. */
  readonly userId: UserId;
  readonly networks: readonly AdoptedNetwork[];
  readonly subnets: readonly AdoptedSubnet[];
  readonly routers: readonly AdoptedRouter[];
  readonly interfaces: readonly AdoptedInterface[];
  readonly servers: readonly AdoptedServer[];
}
export interface AdoptedNetwork {
  readonly networkId: NetworkId;
  readonly projectId: ProjectId;
  readonly name: string;
  readonly mtu: number;
  readonly segment: Segment;
}
export interface AdoptedSubnet {
  readonly networkId: NetworkId;
  readonly subnetId: SubnetId;
  readonly name: string;
  readonly cidr: Cidr;
  readonly gatewayIp: Ip | null;
  readonly enableDhcp: boolean;
  readonly dnsNameservers: readonly Ip[];
  readonly hostRoutes: readonly HostRoute[];
  readonly serverIp: Ip;
  readonly serverMac: Mac;
  /** New: for its DHCP server's port, where it needs one. */
  readonly dhcpPortId: PortId;
}
export interface AdoptedRouter {
  readonly routerId: RouterId;
  readonly projectId: ProjectId;
  readonly name: string;
  readonly adminStateUp: boolean;
  readonly routes: readonly HostRoute[];
}
export interface AdoptedInterface {
  readonly routerId: RouterId;
  readonly portId: PortId;
  readonly networkId: NetworkId;
  readonly subnetId: SubnetId;
  readonly ip: Ip;
  readonly mac: Mac;
}
export interface AdoptedPort {
  readonly portId: PortId;
  /** The log has heard of it: if it is not there, it was deleted. */
  readonly isKnown: boolean;
  /** Where it is. */
  readonly binding: { readonly host: string; readonly endpoint: Ip } | null;
  readonly networkId: NetworkId;
  readonly projectId: ProjectId;
  readonly name: string;
  readonly mac: Mac;
  readonly fixedIps: readonly FixedIp[];
  readonly adminStateUp: boolean;
  readonly portSecurityEnabled: boolean;
}
export interface AdoptedServer {
  readonly serverId: ServerId;
  readonly projectId: ProjectId;
  readonly name: string;
  /** The zone's name inside its site. */
  readonly zone: string;
  readonly flavor: Flavor;
  readonly imageId: string;
  /** In order: eth0, eth1, … */
  readonly ports: readonly AdoptedPort[];
}

export interface CreateNetwork extends NetworkFields {
  readonly networkId: NetworkId;
  readonly projectId: ProjectId;
  /** `mac` has key 0. */
  readonly segment: Segment & { readonly picked: boolean };
  readonly allowedSegmentTypes: readonly SegmentType[];
  readonly availabilityZoneHints: readonly string[];
}
export interface UpdateNetwork {
  readonly networkId: NetworkId;
  readonly changes: Changes<NetworkFields>;
}
export interface OfNetwork {
  readonly networkId: NetworkId;
}
export interface DeleteNetwork {
  readonly networkId: NetworkId;
  /** From closeNetwork: which closing the ports were counted at. */
  readonly closing: number;
  /** Ids of ports in it at or after the closing, those of owner `network:dhcp` left out. */
  readonly portsLeft: readonly PortId[];
}

export interface SubnetRequest {
  readonly name: string;
  readonly description: string;
  /** Left out: the first address. null: none. */
  readonly gatewayIp?: Ip | null | undefined;
  /** Left out: all but network, broadcast and gateway address. */
  readonly allocationPools?: readonly AllocationPool[] | undefined;
  readonly enableDhcp: boolean;
  readonly dnsNameservers: readonly Ip[];
  readonly hostRoutes: readonly HostRoute[];
}
export interface AddSubnet extends SubnetRequest {
  readonly networkId: NetworkId;
  readonly subnetId: SubnetId;
  readonly projectId: ProjectId;
  readonly cidr: Cidr;
  /** A candidate; for the subnet's life. */
  readonly serverMac: Mac;
  /** Used if the subnet needs a reserved address for its DHCP server (no gateway). */
  readonly dhcpPortId: PortId;
}
export interface UpdateSubnet {
  readonly networkId: NetworkId;
  readonly subnetId: SubnetId;
  readonly changes: Changes<SubnetRequest>;
  /** Used if the change leaves DHCP on without a gateway, and no address is reserved yet. */
  readonly dhcpPort: { readonly portId: PortId; readonly ip: Ip | undefined };
}
export interface OfSubnet {
  readonly networkId: NetworkId;
  readonly subnetId: SubnetId;
}
export interface RemoveSubnet extends OfSubnet {
  readonly closing: number;
  /** Ids of ports with an address in it at or after the closing, those of owner `network:dhcp` left out. */
  readonly portsLeft: readonly PortId[];
}

export interface CreateRouter extends RouterFields {
  readonly routerId: RouterId;
  readonly projectId: ProjectId;
  readonly distributed: boolean;
  readonly availabilityZoneHints: readonly string[];
}
export interface UpdateRouter {
  readonly routerId: RouterId;
  readonly changes: Changes<RouterFields>;
}
export interface OfRouter {
  readonly routerId: RouterId;
}
export interface AddRouterInterface {
  readonly routerId: RouterId;
  /** A subnet (its port is made with the given new id), or an existing port. */
  readonly target:
    | { readonly by: 'subnet'; readonly networkId: NetworkId; readonly subnetId: SubnetId; readonly newPortId: PortId }
    | { readonly by: 'port'; readonly portId: PortId };
}
export interface RemoveRouterInterface {
  readonly routerId: RouterId;
  /** At least one of both; with both, they must name the same interface. */
  readonly subnetId?: SubnetId | undefined;
  readonly portId?: PortId | undefined;
}
export interface RouterInterfaceResult {
  readonly portId: PortId;
  readonly networkId: NetworkId;
  readonly subnetId: SubnetId;
}

export interface CreatePort {
  readonly portId: PortId;
  readonly projectId: ProjectId;
  readonly networkId: NetworkId;
  readonly name: string;
  readonly description: string;
  readonly adminStateUp: boolean;
  /** Left out: as the network says. */
  readonly portSecurityEnabled?: boolean | undefined;
  readonly fixedIps: readonly AddressChoice[];
  readonly mac: MacChoice;
  readonly deviceId: string;
  readonly deviceOwner: string;
}
export interface UpdatePort {
  readonly portId: PortId;
  readonly changes: Changes<{
    readonly name: string;
    readonly description: string;
    readonly adminStateUp: boolean;
    readonly portSecurityEnabled: boolean;
    readonly fixedIps: readonly AddressChoice[];
    readonly deviceId: string;
    readonly deviceOwner: string;
  }>;
}
export interface BindPort {
  readonly portId: PortId;
  readonly siteId: SiteId;
  readonly host: string;
  readonly endpoint: Ip;
}
export interface OfPort {
  readonly portId: PortId;
}

export type ServerPortRequest =
  | {
      readonly kind: 'new';
      readonly portId: PortId;
      readonly networkId: NetworkId;
      readonly fixedIps: readonly AddressChoice[];
      readonly mac: MacChoice;
    }
  | { readonly kind: 'existing'; readonly portId: PortId };
export interface CreateServer {
  readonly serverId: ServerId;
  readonly projectId: ProjectId;
  readonly userId: UserId;
  readonly name: string;
  readonly flavor: Flavor;
  readonly imageId: string;
  readonly siteId: SiteId;
  /** The zone's name inside its site, and `<data center>:<zone>`. */
  readonly zone: string;
  readonly availabilityZone: string;
  /** In order: eth0, eth1, … */
  readonly ports: readonly ServerPortRequest[];
  readonly metadata: Readonly<Record<string, string>>;
}
export interface UpdateServer {
  readonly serverId: ServerId;
  readonly changes: Changes<{ readonly name: string; readonly metadata: Readonly<Record<string, string>> }>;
}
export interface ReportServerActive {
  readonly serverId: ServerId;
  readonly host: string;
}
export interface ReportServerFailed {
  readonly serverId: ServerId;
  readonly fault: { readonly host: string; readonly message: string };
  /** Nothing could ever hold it: its capacity is given back at once. */
  readonly freeCapacity: boolean;
}
export interface DeleteServer {
  readonly serverId: ServerId;
  /** No Bottom ever got it: it is gone at once. */
  readonly neverPublished: boolean;
}
export interface OfServer {
  readonly serverId: ServerId;
}
