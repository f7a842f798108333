import fc from 'fast-check';
import type { Cidr, Id, Ip, Mac } from '@weir/kernel';
import type {
  BindingFact,
  FactChange,
  FactKind,
  NetworkFact,
  PortFact,
  RouterFact,
  RouterInterfaceFact,
  SubnetFact,
} from '@weir/topology';

/**
 * Small worlds for the pipeline: projects with the same address plan and the same MACs, on hosts that share one fabric. `factsAt` cuts
 * out what one host needs to know, by its own simple search, so that it can stand against the span code of `@weir/topology`.
 */

export interface TopologyHost {
  readonly name: string;
  readonly endpoint: Ip;
}

export interface TopologyPort {
  readonly fact: PortFact;
  readonly host: TopologyHost;
}

export interface Topology {
  readonly hosts: readonly TopologyHost[];
  readonly networks: readonly NetworkFact[];
  readonly subnets: readonly SubnetFact[];
  readonly routers: readonly RouterFact[];
  readonly interfaces: readonly RouterInterfaceFact[];
  readonly ports: readonly TopologyPort[];
}

/** A project's plan, as an arbitrary draws it; indexes point into the lists and wrap round. */
export interface ProjectPlan {
  readonly networks: readonly {
    readonly dhcp: boolean;
    readonly ports: readonly { readonly host: number; readonly up: boolean; readonly secure: boolean }[];
  }[];
  readonly routers: readonly { readonly up: boolean; readonly networks: readonly number[] }[];
}

export interface TopologyPlan {
  readonly hosts: number;
  readonly projects: readonly ProjectPlan[];
}

const KINDS = { network: 1, subnet: 2, router: 3, interface: 4, port: 5, server: 6 } as const;

/** A UUID that says what it names: kind, project, and two numbers. */
function id<Of extends string>(kind: keyof typeof KINDS, project: number, first: number, second = 0): Id<Of> {
  const hex = (value: number, width: number) => value.toString(16).padStart(width, '0');
  return `${hex(KINDS[kind], 8)}-${hex(project, 4)}-4000-8000-${hex(first, 4)}${hex(second, 8)}` as Id<Of>;
}

/** The last two bytes tell a MAC's network and place; every project has the same ones. */
function mac(network: number, place: number): Mac {
  const hex = (value: number) => value.toString(16).padStart(2, '0');
  return `fa:16:3e:00:${hex(network + 1)}:${hex(place)}` as Mac;
}

const GATEWAY = 1;
const FIRST_PORT = 11;
const FURTHER_ROUTER = 200;
const FIRST_VNI = 10_000;

export function address(network: number, place: number): Ip {
  return `10.1.${network + 1}.${place}` as Ip;
}

/** Project p's network n has 10.1.(n+1).0/24 whatever p is; its gateway .1 is the first router that joins it, the next ones have .200, .201, … */
export function buildTopology(plan: TopologyPlan): Topology {
  const hosts = Array.from({ length: plan.hosts }, (_, index): TopologyHost => ({
    name: `h${index + 1}`,
    endpoint: `198.51.100.${index + 1}` as Ip,
  }));
  const networks: NetworkFact[] = [];
  const subnets: SubnetFact[] = [];
  const routers: RouterFact[] = [];
  const interfaces: RouterInterfaceFact[] = [];
  const ports: TopologyPort[] = [];

  plan.projects.forEach((project, p) => {
    const name = `project-${p}`;
    project.networks.forEach(({ dhcp, ports: portPlans }, n) => {
      const network = id<'network'>('network', p, n);
      const subnet = id<'subnet'>('subnet', p, n);
      networks.push({
        id: network,
        project: name,
        name: `net-${p}-${n}`,
        mtu: 1450,
        segment: { type: 'vxlan', key: FIRST_VNI + networks.length },
      });
      subnets.push({
        id: subnet,
        network,
        name: `subnet-${p}-${n}`,
        cidr: `10.1.${n + 1}.0/24` as Cidr,
        gatewayIp: address(n, GATEWAY),
        enableDhcp: dhcp,
        dnsNameservers: [],
        hostRoutes: [],
        serverIp: address(n, GATEWAY),
        serverMac: mac(n, GATEWAY),
      });
      portPlans.forEach(({ host, up, secure }, index) => {
        const at = hosts[host % hosts.length];
        if (!at) return;
        ports.push({
          host: at,
          fact: {
            id: id<'port'>('port', p, n, index),
            network,
            project: name,
            name: `port-${p}-${n}-${index}`,
            mac: mac(n, FIRST_PORT + index),
            fixedIps: [{ subnet, ip: address(n, FIRST_PORT + index) }],
            adminStateUp: up,
            portSecurity: secure,
            server: id<'server'>('server', p, n, index),
          },
        });
      });
    });
    const joined = new Map<number, number>();
    project.routers.forEach(({ up, networks: wanted }, r) => {
      const router = id<'router'>('router', p, r);
      routers.push({ id: router, project: name, name: `router-${p}-${r}`, adminStateUp: up, routes: [] });
      for (const n of new Set(wanted.map((index) => index % project.networks.length))) {
        const before = joined.get(n) ?? 0;
        joined.set(n, before + 1);
        const place = before === 0 ? GATEWAY : FURTHER_ROUTER + before - 1;
        interfaces.push({
          id: id<'port'>('interface', p, r, n),
          router,
          network: id<'network'>('network', p, n),
          subnet: id<'subnet'>('subnet', p, n),
          ip: address(n, place),
          mac: mac(n, place),
        });
      }
    });
  });
  return { hosts, networks, subnets, routers, interfaces, ports };
}

function upsert(kind: FactKind, id: string, body: unknown): FactChange {
  return { op: 'upsert', kind, id, body } as FactChange;
}

/** All facts of a topology, of every host. */
export function factsOf(topology: Topology): FactChange[] {
  return factsWithin(topology, () => true);
}

/** The facts of one host's slice: of the networks in which it has ports, and of those that routers join with them, through any number of routers. */
export function factsAt(topology: Topology, host: TopologyHost): FactChange[] {
  const reached = new Set<string>(topology.ports.filter((port) => port.host === host).map(({ fact }) => fact.network));
  for (let size = -1; size !== reached.size;) {
    size = reached.size;
    const routers = new Set(
      topology.interfaces.filter(({ network }) => reached.has(network)).map(({ router }) => router),
    );
    for (const { router, network } of topology.interfaces) if (routers.has(router)) reached.add(network);
  }
  return factsWithin(topology, (network) => reached.has(network));
}

function factsWithin(topology: Topology, isIn: (network: string) => boolean): FactChange[] {
  const interfaces = topology.interfaces.filter(({ network }) => isIn(network));
  const routers = new Set<string>(interfaces.map(({ router }) => router));
  const ports = topology.ports.filter(({ fact }) => isIn(fact.network));
  return [
    ...topology.networks.filter((fact) => isIn(fact.id)).map((fact) => upsert('network', fact.id, fact)),
    ...topology.subnets.filter((fact) => isIn(fact.network)).map((fact) => upsert('subnet', fact.id, fact)),
    ...topology.routers.filter((fact) => routers.has(fact.id)).map((fact) => upsert('router', fact.id, fact)),
    ...interfaces.map((fact) => upsert('router-interface', fact.id, fact)),
    ...ports.map(({ fact }) => upsert('port', fact.id, fact)),
    ...ports.map(({ fact, host }) => {
      const body: BindingFact = { port: fact.id, host: host.name, endpoint: host.endpoint };
      return upsert('binding', fact.id, body);
    }),
  ];
}

const mostly = (often: boolean) => fc.integer({ min: 0, max: 9 }).map((die) => (die === 0 ? !often : often));

const projectPlan: fc.Arbitrary<ProjectPlan> = fc.record({
  networks: fc.array(
    fc.record({
      dhcp: fc.boolean(),
      ports: fc.array(fc.record({ host: fc.nat(3), up: mostly(true), secure: mostly(true) }), { maxLength: 3 }),
    }),
    { minLength: 1, maxLength: 3 },
  ),
  routers: fc.array(fc.record({ up: mostly(true), networks: fc.array(fc.nat(2), { minLength: 1, maxLength: 3 }) }), {
    maxLength: 2,
  }),
});

export const topologyPlan: fc.Arbitrary<TopologyPlan> = fc.record({
  hosts: fc.integer({ min: 1, max: 4 }),
  projects: fc.tuple(projectPlan, projectPlan),
});

/** Two projects with equal CIDRs, addresses and MACs on one to four hosts. */
export const topology: fc.Arbitrary<Topology> = topologyPlan.map(buildTopology);
