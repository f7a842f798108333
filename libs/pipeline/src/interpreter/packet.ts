import { type Bits, type Field, FIELD_BITS } from '@weir/openflow';
import {
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  ETHERTYPE_RARP,
  ETHERTYPE_VLAN,
  ICMP,
  ICMPV6,
} from '@weir/packet';

/** Fields of up to 48 bits are numbers, wider ones bigints: exact, and fast where it counts. */
export type FieldValue = number | bigint;

/** Fields that live beside the frame. */
const REGISTERS = [
  'in_port',
  'metadata',
  'tun_id',
  'tun_src',
  'tun_dst',
  'reg0',
  'reg1',
  'reg2',
  'reg3',
  'reg4',
  'reg5',
  'reg6',
  'reg7',
  'reg8',
  'reg9',
] as const satisfies readonly Field[];

export type Register = (typeof REGISTERS)[number];

const registers: ReadonlySet<string> = new Set(REGISTERS);
const XXREG1 = ['reg4', 'reg5', 'reg6', 'reg7'] as const;

/** Fields that the interpreter does not know; a flow that names one is refused rather than run wrongly. */
export const UNKNOWN_FIELDS: ReadonlySet<Field> = new Set<Field>([
  'conj_id',
  'ct_state',
  'ct_zone',
  'ct_mark',
  'nd_target',
  'nd_sll',
  'nd_tll',
  'nd_options_type',
  'nd_reserved',
]);

const TCP = 6;
const UDP = 17;
const TCP_HEADER = 20;
/** What Open vSwitch says is the type of an 802.3 frame, which has a length there. */
const NO_ETHERTYPE = 0x05ff;
const FIRST_ETHERTYPE = 0x0600;
/** Open vSwitch's mark for "there is a tag", in the place of the CFI bit. */
const TAGGED = 0x1000;
const VLAN_ID = 0x0fff;
/** 802.1Q and 802.1ad. */
const TAG_TYPES: readonly number[] = [ETHERTYPE_VLAN, 0x88a8];
/** A larger operation reads as none. */
const MAX_OPERATION = 0xff;

/** Hop-by-hop options, routing header, destination options. */
const OPTIONS: readonly number[] = [0, 43, 60];
const FRAGMENT_HEADER = 44;
const AUTHENTICATION_HEADER = 51;
const FRAGMENT_OFFSET = 0xfff8;

const LATER_FRAGMENT = 2;
const ANY_FRAGMENT = 1;

/** Where the layers of a frame are; 0 for one that is not there, or not whole. */
interface Layout {
  readonly ethType: number;
  readonly tagged: boolean;
  readonly arp: number;
  readonly ipv4: number;
  readonly ipv6: number;
  /** The byte with the TTL or hop limit. */
  readonly ttl: number;
  /** IP protocol, or ARP's operation as Open vSwitch has it. */
  readonly protocol: number;
  readonly fragment: number;
  readonly tcp: number;
  readonly udp: number;
  readonly icmp: number;
  readonly icmpv6: number;
  /** Where a transport header would be by the length alone: Open vSwitch corrects its checksum, also in a later fragment. */
  readonly summed: Transport;
  /** Where padding begins. */
  readonly end: number;
}

interface Transport {
  readonly tcp: number;
  readonly udp: number;
  readonly icmp: number;
  readonly icmpv6: number;
}

const NO_TRANSPORT: Transport = { tcp: 0, udp: 0, icmp: 0, icmpv6: 0 };

const NO_LAYERS: Omit<Layout, 'ethType' | 'tagged' | 'end'> = {
  arp: 0,
  ipv4: 0,
  ipv6: 0,
  ttl: 0,
  protocol: 0,
  fragment: 0,
  ...NO_TRANSPORT,
  summed: NO_TRANSPORT,
};

const OF_IP: ReadonlySet<Field> = new Set<Field>(['nw_ttl', 'ip_src', 'ip_dst', 'ipv6_src', 'ipv6_dst']);
const OF_ARP: ReadonlySet<Field> = new Set<Field>(['arp_op', 'arp_spa', 'arp_tpa', 'arp_sha', 'arp_tha']);

/** The place of a field in the frame. */
interface Span {
  readonly at: number;
  readonly bytes: number;
}

/**
 * One packet on its way through a switch: its bytes and its registers. Fields are read and written in the bytes themselves, as Open
 * vSwitch does: what is not there reads as 0, and a write corrects the checksums above it by the difference, so that a wrong one stays wrong.
 */
export class Packet {
  private layoutNow: Layout | undefined;
  /** What later rows see and the frame does not. */
  private readonly unwritten = new Map<Field, FieldValue>();

  private constructor(
    private bytes: Uint8Array,
    private readonly registers: Map<Register, FieldValue>,
    private readonly stack: bigint[],
  ) {}

  static of(frame: Uint8Array, fields: ReadonlyMap<Register, FieldValue>): Packet {
    return new Packet(frame.slice(), new Map(fields), []);
  }

  clone(): Packet {
    const copy = new Packet(this.bytes.slice(), new Map(this.registers), [...this.stack]);
    for (const [field, value] of this.unwritten) copy.unwritten.set(field, value);
    return copy;
  }

  /** What is behind an IP packet is padding and does not count. */
  get length(): number {
    return this.layout.end;
  }

  /** A copy of the bytes as they are now. */
  frame(): Uint8Array {
    return this.bytes.slice();
  }

  /** The port, and all other registers that are not 0. */
  told(): { [R in Register]?: bigint } {
    const result: { [R in Register]?: bigint } = {};
    for (const [register, value] of this.registers) {
      if (register === 'in_port' || BigInt(value) !== 0n) result[register] = BigInt(value);
    }
    return result;
  }

  read(field: Field): FieldValue {
    if (registers.has(field)) return this.registers.get(field as Register) ?? (FIELD_BITS[field] > 48 ? 0n : 0);
    const unwritten = this.unwritten.get(field);
    if (unwritten !== undefined) return unwritten;
    const layout = this.layout;
    switch (field) {
      case 'xxreg1':
        return XXREG1.reduce((value, register) => (value << 32n) | BigInt(this.read(register)), 0n);
      case 'eth_type':
        return layout.ethType;
      case 'vlan_tci':
        return layout.tagged ? this.u16(14) | TAGGED : 0;
      case 'vlan_vid':
        return layout.tagged ? (this.u16(14) & VLAN_ID) | TAGGED : 0;
      case 'ip_proto':
        return layout.protocol;
      case 'ip_frag':
        return layout.fragment;
      case 'arp_op': {
        const operation = layout.arp ? this.u16(layout.arp + 6) : 0;
        return operation <= MAX_OPERATION ? operation : 0;
      }
      default: {
        const span = this.span(field);
        if (span === undefined) return FIELD_BITS[field] > 48 ? 0n : 0;
        return this.number(span);
      }
    }
  }

  /** Writes the bits of `mask`, all of them without one. What is not in the frame cannot be written. */
  write(field: Field, value: bigint, mask?: bigint): void {
    const next = mask === undefined ? value : (BigInt(this.read(field)) & ~mask) | (value & mask);
    if (registers.has(field)) {
      this.registers.set(field as Register, FIELD_BITS[field] > 48 ? next : Number(next));
      return;
    }
    if (field === 'xxreg1') {
      XXREG1.forEach((register, index) => this.write(register, BigInt.asUintN(32, next >> BigInt(96 - 32 * index))));
      return;
    }
    if (field === 'vlan_vid' || field === 'vlan_tci') {
      if (!this.layout.tagged) return;
      const keep = field === 'vlan_vid' ? this.u16(14) & ~VLAN_ID : 0;
      const tag = keep | (Number(next) & (field === 'vlan_vid' ? VLAN_ID : 0xffff));
      this.replace({ at: 14, bytes: 2 }, BigInt(tag & ~TAGGED), []);
      return;
    }
    if (!this.isCarriedOut(field)) {
      this.unwritten.set(field, FIELD_BITS[field] > 48 ? next : Number(next));
      return;
    }
    const span = this.span(field);
    if (span !== undefined) this.replace(span, next, this.checksums(field));
  }

  /** Open vSwitch takes protocol 0 for "no IP header" where it carries writes out, and forgets RARP. */
  private isCarriedOut(field: Field): boolean {
    const { protocol, ethType } = this.layout;
    if (OF_IP.has(field)) return protocol !== 0;
    return !OF_ARP.has(field) || ethType === ETHERTYPE_ARP;
  }

  readBits({ field, offset, width }: Bits): bigint {
    return BigInt.asUintN(width, BigInt(this.read(field)) >> BigInt(offset));
  }

  writeBits({ field, offset, width }: Bits, value: bigint): void {
    const mask = ((1n << BigInt(width)) - 1n) << BigInt(offset);
    this.write(field, BigInt.asUintN(width, value) << BigInt(offset), mask);
  }

  push(value: bigint): void {
    this.stack.push(value);
  }

  /** Undefined where nothing is left, which Open vSwitch takes for nothing to do. */
  pop(): bigint | undefined {
    return this.stack.pop();
  }

  pushTag(): void {
    const tagged = new Uint8Array(this.bytes.length + 4);
    tagged.set(this.bytes.subarray(0, 12));
    tagged.set([ETHERTYPE_VLAN >> 8, ETHERTYPE_VLAN & 0xff, 0, 0], 12);
    tagged.set(this.bytes.subarray(12), 16);
    this.replaceAll(tagged);
  }

  popTag(): void {
    if (!this.layout.tagged) return;
    const untagged = new Uint8Array(this.bytes.length - 4);
    untagged.set(this.bytes.subarray(0, 12));
    untagged.set(this.bytes.subarray(16), 12);
    this.replaceAll(untagged);
  }

  private replaceAll(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.layoutNow = undefined;
  }

  private get layout(): Layout {
    return (this.layoutNow ??= this.parse());
  }

  private parse(): Layout {
    const tagged = TAG_TYPES.includes(this.u16(12)) && this.bytes.length >= 18;
    const l3 = tagged ? 18 : 14;
    const typeOrLength = this.u16(l3 - 2);
    const ethType = typeOrLength < FIRST_ETHERTYPE ? NO_ETHERTYPE : typeOrLength;
    const end = this.bytes.length;
    const nothing: Layout = { ...NO_LAYERS, ethType, tagged, end };
    if (ethType === ETHERTYPE_ARP || ethType === ETHERTYPE_RARP) {
      if (!this.isArp(l3)) return nothing;
      const operation = this.u16(l3 + 6);
      return { ...nothing, arp: l3, protocol: operation <= MAX_OPERATION ? operation : 0 };
    }
    if (ethType === ETHERTYPE_IPV4) return { ...nothing, ...this.parseIpv4(l3) };
    if (ethType === ETHERTYPE_IPV6) return { ...nothing, ...this.parseIpv6(l3) };
    return nothing;
  }

  private isArp(l3: number): boolean {
    return (
      this.bytes.length >= l3 + 28 &&
      this.u16(l3) === 1 &&
      this.u16(l3 + 2) === ETHERTYPE_IPV4 &&
      this.u16(l3 + 4) === 0x0604
    );
  }

  private parseIpv4(l3: number): Partial<Layout> {
    const header = (this.u8(l3) & 0x0f) * 4;
    const total = this.u16(l3 + 2);
    if (header < 20 || total < header || this.bytes.length < l3 + total) return {};
    const protocol = this.u8(l3 + 9);
    const flags = this.u16(l3 + 6);
    const later = (flags & 0x1fff) !== 0;
    const fragment = (flags & 0x3fff) === 0 ? 0 : ANY_FRAGMENT | (later ? LATER_FRAGMENT : 0);
    const end = l3 + total;
    const summed = transportBySize(protocol, l3 + header, end);
    const transport = later ? NO_TRANSPORT : this.whole(summed, end);
    return { ipv4: l3, ttl: l3 + 8, protocol, fragment, ...transport, summed, end };
  }

  private parseIpv6(l3: number): Partial<Layout> {
    const end = l3 + 40 + this.u16(l3 + 4);
    if (this.bytes.length < end) return {};
    const upper = this.parseExtensions(this.u8(l3 + 6), l3 + 40, end);
    // Open vSwitch gives up behind the addresses.
    if (!upper) return { ipv6: l3, end };
    const { protocol, fragment, at } = upper;
    const summed = transportBySize(protocol, at, end);
    return { ipv6: l3, ttl: l3 + 7, protocol, fragment, ...this.whole(summed, end), summed, end };
  }

  /** TCP whose header ends behind the packet has no ports. */
  private whole(transport: Transport, end: number): Transport {
    const { tcp } = transport;
    const header = (this.u8(tcp + 12) >> 4) * 4;
    return tcp !== 0 && (header < TCP_HEADER || tcp + header > end) ? NO_TRANSPORT : transport;
  }

  /** Undefined where a header is cut short. */
  private parseExtensions(
    first: number,
    from: number,
    end: number,
  ): { readonly protocol: number; readonly fragment: number; readonly at: number } | undefined {
    let [protocol, fragment, at] = [first, 0, from];
    for (;;) {
      const isFragment = protocol === FRAGMENT_HEADER;
      const isAuthentication = protocol === AUTHENTICATION_HEADER;
      if (!isFragment && !isAuthentication && !OPTIONS.includes(protocol)) return { protocol, fragment, at };
      const units = this.u8(at + 1);
      const length = isFragment ? 8 : isAuthentication ? (units + 2) * 4 : (units + 1) * 8;
      if (at + Math.max(length, 8) > end) return undefined;
      const place = isFragment ? this.u16(at + 2) : 0;
      if (place !== 0) fragment = ANY_FRAGMENT;
      if ((place & FRAGMENT_OFFSET) !== 0) return { protocol, fragment: fragment | LATER_FRAGMENT, at };
      protocol = this.u8(at);
      at += length;
    }
  }

  private span(field: Field): Span | undefined {
    const { arp, ipv4, ipv6, tcp, udp, icmp, icmpv6 } = this.layout;
    const inside = (layer: number, offset: number, bytes: number): Span | undefined =>
      layer === 0 ? undefined : { at: layer + offset, bytes };
    switch (field) {
      case 'eth_dst':
        return { at: 0, bytes: 6 };
      case 'eth_src':
        return { at: 6, bytes: 6 };
      case 'arp_op':
        return inside(arp, 6, 2);
      case 'arp_sha':
        return inside(arp, 8, 6);
      case 'arp_spa':
        return inside(arp, 14, 4);
      case 'arp_tha':
        return inside(arp, 18, 6);
      case 'arp_tpa':
        return inside(arp, 24, 4);
      case 'nw_ttl':
        return inside(this.layout.ttl, 0, 1);
      case 'ip_src':
        return inside(ipv4, 12, 4);
      case 'ip_dst':
        return inside(ipv4, 16, 4);
      case 'ipv6_src':
        return inside(ipv6, 8, 16);
      case 'ipv6_dst':
        return inside(ipv6, 24, 16);
      case 'tcp_src':
        return inside(tcp, 0, 2);
      case 'tcp_dst':
        return inside(tcp, 2, 2);
      case 'udp_src':
        return inside(udp, 0, 2);
      case 'udp_dst':
        return inside(udp, 2, 2);
      case 'icmp_type':
        return inside(icmp, 0, 1);
      case 'icmp_code':
        return inside(icmp, 1, 1);
      case 'icmpv6_type':
        return inside(icmpv6, 0, 1);
      case 'icmpv6_code':
        return inside(icmpv6, 1, 1);
      default:
        return undefined;
    }
  }

  /** The places of the checksums that cover a field. */
  private checksums(field: Field): number[] {
    const { ipv4, icmp, summed } = this.layout;
    const { tcp, udp, icmpv6 } = summed;
    const ofTransport = [tcp && tcp + 16, udp && this.u16(udp + 6) !== 0 ? udp + 6 : 0, icmpv6 && icmpv6 + 2];
    const ofHeader = ipv4 && ipv4 + 10;
    const places = (): number[] => {
      switch (field) {
        case 'nw_ttl':
          return [ofHeader];
        case 'ip_src':
        case 'ip_dst':
          return [ofHeader, ...ofTransport];
        case 'ipv6_src':
        case 'ipv6_dst':
        case 'tcp_src':
        case 'tcp_dst':
        case 'udp_src':
        case 'udp_dst':
        case 'icmpv6_type':
        case 'icmpv6_code':
          return ofTransport;
        case 'icmp_type':
        case 'icmp_code':
          return [icmp && icmp + 2];
        default:
          return [];
      }
    };
    return places().filter((place) => place !== 0);
  }

  private replace({ at, bytes }: Span, value: bigint, checksums: readonly number[]): void {
    const first = at - (at % 2);
    const last = at + bytes + ((at + bytes) % 2);
    const before = this.words(first, last);
    let rest = value;
    for (let i = at + bytes - 1; i >= at; i--) {
      this.bytes[i] = Number(rest & 0xffn);
      rest >>= 8n;
    }
    const after = this.words(first, last);
    for (const place of checksums) this.correct(place, before, after);
  }

  /** RFC 1624: the sum changes by what the words changed. */
  private correct(place: number, before: readonly number[], after: readonly number[]): void {
    let sum = ~this.u16(place) & 0xffff;
    for (const word of before) sum += ~word & 0xffff;
    for (const word of after) sum += word;
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    const isUdp = place === this.layout.summed.udp + 6;
    const corrected = ~sum & 0xffff;
    const written = isUdp && corrected === 0 ? 0xffff : corrected;
    this.bytes[place] = written >> 8;
    this.bytes[place + 1] = written & 0xff;
  }

  private words(from: number, to: number): number[] {
    const words: number[] = [];
    for (let at = from; at < to; at += 2) words.push(this.u16(at));
    return words;
  }

  private number({ at, bytes }: Span): FieldValue {
    if (bytes > 6) {
      let wide = 0n;
      for (let i = at; i < at + bytes; i++) wide = (wide << 8n) | BigInt(this.u8(i));
      return wide;
    }
    let value = 0;
    for (let i = at; i < at + bytes; i++) value = value * 256 + this.u8(i);
    return value;
  }

  private u8(at: number): number {
    return this.bytes[at] ?? 0;
  }

  private u16(at: number): number {
    return (this.u8(at) << 8) | this.u8(at + 1);
  }
}

function transportBySize(protocol: number, at: number, end: number): Transport {
  const left = end - at;
  if (protocol === TCP && left >= TCP_HEADER) return { ...NO_TRANSPORT, tcp: at };
  if (protocol === UDP && left >= 8) return { ...NO_TRANSPORT, udp: at };
  if (protocol === ICMP && left >= 8) return { ...NO_TRANSPORT, icmp: at };
  if (protocol === ICMPV6 && left >= 8) return { ...NO_TRANSPORT, icmpv6: at };
  return NO_TRANSPORT;
}
