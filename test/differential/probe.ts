import type { Action, Field, Flow, Match } from '@weir/openflow';
import type { Plan } from '@weir/pipeline';
import { OFPORTS } from './dummy-switch';

/** What is read of each layer, and what is written into it: at these places of registers, with these values. */
interface Layer {
  readonly match: Match;
  /** What must hold beside it where the layer is written: ovs-vswitchd 3.1 dies of ARP that is written into half a header. */
  readonly present?: Match;
  readonly read: readonly (readonly [Field, number, Field, number?])[];
  readonly write: Readonly<Partial<Record<Field, bigint>>>;
}

const ethType = (value: number): Match => ({ eth_type: { value: BigInt(value) } });
const over = (type: number, protocol: number): Match => ({
  ...ethType(type),
  ip_proto: { value: BigInt(protocol) },
});
const [IPV4, IPV6, ARP, RARP] = [0x0800, 0x86dd, 0x0806, 0x8035] as const;

const arp = (type: number): Layer => ({
  match: ethType(type),
  present: { arp_op: { value: 1n } },
  read: [
    ['arp_op', 8, 'reg2'],
    ['arp_spa', 32, 'reg3'],
    ['arp_tpa', 32, 'reg4'],
    ['arp_sha', 48, 'metadata'],
    ['arp_tha', 32, 'reg5'],
  ],
  write: { arp_op: 2n, arp_spa: 0xc0000201n, arp_tpa: 0xc0000202n, arp_sha: 0x0a0b0c0d0e0fn, arp_tha: 0x0a0b0c0d0e0en },
});

const HEADERS: readonly Layer[] = [
  arp(ARP),
  arp(RARP),
  {
    match: ethType(IPV4),
    read: [
      ['ip_src', 32, 'reg2'],
      ['ip_dst', 32, 'reg3'],
      ['ip_proto', 8, 'reg4'],
      ['nw_ttl', 8, 'reg5'],
      ['ip_frag', 2, 'reg6'],
    ],
    write: { ip_src: 0xc0000201n, ip_dst: 0xffff0000n, nw_ttl: 9n },
  },
  {
    match: ethType(IPV6),
    read: [
      ['ipv6_src', 128, 'xxreg1'],
      ['ip_proto', 8, 'reg2'],
      ['nw_ttl', 8, 'reg3'],
      ['ip_frag', 2, 'reg8'],
    ],
    write: { nw_ttl: 9n },
  },
];

const ports = (type: number, protocol: number, source: Field, destination: Field): Layer => ({
  match: over(type, protocol),
  present: { [source]: { value: 0x8000n, mask: 0x8000n } },
  read: [
    [source, 16, 'reg9'],
    [destination, 16, 'reg9', 16],
  ],
  write: { [source]: 1234n, [destination]: 0xffffn },
});
const types = (type: number, protocol: number, kind: Field, code: Field, echo: bigint): Layer => ({
  match: over(type, protocol),
  present: { [kind]: { value: echo } },
  read: [
    [kind, 8, 'reg9'],
    [code, 8, 'reg9', 16],
  ],
  write: { [kind]: 77n, [code]: 3n },
});

const TRANSPORTS: readonly Layer[] = [
  ports(IPV4, 6, 'tcp_src', 'tcp_dst'),
  ports(IPV6, 6, 'tcp_src', 'tcp_dst'),
  ports(IPV4, 17, 'udp_src', 'udp_dst'),
  ports(IPV6, 17, 'udp_src', 'udp_dst'),
  types(IPV4, 1, 'icmp_type', 'icmp_code', 8n),
  types(IPV6, 58, 'icmpv6_type', 'icmpv6_code', 128n),
];

const TAG: Layer = {
  match: { vlan_tci: { value: 0x1000n, mask: 0x1000n } },
  read: [['vlan_tci', 16, 'reg1']],
  write: { vlan_vid: 0x1000n | 7n },
};

const PUNT: Action = { type: 'controller', userdata: 'read', maxLength: 0xffff };
const [, OUT = 0] = OFPORTS;

const reads = ({ read }: Layer): Action[] =>
  read.map(([field, width, to, offset = 0]) => ({
    type: 'move',
    from: { field, offset: 0, width },
    to: { field: to, offset, width },
  }));
const writes = ({ write }: Layer): Action[] => [
  ...Object.entries(write).map(([field, value]): Action => ({ type: 'set_field', field: field as Field, value })),
  { type: 'output', port: OUT },
];

const LAST_TABLE = 6;

let cookies = 0n;
const row = (table: number, priority: number, match: Match, actions: readonly Action[]): Flow => ({
  table,
  priority,
  cookie: ++cookies,
  match,
  actions,
  ...(table < LAST_TABLE ? { goto: table + 1 } : {}),
});

const reading = (table: number, layers: readonly Layer[]): Flow[] => [
  ...layers.map((layer) => row(table, 10, layer.match, [...reads(layer), PUNT])),
  row(table, 0, {}, []),
];
const writing = (table: number, layers: readonly Layer[]): Flow[] => [
  ...layers.map((layer) => row(table, 10, { ...layer.match, ...layer.present }, writes(layer))),
  row(table, 0, {}, []),
];

/**
 * Reads every field that the interpreter knows into registers and tells them, layer by layer; then writes every field and lets out what
 * became of the frame. What the pipeline's rows will need next is held against Open vSwitch before they do.
 */
export const PROBE: Plan = {
  flows: [
    // Not at priority 0: what a table's miss punts is told to nobody who asks for punts of rows.
    row(0, 10, {}, [
      { type: 'move', from: { field: 'eth_type', offset: 0, width: 16 }, to: { field: 'reg0', offset: 0, width: 16 } },
      {
        type: 'move',
        from: { field: 'eth_dst', offset: 0, width: 48 },
        to: { field: 'metadata', offset: 0, width: 48 },
      },
      PUNT,
    ]),
    ...reading(1, [TAG]),
    ...reading(2, HEADERS),
    ...reading(3, TRANSPORTS),
    ...writing(4, HEADERS),
    ...writing(5, TRANSPORTS),
    ...writing(6, [TAG]),
  ],
  groups: [],
  meters: [],
};
