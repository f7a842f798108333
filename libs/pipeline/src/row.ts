import {
  canonicalMatch,
  FIELD_BITS,
  type Action,
  type Bits,
  type Field,
  type FieldMatch,
  type Flow,
  type Match,
} from '@weir/openflow';
import { type Cidr, type Ip, ipv4ToNumber, type Mac, macToNumber } from '@weir/kernel';
import { WHOLE_PACKET } from './limits';
import { type PuntReason, tableNumber, type TableName } from './tables';

/** A flow before its owner's cookie is on it. */
export type Row = Omit<Flow, 'cookie'>;

export const ETH_IPV4 = 0x0800;
export const ETH_ARP = 0x0806;
export const ETH_RARP = 0x8035;
export const PROTO_ICMP = 1;
export const PROTO_UDP = 17;

type MatchValue = number | FieldMatch | undefined;

/** A match in the model's canonical form; `undefined` leaves the field out. */
export function match(fields: { readonly [F in Field]?: MatchValue }): Match {
  const result: { [F in Field]?: FieldMatch } = {};
  for (const [field, value] of Object.entries(fields) as [Field, MatchValue][]) {
    if (value === undefined) continue;
    result[field] = typeof value === 'number' ? { value: BigInt(value) } : value;
  }
  return canonicalMatch(result);
}

/** Only the bits of `mask`. */
export function masked(value: number, mask: number): FieldMatch {
  return { value: BigInt(value), mask: BigInt(mask) };
}

/** None of these bits is set. */
export function without(bits: number): FieldMatch {
  return masked(0, bits);
}

/** All of these bits are set. */
export function having(bits: number): FieldMatch {
  return masked(bits, bits);
}

/** Any address with the group bit. */
export const MULTICAST: FieldMatch = { value: 0x0100_0000_0000n, mask: 0x0100_0000_0000n };

export function prefixLength(cidr: Cidr): number {
  return Number(cidr.slice(cidr.indexOf('/') + 1));
}

/** An IPv4 prefix; `undefined` for 0.0.0.0/0, which is no match at all. */
export function prefix(cidr: Cidr): FieldMatch | undefined {
  const length = prefixLength(cidr);
  if (length === 0) return undefined;
  const value = BigInt(ipv4ToNumber(cidr.slice(0, cidr.indexOf('/')) as Ip));
  if (length === 32) return { value };
  return { value, mask: (0xffff_ffffn << BigInt(32 - length)) & 0xffff_ffffn };
}

export function mac(address: Mac): number {
  return macToNumber(address);
}

export function ipv4(address: Ip): number {
  return ipv4ToNumber(address);
}

/** The whole of a field. */
function bits(field: Field): Bits {
  return { field, offset: 0, width: FIELD_BITS[field] };
}

export function set(field: Field, value: number): Action {
  return { type: 'set_field', field, value: BigInt(value) };
}

export function setBits(field: Field, value: number, mask: number): Action {
  return { type: 'set_field', field, value: BigInt(value), mask: BigInt(mask) };
}

export function move(from: Field, to: Field): Action {
  return { type: 'move', from: bits(from), to: bits(to) };
}

/** Exchanges two fields of one width, by the stack. */
export function swap(left: Field, right: Field): Action[] {
  return [
    { type: 'push', from: bits(left) },
    { type: 'push', from: bits(right) },
    { type: 'pop', to: bits(left) },
    { type: 'pop', to: bits(right) },
  ];
}

export function output(port: number | 'in_port'): Action {
  return { type: 'output', port };
}

export function group(id: number): Action {
  return { type: 'group', group: id };
}

export function resubmit(table: TableName): Action {
  return { type: 'resubmit', table: tableNumber(table) };
}

export function punt(reason: PuntReason): Action {
  return { type: 'controller', userdata: reason, maxLength: WHOLE_PACKET };
}

/** A row by table name: a jump to a table that does not exist does not compile. */
export function row(
  table: TableName,
  priority: number,
  matching: Match,
  actions: readonly Action[],
  then: { readonly goto?: TableName; readonly meter?: number } = {},
): Row {
  return {
    table: tableNumber(table),
    priority,
    match: matching,
    ...(then.meter === undefined ? {} : { meter: then.meter }),
    actions,
    ...(then.goto === undefined ? {} : { goto: tableNumber(then.goto) }),
  };
}
