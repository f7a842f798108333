import { ipFromBigInt, macFromNumber, unreachable } from '@weir/kernel';
import { canonical, canonicalActions, canonicalMatch, canonicalMeter } from './canonical';
import { fieldSpec } from './fields';
import {
  type Action,
  type Bits,
  type Field,
  type FieldMatch,
  type Flow,
  type Group,
  type Match,
  type Meter,
} from './model';

/** How a table is written: by default as its number, which is what ovs-ofctl reads. */
export type TableName = (table: number) => string;

/** A word of ovs-ofctl for a whole combination, so that a row reads as people say it. */
const PROTOCOLS: readonly (readonly [word: string, ethType: bigint, ipProto?: bigint])[] = [
  ['icmp', 0x0800n, 1n],
  ['tcp', 0x0800n, 6n],
  ['udp', 0x0800n, 17n],
  ['icmp6', 0x86ddn, 58n],
  ['tcp6', 0x86ddn, 6n],
  ['udp6', 0x86ddn, 17n],
  ['arp', 0x0806n],
  ['rarp', 0x8035n],
  ['ip', 0x0800n],
  ['ipv6', 0x86ddn],
];

/** Bits of ct_state from the lowest on. */
const CT_STATES = ['new', 'est', 'rel', 'rpl', 'inv', 'trk', 'snat', 'dnat'];
const IP_FRAGMENTS: readonly (readonly [name: string, value: bigint, mask: bigint | undefined])[] = [
  ['no', 0n, undefined],
  ['first', 1n, undefined],
  ['later', 3n, undefined],
  ['yes', 1n, 1n],
  ['not_later', 0n, 2n],
];

const MACS: ReadonlySet<Field> = new Set(['eth_dst', 'eth_src', 'arp_sha', 'arp_tha', 'nd_sll', 'nd_tll']);
const IPV4S: ReadonlySet<Field> = new Set(['tun_src', 'tun_dst', 'ip_src', 'ip_dst', 'arp_spa', 'arp_tpa']);
const IPV6S: ReadonlySet<Field> = new Set(['ipv6_src', 'ipv6_dst', 'nd_target']);
/** Small numbers that people count in tens. */
const DECIMALS: ReadonlySet<Field> = new Set(
  'in_port ip_proto nw_ttl arp_op tcp_src tcp_dst udp_src udp_dst icmp_type icmp_code icmpv6_type icmpv6_code nd_options_type conj_id ct_zone'.split(
    ' ',
  ) as Field[],
);
const WHOLE_PACKET = 0xffff;

const byNumber: TableName = (table) => table.toString();

/** One line as ovs-ofctl takes it (unless tables are given names): `table=4, priority=100, cookie=0x1, metadata=0x5 actions=drop`. */
export function formatFlow(flow: Flow, tableName: TableName = byNumber): string {
  const { table, priority, cookie, match, idleTimeout, hardTimeout, foreign, ...does } = canonical(flow);
  const head = [`table=${tableName(table)}`, `priority=${priority}`];
  if (cookie !== 0n) head.push(`cookie=0x${cookie.toString(16)}`);
  if (idleTimeout !== undefined) head.push(`idle_timeout=${idleTimeout}`);
  if (hardTimeout !== undefined) head.push(`hard_timeout=${hardTimeout}`);
  const fields = foreign?.match === undefined ? formatMatch(match) : `foreign(${foreign.match})`;
  if (fields !== '') head.push(fields);
  return `${head.join(', ')} actions=${foreign?.instructions === undefined ? formatBehaviour(does, tableName) : `foreign(${foreign.instructions})`}`;
}

function formatBehaviour(flow: Pick<Flow, 'meter' | 'actions' | 'goto'>, tableName: TableName): string {
  const words = flow.actions.map((action) => formatAction(action, tableName));
  if (flow.meter !== undefined) words.unshift(`meter:${flow.meter}`);
  if (flow.goto !== undefined) words.push(`goto_table:${tableName(flow.goto)}`);
  return words.length === 0 ? 'drop' : words.join(',');
}

/** Empty for a match on everything. */
export function formatMatch(match: Match): string {
  const { eth_type: ethType, ip_proto: ipProto, ...others } = canonicalMatch(match);
  const words: string[] = [];
  const protocol = PROTOCOLS.find(
    ([, type, proto]) => type === ethType?.value && (proto === undefined || proto === ipProto?.value),
  );
  if (protocol) words.push(protocol[0]);
  else if (ethType) words.push(`eth_type=0x${ethType.value.toString(16)}`);
  if (ipProto && protocol?.[2] === undefined) words.push(`ip_proto=${ipProto.value.toString()}`);
  for (const [name, field] of Object.entries(others)) words.push(formatField(name as Field, field));
  return words.join(',');
}

function formatField(name: Field, { value, mask }: FieldMatch): string {
  if (name === 'ct_state') return `ct_state=${formatCtState(value, mask)}`;
  if (name === 'ip_frag') {
    const known = IP_FRAGMENTS.find(([, bits, of]) => bits === value && of === mask);
    return `ip_frag=${known ? known[0] : formatMasked(name, value, mask)}`;
  }
  return `${name}=${formatMasked(name, value, mask)}`;
}

function formatCtState(value: bigint, mask: bigint | undefined): string {
  const known = (1n << BigInt(CT_STATES.length)) - 1n;
  if (mask === undefined || (mask & ~known) !== 0n) return formatMasked('ct_state', value, mask);
  let text = '';
  for (const [bit, name] of CT_STATES.entries()) {
    const flag = 1n << BigInt(bit);
    if ((mask & flag) !== 0n) text += `${(value & flag) === 0n ? '-' : '+'}${name}`;
  }
  return text;
}

/** A value, with `/prefix` where the mask is one of an address, else `/mask`. */
function formatMasked(name: Field, value: bigint, mask: bigint | undefined): string {
  if (mask === undefined) return formatValue(name, value);
  const bits = IPV4S.has(name) ? 32 : IPV6S.has(name) ? 128 : 0;
  const ones = mask.toString(2).replace(/0*$/, '');
  if (bits > 0 && mask >> BigInt(bits - 1) === 1n && !ones.includes('0'))
    return `${formatValue(name, value)}/${ones.length}`;
  return `${formatValue(name, value, true)}/${formatValue(name, mask, true)}`;
}

function formatValue(name: Field, value: bigint, masked = false): string {
  if (MACS.has(name)) return macFromNumber(Number(value));
  if (IPV4S.has(name)) return ipFromBigInt(value, 4);
  if (IPV6S.has(name)) return ipFromBigInt(value, 6);
  return DECIMALS.has(name) && !masked ? value.toString() : `0x${value.toString(16)}`;
}

export function formatAction(action: Action, tableName: TableName = byNumber): string {
  switch (action.type) {
    case 'output':
      return action.port === 'in_port' ? 'in_port' : `output:${action.port}`;
    case 'controller':
      return `controller(${formatPunt(action)})`;
    case 'group':
      return `group:${action.group}`;
    case 'resubmit':
      return `resubmit(,${tableName(action.table)})`;
    case 'set_field':
      return `set_field:${formatMasked(action.field, action.value, action.mask)}->${action.field}`;
    case 'move':
      return `move:${formatBits(action.from)}->${formatBits(action.to)}`;
    case 'push':
      return `push:${formatBits(action.from)}`;
    case 'pop':
      return `pop:${formatBits(action.to)}`;
    case 'push_vlan':
      return `push_vlan:0x${action.ethertype.toString(16)}`;
    case 'check_pkt_larger':
      return `check_pkt_larger(${action.length})->${action.to.field}[${action.to.offset}]`;
    case 'pop_vlan':
    case 'dec_ttl':
    case 'ct_clear':
      return action.type;
    default:
      return unreachable(action);
  }
}

function formatPunt(action: Extract<Action, { type: 'controller' }>): string {
  const words: string[] = [];
  if (action.maxLength !== WHOLE_PACKET) words.push(`max_len=${action.maxLength}`);
  // ovs-ofctl reads userdata as hexadecimal bytes with dots between them.
  if (action.userdata !== '')
    words.push(
      `userdata=${[...Buffer.from(action.userdata)].map((byte) => byte.toString(16).padStart(2, '0')).join('.')}`,
    );
  if (action.meter !== undefined) words.push(`meter_id=${action.meter}`);
  return words.join(',');
}

function formatBits({ field, offset, width }: Bits): string {
  // To ovs-ofctl, in_port is OpenFlow 1.0's, of 16 bits.
  const name = field === 'in_port' ? 'in_port_oxm' : field;
  if (offset === 0 && width === fieldSpec(field).movableBits) return `${name}[]`;
  return width === 1 ? `${name}[${offset}]` : `${name}[${offset}..${offset + width - 1}]`;
}

/** As `ovs-ofctl add-group` takes it. */
export function formatGroup(group: Group, tableName: TableName = byNumber): string {
  const head = `group_id=${group.id},type=${group.type}`;
  if (group.foreign !== undefined) return `${head},foreign(${group.foreign})`;
  return [
    head,
    ...group.buckets.map(
      ({ actions }) => `bucket=actions=${formatBehaviour({ actions: canonicalActions(actions) }, tableName)}`,
    ),
  ].join(',');
}

/** As `ovs-ofctl add-meter` takes it. */
export function formatMeter(meter: Meter): string {
  const { id, rate, burst, foreign } = canonicalMeter(meter);
  const band = foreign === undefined ? `type=drop,rate=${rate},burst_size=${burst}` : `foreign(${foreign})`;
  return `meter=${id},pktps,burst,stats,bands=${band}`;
}
