import {
  cidrsOverlap,
  type Cidr,
  type Decider,
  type Ip,
  type Mac,
  type NetworkId,
  type PortId,
  type ProjectId,
  type SubnetId,
  unreachable,
} from '@weir/kernel';
import {
  difference,
  IdInUse,
  InvalidInput,
  isEmpty,
  MAX_DNS_NAMESERVERS,
  MAX_MTU,
  MAX_ROUTES,
  MIN_MTU,
  refuseIpv6,
  refuseLongText,
  refuseMore,
  refuseOutside,
} from '../bounds';
import type { Changes, SubnetRequest } from '../commands';
import type { NetworkEvent, NetworkFields, Segment, SegmentType, SubnetFields } from '../events/index';
import { SEGMENT_KEYS } from '../scarce/pick';
import { hasReservedServer, judgeCidr, serverIpOf, subnetAddressing } from './addressing';
import {
  IpAddressGenerationFailure,
  NetworkBeingDeleted,
  NetworkInUse,
  NetworkNotFound,
  SegmentTypeNotAllowed,
  SubnetBeingDeleted,
  SubnetInUse,
  SubnetNotFound,
  SubnetOverlap,
} from './errors';

type NetworkCreated = Extract<NetworkEvent, { type: 'NetworkCreated' }>['data'];
type SubnetAdded = Extract<NetworkEvent, { type: 'SubnetAdded' }>['data'];

/** Closed things take nothing new. `closings` tells one closing from the next, so that nobody deletes by an older one's count. */
interface Closable {
  readonly closing: boolean;
  readonly closings: number;
}

export interface Subnet extends Omit<SubnetAdded, 'subnetId'>, Closable {}

export interface ExistingNetwork extends NetworkCreated, Closable {
  readonly exists: true;
  readonly subnets: ReadonlyMap<SubnetId, Subnet>;
}

export type NetworkState = { readonly exists: false } | ExistingNetwork;

type Of = { readonly networkId: NetworkId };
type OfSubnet = Of & { readonly subnetId: SubnetId };

export type NetworkCommand =
  | ({ readonly type: 'CreateNetwork'; readonly allowedSegmentTypes: readonly SegmentType[] } & Of & NetworkCreated)
  /** As a site knew it, of whatever type. */
  | ({ readonly type: 'AdoptNetwork' } & Of & NetworkCreated)
  | ({ readonly type: 'AdoptSubnet' } & Of & SubnetAdded)
  | ({ readonly type: 'UpdateNetwork'; readonly changes: Changes<NetworkFields> } & Of)
  | ({ readonly type: 'CloseNetwork' } & Of)
  | ({ readonly type: 'ReopenNetwork'; readonly closing: number } & Of)
  | ({ readonly type: 'DeleteNetwork'; readonly closing: number; readonly portsLeft: readonly PortId[] } & Of)
  | ({
      readonly type: 'AddSubnet';
      readonly projectId: ProjectId;
      readonly cidr: Cidr;
      readonly serverMac: Mac;
    } & SubnetRequest &
      OfSubnet)
  /** `serverIpCandidate`: for a DHCP server that the change leaves without an address. */
  | ({
      readonly type: 'UpdateSubnet';
      readonly changes: Changes<SubnetRequest>;
      readonly serverIpCandidate: Ip | undefined;
    } & OfSubnet)
  | ({ readonly type: 'CloseSubnet' } & OfSubnet)
  | ({ readonly type: 'ReopenSubnet'; readonly closing: number } & OfSubnet)
  | ({ readonly type: 'RemoveSubnet'; readonly closing: number; readonly portsLeft: readonly PortId[] } & OfSubnet);

export const network: Decider<NetworkState, NetworkCommand, NetworkEvent> = {
  initial: { exists: false },

  decide(command, state) {
    if (command.type === 'CreateNetwork') {
      if (state.exists) throw new IdInUse(command.networkId);
      return [{ type: 'NetworkCreated', data: checkedNetwork(command, command.allowedSegmentTypes) }];
    }
    if (command.type === 'AdoptNetwork') {
      if (state.exists) throw new IdInUse(command.networkId);
      return [{ type: 'NetworkAdopted', data: checkedNetwork(command, [command.segment.type]) }];
    }
    const id = command.networkId;
    const current = existingNetwork(state, id);
    switch (command.type) {
      case 'UpdateNetwork': {
        openNetwork(state, id);
        checkFields(command.changes);
        const changed = difference<NetworkFields>(current, command.changes);
        return isEmpty(changed) ? [] : [{ type: 'NetworkUpdated', data: changed }];
      }
      case 'CloseNetwork':
        return current.closing ? [] : [{ type: 'NetworkClosing', data: {} }];
      case 'ReopenNetwork':
        return isClosing(current, command.closing) ? [{ type: 'NetworkReopened', data: {} }] : [];
      case 'DeleteNetwork':
        if (!isClosing(current, command.closing) || command.portsLeft.length > 0)
          throw new NetworkInUse(id, command.portsLeft);
        return [
          ...[...current.subnets.keys()].map((subnetId) => ({ type: 'SubnetRemoved' as const, data: { subnetId } })),
          { type: 'NetworkDeleted', data: {} },
        ];
      case 'AddSubnet': {
        openNetwork(state, id);
        if (current.subnets.has(command.subnetId)) throw new IdInUse(command.subnetId);
        judgeCidr(command.cidr);
        for (const other of current.subnets.values()) {
          if (cidrsOverlap(command.cidr, other.cidr)) throw new SubnetOverlap(command.cidr, id, other.cidr);
        }
        return [{ type: 'SubnetAdded', data: newSubnet(command) }];
      }
      case 'AdoptSubnet': {
        if (current.subnets.has(command.subnetId)) throw new IdInUse(command.subnetId);
        for (const other of current.subnets.values()) {
          if (cidrsOverlap(command.cidr, other.cidr)) throw new SubnetOverlap(command.cidr, id, other.cidr);
        }
        return [{ type: 'SubnetAdopted', data: adoptedSubnet(command) }];
      }
      case 'UpdateSubnet': {
        openNetwork(state, id);
        const subnet = openSubnet(current, command.subnetId);
        const changed = difference<SubnetFields>(subnet, changedSubnet(command, subnet));
        return isEmpty(changed) ? [] : [{ type: 'SubnetUpdated', data: { ...changed, subnetId: command.subnetId } }];
      }
      case 'CloseSubnet':
        return existingSubnet(current, command.subnetId).closing
          ? []
          : [{ type: 'SubnetClosing', data: { subnetId: command.subnetId } }];
      case 'ReopenSubnet':
        return isClosing(existingSubnet(current, command.subnetId), command.closing)
          ? [{ type: 'SubnetReopened', data: { subnetId: command.subnetId } }]
          : [];
      case 'RemoveSubnet': {
        const subnet = existingSubnet(current, command.subnetId);
        if (!isClosing(subnet, command.closing) || command.portsLeft.length > 0)
          throw new SubnetInUse(command.subnetId, command.portsLeft);
        return [{ type: 'SubnetRemoved', data: { subnetId: command.subnetId } }];
      }
      default:
        return unreachable(command);
    }
  },

  evolve(state, event) {
    if (event.type === 'NetworkCreated' || event.type === 'NetworkAdopted')
      return { exists: true, ...event.data, closing: false, closings: 0, subnets: new Map() };
    if (!state.exists) return state;
    switch (event.type) {
      case 'NetworkUpdated':
        return { ...state, ...event.data };
      case 'NetworkClosing':
        return { ...state, closing: true, closings: state.closings + 1 };
      case 'NetworkReopened':
        return { ...state, closing: false };
      case 'NetworkDeleted':
        return { exists: false };
      case 'SubnetAdded':
      case 'SubnetAdopted': {
        const { subnetId, ...subnet } = event.data;
        return withSubnet(state, subnetId, { ...subnet, closing: false, closings: 0 });
      }
      case 'SubnetUpdated': {
        const { subnetId, ...changes } = event.data;
        return changeSubnet(state, subnetId, (subnet) => ({ ...subnet, ...changes }));
      }
      case 'SubnetClosing':
        return changeSubnet(state, event.data.subnetId, (subnet) => ({
          ...subnet,
          closing: true,
          closings: subnet.closings + 1,
        }));
      case 'SubnetReopened':
        return changeSubnet(state, event.data.subnetId, (subnet) => ({ ...subnet, closing: false }));
      case 'SubnetRemoved': {
        const subnets = new Map(state.subnets);
        subnets.delete(event.data.subnetId);
        return { ...state, subnets };
      }
      default:
        return state;
    }
  },
};

export function existingNetwork(state: NetworkState, id: NetworkId): ExistingNetwork {
  if (!state.exists) throw new NetworkNotFound(id);
  return state;
}

/** A network that takes new subnets and ports. */
export function openNetwork(state: NetworkState, id: NetworkId): ExistingNetwork {
  const current = existingNetwork(state, id);
  if (current.closing) throw new NetworkBeingDeleted(id);
  return current;
}

export function existingSubnet(state: ExistingNetwork, id: SubnetId): Subnet {
  const subnet = state.subnets.get(id);
  if (!subnet) throw new SubnetNotFound(id);
  return subnet;
}

/** A subnet that gives new addresses. */
export function openSubnet(state: ExistingNetwork, id: SubnetId): Subnet {
  const subnet = existingSubnet(state, id);
  if (subnet.closing) throw new SubnetBeingDeleted(id);
  return subnet;
}

function isClosing(thing: Closable, closing: number): boolean {
  return thing.closing && thing.closings === closing;
}

function withSubnet(state: ExistingNetwork, id: SubnetId, subnet: Subnet): ExistingNetwork {
  return { ...state, subnets: new Map(state.subnets).set(id, subnet) };
}

function changeSubnet(state: ExistingNetwork, id: SubnetId, change: (subnet: Subnet) => Subnet): ExistingNetwork {
  const subnet = state.subnets.get(id);
  return subnet ? withSubnet(state, id, change(subnet)) : state;
}

function checkedNetwork(network: NetworkCreated, allowed: readonly SegmentType[]): NetworkCreated {
  const { name, description, adminStateUp, portSecurityEnabled, mtu, projectId, segment, availabilityZoneHints } =
    network;
  checkFields(network);
  if (!allowed.includes(segment.type)) throw new SegmentTypeNotAllowed(segment.type, allowed);
  checkSegment(segment);
  return {
    name,
    description,
    adminStateUp,
    portSecurityEnabled,
    mtu,
    projectId,
    segment: { type: segment.type, key: segment.key },
    availabilityZoneHints,
  };
}

function checkFields(fields: Changes<NetworkFields>): void {
  refuseLongText(fields);
  refuseOutside('mtu', fields.mtu, MIN_MTU, MAX_MTU);
}

function checkSegment({ type, key }: Segment): void {
  if (type === 'mac') {
    if (key !== 0) throw new InvalidInput('segmentation_id', `networks of type 'mac' have none`);
    return;
  }
  refuseOutside('segmentation_id', key, SEGMENT_KEYS[type].first, SEGMENT_KEYS[type].last);
}

function newSubnet(command: Extract<NetworkCommand, { type: 'AddSubnet' }>): SubnetAdded {
  const { subnetId, projectId, cidr, name, description, enableDhcp, dnsNameservers, hostRoutes, serverMac } = command;
  checkSubnet(command);
  const { gatewayIp, allocationPools } = subnetAddressing(cidr, command);
  const serverIp = serverIpOf({ gatewayIp, enableDhcp, cidr }, () => {
    // Nobody else can want an address of a subnet that is only being made, so it need not be drawn.
    const [first] = allocationPools;
    if (!first) throw new IpAddressGenerationFailure(command.networkId);
    return first.start;
  });
  return {
    subnetId,
    projectId,
    cidr,
    name,
    description,
    gatewayIp,
    allocationPools,
    enableDhcp,
    dnsNameservers,
    hostRoutes,
    serverIp,
    serverMac,
  };
}

function adoptedSubnet(subnet: SubnetAdded): SubnetAdded {
  const { subnetId, projectId, cidr, name, description, gatewayIp, allocationPools } = subnet;
  const { enableDhcp, dnsNameservers, hostRoutes, serverIp, serverMac } = subnet;
  return {
    ...{ subnetId, projectId, cidr, name, description, gatewayIp, allocationPools },
    ...{ enableDhcp, dnsNameservers, hostRoutes, serverIp, serverMac },
  };
}

function changedSubnet(
  command: Extract<NetworkCommand, { type: 'UpdateSubnet' }>,
  subnet: Subnet,
): Changes<SubnetFields> {
  const { changes } = command;
  checkSubnet(changes);
  const { gatewayIp, allocationPools } = subnetAddressing(subnet.cidr, {
    gatewayIp: changes.gatewayIp === undefined ? subnet.gatewayIp : changes.gatewayIp,
    allocationPools: changes.allocationPools ?? subnet.allocationPools,
  });
  const enableDhcp = changes.enableDhcp ?? subnet.enableDhcp;
  const serverIp = serverIpOf({ gatewayIp, enableDhcp, cidr: subnet.cidr }, () => {
    if (hasReservedServer(subnet)) return subnet.serverIp;
    if (command.serverIpCandidate === undefined) throw new IpAddressGenerationFailure(command.networkId);
    return command.serverIpCandidate;
  });
  return { ...changes, gatewayIp, allocationPools, enableDhcp, serverIp };
}

function checkSubnet(fields: Changes<SubnetRequest>): void {
  refuseLongText(fields);
  refuseMore('dns_nameservers', fields.dnsNameservers, MAX_DNS_NAMESERVERS);
  refuseIpv6(fields.dnsNameservers ?? []);
  refuseMore('host_routes', fields.hostRoutes, MAX_ROUTES);
  refuseIpv6((fields.hostRoutes ?? []).flatMap(({ destination, nexthop }) => [destination, nexthop]));
}
