import { checksum, concat, MalformedPacket, Reader, u16, u32, u8, withChecksum } from './bytes';

export const ICMP = 1;

/** ICMP for IPv4 (RFC 792): the messages that a router speaks; any other keeps its bytes. */
export type IcmpMessage =
  | {
      readonly kind: 'icmp';
      readonly type: 'echo-request' | 'echo-reply';
      readonly identifier: number;
      readonly sequence: number;
      readonly data: Uint8Array;
    }
  | {
      readonly kind: 'icmp';
      readonly type: 'unreachable';
      readonly code: number;
      /** Of the next link (RFC 1191), 0 unless `code` is fragmentation needed. */
      readonly mtu: number;
      /** The start of the packet that could not be delivered, from its IP header on. */
      readonly original: Uint8Array;
    }
  | {
      readonly kind: 'icmp';
      readonly type: 'time-exceeded';
      readonly code: number;
      readonly original: Uint8Array;
    }
  | {
      readonly kind: 'icmp';
      readonly type: 'other';
      readonly number: number;
      readonly code: number;
      readonly body: Uint8Array;
    };

export const NETWORK_UNREACHABLE = 0;
export const HOST_UNREACHABLE = 1;
export const PROTOCOL_UNREACHABLE = 2;
export const PORT_UNREACHABLE = 3;
export const FRAGMENTATION_NEEDED = 4;
export const TTL_EXCEEDED_IN_TRANSIT = 0;

const ECHO_REPLY = 0;
const UNREACHABLE = 3;
const ECHO_REQUEST = 8;
const TIME_EXCEEDED = 11;
const ERROR_TYPES: readonly number[] = [UNREACHABLE, 4, 5, TIME_EXCEEDED, 12];

/** Whether the ICMP message that starts with `type` reports an error, so that none may be sent about it (RFC 1122 §3.2.2). */
export function isIcmpError(type: number): boolean {
  return ERROR_TYPES.includes(type);
}

export function decodeIcmp(bytes: Uint8Array): IcmpMessage {
  const reader = new Reader(bytes, 'ICMP message');
  const number = reader.u8();
  const code = reader.u8();
  reader.u16();
  const body = bytes.subarray(4);
  const first = reader.u16();
  const second = reader.u16();
  if (checksum(bytes) !== 0) throw new MalformedPacket('The ICMP checksum is wrong.');
  if ((number === ECHO_REQUEST || number === ECHO_REPLY) && code === 0) {
    const type = number === ECHO_REQUEST ? 'echo-request' : 'echo-reply';
    return { kind: 'icmp', type, identifier: first, sequence: second, data: reader.rest() };
  }
  // RFC 4884 gives these two bytes another meaning; such a message keeps its bytes.
  if (number === UNREACHABLE && first === 0) {
    return { kind: 'icmp', type: 'unreachable', code, mtu: second, original: reader.rest() };
  }
  if (number === TIME_EXCEEDED && first === 0 && second === 0) {
    return { kind: 'icmp', type: 'time-exceeded', code, original: reader.rest() };
  }
  return { kind: 'icmp', type: 'other', number, code, body };
}

export function encodeIcmp(message: IcmpMessage): Uint8Array {
  return withChecksum(icmpBytes(message), 2);
}

function icmpBytes(message: IcmpMessage): Uint8Array {
  switch (message.type) {
    case 'echo-request':
    case 'echo-reply': {
      const number = message.type === 'echo-request' ? ECHO_REQUEST : ECHO_REPLY;
      return concat(u8(number, 0), u16(0, message.identifier, message.sequence), message.data);
    }
    case 'unreachable':
      return concat(u8(UNREACHABLE, message.code), u16(0, 0, message.mtu), message.original);
    case 'time-exceeded':
      return concat(u8(TIME_EXCEEDED, message.code), u16(0), u32(0), message.original);
    case 'other':
      return concat(u8(message.number, message.code), u16(0), message.body);
  }
}
