import type { View as StoreView } from '@weir/event-store';
import { MemoryEventStore } from '@weir/event-store/memory';
import { idOf, ip, Log, sample } from '@weir/testing/domain';
import * as domain from '../index';
import { views } from './index';

// They must fit the store's own type, which domain cannot import.
const storeViews: readonly StoreView[] = views;

const siteId = idOf('site');
const networkId = idOf('network');
const subnetId = idOf('subnet');
const routerId = idOf('router');
const serverId = idOf('server');
const portId = idOf('port');
const ownPort = idOf('port', 2);
const gatewayPort = idOf('port', 3);

/** Event n of the log happened n seconds into this minute. */
const timeOf = (position: number) => `2026-01-01T00:00:${String(position % 60).padStart(2, '0')}.000Z`;

async function tablesAfter(log: Log) {
  const store = new MemoryEventStore({ views: storeViews });
  for (const append of log.appends()) await store.append(append);
  return store.reader;
}

/** When the last event of a stream happened. */
const lastTime = (log: Log, stream: string) =>
  timeOf(log.all.findLast((logged) => logged.stream === stream)?.position ?? 0);

function site(): Log {
  const log = new Log();
  log.run(domain.addSite(sample.addSite()));
  log.run(domain.joinSite({ siteId, tokenHash: sample.addSite().joinTokenHash, keyHash: 'cd'.repeat(32) }));
  log.run(domain.useJoinToken({ siteId }));
  log.run(domain.activateSite({ siteId }));
  log.run(domain.changeCapacity({ siteId, zone: 'a', totals: { vcpus: 8, ramMb: 16_384, diskGb: 100 } }));
  return log;
}

function world(): Log {
  const log = site();
  log.run(domain.createNetwork(sample.createNetwork()));
  log.run(domain.addSubnet(sample.addSubnet()));
  log.run(domain.createRouter(sample.createRouter()));
  log.run(
    domain.addRouterInterface({ routerId, target: { by: 'subnet', networkId, subnetId, newPortId: gatewayPort } }),
  );
  log.run(domain.createPort(sample.createPort()));
  const [own] = sample.createServer().ports;
  log.run(domain.createServer(sample.createServer({ ports: [{ kind: 'existing', portId }, ...(own ? [own] : [])] })));
  return log;
}

describe('the table of sites', () => {
  it('shows a site with its zones, their capacity and what is taken of it', async () => {
    const tables = await tablesAfter(world());
    expect(tables.get('rm_sites', { id: siteId })).toEqual({
      id: siteId,
      name: 'paris',
      data_center: 'paris',
      availability_zones: ['a', 'b'],
      driver: 'ovs',
      tunnel: { type: 'vxlan', mtu: 1500 },
      lifecycle: 'active',
      unreachable_since: null,
      join_token_hash: 'ab'.repeat(32),
      join_token_used: 1,
      key_hash: 'cd'.repeat(32),
      created_at: timeOf(1),
      updated_at: timeOf(7),
    });
    expect(tables.get('rm_zones', { site_id: siteId, zone: 'a' })).toEqual({
      site_id: siteId,
      zone: 'a',
      data_center: 'paris',
      availability_zone: 'paris:a',
      total_vcpus: 8,
      total_ram_mb: 16_384,
      total_disk_gb: 100,
      taken_vcpus: 1,
      taken_ram_mb: 512,
      taken_disk_gb: 1,
      servers: 1,
    });
    expect(tables.count('rm_zones')).toBe(2);
  });
  it('says since when a site is unreachable, and no longer once it is back', async () => {
    const log = site();
    log.run(domain.markSiteUnreachable({ siteId, since: timeOf(0) }));
    expect((await tablesAfter(log)).get('rm_sites', { id: siteId })).toMatchObject({ unreachable_since: timeOf(0) });
    log.run(domain.markSiteReachable({ siteId }));
    expect((await tablesAfter(log)).get('rm_sites', { id: siteId })).toMatchObject({ unreachable_since: null });
  });
  it('forgets a removed site and its zones', async () => {
    const log = site();
    log.run(domain.removeSite({ siteId }));
    const tables = await tablesAfter(log);
    expect([tables.count('rm_sites'), tables.count('rm_zones')]).toEqual([0, 0]);
  });
});

describe('the tables of networks', () => {
  it('show a network and its subnet', async () => {
    const log = world();
    const tables = await tablesAfter(log);
    const subnetTime = lastTime(log, domain.streams.network(networkId));
    expect(tables.get('rm_networks', { id: networkId })).toMatchObject({
      project_id: idOf('project'),
      name: 'blue',
      admin_state_up: 1,
      port_security_enabled: 1,
      mtu: 1450,
      segment_type: 'vxlan',
      segment_key: 10_000,
      closing: 0,
      updated_at: subnetTime,
      revision_number: 2,
    });
    expect(tables.get('rm_subnets', { id: subnetId })).toEqual({
      id: subnetId,
      network_id: networkId,
      project_id: idOf('project'),
      name: 'blue-4',
      description: '',
      cidr: '10.1.1.0/24',
      gateway_ip: '10.1.1.1',
      enable_dhcp: 1,
      allocation_pools: [{ start: '10.1.1.2', end: '10.1.1.254' }],
      dns_nameservers: [],
      host_routes: [],
      server_ip: '10.1.1.1',
      server_mac: 'fa:16:3e:00:00:01',
      closing: 0,
      created_at: subnetTime,
      updated_at: subnetTime,
      revision_number: 2,
    });
    expect(tables.live('rm_segments')).toEqual([{ segment_type: 'vxlan', segment_key: 10_000, network_id: networkId }]);
  });
  it('follow updates field by field', async () => {
    const log = world();
    log.run(domain.updateNetwork({ networkId, changes: { name: 'green', adminStateUp: false } }));
    const changes = { enableDhcp: false, dnsNameservers: [ip('9.9.9.9')], allocationPools: [] };
    log.run(
      domain.updateSubnet({ networkId, subnetId, changes, dhcpPort: { portId: idOf('port', 9), ip: undefined } }),
    );
    const tables = await tablesAfter(log);
    expect(tables.get('rm_networks', { id: networkId })).toMatchObject({
      name: 'green',
      admin_state_up: 0,
      mtu: 1450,
      revision_number: 4,
    });
    expect(tables.get('rm_subnets', { id: subnetId })).toMatchObject({
      name: 'blue-4',
      enable_dhcp: 0,
      dns_nameservers: ['9.9.9.9'],
      allocation_pools: [],
    });
  });
  it('show open closings, for a start to end them', async () => {
    const log = world();
    const { closing } = log.run(domain.closeSubnet({ networkId, subnetId }));
    log.run(domain.closeNetwork({ networkId }));
    const closed = await tablesAfter(log);
    expect(closed.live('rm_networks', { closing: 1 })).toHaveLength(1);
    expect(closed.live('rm_subnets', { closing: 1 })).toHaveLength(1);
    log.run(domain.reopenNetwork({ networkId, closing: 1 }));
    log.run(domain.reopenSubnet({ networkId, subnetId, closing }));
    const reopened = await tablesAfter(log);
    expect([reopened.count('rm_networks', { closing: 1 }), reopened.count('rm_subnets', { closing: 1 })]).toEqual([
      0, 0,
    ]);
  });
  it('are empty once everything was deleted', async () => {
    const log = world();
    log.run(domain.deleteServer({ serverId, neverPublished: true }));
    log.run(domain.removeRouterInterface({ routerId, subnetId }));
    log.run(domain.deleteRouter({ routerId }));
    log.run(domain.deletePort({ portId }));
    const { closing } = log.run(domain.closeNetwork({ networkId }));
    log.run(domain.deleteNetwork({ networkId, closing, portsLeft: [] }));
    const tables = await tablesAfter(log);
    const left = tables.tables.map(({ name }) => name).filter((name) => tables.count(name) > 0);
    expect(left).toEqual(['rm_sites', 'rm_zones']);
    expect(tables.get('rm_zones', { site_id: siteId, zone: 'a' })).toMatchObject({
      taken_vcpus: 0,
      taken_ram_mb: 0,
      taken_disk_gb: 0,
      servers: 0,
    });
  });
});

describe('the tables of routers', () => {
  it('show a router and its interfaces', async () => {
    const log = world();
    log.run(domain.updateRouter({ routerId, changes: { name: 'door' } }));
    const tables = await tablesAfter(log);
    expect(tables.get('rm_routers', { id: routerId })).toMatchObject({
      name: 'door',
      distributed: 1,
      routes: [],
      revision_number: 3,
    });
    expect(tables.live('rm_router_interfaces', { router_id: routerId })).toEqual([
      {
        port_id: gatewayPort,
        router_id: routerId,
        network_id: networkId,
        subnet_id: subnetId,
        cidr: '10.1.1.0/24',
        ip_address: '10.1.1.1',
        mac_address: 'fa:16:3e:00:00:01',
      },
    ]);
  });
});

describe('the table of ports', () => {
  it('shows addresses, device and place', async () => {
    const log = world();
    log.run(domain.bindPort({ portId, siteId, host: 'h1', endpoint: ip('198.51.100.1') }));
    const tables = await tablesAfter(log);
    expect(tables.get('rm_ports', { id: portId })).toEqual({
      id: portId,
      network_id: networkId,
      project_id: idOf('project'),
      name: '',
      description: '',
      admin_state_up: 1,
      port_security_enabled: 1,
      mac_address: 'fa:16:3e:00:00:10',
      fixed_ips: [{ subnet_id: subnetId, ip_address: '10.1.1.10' }],
      device_id: serverId,
      device_owner: 'compute:paris:a',
      binding_site_id: siteId,
      binding_host: 'h1',
      binding_endpoint: '198.51.100.1',
      deleting: 0,
      created_at: expect.any(String) as string,
      updated_at: lastTime(log, domain.streams.port(portId)),
      revision_number: 3,
    });
    expect(tables.live('rm_addresses').map((row) => [row.ip_address, row.port_id])).toEqual([
      ['10.1.1.1', gatewayPort],
      ['10.1.1.10', portId],
      ['10.1.1.20', ownPort],
    ]);
  });
  it('shows a port that is going, and forgets one that is gone', async () => {
    const log = world();
    log.run(domain.deletePort({ portId: ownPort }));
    expect((await tablesAfter(log)).get('rm_ports', { id: ownPort })).toMatchObject({ deleting: 1 });
    log.run(domain.completePortDeletion({ portId: ownPort }));
    const tables = await tablesAfter(log);
    expect(tables.get('rm_ports', { id: ownPort })).toBeUndefined();
    expect(tables.live('rm_addresses', { port_id: ownPort })).toEqual([]);
    expect(tables.live('rm_server_ports', { server_id: serverId }).map(({ port_id }) => port_id)).toEqual([portId]);
  });
  it('shows a port without its place once its server is gone', async () => {
    const log = world();
    log.run(domain.bindPort({ portId, siteId, host: 'h1', endpoint: ip('198.51.100.1') }));
    log.run(domain.deleteServer({ serverId, neverPublished: true }));
    const tables = await tablesAfter(log);
    expect(tables.get('rm_ports', { id: portId })).toMatchObject({
      device_id: '',
      device_owner: '',
      binding_host: null,
    });
    expect(tables.count('rm_server_ports')).toBe(0);
  });
});

describe('the tables of servers', () => {
  const serverRow = async (log: Log) => (await tablesAfter(log)).get('rm_servers', { id: serverId });

  it('show a server being built, with its ports in order', async () => {
    const tables = await tablesAfter(world());
    expect(tables.get('rm_servers', { id: serverId })).toMatchObject({
      project_id: idOf('project'),
      user_id: idOf('user'),
      name: 'one',
      status: 'BUILD',
      task_state: null,
      fault: null,
      host: null,
      launched_at: null,
      site_id: siteId,
      zone: 'a',
      availability_zone: 'paris:a',
      flavor_id: '1',
      flavor: { id: '1', name: 'weir.small', vcpus: 1, ramMb: 512, diskGb: 1 },
      metadata: {},
    });
    expect(tables.live('rm_server_ports', { server_id: serverId }, { orderBy: [{ column: 'place' }] })).toEqual([
      { port_id: portId, server_id: serverId, network_id: networkId, place: 0, own: 0 },
      { port_id: ownPort, server_id: serverId, network_id: networkId, place: 1, own: 1 },
    ]);
  });
  it('follow its life', async () => {
    const log = world();
    log.run(domain.reportServerFailed({ serverId, fault: { host: 'h1', message: 'no image' }, freeCapacity: false }));
    const failedAt = lastTime(log, domain.streams.server(serverId));
    expect(await serverRow(log)).toMatchObject({
      status: 'ERROR',
      fault: { host: 'h1', message: 'no image', created_at: failedAt },
    });
    log.run(domain.reportServerActive({ serverId, host: 'h2' }));
    const launchedAt = lastTime(log, domain.streams.server(serverId));
    expect(await serverRow(log)).toMatchObject({ status: 'ACTIVE', fault: null, host: 'h2', launched_at: launchedAt });
    log.run(domain.updateServer({ serverId, changes: { name: 'two', metadata: { a: 'b' } } }));
    log.run(domain.deleteServer({ serverId, neverPublished: false }));
    expect(await serverRow(log)).toMatchObject({
      name: 'two',
      metadata: { a: 'b' },
      status: 'ACTIVE',
      task_state: 'deleting',
    });
    log.run(domain.completeServerDeletion({ serverId }));
    expect(await serverRow(log)).toBeUndefined();
  });
});

it('is not written by an event that nobody knows, which stops whoever reads it', () => {
  const envelope = { data: {}, stream: 'port-1', revision: 0, position: 1, metadata: { time: timeOf(1) } };
  for (const view of views) {
    expect(() => view.rows({ ...envelope, type: 'PortPainted', schemaVersion: 1 })).toThrow(domain.UnknownEvent);
    expect(() => view.rows({ ...envelope, type: 'PortDeleted', schemaVersion: 2 })).toThrow(domain.UnknownEvent);
  }
});
