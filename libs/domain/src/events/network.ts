import { z } from 'zod';
import {
  amount,
  changed,
  cidr,
  count,
  event,
  type EventOf,
  type FieldsOf,
  hostRoute,
  id,
  ip,
  mac,
  type ValueOf,
} from './fields';

const segment = z.strictObject({
  type: z.enum(['vxlan', 'geneve', 'gre', 'vlan', 'mac']).describe('What keeps it apart; `mac` is membership by MAC.'),
  key: amount.describe('The VNI, GRE key or VLAN id; 0 for `mac`, which has none.'),
});
/** Where a network's packets are kept apart on the wire; `mac` has no key. */
export type Segment = ValueOf<typeof segment>;
export type SegmentType = Segment['type'];

export type HostRoute = ValueOf<typeof hostRoute>;

const allocationPool = z.strictObject({
  start: ip.describe('The first address.'),
  end: ip.describe('The last address.'),
});
export type AllocationPool = ValueOf<typeof allocationPool>;

const networkFields = {
  name: z.string().describe('As its user named it; any number of networks may have it.'),
  description: z.string().describe('As its user wrote it.'),
  adminStateUp: z.boolean().describe('Whether it is to carry traffic.'),
  portSecurityEnabled: z.boolean().describe('What its new ports begin with.'),
  mtu: count.describe("Bytes of an IP packet: the underlay's less the tunnel's header, the least of its sites."),
};
export type NetworkFields = FieldsOf<typeof networkFields>;

const subnetFields = {
  name: z.string().describe('As its user named it.'),
  description: z.string().describe('As its user wrote it.'),
  gatewayIp: ip.nullable().describe('The address of the router; null: there is none.'),
  allocationPools: z.array(allocationPool).describe('What addresses are picked from.'),
  enableDhcp: z.boolean().describe('Whether its ports are answered by DHCP.'),
  dnsNameservers: z.array(ip).describe('Told by DHCP, in this order.'),
  hostRoutes: z.array(hostRoute).describe('Told by DHCP, besides the default route.'),
  serverIp: ip.describe(
    "The DHCP server's address: the gateway's, or one reserved by a port of owner `network:dhcp`; with neither, the network address.",
  ),
};
export type SubnetFields = FieldsOf<typeof subnetFields>;

const subnetId = id('subnet').describe('Which subnet of the network.');

const wholeNetwork = {
  projectId: id('project').describe('Whose it is.'),
  ...networkFields,
  segment: segment.describe('What keeps its packets apart on the wire.'),
  availabilityZoneHints: z.array(z.string()).describe('Zones that bound where it spans; empty: anywhere.'),
};

const wholeSubnet = {
  subnetId,
  projectId: id('project').describe('Whose it is.'),
  cidr: cidr.describe('Its addresses; IPv4.'),
  ...subnetFields,
  serverMac: mac.describe("One MAC for the subnet's life, which DHCP server and router interface both use."),
};

export const networkEvents = {
  NetworkCreated: event(1, 'A user creates a network; its segment is taken in the same append.', wholeNetwork),
  NetworkAdopted: event(
    1,
    'An operator adopts a network that only a site knew, after the log was restored from an older copy; its segment is taken in the same append. What no site is told is as by default: no description, up, port security on, no hints.',
    wholeNetwork,
  ),
  NetworkUpdated: event(1, 'A user updates it.', changed(networkFields)),
  NetworkClosing: event(
    1,
    'A user deletes it: from here it takes no subnet and no port, and what is left is counted.',
    {},
  ),
  NetworkReopened: event(1, 'Ports were left, so its deletion was refused.', {}),
  NetworkDeleted: event(
    1,
    "No port was left but those of DHCP servers. In the same append: `SubnetRemoved` for each subnet, the segment and the subnets' MACs freed, the DHCP servers' ports deleted.",
    {},
  ),
  SubnetAdded: event(1, 'A user creates a subnet, which takes its `serverMac` in the same append.', wholeSubnet),
  SubnetAdopted: event(
    1,
    "An operator adopts a subnet that only a site knew; its `serverMac` is taken in the same append. What no site is told is as by default: the network's project, no description, the pools that a subnet has when none are given.",
    wholeSubnet,
  ),
  SubnetUpdated: event(1, 'A user updates it.', { subnetId, ...changed(subnetFields) }),
  SubnetClosing: event(
    1,
    'A user deletes it: from here it takes no port, and those with an address in it are counted.',
    {
      subnetId,
    },
  ),
  SubnetReopened: event(1, 'Ports with an address in it were left, so its deletion was refused.', { subnetId }),
  SubnetRemoved: event(
    1,
    'No port with an address in it was left but that of its DHCP server, or its network is deleted.',
    {
      subnetId,
    },
  ),
} as const;

/** Stream `network-<id>`, with its subnets. */
export type NetworkEvent = EventOf<typeof networkEvents>;
