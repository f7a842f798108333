import type { Action, Field, Flow } from '@weir/openflow';
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_RARP, ICMP, ICMPV6 } from '@weir/packet';
import { WeirError } from '@weir/kernel';
import { UNKNOWN_FIELDS } from './packet';

/** A flow that Open vSwitch would not take, by the name of its error, or that the interpreter does not know. */
export class FlowRefused extends WeirError {
  constructor(flow: Flow, why: string) {
    super('invalid', `Table ${flow.table}, priority ${flow.priority}: ${why}.`, {
      fields: { cookie: flow.cookie.toString(16) },
    });
  }
}

interface Prerequisite {
  readonly ethTypes: readonly number[];
  readonly protocol?: number;
}

const ARP: Prerequisite = { ethTypes: [ETHERTYPE_ARP, ETHERTYPE_RARP] };
const IPV4: Prerequisite = { ethTypes: [ETHERTYPE_IPV4] };
const IPV6: Prerequisite = { ethTypes: [ETHERTYPE_IPV6] };
const IP: Prerequisite = { ethTypes: [ETHERTYPE_IPV4, ETHERTYPE_IPV6] };
const TCP: Prerequisite = { ...IP, protocol: 6 };
const UDP: Prerequisite = { ...IP, protocol: 17 };

const PREREQUISITES: { readonly [F in Field]?: Prerequisite } = {
  ip_proto: IP,
  nw_ttl: IP,
  ip_frag: IP,
  ip_src: IPV4,
  ip_dst: IPV4,
  ipv6_src: IPV6,
  ipv6_dst: IPV6,
  tcp_src: TCP,
  tcp_dst: TCP,
  udp_src: UDP,
  udp_dst: UDP,
  icmp_type: { ...IPV4, protocol: ICMP },
  icmp_code: { ...IPV4, protocol: ICMP },
  icmpv6_type: { ...IPV6, protocol: ICMPV6 },
  icmpv6_code: { ...IPV6, protocol: ICMPV6 },
  arp_op: ARP,
  arp_spa: ARP,
  arp_tpa: ARP,
  arp_sha: ARP,
  arp_tha: ARP,
};

function isMet(prerequisite: Prerequisite, flow: Flow): boolean {
  const { eth_type: ethType, ip_proto: protocol } = flow.match;
  if (ethType === undefined || !prerequisite.ethTypes.includes(Number(ethType.value))) return false;
  return prerequisite.protocol === undefined || Number(protocol?.value) === prerequisite.protocol;
}

function written(action: Action): Field[] {
  switch (action.type) {
    case 'set_field':
      return [action.field];
    case 'move':
      return [action.from.field, action.to.field];
    case 'push':
      return [action.from.field];
    case 'pop':
    case 'check_pkt_larger':
      return [action.to.field];
    default:
      return [];
  }
}

/** Throws FlowRefused where Open vSwitch would answer with an error, so that a plan which passes here loads there. */
export function accept(flow: Flow, hasGroup: (id: number) => boolean): void {
  const refuse = (why: string): never => {
    throw new FlowRefused(flow, why);
  };
  const check = (field: Field, error: string): void => {
    if (UNKNOWN_FIELDS.has(field)) refuse(`${field} is not known to the interpreter`);
    const prerequisite = PREREQUISITES[field];
    if (prerequisite && !isMet(prerequisite, flow)) refuse(`${error}: ${field} without its prerequisites`);
  };
  for (const [field, { value, mask }] of Object.entries(flow.match) as [Field, { value: bigint; mask?: bigint }][]) {
    check(field, 'OFPBMC_BAD_PREREQ');
    if (mask !== undefined && (value & ~mask) !== 0n)
      refuse(`OFPBMC_BAD_WILDCARDS: ${field} has value bits outside its mask`);
  }
  for (const action of flow.actions) {
    for (const field of written(action)) check(field, 'OFPBAC_MATCH_INCONSISTENT');
    if (action.type === 'group' && !hasGroup(action.group)) refuse(`OFPBAC_BAD_OUT_GROUP: group ${action.group}`);
    if (action.type === 'dec_ttl' && !isMet(IP, flow)) refuse('OFPBAC_MATCH_INCONSISTENT: dec_ttl without IP');
  }
  if (flow.goto !== undefined && flow.goto <= flow.table) refuse(`OFPBIC_BAD_TABLE_ID: back to table ${flow.goto}`);
}
