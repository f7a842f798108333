import {
  cidrContains,
  type Cidr,
  type Ip,
  ipVersion,
  type Mac,
  type NetworkId,
  type PortId,
  type RouterId,
  type SubnetId,
  WeirError,
} from '@weir/kernel';
import type { NetworkFact } from '@weir/topology';
import type { Environment } from './environment';
import { prefixLength } from './row';
import type { HostSlice } from './slice';

/** A network whose isolation this host cannot do: it gets no rows, the others are not held up. */
export class UnsupportedSegment extends WeirError {
  constructor(network: NetworkFact) {
    super('invalid', `Network '${network.name}' is isolated by ${network.segment.type}, which this host cannot do.`, {
      fields: { network: network.id, segment: network.segment },
    });
  }
}

/** A port that is bound to an endpoint which our tunnels cannot reach. */
export class UnsupportedEndpoint extends WeirError {
  constructor(port: string, endpoint: Ip) {
    super('invalid', `Tunnels to ${endpoint} are not possible: the underlay has to be IPv4.`, {
      fields: { port, endpoint },
    });
  }
}

/** The tunnel port of each way to isolate networks; one that is not here is refused. */
const TUNNELS: {
  readonly [Type in NetworkFact['segment']['type']]?: (environment: Environment) => number | undefined;
} = {
  vxlan: (environment) => environment.tunnelPort,
};

export interface Tunnel {
  readonly port: number;
  /** The network's key on the wire. */
  readonly id: number;
}

export interface Network {
  /** In metadata. */
  readonly key: number;
  /** Undefined while this host has no tunnel port. */
  readonly tunnel: Tunnel | undefined;
}

export interface Subnet {
  readonly network: NetworkId;
  readonly networkKey: number;
  readonly cidr: Cidr;
  readonly dhcp: { readonly ip: Ip; readonly mac: Mac } | undefined;
}

export interface Route {
  readonly destination: Cidr;
  readonly nexthop: Ip;
}

export interface Router {
  readonly key: number;
  readonly routes: readonly Route[];
}

export interface RouterInterface {
  readonly key: number;
  readonly router: RouterId;
  readonly routerKey: number;
  readonly network: NetworkId;
  readonly networkKey: number;
  readonly subnet: SubnetId;
  readonly cidr: Cidr;
  readonly mac: Mac;
  readonly ip: Ip;
  readonly mtu: number;
}

export type Place =
  | { readonly type: 'local'; readonly ofport: number }
  | { readonly type: 'remote'; readonly endpoint: Ip; readonly tunnel: Tunnel };

export interface Port {
  readonly key: number;
  readonly network: NetworkId;
  readonly networkKey: number;
  readonly mac: Mac;
  readonly fixedIps: readonly { readonly subnet: SubnetId; readonly ip: Ip }[];
  readonly portSecurity: boolean;
  readonly place: Place;
}

/**
 * Things with all that they refer to looked up: each is undefined until everything has come that its rows need, in whatever order,
 * and equal to what it was unless its rows may differ.
 */
export class Resolver {
  constructor(
    private readonly slice: HostSlice,
    private readonly environment: Environment,
  ) {}

  /** Why a network that has come gets no rows. */
  refusedNetwork(id: string): UnsupportedSegment | undefined {
    const fact = this.slice.get('network', id);
    return fact && TUNNELS[fact.segment.type] === undefined ? new UnsupportedSegment(fact) : undefined;
  }

  refusedPort(id: string): UnsupportedEndpoint | undefined {
    const binding = this.slice.get('binding', id);
    if (this.environment.localPorts.has(id as PortId)) return undefined;
    return binding && ipVersion(binding.endpoint) !== 4 ? new UnsupportedEndpoint(id, binding.endpoint) : undefined;
  }

  network(id: string): Network | undefined {
    const fact = this.slice.get('network', id);
    const key = this.environment.keys.network.get(id);
    if (!fact || key === undefined) return undefined;
    const tunnelPort = TUNNELS[fact.segment.type];
    if (!tunnelPort) return undefined;
    const port = tunnelPort(this.environment);
    return { key, tunnel: port === undefined ? undefined : { port, id: fact.segment.key } };
  }

  subnet(id: string): Subnet | undefined {
    const fact = this.slice.get('subnet', id);
    const network = fact && this.network(fact.network);
    if (!network || !isIpv4(fact.cidr)) return undefined;
    return {
      network: fact.network,
      networkKey: network.key,
      cidr: fact.cidr,
      dhcp: fact.enableDhcp ? { ip: fact.serverIp, mac: fact.serverMac } : undefined,
    };
  }

  router(id: string): Router | undefined {
    const fact = this.slice.get('router', id);
    const key = this.environment.keys.router.get(id);
    if (!fact?.adminStateUp || key === undefined) return undefined;
    return { key, routes: fact.routes.filter((route) => isIpv4(route.destination) && isIpv4(route.nexthop)) };
  }

  routerInterface(id: string): RouterInterface | undefined {
    const fact = this.slice.get('router-interface', id);
    const key = this.environment.keys['router-interface'].get(id);
    if (!fact || key === undefined || !isIpv4(fact.ip)) return undefined;
    const [router, network, subnet] = [this.router(fact.router), this.network(fact.network), this.subnet(fact.subnet)];
    const mtu = this.slice.get('network', fact.network)?.mtu;
    if (!router || !network || !subnet || mtu === undefined) return undefined;
    return {
      key,
      router: fact.router,
      routerKey: router.key,
      network: fact.network,
      networkKey: network.key,
      subnet: fact.subnet,
      cidr: subnet.cidr,
      mac: fact.mac,
      ip: fact.ip,
      mtu,
    };
  }

  port(id: string): Port | undefined {
    const fact = this.slice.get('port', id);
    const key = this.environment.keys.port.get(id);
    if (!fact?.adminStateUp || key === undefined) return undefined;
    const network = this.network(fact.network);
    const place = network && this.place(id, network);
    if (!place) return undefined;
    return {
      key,
      network: fact.network,
      networkKey: network.key,
      mac: fact.mac,
      fixedIps: fact.fixedIps.filter(({ ip }) => isIpv4(ip)),
      portSecurity: fact.portSecurity,
      place,
    };
  }

  /** Here if Open vSwitch has it here, whatever its binding says; else where it is bound; bound to here and not plugged in yet: nowhere. */
  private place(id: string, network: Network): Place | undefined {
    const local = this.environment.localPorts.get(id as PortId);
    if (local) return { type: 'local', ofport: local.ofport };
    const endpoint = this.slice.get('binding', id)?.endpoint;
    if (endpoint === undefined || !isIpv4(endpoint) || !network.tunnel) return undefined;
    const own = this.environment.tunnelAddress;
    return own === undefined || endpoint === own ? undefined : { type: 'remote', endpoint, tunnel: network.tunnel };
  }
}

/** The interface that a static route's next hop is behind: the longest prefix, then the lowest key. */
export function interfaceTowards(nexthop: Ip, interfaces: readonly RouterInterface[]): RouterInterface | undefined {
  return interfaces
    .filter(({ cidr }) => cidrContains(cidr, nexthop))
    .sort((left, right) => prefixLength(right.cidr) - prefixLength(left.cidr) || left.key - right.key)[0];
}

function isIpv4(address: Ip | Cidr): boolean {
  return !address.includes(':');
}
