import { canonicalJson, type Cidr, type Ip, WeirError } from '@weir/kernel';
import type { Changes } from './commands';

export const MAX_NAME = 255;
export const MAX_DESCRIPTION = 255;
export const MAX_FIXED_IPS = 16;
export const MAX_DNS_NAMESERVERS = 20;
export const MAX_ROUTES = 100;
export const MAX_SERVER_PORTS = 16;
/** As Nova's default quota. */
export const MAX_METADATA_ITEMS = 128;
/** The least that every IPv4 host must take (RFC 791). */
export const MIN_MTU = 576;
export const MAX_MTU = 9216;

export class InvalidInput extends WeirError {
  constructor(field: string, reason: string) {
    super('invalid', `Invalid input for ${field}. Reason: ${reason}.`, { fields: { field } });
  }
}

/** An id that was made at the edge names something already. */
export class IdInUse extends WeirError {
  constructor(id: string) {
    super('conflict', `The id ${id} is already in use.`);
  }
}

export class Ipv6NotSupported extends WeirError {
  constructor(what: string) {
    super('invalid', `'${what}' is IPv6, which is not supported yet; only IPv4 is.`);
  }
}

export function refuseLongText(fields: {
  readonly name?: string | undefined;
  readonly description?: string | undefined;
}): void {
  refuseLonger('name', fields.name, MAX_NAME);
  refuseLonger('description', fields.description, MAX_DESCRIPTION);
}

export function refuseLonger(field: string, text: string | undefined, limit: number): void {
  if (text !== undefined && text.length > limit)
    throw new InvalidInput(field, `it exceeds the maximum length of ${limit}`);
}

export function refuseMore(field: string, items: readonly unknown[] | undefined, limit: number): void {
  if (items !== undefined && items.length > limit) throw new InvalidInput(field, `it holds more than ${limit} items`);
}

export function refuseOutside(field: string, value: number | undefined, least: number, most: number): void {
  if (value === undefined || (Number.isInteger(value) && value >= least && value <= most)) return;
  throw new InvalidInput(field, `'${value}' is not an integer from ${least} to ${most}`);
}

export function refuseIpv6(addresses: Iterable<Ip | Cidr>): void {
  for (const address of addresses) if (address.includes(':')) throw new Ipv6NotSupported(address);
}

/** The fields of `changes` that are given and differ from what is. */
export function difference<Fields extends object>(current: Fields, changes: Changes<Fields>): Partial<Fields> {
  const changed: Partial<Fields> = {};
  for (const name of Object.keys(changes) as (keyof Fields)[]) {
    const value = changes[name];
    if (value !== undefined && canonicalJson(value) !== canonicalJson(current[name])) changed[name] = value;
  }
  return changed;
}

export function isEmpty(fields: object): boolean {
  return Object.keys(fields).length === 0;
}
