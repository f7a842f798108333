import type { NetworkId, PortId, ServerId } from '@weir/kernel';
import { at } from '../at';
import { InvalidInput } from '../bounds';
import type {
  CreateServer,
  DeleteServer,
  OfServer,
  ReportServerActive,
  ReportServerFailed,
  ServerPortRequest,
  UpdateServer,
} from '../commands';
import { resolveAddresses } from '../network/resolve';
import { openNetwork } from '../network/network';
import { makePort, removePort, takeMac } from '../port/allocation';
import { computeOwner, livePort } from '../port/port';
import { NoValidZone } from '../site/errors';
import { usableSite } from '../site/site';
import { fresh, open, openAll, type Opened, type Transaction } from '../transaction';
import { existingServer, type ServerCommand, type ServerState } from './server';

type OpenedServer = Opened<ServerState, ServerCommand>;
type ServerPort = { readonly portId: PortId; readonly networkId: NetworkId; readonly own: boolean };

/** The server, its new ports with their addresses, and its capacity: one append or none. */
export function* createServer(input: CreateServer): Transaction<void> {
  const { serverId, siteId, zone, flavor } = input;
  const site = yield* open(at.site(siteId));
  if (!usableSite(site.state, siteId).availabilityZones.includes(zone)) throw new NoValidZone(input.availabilityZone);
  const server = yield* open(fresh(at.server(serverId)));
  const capacity = yield* open(at.capacity(siteId, zone));
  capacity.do({ type: 'TakeCapacity', server: serverId, resources: flavor });
  const ports: ServerPort[] = [];
  for (const request of input.ports) {
    if (ports.some(({ portId }) => portId === request.portId))
      throw new InvalidInput('networks', `port ${request.portId} is given twice`);
    ports.push(request.kind === 'new' ? yield* addPort(input, request) : yield* attachPort(input, request.portId));
  }
  server.do({ type: 'RequestServer', ...input, ports });
}

function* addPort(
  { serverId, projectId, availabilityZone }: CreateServer,
  { portId, networkId, fixedIps, mac }: Extract<ServerPortRequest, { kind: 'new' }>,
): Transaction<ServerPort> {
  const network = yield* open(at.network(networkId));
  const current = openNetwork(network.state, networkId);
  const addresses = resolveAddresses(networkId, current, fixedIps);
  yield* takeMac(networkId, mac, portId);
  yield* makePort({
    portId,
    networkId,
    projectId,
    name: '',
    description: '',
    adminStateUp: true,
    portSecurityEnabled: current.portSecurityEnabled,
    fixedIps: addresses,
    mac: mac.mac,
    deviceId: serverId,
    deviceOwner: computeOwner(availabilityZone),
  });
  return { portId, networkId, own: true };
}

function* attachPort({ serverId, availabilityZone }: CreateServer, portId: PortId): Transaction<ServerPort> {
  const port = yield* open(at.port(portId));
  const { networkId } = livePort(port.state, portId);
  port.do({ type: 'AttachPort', portId, deviceId: serverId, deviceOwner: computeOwner(availabilityZone) });
  return { portId, networkId, own: false };
}

export function* updateServer(input: UpdateServer): Transaction<void> {
  const server = yield* open(at.server(input.serverId));
  server.do({ type: 'UpdateServer', ...input });
}

/** Idempotent; a server that is gone, or going, stays as it is. */
export function* reportServerActive(input: ReportServerActive): Transaction<void> {
  const server = yield* open(at.server(input.serverId));
  server.do({ type: 'ReportActive', ...input });
}

/** Idempotent; a server that is gone, or going, stays as it is. */
export function* reportServerFailed(input: ReportServerFailed): Transaction<void> {
  const server = yield* open(at.server(input.serverId));
  const before = server.state;
  server.do({ type: 'ReportFailed', ...input });
  if (before.exists && before.holdsCapacity && server.state.exists && !server.state.holdsCapacity)
    yield* freeCapacity(input.serverId, before);
}

/** `deleted: false`: its site is told first; completeServerDeletion follows when the server was seen gone. Idempotent until then. */
export function* deleteServer(input: DeleteServer): Transaction<{ readonly deleted: boolean }> {
  const server = yield* open(at.server(input.serverId));
  if (input.neverPublished) {
    yield* removeServer(input.serverId, server);
    return { deleted: true };
  }
  server.do({ type: 'DeleteServer', serverId: input.serverId });
  return { deleted: false };
}

/** Its site saw it gone. Idempotent; a server that nobody deletes stays. */
export function* completeServerDeletion(input: OfServer): Transaction<void> {
  const server = yield* open(at.server(input.serverId));
  if (server.state.exists && server.state.deleting) yield* removeServer(input.serverId, server);
}

function* removeServer(serverId: ServerId, server: OpenedServer): Transaction<void> {
  const before = existingServer(server.state, serverId);
  server.do({ type: 'RemoveServer', serverId });
  const ports = yield* openAll(before.ports.map(({ portId }) => at.port(portId)));
  for (const [index, { portId, own }] of before.ports.entries()) {
    const port = ports[index];
    if (!port?.state.exists) continue;
    if (own || port.state.deleting) yield* removePort(portId, port);
    else port.do({ type: 'DetachPort', portId, deviceId: serverId });
  }
  if (before.holdsCapacity) yield* freeCapacity(serverId, before);
}

function* freeCapacity(
  serverId: ServerId,
  { siteId, zone, flavor }: ReturnType<typeof existingServer>,
): Transaction<void> {
  const capacity = yield* open(at.capacity(siteId, zone));
  capacity.do({ type: 'FreeCapacity', server: serverId, resources: flavor });
}
