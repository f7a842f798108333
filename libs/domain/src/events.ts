import type { Cidr, Ip, Mac, NetworkId, PortId, ProjectId, ServerId, SiteId, SubnetId, UserId } from '@weir/kernel';

/**
 * Every event of the log: names, streams and fields are for ever (docs/events.md). A new shape is a new name, or a higher schema version with an upcaster.
 * Time, actor and project stand in the envelope's metadata.
 */

interface EventOf<Type extends string, Data> {
  readonly type: Type;
  readonly data: Data;
}

/** Where a network's packets are kept apart on the wire; `mac` has no key. */
export type SegmentType = 'vxlan' | 'geneve' | 'gre' | 'vlan' | 'mac';
export interface Segment {
  readonly type: SegmentType;
  readonly key: number;
}

export interface Resources {
  readonly vcpus: number;
  readonly ramMb: number;
  readonly diskGb: number;
}

export interface HostRoute {
  readonly destination: Cidr;
  readonly nexthop: Ip;
}

export interface AllocationPool {
  readonly start: Ip;
  readonly end: Ip;
}

export interface FixedIp {
  readonly subnetId: SubnetId;
  readonly ip: Ip;
}

export type SiteDriverName = 'ovs' | 'openstack' | 'simulated';

/** Stream `site-<id>`. */
export type SiteEvent =
  | EventOf<
      'SiteAdded',
      {
        readonly name: string;
        readonly dataCenter: string;
        readonly availabilityZones: readonly string[];
        readonly driver: SiteDriverName;
        readonly tunnel: { readonly type: 'vxlan' | 'geneve' | 'gre'; readonly mtu: number };
        /** SHA-256, hex; the token itself (32 random bytes) is shown once and kept nowhere. */
        readonly joinTokenHash: string;
      }
    >
  /** A Bottom registered its own key (SHA-256, hex). Again, with the same key, before the first `facts`: no event. */
  | EventOf<'SiteJoined', { readonly keyHash: string }>
  /** Its first `facts`: the join token is used up. */
  | EventOf<'SiteJoinTokenUsed', Record<string, never>>
  /** It has taken over everything once and reported its capacity. */
  | EventOf<'SiteActivated', Record<string, never>>
  | EventOf<'SiteUnreachable', { readonly since: string }>
  | EventOf<'SiteReachable', Record<string, never>>
  /** Names its zones, so that a view knows from this event alone what goes. */
  | EventOf<'SiteRemoved', { readonly availabilityZones: readonly string[] }>;

/** Streams `capacity-<site>-<zone>`: what a zone has in all, and who took of it. */
export type CapacityEvent =
  | EventOf<'CapacityChanged', Resources>
  | EventOf<'CapacityTaken', Resources & { readonly server: ServerId }>
  | EventOf<'CapacityFreed', Resources & { readonly server: ServerId }>;

/**
 * Streams of scarce things: `address-<subnet>-<ip>`, `mac-<network>-<mac>`, `segment-<type>-<key>`, `site-name-<name>`, `zone-<data center>:<zone>`.
 * `by` is the id of whoever holds it.
 */
export type ScarceEvent = EventOf<'Taken', { readonly by: string }> | EventOf<'Freed', Record<string, never>>;

export interface SubnetFields {
  readonly name: string;
  readonly description: string;
  readonly gatewayIp: Ip | null;
  readonly allocationPools: readonly AllocationPool[];
  readonly enableDhcp: boolean;
  readonly dnsNameservers: readonly Ip[];
  readonly hostRoutes: readonly HostRoute[];
  /** The DHCP server's address: the gateway's, or one reserved by a port of owner `network:dhcp`. */
  readonly serverIp: Ip;
}

export interface NetworkFields {
  readonly name: string;
  readonly description: string;
  readonly adminStateUp: boolean;
  readonly portSecurityEnabled: boolean;
  /** Bytes of IP packet: the underlay's less the tunnel's header, the least of its sites. */
  readonly mtu: number;
}

/** Stream `network-<id>`, with its subnets. */
export type NetworkEvent =
  | EventOf<
      'NetworkCreated',
      NetworkFields & {
        readonly projectId: ProjectId;
        readonly segment: Segment;
        readonly availabilityZoneHints: readonly string[];
      }
    >
  /** Only the fields that changed. */
  | EventOf<'NetworkUpdated', Partial<NetworkFields>>
  /** From here no port or subnet can be added, until it is reopened or deleted. */
  | EventOf<'NetworkClosing', Record<string, never>>
  | EventOf<'NetworkReopened', Record<string, never>>
  | EventOf<'NetworkDeleted', Record<string, never>>
  | EventOf<
      'SubnetAdded',
      SubnetFields & {
        readonly subnetId: SubnetId;
        readonly projectId: ProjectId;
        readonly cidr: Cidr;
        /** One MAC for the subnet's life, which DHCP server and router interface both use. */
        readonly serverMac: Mac;
      }
    >
  | EventOf<'SubnetUpdated', Partial<SubnetFields> & { readonly subnetId: SubnetId }>
  | EventOf<'SubnetClosing', { readonly subnetId: SubnetId }>
  | EventOf<'SubnetReopened', { readonly subnetId: SubnetId }>
  | EventOf<'SubnetRemoved', { readonly subnetId: SubnetId }>;

export interface RouterFields {
  readonly name: string;
  readonly description: string;
  readonly adminStateUp: boolean;
  readonly routes: readonly HostRoute[];
}

/** Stream `router-<id>`, with its interfaces. */
export type RouterEvent =
  | EventOf<
      'RouterCreated',
      RouterFields & {
        readonly projectId: ProjectId;
        readonly distributed: boolean;
        readonly availabilityZoneHints: readonly string[];
      }
    >
  | EventOf<'RouterUpdated', Partial<RouterFields>>
  | EventOf<
      'RouterInterfaceAdded',
      {
        readonly portId: PortId;
        readonly networkId: NetworkId;
        readonly subnetId: SubnetId;
        readonly cidr: Cidr;
        readonly ip: Ip;
        readonly mac: Mac;
      }
    >
  | EventOf<
      'RouterInterfaceRemoved',
      { readonly portId: PortId; readonly networkId: NetworkId; readonly subnetId: SubnetId }
    >
  | EventOf<'RouterDeleted', Record<string, never>>;

export interface PortFields {
  readonly name: string;
  readonly description: string;
  readonly adminStateUp: boolean;
  readonly portSecurityEnabled: boolean;
  readonly fixedIps: readonly FixedIp[];
  /** A server's or router's id, or ''. */
  readonly deviceId: string;
  /** `compute:<zone>`, `network:router_interface`, `network:dhcp`, or ''. */
  readonly deviceOwner: string;
}

/** Stream `port-<id>`. */
export type PortEvent =
  | EventOf<
      'PortCreated',
      PortFields & { readonly projectId: ProjectId; readonly networkId: NetworkId; readonly mac: Mac }
    >
  | EventOf<'PortUpdated', Partial<PortFields>>
  /** A Bottom placed it; published to every other place in the span. */
  | EventOf<'PortBound', { readonly siteId: SiteId; readonly host: string; readonly endpoint: Ip }>
  /** Asked for, but a site may still answer for its address. */
  | EventOf<'PortDeleting', Record<string, never>>
  | EventOf<'PortDeleted', Record<string, never>>;

export interface Flavor extends Resources {
  readonly id: string;
  readonly name: string;
}

/** Stream `server-<id>`. */
export type ServerEvent =
  | EventOf<
      'ServerRequested',
      {
        readonly projectId: ProjectId;
        readonly userId: UserId;
        readonly name: string;
        readonly flavor: Flavor;
        readonly imageId: string;
        readonly siteId: SiteId;
        /** The zone's name inside its site, and `<data center>:<zone>` as users name it. */
        readonly zone: string;
        readonly availabilityZone: string;
        /** In order: eth0, eth1, …; `own`: made with the server, and goes with it. */
        readonly ports: readonly { readonly portId: PortId; readonly networkId: NetworkId; readonly own: boolean }[];
        readonly metadata: Readonly<Record<string, string>>;
      }
    >
  | EventOf<'ServerUpdated', { readonly name?: string; readonly metadata?: Readonly<Record<string, string>> }>
  | EventOf<'ServerActive', { readonly host: string }>
  /** `capacityFreed`: nothing could ever hold it, and the same append gave its capacity back. */
  | EventOf<
      'ServerFailed',
      { readonly fault: { readonly host: string; readonly message: string }; readonly capacityFreed: boolean }
    >
  /** Goes to its site as a tombstone; the server counts until it was seen gone. */
  | EventOf<'ServerDeleting', Record<string, never>>
  | EventOf<'ServerDeleted', Record<string, never>>;

/** Stream `publisher`: which life of this Top speaks to the sites. */
export type PublisherEvent = EventOf<'GenerationRaised', { readonly generation: number }>;

export type DomainEvent =
  SiteEvent | CapacityEvent | ScarceEvent | NetworkEvent | RouterEvent | PortEvent | ServerEvent | PublisherEvent;
export type DomainEventType = DomainEvent['type'];
