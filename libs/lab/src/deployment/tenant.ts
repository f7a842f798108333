import { ApiRefused, type ApiClient } from './api-client';
import { type WaitOptions } from '../wait-for';

export interface Named {
  readonly id: string;
  readonly name: string;
}

export interface Server extends Named {
  readonly status: 'BUILD' | 'ACTIVE' | 'ERROR';
  readonly zone: string;
  /** Null until it is placed. */
  readonly host: string | null;
  readonly created: string;
  readonly fault: string | undefined;
  readonly addresses: readonly { readonly network: string; readonly ip: string; readonly mac: string }[];
}

export interface ServerRequest {
  readonly name: string;
  /** Ids of networks, in the order of the interfaces. */
  readonly networks: readonly string[];
  /** `<data center>:<zone>`, or a data center; any unless said. */
  readonly zone?: string;
  /** Id of a flavor; `weir.tiny` unless said. */
  readonly flavor?: string;
}

export interface ExecResult {
  /** Null when it was ended on its deadline. */
  readonly exitCode: number | null;
  readonly timedOut: boolean;
  readonly truncated: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

/** Where a server's port is, on hypervisor `namespace`. */
export interface Instance {
  readonly server: string;
  readonly name: string;
  readonly port: string;
  readonly host: string;
  readonly netns: string;
  /** Inside the namespace. */
  readonly interface: string;
  readonly ip: string;
  readonly mac: string;
}

export type Wait = <T>(condition: () => T | Promise<T>, options: WaitOptions) => Promise<NonNullable<T>>;

interface ServerBody extends Named {
  readonly status: Server['status'];
  readonly created: string;
  readonly 'OS-EXT-AZ:availability_zone': string;
  readonly 'OS-EXT-SRV-ATTR:host': string | null;
  readonly fault?: { readonly message: string };
  readonly addresses: Readonly<
    Record<string, readonly { readonly addr: string; readonly 'OS-EXT-IPS-MAC:mac_addr': string }[]>
  >;
}
interface PortBody {
  readonly id: string;
  readonly device_id: string;
  readonly mac_address: string;
  readonly fixed_ips: readonly { readonly ip_address: string }[];
}

const TINY = '1';
const STATUS_DEADLINE_MS = 30_000;
const NOT_FOUND = 404;

/** What a tenant asks for, over the OpenStack APIs, as cloud `weir`. */
export class Tenant {
  private image: Promise<string> | undefined;

  constructor(
    private readonly client: ApiClient,
    private readonly wait: Wait,
  ) {}

  async createNetwork(name: string): Promise<Named> {
    const { network } = await this.post<{ network: Named }>('/network/v2.0/networks', { network: { name } });
    return network;
  }

  async createSubnet(network: Named, cidr: string): Promise<Named & { readonly gateway_ip: string }> {
    const subnet = { network_id: network.id, name: `${network.name}-subnet`, ip_version: 4, cidr };
    return (await this.post<{ subnet: Named & { gateway_ip: string } }>('/network/v2.0/subnets', { subnet })).subnet;
  }

  async createRouter(name: string): Promise<Named> {
    return (await this.post<{ router: Named }>('/network/v2.0/routers', { router: { name } })).router;
  }

  async addInterface(router: Named, subnet: Named): Promise<void> {
    const path = `/network/v2.0/routers/${router.id}/add_router_interface`;
    await this.client.request('PUT', path, { subnet_id: subnet.id });
  }

  /** Answers its id at once; see `waitForStatus`. */
  async createServer({ name, networks, zone, flavor = TINY }: ServerRequest): Promise<Named> {
    this.image ??= this.findImage();
    const server = {
      name,
      flavorRef: flavor,
      imageRef: await this.image,
      networks: networks.map((uuid) => ({ uuid })),
      ...(zone === undefined ? {} : { availability_zone: zone }),
    };
    const { server: created } = await this.post<{ server: { id: string } }>('/compute/v2.1/servers', { server });
    return { id: created.id, name };
  }

  async server(id: string): Promise<Server> {
    return serverOf((await this.client.request<{ server: ServerBody }>('GET', `/compute/v2.1/servers/${id}`)).server);
  }

  /** Of the own project unless the query says otherwise, the newest first. */
  async servers(query = ''): Promise<readonly Server[]> {
    const path = `/compute/v2.1/servers/detail${query}`;
    const { servers } = await this.client.request<{ servers: ServerBody[] }>('GET', path);
    return servers.map(serverOf);
  }

  /** Rejects at once where one is in ERROR though another status is waited for. */
  async waitForStatus(ids: readonly string[], status: Server['status'], deadlineMs = STATUS_DEADLINE_MS) {
    const failed = new Map<string, string>();
    const reached = await this.wait(
      async () => {
        const found = (await this.servers()).filter((server) => ids.includes(server.id));
        for (const { name, fault, ...server } of found) {
          if (server.status === 'ERROR' && status !== 'ERROR') failed.set(name, fault ?? 'without a fault');
        }
        const done = found.length === ids.length && found.every((server) => server.status === status);
        return done || failed.size > 0 ? found : undefined;
      },
      { what: `${ids.length} servers to be ${status}`, deadlineMs },
    );
    if (failed.size > 0)
      throw new Error([...failed].map(([name, fault]) => `${name} is in ERROR: ${fault}`).join('; '));
    return reached;
  }

  /** Resolves when it is gone from the API, so its site has seen it gone too. */
  async deleteServer(id: string, deadlineMs = STATUS_DEADLINE_MS): Promise<void> {
    await this.client.request('DELETE', `/compute/v2.1/servers/${id}`);
    await this.wait(() => this.isGone(id), { what: `server ${id} to be deleted`, deadlineMs });
  }

  /** Through Top, Bottom and Host, as `weir exec` does. */
  async exec(serverId: string, command: readonly string[], timeoutSeconds = 30): Promise<ExecResult> {
    const answer = await this.post<{
      exit_code: number | null;
      timed_out: boolean;
      truncated: boolean;
      stdout: string;
      stderr: string;
    }>(`/weir/v1/servers/${serverId}/exec`, { command, timeout: timeoutSeconds });
    return {
      exitCode: answer.exit_code,
      timedOut: answer.timed_out,
      truncated: answer.truncated,
      stdout: Buffer.from(answer.stdout, 'base64').toString(),
      stderr: Buffer.from(answer.stderr, 'base64').toString(),
    };
  }

  /** The ports of every project's ACTIVE servers, the oldest server first, each server's in the order of its interfaces. */
  async instances(): Promise<readonly Instance[]> {
    const [servers, { ports }] = await Promise.all([
      this.servers('?all_tenants=1'),
      this.client.request<{ ports: PortBody[] }>('GET', '/network/v2.0/ports'),
    ]);
    const placed = servers.toReversed().map(async ({ id, name, host, status }) => {
      const own = ports.filter((port) => port.device_id === id);
      if (host === null || status !== 'ACTIVE') return [];
      const order = own.length < 2 ? own.map((port) => port.id) : await this.interfacesOf(id);
      return order.flatMap((portId, index): Instance[] => {
        const port = own.find((candidate) => candidate.id === portId);
        const ip = port?.fixed_ips[0]?.ip_address;
        if (port === undefined || ip === undefined) return [];
        const netns = `weir-${id}`;
        return [{ server: id, name, port: portId, host, netns, interface: `eth${index}`, ip, mac: port.mac_address }];
      });
    });
    return (await Promise.all(placed)).flat();
  }

  private async interfacesOf(id: string): Promise<readonly string[]> {
    const path = `/compute/v2.1/servers/${id}/os-interface`;
    const answer = await this.client.request<{ interfaceAttachments: { port_id: string }[] }>('GET', path);
    return answer.interfaceAttachments.map((attachment) => attachment.port_id);
  }

  private async isGone(id: string): Promise<boolean> {
    try {
      await this.server(id);
      return false;
    } catch (error) {
      if (error instanceof ApiRefused && error.status === NOT_FOUND) return true;
      throw error;
    }
  }

  private async findImage(): Promise<string> {
    const { images } = await this.client.request<{ images: Named[] }>('GET', '/image/v2/images');
    return images[0]?.id ?? '';
  }

  private post<T>(path: string, body: unknown): Promise<T> {
    return this.client.request<T>('POST', path, body);
  }
}

function serverOf(body: ServerBody): Server {
  return {
    id: body.id,
    name: body.name,
    status: body.status,
    zone: body['OS-EXT-AZ:availability_zone'],
    host: body['OS-EXT-SRV-ATTR:host'],
    created: body.created,
    fault: body.fault?.message,
    addresses: Object.entries(body.addresses).flatMap(([network, all]) =>
      all.map((address) => ({ network, ip: address.addr, mac: address['OS-EXT-IPS-MAC:mac_addr'] })),
    ),
  };
}
