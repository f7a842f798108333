/**
 * Flows, groups and meters as values: what the compiler writes, the codec carries, the interpreter runs and `weir trace` explains.
 * Field names are Open vSwitch's (ovs-fields(7)).
 */

/** Width in bits of each field that we match or write. */
export const FIELD_BITS = {
  in_port: 32,
  metadata: 64,
  tun_id: 64,
  tun_src: 32,
  tun_dst: 32,
  reg0: 32,
  reg1: 32,
  reg2: 32,
  reg3: 32,
  reg4: 32,
  reg5: 32,
  reg6: 32,
  reg7: 32,
  reg8: 32,
  reg9: 32,
  xxreg1: 128,
  conj_id: 32,
  ct_state: 32,
  ct_zone: 16,
  ct_mark: 32,
  eth_dst: 48,
  eth_src: 48,
  eth_type: 16,
  vlan_tci: 16,
  vlan_vid: 13,
  ip_proto: 8,
  ip_src: 32,
  ip_dst: 32,
  ipv6_src: 128,
  ipv6_dst: 128,
  nw_ttl: 8,
  ip_frag: 8,
  tcp_src: 16,
  tcp_dst: 16,
  udp_src: 16,
  udp_dst: 16,
  icmp_type: 8,
  icmp_code: 8,
  icmpv6_type: 8,
  icmpv6_code: 8,
  arp_op: 16,
  arp_spa: 32,
  arp_tpa: 32,
  arp_sha: 48,
  arp_tha: 48,
  nd_target: 128,
  nd_sll: 48,
  nd_tll: 48,
  nd_options_type: 8,
  nd_reserved: 32,
} as const;

export type Field = keyof typeof FIELD_BITS;

/** `mask` is absent for an exact match; value bits under a zero mask bit are zero, and an all-ones mask is never written. */
export interface FieldMatch {
  readonly value: bigint;
  readonly mask?: bigint;
}

export type Match = { readonly [F in Field]?: FieldMatch };

/** A run of bits inside a field, `offset` counted from the least significant bit. */
export interface Bits {
  readonly field: Field;
  readonly offset: number;
  readonly width: number;
}

export type Action =
  /** `in_port` is OFPP_IN_PORT: back to where the packet came from. */
  | { readonly type: 'output'; readonly port: number | 'in_port' }
  /** A punt (NXAST_CONTROLLER2). `userdata` names the reason, as UTF-8 text. Arrives as NXT_PACKET_IN2. */
  | { readonly type: 'controller'; readonly userdata: string; readonly maxLength: number; readonly meter?: number }
  | { readonly type: 'group'; readonly group: number }
  | { readonly type: 'resubmit'; readonly table: number }
  /** With `mask`, only those bits are written (`load` of a part of a field is this too). */
  | { readonly type: 'set_field'; readonly field: Field; readonly value: bigint; readonly mask?: bigint }
  | { readonly type: 'move'; readonly from: Bits; readonly to: Bits }
  | { readonly type: 'push'; readonly from: Bits }
  | { readonly type: 'pop'; readonly to: Bits }
  | { readonly type: 'push_vlan'; readonly ethertype: 0x8100 }
  | { readonly type: 'pop_vlan' }
  | { readonly type: 'dec_ttl' }
  /** Writes 1 into the bit when the Ethernet frame is longer than `length` bytes (header included), else 0. */
  | { readonly type: 'check_pkt_larger'; readonly length: number; readonly to: Bits }
  | { readonly type: 'ct_clear' };

/** A row: actions, then the jump (OVS moves goto_table behind apply_actions; a meter instruction comes first). No actions and no goto: drop. */
export interface Flow {
  readonly table: number;
  readonly priority: number;
  readonly cookie: bigint;
  readonly match: Match;
  readonly meter?: number;
  readonly actions: readonly Action[];
  readonly goto?: number;
  /** Seconds; absent: never. */
  readonly idleTimeout?: number;
  readonly hardTimeout?: number;
  /** Only on rows read from a switch: what this model cannot say, in hex as it came. Somebody else's row, never equal to one of ours. */
  readonly foreign?: { readonly match?: string; readonly instructions?: string };
}

export interface Bucket {
  readonly actions: readonly Action[];
}

/** Only `all` groups until ECMP needs `select`. */
export interface Group {
  readonly id: number;
  readonly type: 'all';
  readonly buckets: readonly Bucket[];
  /** As for a flow: read from a switch, and not said by this model (its type is then not really `all`). */
  readonly foreign?: string;
}

/** Packets per second, with one drop band. */
export interface Meter {
  readonly id: number;
  readonly rate: number;
  readonly burst: number;
  /** As for a flow: read from a switch, with other flags or bands than ours. */
  readonly foreign?: string;
}

export interface FlowStats {
  readonly flow: Flow;
  readonly packets: bigint;
  readonly bytes: bigint;
  readonly durationSeconds: number;
}

/** What a switch is told in one bundle, applied whole or not at all. Order on the wire: groups and meters before flows that name them, removals of groups last. */
export interface FlowChange {
  readonly add: readonly Flow[];
  /** Same table, priority and match as a flow that is there; actions or cookie differ. Counters are kept (OFPFC_MODIFY_STRICT keeps them; another cookie needs an add, which keeps them too). */
  readonly modify: readonly Flow[];
  readonly remove: readonly Flow[];
  readonly addGroups: readonly Group[];
  readonly modifyGroups: readonly Group[];
  readonly removeGroups: readonly number[];
  readonly addMeters: readonly Meter[];
  readonly removeMeters: readonly number[];
}
