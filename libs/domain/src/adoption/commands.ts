import { type NetworkId, type PortId, WeirError } from '@weir/kernel';
import { at } from '../at';
import type {
  AdoptedInterface,
  AdoptedNetwork,
  AdoptedPort,
  AdoptedRouter,
  AdoptedServer,
  AdoptedSubnet,
  AdoptResources,
} from '../commands';
import { hasReservedServer, subnetAddressing } from '../network/addressing';
import { TunnelIdInUse, VlanIdInUse } from '../network/errors';
import { existingNetwork, existingSubnet, type Subnet } from '../network/network';
import { makePort, takeAddresses, takeMac } from '../port/allocation';
import { computeOwner, DHCP_OWNER, livePort, ROUTER_INTERFACE_OWNER } from '../port/port';
import { existingRouter } from '../router/router';
import { NoValidZone } from '../site/errors';
import { existingSite, type ExistingSite } from '../site/site';
import { open, type Transaction } from '../transaction';
import { type AdoptionConflict, AdoptionConflicts } from './errors';

/**
 * Takes what only a site knows into the log, as it is there: with its addresses, MACs, segments and capacity. What the log knows already stays
 * as it is. AdoptionConflicts names everything that cannot be taken, and then nothing is.
 */
export function* adoptResources(input: AdoptResources): Transaction<void> {
  const opened = yield* open(at.site(input.siteId));
  const site = existingSite(opened.state, input.siteId);
  const conflicts = [
    ...(yield* each('network', input.networks, (network) => network.networkId, adoptNetwork)),
    ...(yield* each('subnet', input.subnets, (subnet) => subnet.subnetId, adoptSubnet)),
    ...(yield* each('router', input.routers, (router) => router.routerId, adoptRouter)),
    ...(yield* each('router-interface', input.interfaces, (link) => link.portId, adoptInterface)),
    ...(yield* each(
      'server',
      input.servers,
      (server) => server.serverId,
      (server) => adoptServer(input, site, server),
    )),
  ];
  if (conflicts.length > 0) throw new AdoptionConflicts(conflicts);
}

/** Goes on behind what cannot be taken, so that all of it is told. */
function* each<T>(
  kind: string,
  items: readonly T[],
  idOf: (item: T) => string,
  adopt: (item: T) => Transaction<void>,
): Transaction<readonly AdoptionConflict[]> {
  const conflicts: AdoptionConflict[] = [];
  for (const item of items) {
    try {
      yield* adopt(item);
    } catch (error) {
      if (!(error instanceof WeirError)) throw error;
      conflicts.push({ kind, id: idOf(item), message: error.message });
    }
  }
  return conflicts;
}

function* adoptNetwork(input: AdoptedNetwork): Transaction<void> {
  const network = yield* open(at.network(input.networkId));
  if (network.state.exists) return;
  network.do({
    type: 'AdoptNetwork',
    ...input,
    description: '',
    adminStateUp: true,
    portSecurityEnabled: true,
    availabilityZoneHints: [],
  });
  const { type, key } = input.segment;
  if (type === 'mac') return;
  const segment = yield* open(at.segment({ type, key }));
  if (segment.state.held) throw type === 'vlan' ? new VlanIdInUse(key) : new TunnelIdInUse(key);
  segment.do({ type: 'Take', by: input.networkId });
}

function* adoptSubnet({ dhcpPortId, ...input }: AdoptedSubnet): Transaction<void> {
  const { networkId, subnetId, serverMac, serverIp } = input;
  const network = yield* open(at.network(networkId));
  const { projectId, subnets } = existingNetwork(network.state, networkId);
  if (subnets.has(subnetId)) return;
  const { allocationPools } = subnetAddressing(input.cidr, input);
  network.do({ type: 'AdoptSubnet', ...input, projectId, description: '', allocationPools });
  yield* takeMac(networkId, { mac: serverMac, picked: false }, subnetId);
  if (!hasReservedServer(input)) return;
  yield* makePort({
    portId: dhcpPortId,
    networkId,
    projectId,
    name: '',
    description: '',
    adminStateUp: true,
    portSecurityEnabled: false,
    fixedIps: [{ subnetId, ip: serverIp, picked: false }],
    mac: serverMac,
    deviceId: subnetId,
    deviceOwner: DHCP_OWNER,
  });
}

function* adoptRouter(input: AdoptedRouter): Transaction<void> {
  const router = yield* open(at.router(input.routerId));
  if (router.state.exists) return;
  router.do({ type: 'AdoptRouter', ...input, description: '', distributed: true, availabilityZoneHints: [] });
}

function* adoptInterface(input: AdoptedInterface): Transaction<void> {
  const { routerId, portId, networkId, subnetId, ip, mac } = input;
  const router = yield* open(at.router(routerId));
  const { projectId, interfaces } = existingRouter(router.state, routerId);
  if (interfaces.has(portId)) return;
  const { cidr, serverMac } = yield* subnetOf(networkId, input);
  router.do({ type: 'AdoptInterface', ...input, cidr });
  const device = { deviceId: routerId, deviceOwner: ROUTER_INTERFACE_OWNER };
  if (yield* attachKnown(portId, device)) return;
  const port = { networkId, projectId, name: '', mac, fixedIps: [{ subnetId, ip }], adminStateUp: true };
  yield* adoptPort(portId, { ...port, portSecurityEnabled: false }, device, mac !== serverMac);
}

function* adoptServer({ siteId, userId }: AdoptResources, site: ExistingSite, input: AdoptedServer): Transaction<void> {
  const { serverId, zone, flavor, ports: wanted, ...fields } = input;
  const server = yield* open(at.server(serverId));
  if (server.state.exists) return;
  const availabilityZone = `${site.dataCenter}:${zone}`;
  if (!site.availabilityZones.includes(zone)) throw new NoValidZone(availabilityZone);
  const capacity = yield* open(at.capacity(siteId, zone));
  capacity.do({ type: 'AdoptCapacity', server: serverId, resources: flavor });
  const device = { deviceId: serverId, deviceOwner: computeOwner(availabilityZone) };
  const ports = [];
  for (const { portId, isKnown, binding, ...port } of wanted) {
    const own = !(yield* attachKnown(portId, device));
    // The log knows that it was deleted: it goes below, too.
    if (own && isKnown) continue;
    if (own) yield* adoptPort(portId, port, device, true);
    const opened = yield* open(at.port(portId));
    if (binding) opened.do({ type: 'BindPort', portId, siteId, ...binding });
    ports.push({ portId, networkId: port.networkId, own });
  }
  server.do({
    type: 'AdoptServer',
    ...fields,
    serverId,
    userId,
    siteId,
    zone,
    availabilityZone,
    flavor,
    ports,
    metadata: {},
  });
}

interface Device {
  readonly deviceId: string;
  readonly deviceOwner: string;
}

/** A port that the log has, and no device yet. */
function* attachKnown(portId: PortId, device: Device): Transaction<boolean> {
  const port = yield* open(at.port(portId));
  if (!port.state.exists) return false;
  livePort(port.state, portId);
  port.do({ type: 'AttachPort', portId, ...device });
  return true;
}

function* adoptPort(
  portId: PortId,
  input: Omit<AdoptedPort, 'portId' | 'isKnown' | 'binding'>,
  device: Device,
  hasOwnMac: boolean,
): Transaction<void> {
  const { networkId, mac, fixedIps } = input;
  for (const fixedIp of fixedIps) yield* subnetOf(networkId, fixedIp);
  const port = yield* open(at.port(portId));
  port.do({ type: 'AdoptPort', portId, ...input, ...device, description: '' });
  if (hasOwnMac) yield* takeMac(networkId, { mac, picked: false }, portId);
  yield* takeAddresses(
    portId,
    fixedIps.map((fixedIp) => ({ ...fixedIp, picked: false })),
  );
}

function* subnetOf(networkId: NetworkId, { subnetId }: Pick<AdoptedSubnet, 'subnetId'>): Transaction<Subnet> {
  const network = yield* open(at.network(networkId));
  return existingSubnet(existingNetwork(network.state, networkId), subnetId);
}
