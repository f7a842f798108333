import type { Field, Flow } from '@weir/openflow';
import { FROM_FABRIC, OWNER_KINDS, type OwnerKind, tableName, type TableName } from '@weir/pipeline';

/** A kind of row that the pipeline has: where it stands, and what it is there for. */
export interface Kind {
  readonly table: TableName;
  /** Undefined for routes, whose priority says how long their prefix is. */
  readonly priority: number | undefined;
  readonly what: string;
  is(flow: Flow): boolean;
}

const ARP = 0x0806n;
const RARP = 0x8035n;

function has(flow: Flow, field: Field): boolean {
  return flow.match[field] !== undefined;
}

function value(flow: Flow, field: Field): bigint | undefined {
  return flow.match[field]?.value;
}

function ownedBy(flow: Flow, owner: OwnerKind): boolean {
  return Number(flow.cookie >> 48n) === OWNER_KINDS[owner];
}

function kind(
  table: TableName,
  priority: number | undefined,
  what: string,
  is: (flow: Flow) => boolean = () => true,
): Kind {
  return {
    table,
    priority,
    what,
    is: (flow) => tableName(flow.table) === table && (priority === undefined || flow.priority === priority) && is(flow),
  };
}

const routes = (flow: Flow): boolean => flow.actions.some(({ type }) => type === 'check_pkt_larger');

/** Every kind of row that libs/pipeline/src/rows makes; a row of a plan that is of none, or of two, fails the test. */
export const KINDS: readonly Kind[] = [
  kind('CLASSIFY', 120, 'tunnel from a host: once more, as known'),
  kind('CLASSIFY', 119, 'tunnel from elsewhere: drop'),
  kind('CLASSIFY', 100, 'an instance', (flow) => !has(flow, 'tun_id')),
  kind('CLASSIFY', 100, "tunnel with a network's key", (flow) => has(flow, 'tun_id')),
  kind('CLASSIFY', 99, 'tunnel with another key: drop'),
  kind('CLASSIFY', 0, 'drop'),
  kind('PORT_SECURITY', 100, 'RARP', (flow) => value(flow, 'eth_type') === RARP),
  kind('PORT_SECURITY', 100, 'ARP from an own address', (flow) => (value(flow, 'arp_spa') ?? 0n) !== 0n),
  kind('PORT_SECURITY', 100, 'ARP probe', (flow) => value(flow, 'arp_spa') === 0n),
  kind(
    'PORT_SECURITY',
    100,
    'DHCP client, own address',
    (flow) => has(flow, 'udp_src') && value(flow, 'ip_src') !== 0n,
  ),
  kind('PORT_SECURITY', 100, 'DHCP client, no address', (flow) => has(flow, 'udp_src') && value(flow, 'ip_src') === 0n),
  kind('PORT_SECURITY', 97, "a tenant's own DHCP server"),
  kind('PORT_SECURITY', 96, 'a DHCP server where we serve: drop'),
  kind('PORT_SECURITY', 90, 'IPv4 from an own address'),
  kind('PORT_SECURITY', 80, 'a port without port security'),
  kind('PORT_SECURITY', 0, 'drop'),
  kind('SG_OUT', 0, 'drop'),
  kind('SERVICES', 110, 'ARP for its own address'),
  kind('SERVICES', 100, 'ARP for a port', (flow) => value(flow, 'eth_type') === ARP && ownedBy(flow, 'port')),
  kind('SERVICES', 100, 'ARP for a router', (flow) => ownedBy(flow, 'router-interface')),
  kind('SERVICES', 100, 'ARP for a DHCP server', (flow) => ownedBy(flow, 'subnet')),
  kind('SERVICES', 100, 'DHCP: punt', (flow) => has(flow, 'udp_src')),
  kind('SERVICES', 0, 'on'),
  kind('SWITCH', 110, "a router's MAC"),
  kind('SWITCH', 100, "a port's MAC"),
  kind('SWITCH', 95, 'multicast from the fabric'),
  kind('SWITCH', 90, 'multicast from an instance'),
  kind('SWITCH', 20, 'unknown MAC from the fabric', (flow) => value(flow, 'reg0') === BigInt(FROM_FABRIC)),
  kind('SWITCH', 20, 'unknown MAC from an instance', (flow) => value(flow, 'reg0') === 0n),
  kind('SWITCH', 0, 'drop'),
  kind('NAT_IN', 0, 'on'),
  kind('ACL_OUT', 1, 'a network without an ACL'),
  kind('ACL_OUT', 0, 'drop'),
  kind('ROUTE', 65002, "from a router's address: drop"),
  kind('ROUTE', 65001, 'echo to an own address: answer'),
  kind('ROUTE', 65000, 'an own address: port unreachable'),
  kind('ROUTE', 64900, 'TTL 0: time exceeded', (flow) => value(flow, 'nw_ttl') === 0n),
  kind('ROUTE', 64900, 'TTL 1: time exceeded', (flow) => value(flow, 'nw_ttl') === 1n),
  kind('ROUTE', undefined, 'a connected subnet', (flow) => routes(flow) && ownedBy(flow, 'router-interface')),
  kind('ROUTE', undefined, 'a static route', (flow) => routes(flow) && ownedBy(flow, 'router') && has(flow, 'ip_dst')),
  kind(
    'ROUTE',
    undefined,
    'the default route',
    (flow) => routes(flow) && ownedBy(flow, 'router') && !has(flow, 'ip_dst'),
  ),
  kind('ROUTE', 1, 'no route: net unreachable'),
  kind('ROUTE', 0, 'drop'),
  kind('NEIGHBOR', 110, 'too big: punt'),
  kind('NEIGHBOR', 100, 'a port: rewrite', (flow) => flow.goto !== undefined),
  kind('NEIGHBOR', 100, 'another router: rewrite, again', (flow) => flow.goto === undefined),
  kind('NEIGHBOR', 1, 'nobody: host unreachable'),
  kind('NEIGHBOR', 0, 'drop'),
  kind('ACL_IN', 1, 'a network without an ACL'),
  kind('ACL_IN', 0, 'drop'),
  kind('NAT_OUT', 0, 'on'),
  kind('DELIVER', 90, 'a port here', (flow) => flow.goto !== undefined),
  kind('DELIVER', 90, 'a port on another host: tunnel', (flow) => flow.goto === undefined),
  kind('DELIVER', 0, 'drop'),
  kind('SG_IN', 0, 'drop'),
  kind('OUTPUT', 100, 'a port'),
  kind('OUTPUT', 0, 'drop'),
];
