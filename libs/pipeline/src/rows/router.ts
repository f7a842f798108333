import type { Action } from '@weir/openflow';
import type { Ip, Mac } from '@weir/kernel';
import { ETHERNET_HEADER, ROUTER_METERS_FROM } from '../limits';
import { interfaceTowards, type Router, type RouterInterface } from '../resolve';
import {
  ETH_IPV4,
  having,
  ipv4,
  mac,
  match,
  move,
  prefix,
  prefixLength,
  PROTO_ICMP,
  punt,
  resubmit,
  type Row,
  row,
  set,
  setBits,
  swap,
  without,
} from '../row';
import { FROM_ANY, PUNTS, REPLY, TOO_BIG, TOO_BIG_BIT } from '../tables';
import { arpResponder } from './arp';

const ICMP_ECHO = 8;
const ICMP_ECHO_REPLY = 0;
const ECHO_TTL = 255;

/** A route's priority is 3 · prefix length + one of these: a longer prefix wins, then what is connected. 1 is the router's last word. */
const STATIC = 2;
const CONNECTED = 3;

export function routerMeter(key: number): number {
  return ROUTER_METERS_FROM + key;
}

/** Towards a next hop that is in reg4 now; the packet's length is held against the MTU of the network that it goes to. */
function byInterface(towards: RouterInterface): Action[] {
  return [
    set('reg9', towards.key),
    {
      type: 'check_pkt_larger',
      length: towards.mtu + ETHERNET_HEADER,
      to: { field: 'reg0', offset: TOO_BIG_BIT, width: 1 },
    },
  ];
}

export function routerRows(router: Router, interfaces: readonly RouterInterface[]): Row[] {
  const ip = { reg3: router.key, eth_type: ETH_IPV4 };
  const meter = routerMeter(router.key);
  const rows = [
    row('ROUTE', 64900, match({ ...ip, nw_ttl: 0 }), [punt(PUNTS.timeExceeded)], { meter }),
    row('ROUTE', 64900, match({ ...ip, nw_ttl: 1 }), [punt(PUNTS.timeExceeded)], { meter }),
    row('ROUTE', 1, match(ip), [punt(PUNTS.netUnreachable)], { meter }),
    row('NEIGHBOR', 110, match({ ...ip, reg0: having(TOO_BIG) }), [punt(PUNTS.tooBig)], { meter }),
    row('NEIGHBOR', 1, match(ip), [punt(PUNTS.hostUnreachable)], { meter }),
  ];
  const destinations = new Set<string>();
  for (const { destination, nexthop } of router.routes) {
    const towards = interfaceTowards(nexthop, interfaces);
    // Of several routes to one destination the first that is reachable stands, until equal ones share the load.
    if (!towards || destinations.has(destination)) continue;
    destinations.add(destination);
    rows.push(
      row(
        'ROUTE',
        3 * prefixLength(destination) + STATIC,
        match({ ...ip, ip_dst: prefix(destination) }),
        [set('reg4', ipv4(nexthop)), ...byInterface(towards)],
        { goto: 'NEIGHBOR' },
      ),
    );
  }
  return rows;
}

/** `hasLocalMembers`: somebody here can ask for the interface's address. `others`: interfaces of other routers in the same subnet. */
export function interfaceRows(
  own: RouterInterface,
  hasLocalMembers: boolean,
  others: readonly RouterInterface[],
): Row[] {
  const ip = { reg3: own.routerKey, eth_type: ETH_IPV4 };
  const address = ipv4(own.ip);
  const rows = [
    row(
      'SWITCH',
      110,
      match({ metadata: own.networkKey, reg0: without(FROM_ANY), eth_dst: mac(own.mac) }),
      [set('reg3', own.routerKey)],
      { goto: 'NAT_IN' },
    ),
    row('ROUTE', 65002, match({ ...ip, reg0: without(REPLY), ip_src: address }), []),
    row('ROUTE', 65001, match({ ...ip, ip_proto: PROTO_ICMP, icmp_type: ICMP_ECHO, icmp_code: 0, ip_dst: address }), [
      ...swap('ip_src', 'ip_dst'),
      set('icmp_type', ICMP_ECHO_REPLY),
      set('nw_ttl', ECHO_TTL),
      setBits('reg0', REPLY, REPLY),
      resubmit('ROUTE'),
    ]),
    row('ROUTE', 65000, match({ ...ip, ip_dst: address }), [punt(PUNTS.portUnreachable)], {
      meter: routerMeter(own.routerKey),
    }),
    row(
      'ROUTE',
      3 * prefixLength(own.cidr) + CONNECTED,
      match({ ...ip, ip_dst: prefix(own.cidr) }),
      [move('ip_dst', 'reg4'), ...byInterface(own)],
      { goto: 'NEIGHBOR' },
    ),
  ];
  if (hasLocalMembers) rows.push(arpResponder(own.networkKey, own.ip, own.mac));
  for (const other of others) {
    // To another router: what it does with the frame is decided by its own rows, here too.
    rows.push(neighborRow(other, own, [], 'again'));
  }
  return rows;
}

/** Makes a routed frame of it: the one place that rewrites. */
export function neighborRow(
  from: RouterInterface,
  to: { readonly ip: Ip; readonly mac: Mac },
  destination: readonly Action[],
  then: 'deliver' | 'again',
): Row {
  const actions: Action[] = [
    { type: 'dec_ttl' },
    set('eth_src', mac(from.mac)),
    set('eth_dst', mac(to.mac)),
    set('metadata', from.networkKey),
    ...destination,
    setBits('reg0', 0, FROM_ANY),
    set('in_port', 0),
  ];
  const matching = match({ reg9: from.key, reg4: ipv4(to.ip), eth_type: ETH_IPV4 });
  return then === 'deliver'
    ? row('NEIGHBOR', 100, matching, actions, { goto: 'ACL_IN' })
    : row('NEIGHBOR', 100, matching, [...actions, resubmit('SWITCH')]);
}
