import { invalid } from './errors';

/** Lower case, colons: `fa:16:3e:00:00:01`. */
export type Mac = string & { readonly __mac: true };

const MAC = /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/;
export const BROADCAST_MAC = 'ff:ff:ff:ff:ff:ff' as Mac;

/** A unicast address; throws `invalid` for malformed, multicast and all-zero ones (Neutron lets multicast through; we do not). */
export function parseMac(text: string): Mac {
  const lower = text.toLowerCase();
  if (!MAC.test(lower)) throw invalid(`'${text.slice(0, 64)}' is not a valid MAC address.`);
  if (parseInt(lower.slice(0, 2), 16) & 1)
    throw invalid(`'${lower}' is a multicast MAC address; a port needs a unicast one.`);
  if (lower === '00:00:00:00:00:00') throw invalid('A port cannot have the MAC address 00:00:00:00:00:00.');
  return lower as Mac;
}

/** `number` below 2^48. */
export function macToNumber(mac: Mac): number {
  return parseInt(mac.replaceAll(':', ''), 16);
}

export function macFromNumber(value: number): Mac {
  const hex = value.toString(16).padStart(12, '0');
  return (hex.match(/../g) ?? []).join(':') as Mac;
}

export function macToBytes(mac: Mac): Uint8Array {
  return Uint8Array.from(mac.split(':'), (byte) => parseInt(byte, 16));
}

export function macFromBytes(bytes: Uint8Array, offset = 0): Mac {
  return Array.from(bytes.subarray(offset, offset + 6), (byte) => byte.toString(16).padStart(2, '0')).join(':') as Mac;
}
