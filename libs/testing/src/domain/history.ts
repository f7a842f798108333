import * as domain from '@weir/domain';
import { cidr, idOf, ip, mac, sample } from './builders';
import { Log } from './given';

/** A history in which every type of event happens, on every kind of stream, and of every kind of thing one is left. */
export function completeHistory(): Log {
  const log = new Log();
  log.run(domain.raiseGeneration({ from: 0 }));
  sites(log);
  networks(log);
  routersAndPorts(log);
  servers(log);
  quarantine(log);
  return log;
}

function sites(log: Log): void {
  const siteId = idOf('site');
  const { joinTokenHash } = sample.addSite();
  log.run(domain.addSite(sample.addSite()));
  log.run(domain.joinSite({ siteId, tokenHash: joinTokenHash, keyHash: 'cd'.repeat(32) }));
  log.run(domain.useJoinToken({ siteId }));
  log.run(domain.changeCapacity({ siteId, zone: 'a', totals: { vcpus: 8, ramMb: 16_384, diskGb: 100 } }));
  log.run(domain.activateSite({ siteId }));
  log.run(domain.markSiteUnreachable({ siteId, since: '2026-01-01T00:00:00.000Z' }));
  log.run(domain.markSiteReachable({ siteId }));
  const gone = sample.addSite({ siteId: idOf('site', 2), name: 'oslo', dataCenter: 'oslo', driver: 'simulated' });
  log.run(domain.addSite(gone));
  log.run(domain.removeSite({ siteId: gone.siteId }));
}

function quarantine(log: Log): void {
  const siteId = idOf('site');
  log.run(domain.findDivergence({ siteId, generation: 1, position: 900, digest: idOf('event') }));
  adopted(log);
  log.run(domain.settleDivergence({ siteId, by: 'adopt' }));
  const facts = [{ kind: 'server', id: idOf('server', 77) }];
  log.run(domain.liftQuarantine({ discarded: [{ siteId, facts }] }));
}

/** Of every kind of thing one that only the site knew. */
function adopted(log: Log): void {
  const [networkId, subnetId] = [idOf('network', 7), idOf('subnet', 7)];
  const [routerId, serverId] = [idOf('router', 7), idOf('server', 7)];
  const projectId = idOf('project');
  const segment = { type: 'vxlan', key: 10_007 } as const;
  const serverMac = mac('fa:16:3e:00:00:70');
  const subnet = { name: 'lost-4', cidr: cidr('10.7.1.0/24'), gatewayIp: ip('10.7.1.1'), serverIp: ip('10.7.1.1') };
  const dhcp = { enableDhcp: true, dnsNameservers: [], hostRoutes: [], serverMac, dhcpPortId: idOf('port', 0x7d) };
  const gateway = { portId: idOf('port', 0x71), ip: ip('10.7.1.1'), mac: serverMac };
  const port = { portId: idOf('port', 0x70), isKnown: false, binding: null, networkId, projectId, name: 'eth0' };
  const address = { mac: mac('fa:16:3e:00:00:71'), fixedIps: [{ subnetId, ip: ip('10.7.1.10') }] };
  const up = { adminStateUp: true, portSecurityEnabled: true };
  const flavor = { id: '1', name: 'weir.small', vcpus: 1, ramMb: 512, diskGb: 1 };
  log.run(
    domain.adoptResources({
      siteId: idOf('site'),
      userId: idOf('user'),
      networks: [{ networkId, projectId, name: 'lost', mtu: 1450, segment }],
      subnets: [{ networkId, subnetId, ...subnet, ...dhcp }],
      routers: [{ routerId, projectId, name: 'lost-gate', adminStateUp: true, routes: [] }],
      interfaces: [{ routerId, networkId, subnetId, ...gateway }],
      servers: [
        {
          serverId,
          projectId,
          name: 'lost-1',
          zone: 'a',
          flavor,
          imageId: idOf('image'),
          ports: [{ ...port, ...address, ...up }],
        },
      ],
    }),
  );
}

function networks(log: Log): void {
  const networkId = idOf('network');
  const subnetId = idOf('subnet');
  log.run(domain.createNetwork(sample.createNetwork({ availabilityZoneHints: ['paris:a'] })));
  const hostRoutes = [{ destination: cidr('192.0.2.0/24'), nexthop: ip('10.1.1.9') }];
  log.run(domain.addSubnet(sample.addSubnet({ dnsNameservers: [ip('9.9.9.9')], hostRoutes })));
  const dhcpPort = { portId: idOf('port', 0xd), ip: undefined };
  const changes = { name: 'blue-main', dnsNameservers: [], enableDhcp: true };
  log.run(domain.updateSubnet({ networkId, subnetId, changes, dhcpPort }));
  log.run(domain.updateNetwork({ networkId, changes: { name: 'azure', mtu: 1400 } }));

  const served = { networkId: idOf('network', 2), subnetId: idOf('subnet', 2) };
  const segment = { type: 'vlan', key: 100, picked: false } as const;
  log.run(domain.createNetwork(sample.createNetwork({ ...served, segment, allowedSegmentTypes: ['vlan'] })));
  const byPort = { ...served, gatewayIp: null, serverMac: mac('fa:16:3e:00:00:02'), dhcpPortId: idOf('port', 0xe) };
  log.run(domain.addSubnet(sample.addSubnet(byPort)));
  const brief = { networkId: served.networkId, subnetId: idOf('subnet', 3) };
  const elsewhere = { cidr: cidr('10.1.2.0/24'), serverMac: mac('fa:16:3e:00:00:03') };
  log.run(domain.addSubnet(sample.addSubnet({ ...brief, ...elsewhere })));
  const refused = log.run(domain.closeSubnet(brief));
  log.run(domain.reopenSubnet({ ...brief, closing: refused.closing }));
  const { closing } = log.run(domain.closeSubnet(brief));
  log.run(domain.removeSubnet({ ...brief, closing, portsLeft: [] }));
  const kept = log.run(domain.closeNetwork(served));
  log.run(domain.reopenNetwork({ ...served, closing: kept.closing }));
  const left = log.run(domain.closeNetwork(served));
  log.run(domain.deleteNetwork({ ...served, closing: left.closing, portsLeft: [] }));
}

function routersAndPorts(log: Log): void {
  const routerId = idOf('router');
  const of = { networkId: idOf('network'), subnetId: idOf('subnet') };
  log.run(domain.createRouter(sample.createRouter()));
  log.run(domain.addRouterInterface({ routerId, target: { by: 'subnet', ...of, newPortId: idOf('port', 3) } }));
  const routes = [{ destination: cidr('192.0.2.0/24'), nexthop: ip('10.1.1.9') }];
  log.run(domain.updateRouter({ routerId, changes: { routes } }));

  const other = idOf('router', 2);
  log.run(domain.createRouter(sample.createRouter({ routerId: other, name: 'side' })));
  const fixedIps = [{ subnetId: of.subnetId, ip: ip('10.1.1.30'), picked: false }];
  const side = { portId: idOf('port', 4), mac: { mac: mac('fa:16:3e:00:00:30'), picked: true }, fixedIps };
  log.run(domain.createPort(sample.createPort(side)));
  log.run(domain.addRouterInterface({ routerId: other, target: { by: 'port', portId: side.portId } }));
  log.run(domain.removeRouterInterface({ routerId: other, portId: side.portId }));
  log.run(domain.deleteRouter({ routerId: other }));

  log.run(domain.createPort(sample.createPort()));
  const moved = [{ subnetId: of.subnetId, ip: ip('10.1.1.11'), picked: false }];
  log.run(domain.updatePort({ portId: idOf('port'), changes: { name: 'door', fixedIps: moved } }));
}

function servers(log: Log): void {
  const serverId = idOf('server');
  const [own] = sample.createServer().ports;
  const ports = [{ kind: 'existing', portId: idOf('port') } as const, ...(own ? [own] : [])];
  const bound = { siteId: idOf('site'), host: 'paris-1', endpoint: ip('198.51.100.11') };
  log.run(domain.createServer(sample.createServer({ ports, metadata: { role: 'web' } })));
  log.run(domain.bindPort({ portId: idOf('port'), ...bound }));
  log.run(
    domain.reportServerFailed({ serverId, fault: { host: 'paris-1', message: 'No lease' }, freeCapacity: false }),
  );
  log.run(domain.reportServerActive({ serverId, host: 'paris-1' }));
  log.run(domain.updateServer({ serverId, changes: { name: 'first', metadata: {} } }));

  const big = idOf('server', 2);
  const port = idOf('port', 5);
  const place = { subnetId: idOf('subnet'), ip: ip('10.1.1.50'), picked: true };
  const request = { ...own, kind: 'new', portId: port, networkId: idOf('network'), fixedIps: [place] } as const;
  const address = { mac: { mac: mac('fa:16:3e:00:00:50'), picked: true } };
  log.run(
    domain.createServer(sample.createServer({ serverId: big, name: 'big', ports: [{ ...request, ...address }] })),
  );
  const nowhere = { fault: { host: '', message: 'No host is large enough' }, freeCapacity: true };
  log.run(domain.reportServerFailed({ serverId: big, ...nowhere }));
  log.run(domain.deleteServer({ serverId: big, neverPublished: false }));
  log.run(domain.deletePort({ portId: port }));
  log.run(domain.completeServerDeletion({ serverId: big }));
}
