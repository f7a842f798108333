import { createHash } from 'node:crypto';
import { type Cidr, cidrAddress, type Id, type Ip, ipv4ToNumber, type Mac } from '@weir/kernel';
import type { SpanChange } from '@weir/topology';

/** What a test says of a network; ids and MACs follow from names and addresses, so that equal addresses of two projects have equal MACs. */
export interface NetworkPlan {
  readonly project: string;
  readonly cidr: string;
  /** On the wire. */
  readonly key: number;
  readonly dhcp?: boolean;
}

export interface InstancePlan {
  readonly network: string;
  /** One of the fabric's; or `elsewhere`, a site that is not there: then only its facts exist. */
  readonly host: string;
  /** The address inside the network's subnet. */
  readonly place: number;
  readonly portSecurity?: boolean;
}

export interface RouterPlan {
  readonly project: string;
  readonly networks: readonly string[];
  /** Of its address in each of them; the gateway's unless said. */
  readonly place?: number;
}

export interface WorldPlan {
  readonly networks: Readonly<Record<string, NetworkPlan>>;
  readonly routers?: Readonly<Record<string, RouterPlan>>;
  readonly instances: Readonly<Record<string, InstancePlan>>;
}

/** Who sends and receives. */
export interface End {
  readonly mac: Mac;
  readonly ip: Ip;
}

const GATEWAY = 1;
const MTU = 1450;
/** Where instances are that no host of the fabric has. */
export const ELSEWHERE = '192.0.2.7' as Ip;

/** The UUID of a thing with a name, equal in every run. */
export function idOf<Kind extends string>(kind: string, name: string): Id<Kind> {
  const hex = createHash('sha256').update(`${kind} ${name}`).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}` as Id<Kind>;
}

/** The addresses of an instance or gateway: its place in the subnet. */
export function endOf(cidr: string, place: number): End {
  const ip = cidrAddress(cidr as Cidr, place);
  const hex = (ipv4ToNumber(ip) & 0xffffff).toString(16).padStart(6, '0');
  return { ip, mac: `fa:16:3e:${hex.slice(0, 2)}:${hex.slice(2, 4)}:${hex.slice(4)}` as Mac };
}

export function gatewayOf({ cidr }: NetworkPlan): End {
  return endOf(cidr, GATEWAY);
}

export function networkFacts(name: string, plan: NetworkPlan): SpanChange[] {
  const network = idOf<'network'>('network', name);
  const subnet = idOf<'subnet'>('subnet', name);
  const gateway = gatewayOf(plan);
  return [
    {
      op: 'upsert',
      kind: 'network',
      id: network,
      body: { id: network, project: plan.project, name, mtu: MTU, segment: { type: 'vxlan', key: plan.key } },
    },
    {
      op: 'upsert',
      kind: 'subnet',
      id: subnet,
      body: {
        id: subnet,
        network,
        name,
        cidr: plan.cidr as Cidr,
        gatewayIp: gateway.ip,
        enableDhcp: plan.dhcp ?? true,
        dnsNameservers: ['192.0.2.53' as Ip],
        hostRoutes: [],
        serverIp: gateway.ip,
        serverMac: gateway.mac,
      },
    },
  ];
}

export function routerFacts(name: string, plan: RouterPlan, networks: WorldPlan['networks']): SpanChange[] {
  const router = idOf<'router'>('router', name);
  return [
    {
      op: 'upsert',
      kind: 'router',
      id: router,
      body: { id: router, project: plan.project, name, adminStateUp: true, routes: [] },
    },
    ...plan.networks.map((network): SpanChange => {
      const id = idOf<'port'>('router-interface', `${name} ${network}`);
      const own = endOf(planned(networks, network).cidr, plan.place ?? GATEWAY);
      const [networkId, subnetId] = [idOf<'network'>('network', network), idOf<'subnet'>('subnet', network)];
      return {
        op: 'upsert',
        kind: 'router-interface',
        id,
        body: { id, router, network: networkId, subnet: subnetId, ...own },
      };
    }),
  ];
}

/** A server with one port, placed on its host and bound there. */
export function instanceFacts(
  name: string,
  plan: InstancePlan,
  networks: WorldPlan['networks'],
  endpoint: Ip,
): SpanChange[] {
  const { project, cidr } = planned(networks, plan.network);
  const [server, port] = [idOf<'server'>('server', name), idOf<'port'>('port', name)];
  const subnet = idOf<'subnet'>('subnet', plan.network);
  const own = endOf(cidr, plan.place);
  const bound: SpanChange = { op: 'upsert', kind: 'binding', id: port, body: { port, host: plan.host, endpoint } };
  const published: SpanChange = {
    op: 'upsert',
    kind: 'port',
    id: port,
    body: {
      id: port,
      network: idOf<'network'>('network', plan.network),
      project,
      name,
      mac: own.mac,
      fixedIps: [{ subnet, ip: own.ip }],
      adminStateUp: true,
      portSecurity: plan.portSecurity ?? true,
      server,
    },
  };
  if (endpoint === ELSEWHERE) return [published, bound];
  return [
    { op: 'place', server, place: plan.host },
    {
      op: 'upsert',
      kind: 'server',
      id: server,
      body: {
        id: server,
        project,
        name,
        site: idOf<'site'>('site', 'lab'),
        zone: 'a',
        vcpus: 1,
        ramMb: 128,
        diskGb: 1,
        image: 'weir-instance',
        ports: [port],
        power: 'on',
      },
    },
    published,
    bound,
  ];
}

/** As its site takes an instance back: first the server, then what it had. */
export function instanceRemoval(name: string): SpanChange[] {
  const [server, port] = [idOf<'server'>('server', name), idOf<'port'>('port', name)];
  return [
    { op: 'delete', kind: 'server', id: server },
    { op: 'delete', kind: 'binding', id: port },
    { op: 'delete', kind: 'port', id: port },
    { op: 'unplace', server },
  ];
}

function planned(networks: WorldPlan['networks'], name: string): NetworkPlan {
  const plan = networks[name];
  if (!plan) throw new RangeError(`No network ${name}.`);
  return plan;
}
