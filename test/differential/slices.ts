import {
  type Cidr,
  cidrAddress,
  type Id,
  type Ip,
  type Mac,
  type NetworkId,
  type Random,
  type RouterId,
} from '@weir/kernel';
import type { Topology, TopologyHost, TopologyPort } from '@weir/testing/topology';
import type { NetworkFact, RouterFact, RouterInterfaceFact, SubnetFact } from '@weir/topology';

/** All that there ever are; a drawn topology has the first ones. */
export const HOSTS = [host(1), host(2), host(3), host(4)] as const;

const MAX_PROJECTS = 3;
const MAX_NETWORKS = 4;
const MAX_PORTS = 5;
const MAX_ROUTERS = 2;
/** Of two projects they are the same ones, of one project never. */
const CIDRS = [
  '10.1.0.0/24',
  '10.1.1.0/28',
  '10.1.2.0/23',
  '172.16.0.0/20',
  '192.168.9.128/25',
  '10.2.0.0/16',
] as Cidr[];
const MTUS = [1450, 1400, 1500, 576, 8900] as const;
/** On the wire, the smallest and the largest among them. */
const KEYS = [1, 77, 4_096, 65_536, 0xfffffe, 0xffffff] as const;
const DESTINATIONS = ['0.0.0.0/0', '203.0.113.0/24', '203.0.113.7/32', '10.1.0.0/24', '10.0.0.0/8'] as Cidr[];

/** Places in a subnet; a /28 has room for all. */
const GATEWAY = 1;
const SERVER = 2;
const FIRST_ROUTER = 3;
const FIRST_MEMBER = 6;
const NOBODY = 13;

function host(number: number): TopologyHost {
  return { name: `h${number}`, endpoint: `198.51.100.${number}` as Ip };
}

/** True once in so many times. */
export function once(random: Random, inSoMany: number): boolean {
  return random.integer(inSoMany) === 0;
}

export function pick<T>(random: Random, things: readonly T[]): T {
  const thing = things[random.integer(things.length)];
  if (thing === undefined) throw new RangeError('There is nothing to pick from.');
  return thing;
}

function shuffled<T>(random: Random, things: readonly T[]): T[] {
  const rest = [...things];
  return things.flatMap(() => rest.splice(random.integer(rest.length), 1));
}

function some<T>(random: Random, things: readonly T[], count: number): T[] {
  return shuffled(random, things).slice(0, count);
}

/** Equal for the things at one place of one CIDR, whatever their project. */
function macOf(cidr: Cidr, place: number): Mac {
  const hex = (value: number) => value.toString(16).padStart(2, '0');
  return `fa:16:3e:00:${hex(CIDRS.indexOf(cidr))}:${hex(place)}` as Mac;
}

/**
 * One to three projects whose addresses and MACs overlap, on one to four hosts: networks of several MTUs with no, one or two subnets,
 * with and without DHCP and a gateway; ports that are up or not, with and without port security, with no, one or two addresses; routers,
 * also two in one subnet, with static routes that lead on, in a circle, or nowhere.
 */
export function drawTopology(random: Random): Topology {
  return new TopologyDraw(random).topology;
}

class TopologyDraw {
  private readonly hosts: readonly TopologyHost[];
  private readonly keys: number[];
  private readonly networks: NetworkFact[] = [];
  private readonly subnets: SubnetFact[] = [];
  private readonly routers: RouterFact[] = [];
  private readonly interfaces: RouterInterfaceFact[] = [];
  private readonly ports: TopologyPort[] = [];
  private ids = 0;

  constructor(private readonly random: Random) {
    this.hosts = HOSTS.slice(0, 1 + random.integer(HOSTS.length));
    this.keys = shuffled(random, KEYS);
    const projects = 1 + random.integer(MAX_PROJECTS);
    for (let p = 0; p < projects; p++) this.drawProject(`project ${p + 1}`);
  }

  get topology(): Topology {
    const { hosts, networks, subnets, routers, interfaces, ports } = this;
    return { hosts, networks, subnets, routers, interfaces, ports };
  }

  private id<Of extends string>(): Id<Of> {
    return `${(++this.ids).toString(16).padStart(8, '0')}-0000-4000-8000-000000000000` as Id<Of>;
  }

  private drawProject(project: string): void {
    const { random } = this;
    const cidrs = shuffled(random, CIDRS);
    const firstSubnet = this.subnets.length;
    const wanted = 1 + random.integer(3);
    for (let n = 0; n < wanted && this.networks.length < MAX_NETWORKS; n++) {
      const network = this.id<'network'>();
      const key = pick(random, this.keys.splice(0, 1));
      const name = `network ${this.networks.length + 1}`;
      this.networks.push({ id: network, project, name, mtu: pick(random, MTUS), segment: { type: 'vxlan', key } });
      const subnets = cidrs.splice(0, pick(random, [0, 1, 1, 1, 1, 2])).map((cidr) => this.drawSubnet(network, cidr));
      const ports = random.integer(MAX_PORTS + 1);
      for (let place = FIRST_MEMBER; place < FIRST_MEMBER + ports; place++)
        this.drawPort(project, network, subnets, place);
    }
    this.drawRouters(project, this.subnets.slice(firstSubnet));
  }

  private drawSubnet(network: NetworkId, cidr: Cidr): SubnetFact {
    const hasGateway = !once(this.random, 4);
    const subnet: SubnetFact = {
      id: this.id(),
      network,
      name: `subnet ${this.subnets.length + 1}`,
      cidr,
      gatewayIp: hasGateway ? cidrAddress(cidr, GATEWAY) : null,
      enableDhcp: once(this.random, 2),
      dnsNameservers: [],
      hostRoutes: [],
      serverIp: cidrAddress(cidr, hasGateway ? GATEWAY : SERVER),
      serverMac: macOf(cidr, hasGateway ? GATEWAY : SERVER),
    };
    this.subnets.push(subnet);
    return subnet;
  }

  private drawPort(project: string, network: NetworkId, subnets: readonly SubnetFact[], place: number): void {
    const { random } = this;
    const own = some(random, subnets, pick(random, [0, 1, 1, 1, 1, 1, 1, 1, 1, 2]));
    this.ports.push({
      host: pick(random, this.hosts),
      fact: {
        id: this.id(),
        network,
        project,
        name: `port ${this.ports.length + 1}`,
        mac: macOf(own[0]?.cidr ?? subnets[0]?.cidr ?? pick(random, CIDRS), place),
        fixedIps: own.map(({ id, cidr }) => ({ subnet: id, ip: cidrAddress(cidr, place) })),
        adminStateUp: !once(random, 12),
        portSecurity: !once(random, 5),
        server: this.id(),
      },
    });
  }

  private drawRouters(project: string, subnets: readonly SubnetFact[]): void {
    const { random } = this;
    const drawn = Array.from({ length: random.integer(MAX_ROUTERS + 1) }, (_, r) => {
      const router = this.id<'router'>();
      const joined = some(random, subnets, 1 + random.integer(subnets.length + 1));
      for (const subnet of joined) this.drawInterface(router, subnet, FIRST_ROUTER + r);
      return { router, joined };
    });
    for (const { router, joined } of drawn) {
      const cidrs = joined.length > 0 ? joined.map(({ cidr }) => cidr) : CIDRS;
      const others = this.interfaces.filter(
        (other) => other.router !== router && joined.some(({ id }) => id === other.subnet),
      );
      const routes = some(random, DESTINATIONS, random.integer(4)).map((destination) => ({
        destination,
        nexthop:
          others.length > 0 && once(random, 2)
            ? pick(random, others).ip
            : cidrAddress(pick(random, cidrs), pick(random, [GATEWAY, FIRST_MEMBER, FIRST_MEMBER + 1, NOBODY])),
      }));
      const name = `router ${this.routers.length + 1}`;
      this.routers.push({ id: router, project, name, adminStateUp: !once(random, 12), routes });
    }
  }

  /** The first one in a subnet is its gateway. */
  private drawInterface(router: RouterId, subnet: SubnetFact, place: number): void {
    const isGateway = subnet.gatewayIp !== null && !this.interfaces.some((other) => other.subnet === subnet.id);
    const own = isGateway ? GATEWAY : place;
    this.interfaces.push({
      id: this.id(),
      router,
      network: subnet.network,
      subnet: subnet.id,
      ip: cidrAddress(subnet.cidr, own),
      mac: macOf(subnet.cidr, own),
    });
  }
}
