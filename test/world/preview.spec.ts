import type { ProjectId, UserId } from '@weir/kernel';
import { WEIR_INSTANCE } from '@weir/openstack-api/image';
import type { Asking } from '../../apps/top/src/http/request';
import type { SitePreview } from '../../apps/top/src/sites/preview';
import { differences, type Foreseen, ForesightWorld, listed, saidBy } from './foresight';
import type { Api } from './top-process';

jest.setTimeout(60_000);

const projectId = '00000000-0000-4000-8000-000000000001' as ProjectId;
const userId = '00000000-0000-4000-8000-000000000002' as UserId;
const asking: Asking = {
  caller: { userId, userName: 'blue', projectId, system: false, roles: new Set(['member']) },
  address: '',
  origin: { requestId: 'req-blue', actor: userId, projectId },
};

type Thing = { readonly id: string };
const network = async (api: Api, name: string) =>
  ((await api.networks.create(asking, { network: { name } })) as { network: Thing }).network.id;
const subnet = async (api: Api, on: string, cidr: string) =>
  ((await api.subnets.create(asking, { subnet: { network_id: on, cidr, ip_version: 4 } })) as { subnet: Thing }).subnet
    .id;
const server = (on: string, site: string) => (api: Api) =>
  api.servers.create(asking, {
    ...{ name: 'web', flavorRef: '1', imageRef: WEIR_INSTANCE.id, networks: [{ uuid: on }] },
    availability_zone: `${site}:a`,
  });

/** What a site says that answered. */
function hostsOf(site: SitePreview | undefined) {
  if (site === undefined) return {};
  if ('unknown' in site) throw new Error(`The site is unknown: ${site.unknown}`);
  return site.hosts;
}

const NOTHING = { added: [], changed: [], removed: [] };
const NO_CHANGE = { flows: NOTHING, groups: NOTHING, meters: NOTHING };

/** What each host would be given, as it was foreseen. */
function foreseenAt({ preview }: Foreseen, host: string) {
  const found = hostsOf(preview.flows[host.slice(0, 5)])[host];
  if (found === undefined) return NO_CHANGE;
  if ('unknown' in found) throw new Error(`The host is unknown: ${found.unknown}`);
  expect(found.leftOut).toBe(0);
  return listed(found);
}

function expectForeseen(seen: Foreseen, when: 'in the next bundle' | 'when all is done'): void {
  expect(seen.preview.facts).toEqual(seen.facts);
  expect(seen.preview.withoutBindingsOf).toEqual([]);
  expect(seen.kept[1]).toBe(seen.kept[0]);
  for (const [host, before] of seen.before) {
    const [foreseen, after, next] = [foreseenAt(seen, host), seen.after.get(host), seen.bundles.get(host)?.[0]];
    const real = when === 'in the next bundle' ? next && saidBy(next) : after && differences(before, after);
    // Another host than those foreseen may hear of it later, when this one has reported that something is gone.
    if (when === 'in the next bundle' && JSON.stringify(foreseen) === JSON.stringify(NO_CHANGE)) continue;
    expect([host, foreseen]).toEqual([host, real]);
  }
}

const changed = (seen: Foreseen) =>
  [...seen.before.keys()].filter((host) => JSON.stringify(foreseenAt(seen, host)) !== JSON.stringify(NO_CHANGE));

describe('a preview', () => {
  const world = new ForesightWorld();
  let [blue, blueSubnet, green, greenSubnet] = ['', '', '', ''];
  beforeAll(async () => {
    await world.start();
    blue = await world.do((api) => network(api, 'blue'));
    blueSubnet = await world.do((api) => subnet(api, blue, '10.0.1.0/24'));
    green = await world.do((api) => network(api, 'green'));
    greenSubnet = await world.do((api) => subnet(api, green, '10.0.2.0/24'));
  });
  afterAll(() => world.stop());

  const portsOf = (on: string) =>
    world.core.rows.live('rm_ports', { network_id: on }).filter((row) => row['device_owner'] !== 'network:dhcp');

  it('of a server tells where it would be placed, and its flows there and on every host in the span', async () => {
    const first = await world.foresee(server(blue, 'paris'));
    expectForeseen(first, 'when all is done');
    expect(changed(first)).toEqual(['paris-1']);

    const second = await world.foresee(server(blue, 'paris'));
    expectForeseen(second, 'when all is done');
    expect(changed(second)).toEqual(['paris-1', 'paris-2']);
    expect(Object.values((second.preview.flows['paris'] as { placements: object }).placements)).toEqual([
      { host: 'paris-2' },
    ]);
  });

  it('of a server at another site has the tunnels both ways, though each site hears of the other only afterwards', async () => {
    const seen = await world.foresee(server(blue, 'tokyo'));
    expectForeseen(seen, 'when all is done');
    expect(changed(seen)).toEqual(['paris-1', 'paris-2', 'tokyo-1']);
    expect(Object.keys(seen.preview.bindings)).toEqual(['paris']);
  });

  it('of a router and its interfaces is the next bundle, flow by flow', async () => {
    expectForeseen(await world.foresee(server(green, 'paris')), 'when all is done');
    const router = await world.do(async (api) => {
      const made = (await api.routers.create(asking, { router: { name: 'r' } })) as { router: Thing };
      return made.router.id;
    });
    for (const subnet_id of [blueSubnet, greenSubnet]) {
      const seen = await world.foresee((api) => api.routers.addInterface(asking, router, { subnet_id }));
      expectForeseen(seen, subnet_id === blueSubnet ? 'in the next bundle' : 'when all is done');
      expect(changed(seen).length).toBeGreaterThan(1);
    }
    const gone = await world.foresee((api) => api.routers.removeInterface(asking, router, { subnet_id: greenSubnet }));
    expectForeseen(gone, 'when all is done');
    expect(changed(gone)).toContain('paris-1');
  });

  it('of an update of a port is the next bundle, flow by flow', async () => {
    const id = portsOf(blue).find((row) => row['device_owner'] === 'compute:paris:a')?.['id'] as string;
    for (const change of [{ port_security_enabled: false }, { admin_state_up: false }, { admin_state_up: true }]) {
      const seen = await world.foresee((api) => api.ports.update(asking, id, { port: change }));
      expectForeseen(seen, 'in the next bundle');
      expect(changed(seen).length).toBeGreaterThan(0);
    }
  });

  it('of the end of a port or a server is what its host does at once', async () => {
    const [one, other] = portsOf(blue).filter((row) => row['device_owner'] === 'compute:paris:a');
    const port = await world.foresee((api) => api.ports.delete(asking, one?.['id'] as string));
    expectForeseen(port, 'in the next bundle');
    expect(changed(port).length).toBeGreaterThan(1);
    const ended = await world.foresee((api) => api.servers.delete(asking, other?.['device_id'] as string));
    expectForeseen(ended, 'in the next bundle');
    expect(changed(ended)).toEqual([expect.stringMatching('paris')]);
  });

  it('of the end of a network that nobody uses is nothing', async () => {
    const lonely = await world.do((api) => network(api, 'lonely'));
    const seen = await world.foresee((api) => api.networks.delete(asking, lonely));
    expectForeseen(seen, 'when all is done');
    expect(seen.preview.flows).toEqual({});
  });

  it('names hosts and sites that do not answer, and guesses nothing', async () => {
    const [paris, tokyo] = world.sites;
    for (const site of ['paris', 'paris', 'tokyo']) await world.do(server(green, site));
    paris?.hosts[0]?.kill();
    const half = await world.preview(server(green, 'paris'));
    const hosts = hostsOf(half.flows['paris']);
    expect(hosts['paris-1']).toEqual({ unknown: expect.stringContaining('paris-1') as string });
    expect(hosts['paris-2']).toMatchObject({ leftOut: 0 });
    tokyo?.bottom.kill();
    const none = await world.preview(server(green, 'tokyo'));
    expect(none.flows['tokyo']).toEqual({ unknown: expect.stringContaining('not connected') as string });
    expect(none.withoutBindingsOf).toEqual(['tokyo']);
    expect(Object.keys(none.facts).sort()).toEqual(['paris', 'tokyo']);
  });
});
