import type { DomainEvent, DomainEventType } from '@weir/domain';
import { LogicalNetwork } from './logical-network';
import { type SpanChange } from './span';
import { factSchemas } from './facts';

type DataOf<T extends DomainEventType> = Extract<DomainEvent, { type: T }>['data'];

const uuid = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}` as never;
const NET = uuid(1);
const SUBNET = uuid(2);
const ROUTER = uuid(3);
const PORT = uuid(4);
const SERVER = uuid(5);
const SITE = uuid(6);
const LINK = uuid(7);

function on<T extends DomainEventType>(stream: string, type: T, data: DataOf<T>) {
  return { stream, type, data };
}

const networkCreated = on(`network-${NET as string}`, 'NetworkCreated', {
  name: 'blue',
  description: '',
  adminStateUp: true,
  portSecurityEnabled: true,
  mtu: 1450,
  projectId: uuid(8),
  segment: { type: 'vxlan', key: 10_000 },
  availabilityZoneHints: [],
});
const subnetAdded = on(`network-${NET as string}`, 'SubnetAdded', {
  subnetId: SUBNET,
  projectId: uuid(8),
  name: 'blue-v4',
  description: '',
  cidr: '10.1.1.0/24' as never,
  gatewayIp: '10.1.1.1' as never,
  allocationPools: [],
  enableDhcp: true,
  dnsNameservers: [],
  hostRoutes: [],
  serverIp: '10.1.1.1' as never,
  serverMac: 'fa:16:3e:00:00:01' as never,
});
const routerCreated = on(`router-${ROUTER as string}`, 'RouterCreated', {
  name: 'r1',
  description: '',
  adminStateUp: true,
  routes: [],
  projectId: uuid(8),
  distributed: true,
  availabilityZoneHints: [],
});
const interfaceAdded = on(`router-${ROUTER as string}`, 'RouterInterfaceAdded', {
  portId: LINK,
  networkId: NET,
  subnetId: SUBNET,
  cidr: '10.1.1.0/24' as never,
  ip: '10.1.1.1' as never,
  mac: 'fa:16:3e:00:00:01' as never,
});
const portOf = (deviceOwner: string, deviceId: string) =>
  on(`port-${PORT as string}`, 'PortCreated', {
    name: 'p',
    description: '',
    adminStateUp: true,
    portSecurityEnabled: true,
    fixedIps: [{ subnetId: SUBNET, ip: '10.1.1.5' as never }],
    deviceId,
    deviceOwner,
    projectId: uuid(8),
    networkId: NET,
    mac: 'fa:16:3e:00:00:05' as never,
  });
const serversPort = portOf('compute:paris:a', SERVER);
const serverRequested = on(`server-${SERVER as string}`, 'ServerRequested', {
  projectId: uuid(8),
  userId: uuid(9),
  name: 'web',
  flavor: { id: '1', name: 'weir.tiny', vcpus: 1, ramMb: 128, diskGb: 1 },
  imageId: 'weir-instance',
  siteId: SITE,
  zone: 'a',
  availabilityZone: 'paris:a',
  ports: [{ portId: PORT, networkId: NET, own: true }],
  metadata: {},
});
const onPort = <T extends DomainEventType>(type: T, data: DataOf<T>) => on(`port-${PORT as string}`, type, data);
const onServer = <T extends DomainEventType>(type: T, data: DataOf<T>) => on(`server-${SERVER as string}`, type, data);
const failed = (capacityFreed: boolean) =>
  onServer('ServerFailed', { fault: { host: 'paris', message: 'too big' }, capacityFreed });

/** What the last event changed, after the others. */
function last(...events: readonly { stream: string; type: string; data: unknown }[]): SpanChange[] {
  const logical = new LogicalNetwork();
  let changes: SpanChange[] = [];
  for (const event of events) changes = logical.apply(event);
  return changes;
}
const brief = (changes: readonly SpanChange[]) =>
  changes.map((change) => ('kind' in change ? `${change.op} ${change.kind}` : change.op));

describe('the logical network', () => {
  it('makes a fact of each thing, as its schema says', () => {
    const logical = new LogicalNetwork();
    const bound = onPort('PortBound', { siteId: SITE, host: 'paris-1', endpoint: '198.51.100.11' as never });
    const events = [networkCreated, subnetAdded, routerCreated, interfaceAdded, serverRequested, serversPort, bound];
    const facts = events.flatMap((event) => logical.apply(event));
    expect(brief(facts)).toEqual([
      'upsert network',
      'upsert subnet',
      'upsert router',
      'upsert router-interface',
      'upsert server',
      'place',
      'upsert port',
      'upsert binding',
    ]);
    for (const fact of facts) {
      if (fact.op === 'upsert') expect(factSchemas[fact.kind].strict().parse(fact.body)).toEqual(fact.body);
    }
    expect(facts).toContainEqual({ op: 'place', server: SERVER, place: SITE });
  });

  it.each([
    ['a port without a device', portOf('', '')],
    ['a DHCP port', portOf('network:dhcp', '')],
    ['a router’s port', portOf('network:router_interface', ROUTER)],
  ])('has no fact for %s', (_, event) => {
    expect(last(networkCreated, event)).toEqual([]);
  });

  it('publishes a port when it becomes a server’s, and takes it back when it is no longer', () => {
    const attach = onPort('PortUpdated', { deviceId: SERVER, deviceOwner: 'compute:paris:a' });
    expect(brief(last(portOf('', ''), attach))).toEqual(['upsert port']);
    const detach = onPort('PortUpdated', { deviceId: '', deviceOwner: '' });
    expect(brief(last(portOf('', ''), attach, detach))).toEqual(['delete port']);
  });

  it('changes only what an update names, and says nothing of what no place needs to know', () => {
    const renamed = on(`network-${NET as string}`, 'NetworkUpdated', { name: 'green' });
    expect(last(networkCreated, renamed)).toMatchObject([{ body: { name: 'green', mtu: 1450 } }]);
    const described = on(`network-${NET as string}`, 'NetworkUpdated', { description: 'x' });
    expect(last(networkCreated, described)).toEqual([]);
    const noGateway = on(`network-${NET as string}`, 'SubnetUpdated', { subnetId: SUBNET, gatewayIp: null });
    expect(last(subnetAdded, noGateway)).toMatchObject([{ body: { gatewayIp: null, enableDhcp: true } }]);
    const routes = [{ destination: '10.9.0.0/16' as never, nexthop: '10.1.1.9' as never }];
    expect(last(routerCreated, on(`router-${ROUTER as string}`, 'RouterUpdated', { routes }))).toMatchObject([
      { body: { routes, name: 'r1' } },
    ]);
  });

  it('takes the server back when it is deleting, its place and port when it is deleted', () => {
    const deleting = onServer('ServerDeleting', {});
    expect(brief(last(serverRequested, serversPort, deleting))).toEqual(['delete server', 'upsert departure']);
    expect(brief(last(serverRequested, serversPort, deleting, onServer('ServerDeleted', {})))).toEqual([
      'delete departure',
      'unplace',
    ]);
    expect(brief(last(serverRequested, serversPort, deleting, onPort('PortDeleted', {})))).toEqual(['delete port']);
    expect(brief(last(serverRequested, onServer('ServerDeleted', {})))).toEqual(['delete server', 'unplace']);
  });

  it('takes a port that is deleted alone off its server', () => {
    const changes = last(serverRequested, serversPort, onPort('PortDeleting', {}));
    expect(brief(changes)).toEqual(['delete port', 'upsert server', 'upsert departure']);
    expect(changes[1]).toMatchObject({ body: { ports: [] } });
    expect(changes[2]).toMatchObject({ id: PORT, body: { of: 'port', server: SERVER } });
    expect(last(serverRequested, serversPort, onPort('PortDeleting', {}), onPort('PortDeleted', {}))).toEqual([
      { op: 'delete', kind: 'departure', id: PORT },
    ]);
  });

  it('keeps a failed server, unless no host could ever hold it', () => {
    expect(last(serverRequested, failed(false))).toEqual([]);
    expect(brief(last(serverRequested, failed(true)))).toEqual(['delete server']);
    expect(last(serverRequested, onServer('ServerDeleting', {}), failed(true))).toEqual([]);
  });

  it('takes a binding back with its port', () => {
    const bound = onPort('PortBound', { siteId: SITE, host: 'paris-1', endpoint: '198.51.100.11' as never });
    expect(brief(last(serversPort, bound, onPort('PortDeleted', {})))).toEqual(['delete binding', 'delete port']);
  });

  it('forgets what was part of a deleted network or router', () => {
    expect(brief(last(networkCreated, subnetAdded, on(`network-${NET as string}`, 'NetworkDeleted', {})))).toEqual([
      'delete subnet',
      'delete network',
    ]);
    expect(brief(last(routerCreated, interfaceAdded, on(`router-${ROUTER as string}`, 'RouterDeleted', {})))).toEqual([
      'delete router-interface',
      'delete router',
    ]);
  });

  it('passes over events of other things and updates of what it never saw', () => {
    expect(last({ stream: 'x-1', type: 'SomethingLater', data: {} })).toEqual([]);
    expect(last(on(`network-${NET as string}`, 'NetworkUpdated', { name: 'x' }))).toEqual([]);
    expect(last(onServer('ServerUpdated', { name: 'x' }))).toEqual([]);
  });
});
