import { invalid } from './errors';
import { type Ip, ipFromBigInt, ipToBigInt, type IpVersion, ipVersion, parseIp } from './ip';

/** A prefix in canonical text, host bits zero: `10.1.1.0/24`. */
export type Cidr = string & { readonly __cidr: true };

export interface CidrRange {
  readonly version: IpVersion;
  readonly prefix: number;
  /** The network address, inclusive. */
  readonly first: bigint;
  /** The last address (IPv4: the broadcast address), inclusive. */
  readonly last: bigint;
}

/** Throws `invalid`; host bits are refused rather than cleared in silence. */
export function parseCidr(text: string): Cidr {
  const [address = '', prefixText = '', ...rest] = text.split('/');
  const malformed = (): never => {
    throw invalid(`'${text.slice(0, 64)}' is not a valid IP subnet.`);
  };
  if (rest.length > 0 || !/^\d{1,3}$/.test(prefixText)) malformed();
  let ip: Ip;
  try {
    ip = parseIp(address);
  } catch (cause) {
    throw invalid(`'${text.slice(0, 64)}' is not a valid IP subnet.`, { cause });
  }
  const bits = ipVersion(ip) === 4 ? 32 : 128;
  const prefix = Number(prefixText);
  if (prefix > bits) malformed();
  const hostBits = BigInt(bits - prefix);
  const value = ipToBigInt(ip);
  const network = (value >> hostBits) << hostBits;
  if (network !== value) {
    const suggestion = `${ipFromBigInt(network, ipVersion(ip))}/${prefix}`;
    throw invalid(`'${text.slice(0, 64)}' has host bits set; did you mean '${suggestion}'?`);
  }
  return `${ip}/${prefix}` as Cidr;
}

export function cidrRange(cidr: Cidr): CidrRange {
  const [address = '', prefixText = ''] = cidr.split('/');
  const version = ipVersion(address as Ip);
  const prefix = Number(prefixText);
  const size = 1n << BigInt((version === 4 ? 32 : 128) - prefix);
  const first = ipToBigInt(address as Ip);
  return { version, prefix, first, last: first + size - 1n };
}

export function cidrContains(cidr: Cidr, ip: Ip): boolean {
  const range = cidrRange(cidr);
  if (range.version !== ipVersion(ip)) return false;
  const value = ipToBigInt(ip);
  return value >= range.first && value <= range.last;
}

export function cidrsOverlap(left: Cidr, right: Cidr): boolean {
  const a = cidrRange(left);
  const b = cidrRange(right);
  return a.version === b.version && a.first <= b.last && b.first <= a.last;
}

/** The address `offset` after the network address. */
export function cidrAddress(cidr: Cidr, offset: bigint | number): Ip {
  const range = cidrRange(cidr);
  return ipFromBigInt(range.first + BigInt(offset), range.version);
}
