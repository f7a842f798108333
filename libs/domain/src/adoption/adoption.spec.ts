import { cidr, given, idOf, ip, Log, mac, on, sample, type Stretch } from '@weir/testing/domain';
import type { AdoptResources } from '../commands';
import { streams } from '../streams';
import { adoptResources } from './commands';
import { AdoptionConflicts } from './errors';

const { siteId, ...siteFields } = sample.addSite();
const [networkId, subnetId, routerId, serverId] = [idOf('network'), idOf('subnet'), idOf('router'), idOf('server')];
const [portId, gatewayPort, dhcpPortId] = [idOf('port'), idOf('port', 2), idOf('port', 3)];
const projectId = idOf('project');
const userId = idOf('user');
const serverMac = mac('fa:16:3e:00:00:01');
const portMac = mac('fa:16:3e:00:00:10');
const address = { subnetId, ip: ip('10.1.1.10') };
const flavor = { id: '1', name: 'weir.small', vcpus: 1, ramMb: 512, diskGb: 1 };

const network = { networkId, projectId, name: 'blue', mtu: 1450, segment: { type: 'vxlan', key: 10_000 } } as const;
const subnet = {
  networkId,
  subnetId,
  name: 'blue-4',
  cidr: cidr('10.1.1.0/24'),
  gatewayIp: ip('10.1.1.1'),
  enableDhcp: true,
  dnsNameservers: [],
  hostRoutes: [],
  serverIp: ip('10.1.1.1'),
  serverMac,
  dhcpPortId,
};
const router = { routerId, projectId, name: 'gate', adminStateUp: true, routes: [] };
const link = { routerId, portId: gatewayPort, networkId, subnetId, ip: ip('10.1.1.1'), mac: serverMac };
const port = {
  portId,
  isKnown: false,
  binding: { host: 'paris-1', endpoint: ip('198.51.100.11') },
  networkId,
  projectId,
  name: '',
  mac: portMac,
  fixedIps: [address],
  adminStateUp: true,
  portSecurityEnabled: true,
};
const server = { serverId, projectId, name: 'one', zone: 'a', flavor, imageId: 'weir-instance', ports: [port] };

const nothing: AdoptResources = { siteId, userId, networks: [], subnets: [], routers: [], interfaces: [], servers: [] };
const all = {
  ...nothing,
  networks: [network],
  subnets: [subnet],
  routers: [router],
  interfaces: [link],
  servers: [server],
};

const site = on(streams.site(siteId), { type: 'SiteAdded', data: siteFields });
const taken = (by: string) => ({ type: 'Taken', data: { by } }) as const;
const created = {
  type: 'NetworkAdopted',
  data: {
    projectId,
    name: 'blue',
    description: '',
    adminStateUp: true,
    portSecurityEnabled: true,
    mtu: 1450,
    segment: network.segment,
    availabilityZoneHints: [],
  },
} as const;
const told = without(subnet, 'dhcpPortId', 'networkId');
const added = {
  type: 'SubnetAdopted',
  data: { ...told, projectId, description: '', allocationPools: [{ start: ip('10.1.1.2'), end: ip('10.1.1.254') }] },
} as const;

function without<T extends object, K extends keyof T & string>(of: T, ...fields: readonly K[]): Omit<T, K> {
  return Object.fromEntries(Object.entries(of).filter(([field]) => !fields.includes(field as K))) as Omit<T, K>;
}

/** The streams that adopting writes, behind this history. */
function written(history: readonly Stretch[], input: AdoptResources): readonly string[] {
  const log = new Log();
  for (const { stream, events } of history) log.append(stream, ...events);
  return log.decide(adoptResources(input)).writes.map(({ stream }) => stream);
}

describe('adopting what only a site knows', () => {
  it('takes it into the log as it is there, with all that it holds', () => {
    const owner = { deviceId: serverId, deviceOwner: 'compute:paris:a' };
    const gateway = { deviceId: routerId, deviceOwner: 'network:router_interface' };
    const fields = without(port, 'isKnown', 'portId', 'binding');
    const interfaceFields = without(link, 'routerId');
    const routerFields = without(router, 'routerId');
    given(site)
      .when(adoptResources(all))
      .then(
        on(streams.network(networkId), created, added),
        on(streams.segment(network.segment), taken(networkId)),
        on(streams.mac(networkId, serverMac), taken(subnetId)),
        on(
          streams.router(routerId),
          {
            type: 'RouterAdopted',
            data: { ...routerFields, description: '', distributed: true, availabilityZoneHints: [] },
          },
          { type: 'RouterInterfaceAdopted', data: { ...interfaceFields, cidr: subnet.cidr } },
        ),
        on(streams.port(gatewayPort), {
          type: 'PortAdopted',
          data: {
            ...fields,
            mac: serverMac,
            fixedIps: [{ subnetId, ip: link.ip }],
            portSecurityEnabled: false,
            description: '',
            ...gateway,
          },
        }),
        on(streams.address(subnetId, link.ip), taken(gatewayPort)),
        on(streams.capacity(siteId, 'a'), {
          type: 'CapacityTaken',
          data: { server: serverId, vcpus: 1, ramMb: 512, diskGb: 1 },
        }),
        on(
          streams.port(portId),
          { type: 'PortAdopted', data: { ...fields, description: '', ...owner } },
          { type: 'PortBound', data: { siteId, host: 'paris-1', endpoint: ip('198.51.100.11') } },
        ),
        on(streams.mac(networkId, portMac), taken(portId)),
        on(streams.address(subnetId, address.ip), taken(portId)),
        on(streams.server(serverId), {
          type: 'ServerAdopted',
          data: {
            projectId,
            userId,
            name: 'one',
            flavor,
            imageId: 'weir-instance',
            siteId,
            zone: 'a',
            availabilityZone: 'paris:a',
            ports: [{ portId, networkId, own: true }],
            metadata: {},
          },
        }),
      );
  });

  it('again changes nothing, so that a site with many can be adopted in several appends', () => {
    given(site, on(streams.network(networkId), created, added))
      .when(adoptResources({ ...nothing, networks: [network], subnets: [subnet] }))
      .thenNothing();
  });

  it('reserves the address of a DHCP server without a gateway', () => {
    const alone = { ...subnet, gatewayIp: null, serverIp: ip('10.1.1.2') };
    expect(written([site, on(streams.network(networkId), created)], { ...nothing, subnets: [alone] })).toEqual([
      streams.network(networkId),
      streams.mac(networkId, serverMac),
      streams.port(dhcpPortId),
      streams.address(subnetId, alone.serverIp),
    ]);
  });

  it('names everything that the log has given away meanwhile, and takes nothing', () => {
    const other = idOf('port', 9);
    given(
      site,
      on(streams.network(networkId), created, added),
      on(streams.address(subnetId, address.ip), taken(other)),
      on(streams.segment({ type: 'vxlan', key: 10_001 }), taken(idOf('network', 9))),
    )
      .when(
        adoptResources({
          ...nothing,
          networks: [{ ...network, networkId: idOf('network', 2), segment: { type: 'vxlan', key: 10_001 } }],
          servers: [server],
        }),
      )
      .thenFails(AdoptionConflicts, /tunnel ID 10001 is in use.* server .*10\.1\.1\.10 already allocated/);
  });

  it('refuses a server in a zone, or a port on a subnet, that the log does not have', () => {
    given(site)
      .when(adoptResources({ ...nothing, servers: [{ ...server, zone: 'z', ports: [] }] }))
      .thenFails(AdoptionConflicts, 'paris:z');
    given(site)
      .when(adoptResources({ ...nothing, servers: [server] }))
      .thenFails(AdoptionConflicts, 'Network');
  });

  it('gives a server the port that the log has, and leaves out the one that the log knows to be deleted', () => {
    const { portId: existing } = port;
    const fields = without(port, 'isKnown', 'portId', 'binding');
    const kept = { type: 'PortCreated', data: { ...fields, description: '', deviceId: '', deviceOwner: '' } } as const;
    const gone = { ...port, portId: idOf('port', 5), isKnown: true };
    const history = [site, on(streams.network(networkId), created, added), on(streams.port(existing), kept)];
    expect(
      written(history, { ...nothing, servers: [{ ...server, ports: [{ ...port, isKnown: true }, gone] }] }),
    ).toEqual([streams.server(serverId), streams.capacity(siteId, 'a'), streams.port(existing)]);
  });
});
