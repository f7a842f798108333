import { waitFor } from '@weir/lab';
import { FakeSite, type ZoneTotals } from '../api/fake-site';
import type { TopProcess } from './top-process';
import type { Ground } from './writers';

/** What writers stand on: a site that says of every server at once that it runs, and networks. */
export class TopTenancy {
  site: FakeSite | undefined;
  siteId = '';

  constructor(private readonly top: TopProcess) {}

  /** Answers the availability zone of an active site. */
  async addSite(room: ZoneTotals, address = this.top.api.address): Promise<string> {
    const site = {
      name: 'paris',
      data_center: 'Paris',
      availability_zones: ['a'],
      driver: 'ovs',
      tunnel: { type: 'vxlan', mtu: 1500 },
    };
    const path = '/weir/v1/sites';
    const added = await this.top.api.request<{ site: { id: string }; join_token: string }>('POST', path, { site });
    this.siteId = added.site.id;
    this.site = await FakeSite.join(address, 'paris', added.join_token, { a: room });
    await waitFor(async () => (await this.shown())['lifecycle'] === 'active', { what: 'the site to be active' });
    return 'Paris:a';
  }

  async ground(name: string, cidr: string): Promise<Ground> {
    const { api } = this.top;
    const networks = '/network/v2.0/networks';
    const asked = { network: { name } };
    const { network } = await api.request<{ network: { id: string } }>('POST', networks, asked, 'weir-demo');
    const subnet = { network_id: network.id, ip_version: 4, cidr };
    const subnets = '/network/v2.0/subnets';
    const made = await api.request<{ subnet: { id: string } }>('POST', subnets, { subnet }, 'weir-demo');
    return { id: network.id, subnet: made.subnet.id };
  }

  /** The site as the API shows it. */
  async shown(): Promise<Readonly<Record<string, unknown>>> {
    const path = `/weir/v1/sites/${this.siteId}`;
    return (await this.top.api.request<{ site: Record<string, unknown> }>('GET', path)).site;
  }

  /** Whether the site has all that the log says, and says so. */
  async isSettled(): Promise<boolean> {
    const { reachability, stored, settled, published } = await this.shown();
    return reachability === 'reachable' && stored === published && settled === published;
  }

  async isNothingDeleting(): Promise<boolean> {
    const path = '/compute/v2.1/servers/detail';
    const { servers } = await this.top.api.request<{ servers: Record<string, unknown>[] }>('GET', path);
    return servers.every((server) => server['OS-EXT-STS:task_state'] === null);
  }

  async end(): Promise<void> {
    await this.site?.stop();
  }
}
