import ipaddr from 'ipaddr.js';
import { invalid } from './errors';

/** An address in its canonical text: `10.1.1.1`, `fd00::1`. */
export type Ip = string & { readonly __ip: true };
export type IpVersion = 4 | 6;

const DOTTED = /^(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(\.(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}$/;

/** Dotted decimal without leading zeros, or IPv6 without a zone; throws `invalid`. */
export function parseIp(text: string): Ip {
  if (DOTTED.test(text)) return text as Ip;
  if (text.includes(':') && !text.includes('%') && ipaddr.IPv6.isValid(text))
    return ipaddr.IPv6.parse(text).toString() as Ip;
  throw invalid(`'${text.slice(0, 64)}' is not a valid IP address.`);
}

export function isIp(text: string): boolean {
  return DOTTED.test(text) || (text.includes(':') && !text.includes('%') && ipaddr.IPv6.isValid(text));
}

export function ipVersion(ip: Ip): IpVersion {
  return ip.includes(':') ? 6 : 4;
}

export function ipToBigInt(ip: Ip): bigint {
  let value = 0n;
  for (const byte of ipToBytes(ip)) value = (value << 8n) | BigInt(byte);
  return value;
}

export function ipFromBigInt(value: bigint, version: IpVersion): Ip {
  const bytes = new Uint8Array(version === 4 ? 4 : 16);
  let rest = value;
  for (let i = bytes.length - 1; i >= 0; i--) {
    bytes[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return ipFromBytes(bytes);
}

export function ipToBytes(ip: Ip): Uint8Array {
  if (ipVersion(ip) === 4) return Uint8Array.from(ip.split('.'), Number);
  return Uint8Array.from(ipaddr.parse(ip).toByteArray());
}

/** From 4 or 16 bytes. */
export function ipFromBytes(bytes: Uint8Array): Ip {
  if (bytes.length === 4) return bytes.join('.') as Ip;
  return ipaddr.fromByteArray([...bytes]).toString() as Ip;
}

/** IPv4 only: the address as an unsigned 32-bit number. */
export function ipv4ToNumber(ip: Ip): number {
  return ip.split('.').reduce((value, byte) => value * 256 + Number(byte), 0);
}

export function ipv4FromNumber(value: number): Ip {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255].join('.') as Ip;
}
