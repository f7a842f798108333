import { DHCP_CLIENT_PORT, DHCP_SERVER_PORT } from '@weir/packet';
import type { Port, RouterInterface } from '../resolve';
import {
  ETH_ARP,
  ETH_IPV4,
  ETH_RARP,
  ipv4,
  mac,
  match,
  output,
  PROTO_UDP,
  punt,
  type Row,
  row,
  set,
  without,
} from '../row';
import { FROM_ANY, PUNTS } from '../tables';
import { arpResponder } from './arp';
import { toTunnel } from './network';
import { neighborRow } from './router';

/** What a port's rows depend on beside itself. */
export interface PortSurroundings {
  /** Somebody in its network is here. */
  readonly hasLocalMembers: boolean;
  /** Some subnet of its network has DHCP. */
  readonly networkHasDhcp: boolean;
  /** One of its own addresses is in a subnet with DHCP. */
  readonly hasDhcp: boolean;
  /** The router interfaces in the subnets of its addresses. */
  readonly interfaces: readonly RouterInterface[];
}

const FROM_CLIENT = { eth_type: ETH_IPV4, ip_proto: PROTO_UDP, udp_src: DHCP_CLIENT_PORT, udp_dst: DHCP_SERVER_PORT };
const FROM_SERVER = { eth_type: ETH_IPV4, ip_proto: PROTO_UDP, udp_src: DHCP_SERVER_PORT, udp_dst: DHCP_CLIENT_PORT };

/** A port's meter has its key. */
export function portMeter(key: number): number {
  return key;
}

export function portRows(port: Port, around: PortSurroundings): Row[] {
  const routed = around.interfaces.flatMap((from) =>
    port.fixedIps
      .filter(({ subnet }) => subnet === from.subnet)
      .map(({ ip }) => neighborRow(from, { ip, mac: port.mac }, [set('reg2', port.key)], 'deliver')),
  );
  const switched = around.hasLocalMembers
    ? [
        row('SWITCH', 100, match({ metadata: port.networkKey, eth_dst: mac(port.mac) }), [set('reg2', port.key)], {
          goto: 'DELIVER',
        }),
        ...port.fixedIps.map(({ ip }) => arpResponder(port.networkKey, ip, port.mac)),
      ]
    : [];
  if (port.place.type === 'local') {
    return [
      ...ingressRows(port, port.place.ofport, around),
      ...switched,
      ...routed,
      ...egressRows(port, port.place.ofport),
    ];
  }
  // A port that nothing here leads to needs no way to it.
  if (routed.length === 0 && switched.length === 0) return [];
  const { tunnel, endpoint } = port.place;
  const remote = row('DELIVER', 90, match({ reg2: port.key, reg0: without(FROM_ANY) }), toTunnel(tunnel, endpoint));
  return [...switched, ...routed, remote];
}

function ingressRows(port: Port, ofport: number, around: PortSurroundings): Row[] {
  const rows = [
    row('CLASSIFY', 100, match({ in_port: ofport }), [set('metadata', port.networkKey), set('reg1', port.key)], {
      goto: 'PORT_SECURITY',
    }),
    ...(port.portSecurity
      ? securityRows(port, around)
      : [row('PORT_SECURITY', 80, match({ reg1: port.key }), [], { goto: 'SERVICES' })]),
    // A probe or an announcement of its own address is for the others in the network.
    ...port.fixedIps.map(({ ip }) =>
      row('SERVICES', 110, match({ reg1: port.key, eth_type: ETH_ARP, arp_tpa: ipv4(ip) }), [], { goto: 'SWITCH' }),
    ),
  ];
  if (around.hasDhcp) {
    rows.push(
      row('SERVICES', 100, match({ in_port: ofport, ...FROM_CLIENT }), [punt(PUNTS.dhcp)], {
        meter: portMeter(port.key),
      }),
    );
  }
  return rows;
}

/** IPv4, ARP and RARP from the port's own addresses; whatever has no row here is forged, or IPv6, and dropped. */
function securityRows(port: Port, around: PortSurroundings): Row[] {
  const own = { reg1: port.key, eth_src: mac(port.mac) };
  const addresses = port.fixedIps.map(({ ip }) => ipv4(ip));
  const on = { goto: 'SERVICES' } as const;
  const rows = [
    row('PORT_SECURITY', 100, match({ ...own, eth_type: ETH_RARP }), [], { goto: 'SWITCH' }),
    ...[0, ...addresses].flatMap((address) => [
      row('PORT_SECURITY', 100, match({ ...own, eth_type: ETH_ARP, arp_spa: address, arp_sha: mac(port.mac) }), [], on),
      row('PORT_SECURITY', 100, match({ ...own, ...FROM_CLIENT, ip_src: address }), [], on),
    ]),
    ...addresses.map((address) =>
      row('PORT_SECURITY', 90, match({ ...own, eth_type: ETH_IPV4, ip_src: address }), [], on),
    ),
  ];
  // Where we serve DHCP, an instance must not; elsewhere it may, past its groups too.
  if (around.networkHasDhcp) rows.push(row('PORT_SECURITY', 96, match({ reg1: port.key, ...FROM_SERVER }), []));
  else
    rows.push(
      ...addresses.map((address) =>
        row('PORT_SECURITY', 97, match({ ...own, ...FROM_SERVER, ip_src: address }), [], on),
      ),
    );
  return rows;
}

function egressRows(port: Port, ofport: number): Row[] {
  return [
    row('DELIVER', 90, match({ reg2: port.key }), [], { goto: 'OUTPUT' }),
    row('OUTPUT', 100, match({ reg2: port.key }), [output(ofport)]),
  ];
}
