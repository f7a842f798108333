import type { NetworkId, PortId, SubnetId } from '@weir/kernel';
import { at } from '../at';
import type {
  AddSubnet,
  CreateNetwork,
  DeleteNetwork,
  OfNetwork,
  OfSubnet,
  RemoveSubnet,
  UpdateNetwork,
  UpdateSubnet,
} from '../commands';
import { DHCP_OWNER } from '../port/port';
import { makePort, removePort, takeMac } from '../port/allocation';
import { CandidateTaken } from '../scarce/errors';
import { streams } from '../streams';
import { fresh, open, type Opened, type Transaction } from '../transaction';
import { hasReservedServer } from './addressing';
import { GatewayIpInUse, IpAddressAlreadyAllocated, TunnelIdInUse, VlanIdInUse } from './errors';
import {
  existingNetwork,
  existingSubnet,
  type NetworkCommand,
  type NetworkState,
  openSubnet,
  type Subnet,
} from './network';

type OpenedNetwork = Opened<NetworkState, NetworkCommand>;

export function* createNetwork(input: CreateNetwork): Transaction<void> {
  const network = yield* open(fresh(at.network(input.networkId)));
  network.do({ type: 'CreateNetwork', ...input });
  const { type, key, picked } = input.segment;
  if (type === 'mac') return;
  const segment = yield* open(at.segment({ type, key }));
  if (segment.state.held) {
    if (picked) throw new CandidateTaken(streams.segment({ type, key }));
    throw type === 'vlan' ? new VlanIdInUse(key) : new TunnelIdInUse(key);
  }
  segment.do({ type: 'Take', by: input.networkId });
}

export function* updateNetwork(input: UpdateNetwork): Transaction<void> {
  const network = yield* open(at.network(input.networkId));
  network.do({ type: 'UpdateNetwork', ...input });
}

/** Idempotent; then count the ports, then deleteNetwork or reopenNetwork with the same `closing`. */
export function* closeNetwork(input: OfNetwork): Transaction<{ readonly closing: number }> {
  const network = yield* open(at.network(input.networkId));
  network.do({ type: 'CloseNetwork', networkId: input.networkId });
  return { closing: existingNetwork(network.state, input.networkId).closings };
}

/** Changes nothing when that closing is over. */
export function* reopenNetwork(input: OfNetwork & { readonly closing: number }): Transaction<void> {
  const network = yield* open(at.network(input.networkId));
  network.do({ type: 'ReopenNetwork', ...input });
}

/** With its subnets, its segment and what its DHCP servers hold. NetworkInUse when ports are left, or when the closing is no longer in force. */
export function* deleteNetwork(input: DeleteNetwork): Transaction<void> {
  const network = yield* open(at.network(input.networkId));
  const { subnets, segment } = existingNetwork(network.state, input.networkId);
  network.do({ type: 'DeleteNetwork', ...input });
  for (const [subnetId, subnet] of subnets) yield* releaseSubnet(input.networkId, subnetId, subnet);
  if (segment.type === 'mac') return;
  const taken = yield* open(at.segment(segment));
  taken.do({ type: 'Free', by: input.networkId });
}

/** Takes the MAC of its gateway and DHCP server, and makes the DHCP server's port where the subnet has no gateway. */
export function* addSubnet(input: AddSubnet): Transaction<void> {
  const network = yield* open(at.network(input.networkId));
  network.do({ type: 'AddSubnet', ...input });
  yield* takeMac(input.networkId, { mac: input.serverMac, picked: true }, input.subnetId);
  const subnet = subnetOf(network, input);
  if (hasReservedServer(subnet)) yield* makeDhcpPort(input, subnet, input.dhcpPortId);
}

/** A gateway that a router interface uses cannot be changed. */
export function* updateSubnet(input: UpdateSubnet): Transaction<void> {
  const network = yield* open(at.network(input.networkId));
  const before = openSubnet(existingNetwork(network.state, input.networkId), input.subnetId);
  network.do({ type: 'UpdateSubnet', ...input, serverIpCandidate: input.dhcpPort.ip });
  const after = subnetOf(network, input);

  const gatewayMoved = before.gatewayIp !== after.gatewayIp;
  if (gatewayMoved && before.gatewayIp !== null) {
    const old = yield* open(at.address(input.subnetId, before.gatewayIp));
    if (old.state.held) throw new GatewayIpInUse(before.gatewayIp, old.state.by);
  }
  if (hasReservedServer(before) && !hasReservedServer(after)) yield* removeDhcpPort(input.subnetId, before);
  if (gatewayMoved && after.gatewayIp !== null) {
    const next = yield* open(at.address(input.subnetId, after.gatewayIp));
    if (next.state.held) throw new IpAddressAlreadyAllocated(after.gatewayIp, input.subnetId);
  }
  if (hasReservedServer(after) && !hasReservedServer(before)) yield* makeDhcpPort(input, after, input.dhcpPort.portId);
}

/** Idempotent; then count the ports, then removeSubnet or reopenSubnet with the same `closing`. */
export function* closeSubnet(input: OfSubnet): Transaction<{ readonly closing: number }> {
  const network = yield* open(at.network(input.networkId));
  network.do({ type: 'CloseSubnet', ...input });
  return { closing: subnetOf(network, input).closings };
}

/** Changes nothing when that closing is over. */
export function* reopenSubnet(input: OfSubnet & { readonly closing: number }): Transaction<void> {
  const network = yield* open(at.network(input.networkId));
  network.do({ type: 'ReopenSubnet', ...input });
}

/** SubnetInUse when ports are left, or when the closing is no longer in force. */
export function* removeSubnet(input: RemoveSubnet): Transaction<void> {
  const network = yield* open(at.network(input.networkId));
  const subnet = subnetOf(network, input);
  network.do({ type: 'RemoveSubnet', ...input });
  yield* releaseSubnet(input.networkId, input.subnetId, subnet);
}

function subnetOf(network: OpenedNetwork, of: OfSubnet): Subnet {
  return existingSubnet(existingNetwork(network.state, of.networkId), of.subnetId);
}

function* releaseSubnet(networkId: NetworkId, subnetId: SubnetId, subnet: Subnet): Transaction<void> {
  if (hasReservedServer(subnet)) yield* removeDhcpPort(subnetId, subnet);
  const mac = yield* open(at.mac(networkId, subnet.serverMac));
  mac.do({ type: 'Free', by: subnetId });
}

function* makeDhcpPort(of: OfSubnet, subnet: Subnet, portId: PortId): Transaction<void> {
  yield* makePort({
    portId,
    networkId: of.networkId,
    projectId: subnet.projectId,
    name: '',
    description: '',
    adminStateUp: true,
    portSecurityEnabled: false,
    fixedIps: [{ subnetId: of.subnetId, ip: subnet.serverIp, picked: true }],
    mac: subnet.serverMac,
    deviceId: of.subnetId,
    deviceOwner: DHCP_OWNER,
  });
}

/** The address's own stream knows whose port it is. */
function* removeDhcpPort(subnetId: SubnetId, subnet: Subnet): Transaction<void> {
  const address = yield* open(at.address(subnetId, subnet.serverIp));
  if (!address.state.held) return;
  const portId = address.state.by as PortId;
  yield* removePort(portId, yield* open(at.port(portId)));
}
