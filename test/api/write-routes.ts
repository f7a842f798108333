import type { JsonObject } from '@weir/kernel';
import type { TopWorld } from './top-world';

/** One write of the API, which succeeds where it stands in the list. */
export interface Write {
  /** As the description of the API names it. */
  readonly route: string;
  readonly method: 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
  readonly who?: 'admin' | 'demo';
  /** The types of its events, in order. */
  readonly events: readonly string[];
  /** The sites that are told of it. */
  readonly sites?: readonly string[];
  /** Waits until the sites have done their part. */
  readonly settled?: () => Promise<void>;
}

const NETWORK = '/network/v2.0';
const COMPUTE = '/compute/v2.1';
const ROOM = { vcpus: 8, ramMb: 16_384, diskGb: 100 };
const FAR = {
  name: 'far',
  data_center: 'Far',
  availability_zones: ['a'],
  driver: 'ovs',
  tunnel: { type: 'vxlan', mtu: 1500 },
};

export interface LoggedEvent {
  readonly position: number;
  readonly stream: string;
  readonly id: string;
  readonly type: string;
  readonly request_id: string;
  readonly data: JsonObject;
  readonly [field: string]: unknown;
}

/** Every write of the API once, and what they need. */
export class WriteRoutes {
  readonly ids: Record<string, string> = {};

  constructor(private readonly world: TopWorld) {}

  async prepare(): Promise<void> {
    const { world, ids } = this;
    await world.site('paris', 'Paris', { 'paris-a': ROOM });
    await world.site('wide', 'Wide', { 'wide-a': { vcpus: 1000, ramMb: 1_000_000, diskGb: 10_000 } });
    const [blue, other, empty] = [
      await world.network('blue', '10.1.1.0/24'),
      await world.network('other', '10.1.2.0/24'),
      await world.network('empty', '10.1.3.0/24'),
    ];
    const created = async (path: string, kind: string, body: unknown, who: 'demo' | 'admin' = 'demo') =>
      (await world.post(path, { [kind]: body }, who)).body[kind].id as string;
    Object.assign(ids, { network: blue.id, subnet: blue.subnet, other: other.id, otherSubnet: other.subnet });
    Object.assign(ids, { empty: empty.id, emptySubnet: empty.subnet });
    ids['router'] = await created(`${NETWORK}/routers`, 'router', { name: 'router' });
    ids['free'] = await created(`${NETWORK}/routers`, 'router', { name: 'free' });
    ids['port'] = await created(`${NETWORK}/ports`, 'port', { network_id: blue.id });
    ids['site'] = await created('/weir/v1/sites', 'site', FAR, 'admin');
    const server = { networks: [{ uuid: blue.id }], availability_zone: 'Paris', metadata: { colour: 'red' } };
    ids['server'] = (await world.server('one', server)).body['server'].id as string;
    await this.serversAre('ACTIVE');
  }

  async events(after = 0): Promise<readonly LoggedEvent[]> {
    const all: LoggedEvent[] = [];
    for (;;) {
      const from = all.at(-1)?.position ?? after;
      const { events } = (await this.world.get(`/weir/v1/events?after=${from}&limit=1000`, 'admin')).body;
      if (events.length === 0) return all;
      all.push(...(events as LoggedEvent[]));
    }
  }

  async head(): Promise<number> {
    return (await this.events()).at(-1)?.position ?? 0;
  }

  all(): readonly Write[] {
    const { ids } = this;
    const on = (
      api: string,
      method: Write['method'],
      of: string,
      rest: Omit<Write, 'method' | 'path' | 'route'>,
    ): Write => {
      // `networks/{id:network}`: the route's parameter, and whose id.
      const path = of.replace(/\{(\w+):(\w+)\}/g, (_, _name, whose: string) => ids[whose] ?? whose);
      const route = of.replace(/\{(\w+):(\w+)\}/g, '{$1}');
      return { method, route: `${method.toLowerCase()} ${api}${route}`, path: api + path, ...rest };
    };
    const network = (method: Write['method'], of: string, rest: Omit<Write, 'method' | 'path' | 'route'>) =>
      on(`${NETWORK}/`, method, of, rest);
    const compute = (method: Write['method'], of: string, rest: Omit<Write, 'method' | 'path' | 'route'>) =>
      on(`${COMPUTE}/`, method, of, rest);
    const asked = { name: 'two', flavorRef: '1', imageRef: '5a1f0000-0000-4000-8000-000000000001' };
    const server = { ...asked, networks: [{ uuid: ids['network'] }], availability_zone: 'Paris', min_count: 2 };
    const [active, gone] = [() => this.serversAre('ACTIVE'), () => this.serversAre('gone')];
    const port = ['Taken', 'PortCreated', 'Taken'];
    return [
      network('POST', 'networks', { body: { network: { name: 'red' } }, events: ['NetworkCreated', 'Taken'] }),
      network('PUT', 'networks/{id:network}', {
        body: { network: { name: 'sky' } },
        events: ['NetworkUpdated'],
        sites: ['paris'],
      }),
      network('POST', 'subnets', {
        body: { subnet: { network_id: ids['network'], cidr: '10.7.0.0/24', ip_version: 4 } },
        events: ['SubnetAdded', 'Taken'],
        sites: ['paris'],
      }),
      network('PUT', 'subnets/{id:subnet}', {
        body: { subnet: { name: 'a' } },
        events: ['SubnetUpdated'],
        sites: ['paris'],
      }),
      network('POST', 'ports', {
        body: { port: { network_id: ids['network'] } },
        events: port,
      }),
      network('PUT', 'ports/{id:port}', { body: { port: { name: 'p' } }, events: ['PortUpdated'] }),
      network('DELETE', 'ports/{id:port}', { events: ['PortDeleted', 'Freed', 'Freed'] }),
      network('POST', 'routers', { body: { router: { name: 'r' } }, events: ['RouterCreated'] }),
      network('PUT', 'routers/{id:router}', { body: { router: { name: 's' } }, events: ['RouterUpdated'] }),
      network('PUT', 'routers/{id:router}/add_router_interface', {
        body: { subnet_id: ids['otherSubnet'] },
        events: ['RouterInterfaceAdded', 'PortCreated', 'Taken'],
      }),
      network('PUT', 'routers/{id:router}/remove_router_interface', {
        body: { subnet_id: ids['otherSubnet'] },
        events: ['RouterInterfaceRemoved', 'PortDeleted', 'Freed'],
      }),
      network('DELETE', 'routers/{id:free}', { events: ['RouterDeleted'] }),
      network('DELETE', 'subnets/{id:emptySubnet}', { events: ['SubnetClosing', 'SubnetRemoved', 'Freed'] }),
      network('DELETE', 'networks/{id:empty}', { events: ['NetworkClosing', 'NetworkDeleted', 'Freed'] }),
      compute('POST', 'servers', {
        body: { server },
        events: ['ServerRequested', 'CapacityTaken', 'CapacityTaken', ...port, 'ServerRequested', ...port],
        sites: ['paris'],
        settled: active,
      }),
      compute('PUT', 'servers/{id:server}', {
        body: { server: { name: 'x' } },
        events: ['ServerUpdated'],
        sites: ['paris'],
      }),
      compute('PUT', 'servers/{id:server}/metadata', {
        body: { metadata: { a: 'b' } },
        events: ['ServerUpdated'],
      }),
      compute('POST', 'servers/{id:server}/metadata', {
        body: { metadata: { c: 'd' } },
        events: ['ServerUpdated'],
      }),
      compute('DELETE', 'servers/{id:server}/metadata/{key:c}', { events: ['ServerUpdated'] }),
      compute('DELETE', 'servers/{id:server}', {
        events: ['ServerDeleting'],
        sites: ['paris'],
        settled: gone,
      }),
      on('/weir/v1/', 'POST', 'sites', {
        body: { site: { ...FAR, name: 'further', data_center: 'Further' } },
        who: 'admin',
        events: ['SiteAdded', 'Taken', 'Taken'],
      }),
      on('/weir/v1/', 'DELETE', 'sites/{id:site}', { who: 'admin', events: ['SiteRemoved', 'Freed', 'Freed'] }),
    ];
  }

  private async serversAre(state: 'ACTIVE' | 'gone'): Promise<void> {
    const { world, ids } = this;
    const done = async () => {
      const { servers } = (await world.get(`${COMPUTE}/servers/detail`)).body as {
        servers: { id: string; status: string }[];
      };
      if (state === 'gone') return servers.every(({ id }) => id !== ids['server']);
      return servers.every(({ status }) => status === state);
    };
    await world.until(done, `servers to be ${state}`);
  }
}
