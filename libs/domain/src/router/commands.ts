import type { NetworkId, PortId, RouterId, SubnetId } from '@weir/kernel';
import { at } from '../at';
import type {
  AddRouterInterface,
  CreateRouter,
  OfRouter,
  RemoveRouterInterface,
  RouterInterfaceResult,
  UpdateRouter,
} from '../commands';
import { existingSubnet, openNetwork, openSubnet } from '../network/network';
import { PortInUse } from '../port/errors';
import { livePort, ROUTER_INTERFACE_OWNER } from '../port/port';
import { makePort, removePort } from '../port/allocation';
import { fresh, open, type Opened, type Transaction } from '../transaction';
import { BadRequest, RouterInterfaceNotFound, RouterInterfaceNotFoundForSubnet, SubnetMismatchForPort } from './errors';
import { type ExistingRouter, existingRouter, interfaceOn, type RouterCommand, type RouterState } from './router';

type OpenedRouter = Opened<RouterState, RouterCommand>;

export function* createRouter(input: CreateRouter): Transaction<void> {
  const opened = yield* open(fresh(at.router(input.routerId)));
  opened.do({ type: 'CreateRouter', ...input });
}

export function* updateRouter(input: UpdateRouter): Transaction<void> {
  const opened = yield* open(at.router(input.routerId));
  opened.do({ type: 'UpdateRouter', ...input });
}

/** RouterInUse while it has interfaces. */
export function* deleteRouter(input: OfRouter): Transaction<void> {
  const opened = yield* open(at.router(input.routerId));
  opened.do({ type: 'DeleteRouter', routerId: input.routerId });
}

/** By subnet: a port with the gateway's address and the subnet's own MAC is made. By port: that port becomes the interface. */
export function* addRouterInterface(input: AddRouterInterface): Transaction<RouterInterfaceResult> {
  const opened = yield* open(at.router(input.routerId));
  existingRouter(opened.state, input.routerId);
  const { target } = input;
  return target.by === 'subnet'
    ? yield* addBySubnet(opened, input.routerId, target.networkId, target.subnetId, target.newPortId)
    : yield* addByPort(opened, input.routerId, target.portId);
}

function* addBySubnet(
  opened: OpenedRouter,
  routerId: RouterId,
  networkId: NetworkId,
  subnetId: SubnetId,
  portId: PortId,
): Transaction<RouterInterfaceResult> {
  const network = yield* open(at.network(networkId));
  const subnet = openSubnet(openNetwork(network.state, networkId), subnetId);
  const { gatewayIp, cidr, serverMac } = subnet;
  if (gatewayIp === null) throw new BadRequest('Subnet for router interface must have a gateway IP');
  opened.do({ type: 'AddInterface', routerId, portId, networkId, subnetId, cidr, ip: gatewayIp, mac: serverMac });
  yield* makePort({
    portId,
    networkId,
    projectId: existingRouter(opened.state, routerId).projectId,
    name: '',
    description: '',
    adminStateUp: true,
    portSecurityEnabled: false,
    fixedIps: [{ subnetId, ip: gatewayIp, picked: false }],
    mac: serverMac,
    deviceId: routerId,
    deviceOwner: ROUTER_INTERFACE_OWNER,
  });
  return { portId, networkId, subnetId };
}

function* addByPort(opened: OpenedRouter, routerId: RouterId, portId: PortId): Transaction<RouterInterfaceResult> {
  const port = yield* open(at.port(portId));
  const { networkId, fixedIps, mac, deviceId } = livePort(port.state, portId);
  if (deviceId !== '') throw new PortInUse(portId, networkId, deviceId);
  const [fixedIp, ...more] = fixedIps;
  if (!fixedIp) throw new BadRequest('Router port must have at least one fixed IP');
  if (more.length > 0) throw new BadRequest('Cannot have multiple IPv4 subnets on router port');
  const { subnetId, ip } = fixedIp;
  const network = yield* open(at.network(networkId));
  const { cidr } = existingSubnet(openNetwork(network.state, networkId), subnetId);
  opened.do({ type: 'AddInterface', routerId, portId, networkId, subnetId, cidr, ip, mac });
  port.do({ type: 'AttachPort', portId, deviceId: routerId, deviceOwner: ROUTER_INTERFACE_OWNER });
  return { portId, networkId, subnetId };
}

/** The interface's port goes with it, and its address is free at once. */
export function* removeRouterInterface(input: RemoveRouterInterface): Transaction<RouterInterfaceResult> {
  const { routerId } = input;
  const opened = yield* open(at.router(routerId));
  const [portId, { networkId, subnetId }] = interfaceNamed(existingRouter(opened.state, routerId), input);
  opened.do({ type: 'RemoveInterface', routerId, portId });
  yield* removePort(portId, yield* open(at.port(portId)));
  return { portId, networkId, subnetId };
}

function interfaceNamed(of: ExistingRouter, { routerId, portId, subnetId }: RemoveRouterInterface) {
  const id = portId ?? (subnetId === undefined ? undefined : interfaceOn(of, subnetId));
  if (id === undefined) {
    if (subnetId === undefined) throw new BadRequest('Either subnet_id or port_id must be specified');
    throw new RouterInterfaceNotFoundForSubnet(routerId, subnetId);
  }
  const found = of.interfaces.get(id);
  if (!found) throw new RouterInterfaceNotFound(routerId, id);
  if (subnetId !== undefined && found.subnetId !== subnetId) throw new SubnetMismatchForPort(id, subnetId);
  return [id, found] as const;
}
