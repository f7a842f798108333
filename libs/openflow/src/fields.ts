import { type Field, FIELD_BITS } from './model';

/** What a match must say before it may name a field: the first eth_type is written when there is none and no other choice is left open. */
export interface Prerequisite {
  readonly ethTypes: readonly bigint[];
  /** Whether a missing eth_type may be written for the caller, since only one makes sense. */
  readonly impliesEthType: boolean;
  readonly ipProto?: bigint;
  readonly icmpv6Types?: readonly bigint[];
}

export interface FieldSpec {
  readonly name: Field;
  /** Place in a match on the wire: prerequisites come before what needs them. */
  readonly order: number;
  /** Bytes of its value on the wire. */
  readonly bytes: number;
  /** Largest value, and the mask that stands for an exact match. */
  readonly max: bigint;
  readonly maskable: boolean;
  /** Whether an action may write it: not what the parser or conntrack decides (ct_mark: only inside `ct`). */
  readonly writable: boolean;
  /** Bits that a move or a push can name. */
  readonly movableBits: number;
  /** Whether even a match on all bits that are used is given back with a mask, since the field has more. */
  readonly alwaysMasked: boolean;
  /** OXM or NXM header without a mask. */
  readonly header: number;
  readonly maskedHeader: number;
  readonly prerequisite?: Prerequisite;
}

const OXM = 0x8000;
const NXM = 0x0000;
const NX = 0x0001;
const ERIC = 0x1000;

const IPV4: Prerequisite = { ethTypes: [0x0800n], impliesEthType: true };
const IPV6: Prerequisite = { ethTypes: [0x86ddn], impliesEthType: true };
const IP: Prerequisite = { ethTypes: [0x0800n, 0x86ddn], impliesEthType: false };
const ARP: Prerequisite = { ethTypes: [0x0806n, 0x8035n], impliesEthType: true };
const TCP: Prerequisite = { ...IP, ipProto: 6n };
const UDP: Prerequisite = { ...IP, ipProto: 17n };
const ICMP: Prerequisite = { ...IPV4, ipProto: 1n };
const ICMPV6: Prerequisite = { ...IPV6, ipProto: 58n };
const ND: Prerequisite = { ...ICMPV6, icmpv6Types: [135n, 136n] };
const ND_SOLICIT: Prerequisite = { ...ICMPV6, icmpv6Types: [135n] };
const ND_ADVERT: Prerequisite = { ...ICMPV6, icmpv6Types: [136n] };

interface Row {
  readonly at: readonly [oxmClass: number, field: number, bytes: number];
  readonly maskable?: true;
  readonly prerequisite?: Prerequisite;
}

/** In the order in which a match is written, as Open vSwitch demands it: eth_type, ip_proto and icmpv6_type before what needs them. */
const ROWS: Readonly<Record<Field, Row>> = {
  in_port: { at: [OXM, 0, 4] },
  metadata: { at: [OXM, 2, 8], maskable: true },
  tun_id: { at: [OXM, 38, 8], maskable: true },
  tun_src: { at: [NX, 31, 4], maskable: true },
  tun_dst: { at: [NX, 32, 4], maskable: true },
  reg0: { at: [NX, 0, 4], maskable: true },
  reg1: { at: [NX, 1, 4], maskable: true },
  reg2: { at: [NX, 2, 4], maskable: true },
  reg3: { at: [NX, 3, 4], maskable: true },
  reg4: { at: [NX, 4, 4], maskable: true },
  reg5: { at: [NX, 5, 4], maskable: true },
  reg6: { at: [NX, 6, 4], maskable: true },
  reg7: { at: [NX, 7, 4], maskable: true },
  reg8: { at: [NX, 8, 4], maskable: true },
  reg9: { at: [NX, 9, 4], maskable: true },
  xxreg1: { at: [NX, 112, 16], maskable: true },
  conj_id: { at: [NX, 37, 4] },
  ct_state: { at: [NX, 105, 4], maskable: true },
  ct_zone: { at: [NX, 106, 2] },
  ct_mark: { at: [NX, 107, 4], maskable: true },
  eth_dst: { at: [OXM, 3, 6], maskable: true },
  eth_src: { at: [OXM, 4, 6], maskable: true },
  eth_type: { at: [OXM, 5, 2] },
  vlan_tci: { at: [NXM, 4, 2], maskable: true },
  vlan_vid: { at: [OXM, 6, 2], maskable: true },
  ip_proto: { at: [OXM, 10, 1], prerequisite: IP },
  ip_src: { at: [OXM, 11, 4], maskable: true, prerequisite: IPV4 },
  ip_dst: { at: [OXM, 12, 4], maskable: true, prerequisite: IPV4 },
  ipv6_src: { at: [OXM, 26, 16], maskable: true, prerequisite: IPV6 },
  ipv6_dst: { at: [OXM, 27, 16], maskable: true, prerequisite: IPV6 },
  nw_ttl: { at: [NX, 29, 1], prerequisite: IP },
  ip_frag: { at: [NX, 26, 1], maskable: true, prerequisite: IP },
  tcp_src: { at: [OXM, 13, 2], maskable: true, prerequisite: TCP },
  tcp_dst: { at: [OXM, 14, 2], maskable: true, prerequisite: TCP },
  udp_src: { at: [OXM, 15, 2], maskable: true, prerequisite: UDP },
  udp_dst: { at: [OXM, 16, 2], maskable: true, prerequisite: UDP },
  icmp_type: { at: [OXM, 19, 1], prerequisite: ICMP },
  icmp_code: { at: [OXM, 20, 1], prerequisite: ICMP },
  icmpv6_type: { at: [OXM, 29, 1], prerequisite: ICMPV6 },
  icmpv6_code: { at: [OXM, 30, 1], prerequisite: ICMPV6 },
  arp_op: { at: [OXM, 21, 2], prerequisite: ARP },
  arp_spa: { at: [OXM, 22, 4], maskable: true, prerequisite: ARP },
  arp_tpa: { at: [OXM, 23, 4], maskable: true, prerequisite: ARP },
  arp_sha: { at: [OXM, 24, 6], maskable: true, prerequisite: ARP },
  arp_tha: { at: [OXM, 25, 6], maskable: true, prerequisite: ARP },
  nd_target: { at: [OXM, 31, 16], maskable: true, prerequisite: ND },
  nd_sll: { at: [OXM, 32, 6], maskable: true, prerequisite: ND_SOLICIT },
  nd_tll: { at: [OXM, 33, 6], maskable: true, prerequisite: ND_ADVERT },
  nd_options_type: { at: [ERIC, 2, 1], prerequisite: ND },
  nd_reserved: { at: [ERIC, 1, 4], prerequisite: ND },
};

/** Fields that use fewer bits than they have: two of ip_frag ("any fragment", "not the first"), eight flags of ct_state, and no arp_op above 255. */
const USED_BITS: Partial<Record<Field, number>> = { ip_frag: 2, ct_state: 8, arp_op: 8 };

const READ_ONLY: ReadonlySet<Field> = new Set([
  'conj_id',
  'ct_state',
  'ct_zone',
  'ct_mark',
  'eth_type',
  'ip_proto',
  'ip_frag',
]);
/** The bit of vlan_vid that says "tagged" is none that could be copied. */
const MOVABLE_BITS: Partial<Record<Field, number>> = { ip_frag: 2, vlan_vid: 12 };

function header(oxmClass: number, field: number, length: number, masked: boolean): number {
  return ((oxmClass << 16) | (field << 9) | (masked ? 0x100 : 0) | length) >>> 0;
}

function spec(name: Field, row: Row, order: number): FieldSpec {
  const [oxmClass, field, bytes] = row.at;
  const bits = USED_BITS[name] ?? FIELD_BITS[name];
  return {
    name,
    order,
    bytes,
    max: (1n << BigInt(bits)) - 1n,
    maskable: row.maskable ?? false,
    writable: !READ_ONLY.has(name),
    movableBits: MOVABLE_BITS[name] ?? bytes * 8,
    alwaysMasked: name === 'ct_state',
    header: header(oxmClass, field, bytes, false),
    maskedHeader: header(oxmClass, field, bytes * 2, true),
    ...(row.prerequisite ? { prerequisite: row.prerequisite } : {}),
  };
}

export const FIELD_SPECS: ReadonlyMap<Field, FieldSpec> = new Map(
  (Object.keys(ROWS) as Field[]).map((name, order) => [name, spec(name, ROWS[name], order)]),
);

export function fieldSpec(name: Field): FieldSpec {
  const found = FIELD_SPECS.get(name);
  if (!found) throw new Error(`No field is called '${name}'.`);
  return found;
}

/** Older names (NXM) under which Open vSwitch gives back fields that it was sent as OXM, most of all in moves. */
const NXM_TWINS: readonly (readonly [oxmClass: number, field: number, name: Field])[] = [
  [NXM, 1, 'eth_dst'],
  [NXM, 2, 'eth_src'],
  [NXM, 3, 'eth_type'],
  [NXM, 6, 'ip_proto'],
  [NXM, 7, 'ip_src'],
  [NXM, 8, 'ip_dst'],
  [NXM, 9, 'tcp_src'],
  [NXM, 10, 'tcp_dst'],
  [NXM, 11, 'udp_src'],
  [NXM, 12, 'udp_dst'],
  [NXM, 13, 'icmp_type'],
  [NXM, 14, 'icmp_code'],
  [NXM, 15, 'arp_op'],
  [NXM, 16, 'arp_spa'],
  [NXM, 17, 'arp_tpa'],
  [NX, 16, 'tun_id'],
  [NX, 17, 'arp_sha'],
  [NX, 18, 'arp_tha'],
  [NX, 19, 'ipv6_src'],
  [NX, 20, 'ipv6_dst'],
  [NX, 21, 'icmpv6_type'],
  [NX, 22, 'icmpv6_code'],
  [NX, 23, 'nd_target'],
  [NX, 24, 'nd_sll'],
  [NX, 25, 'nd_tll'],
];

const byHeader = new Map<number, FieldSpec>();
for (const found of FIELD_SPECS.values()) byHeader.set(found.header >>> 9, found);
for (const [oxmClass, field, name] of NXM_TWINS) byHeader.set((oxmClass << 7) | field, fieldSpec(name));

/** By the class and field number of a header, whatever its mask bit and length. */
export function fieldOfHeader(headerBits: number): FieldSpec | undefined {
  return byHeader.get(headerBits >>> 9);
}

/** OXM_OF_VLAN_PCP: Open vSwitch splits a vlan_tci that names priority bits into vlan_vid and this. */
export const VLAN_PCP_HEADER = header(OXM, 7, 1, false);

/** NXM_OF_IN_PORT, with 16 bits: Open vSwitch writes in_port only under this name. */
export const NXM_IN_PORT_HEADER = header(NXM, 0, 2, false);
