import type { Ip } from '@weir/kernel';
import { concat, ipv4, MalformedPacket, Reader, u16, u32, u8 } from './bytes';

export const DHCP_SERVER_PORT = 67;
export const DHCP_CLIENT_PORT = 68;

/** Option 53 (RFC 2132 §9.6). */
export const DhcpMessageType = {
  discover: 1,
  offer: 2,
  request: 3,
  decline: 4,
  ack: 5,
  nak: 6,
  release: 7,
  inform: 8,
} as const;

export const DhcpOption = {
  subnetMask: 1,
  router: 3,
  domainNameServer: 6,
  hostName: 12,
  domainName: 15,
  interfaceMtu: 26,
  requestedAddress: 50,
  leaseTime: 51,
  overload: 52,
  messageType: 53,
  serverIdentifier: 54,
  message: 56,
  renewalTime: 58,
  rebindingTime: 59,
  clientIdentifier: 61,
  classlessStaticRoute: 121,
} as const;

/** A DHCPv4 message (RFC 2131 §2), fields named as there. */
export interface DhcpMessage {
  readonly op: 'request' | 'reply';
  readonly htype: number;
  readonly hlen: number;
  readonly hops: number;
  readonly xid: number;
  readonly secs: number;
  readonly broadcast: boolean;
  readonly ciaddr: Ip;
  readonly yiaddr: Ip;
  readonly siaddr: Ip;
  readonly giaddr: Ip;
  /** All 16 bytes; `hlen` of them count. */
  readonly chaddr: Uint8Array;
  /** Empty when the field carries options. */
  readonly sname: string;
  readonly file: string;
  /** By code, in order; the parts of one option joined (RFC 3396), overload (52) resolved. */
  readonly options: ReadonlyMap<number, Uint8Array>;
}

const MAGIC_COOKIE = 0x63825363;
const BROADCAST_FLAG = 0x8000;
const PAD = 0;
const END = 255;
const FILE_HAS_OPTIONS = 1;
const SNAME_HAS_OPTIONS = 2;
const SNAME_LENGTH = 64;
const FILE_LENGTH = 128;
/** Some relays and clients drop anything shorter than a BOOTP message (RFC 1542 §2.1). */
const MIN_LENGTH = 300;

/**
 * From the payload of a UDP datagram. Strict: throws MalformedPacket for an option that runs over its field, a field
 * of options without END (RFC 2131 §4.1) and a wrong overload.
 */
export function decodeDhcp(bytes: Uint8Array): DhcpMessage {
  const reader = new Reader(bytes, 'DHCP message');
  const op = reader.u8();
  if (op !== 1 && op !== 2) throw new MalformedPacket(`The DHCP message has op ${op}, neither request nor reply.`);
  const fixed = {
    op: op === 1 ? 'request' : 'reply',
    htype: reader.u8(),
    hlen: reader.u8(),
    hops: reader.u8(),
    xid: reader.u32(),
    secs: reader.u16(),
    broadcast: (reader.u16() & BROADCAST_FLAG) !== 0,
    ciaddr: reader.ipv4(),
    yiaddr: reader.ipv4(),
    siaddr: reader.ipv4(),
    giaddr: reader.ipv4(),
    chaddr: reader.take(16),
  } as const;
  if (fixed.hlen > 16) throw new MalformedPacket(`The DHCP message has hlen ${fixed.hlen}, more than chaddr holds.`);
  const sname = reader.take(SNAME_LENGTH);
  const file = reader.take(FILE_LENGTH);
  if (reader.u32() !== MAGIC_COOKIE) throw new MalformedPacket('The DHCP message has no magic cookie.');

  const parts = new Map<number, Uint8Array[]>();
  readOptions(reader.rest(), 'options', parts);
  const overload = overloadOf(parts.get(DhcpOption.overload));
  parts.delete(DhcpOption.overload);
  const inFile = (overload & FILE_HAS_OPTIONS) !== 0;
  const inSname = (overload & SNAME_HAS_OPTIONS) !== 0;
  // RFC 3396 §5: file goes before sname.
  if (inFile) readOptions(file, 'file', parts);
  if (inSname) readOptions(sname, 'sname', parts);
  if (parts.has(DhcpOption.overload)) {
    throw new MalformedPacket('The DHCP message has option 52 in a field that is itself overloaded.');
  }
  const options = new Map([...parts].map(([code, values]) => [code, concat(...values)]));
  return { ...fixed, sname: inSname ? '' : text(sname), file: inFile ? '' : text(file), options };
}

function readOptions(field: Uint8Array, name: string, parts: Map<number, Uint8Array[]>): void {
  const reader = new Reader(field, `DHCP ${name} field`);
  while (reader.remaining > 0) {
    const code = reader.u8();
    if (code === END) return;
    if (code === PAD) continue;
    const value = reader.take(reader.u8());
    const earlier = parts.get(code);
    if (earlier) earlier.push(value);
    else parts.set(code, [value]);
  }
  throw new MalformedPacket(`The DHCP ${name} field has no END option.`);
}

function overloadOf(values: readonly Uint8Array[] | undefined): number {
  if (values === undefined) return 0;
  const [first] = values;
  const overload = values.length === 1 && first?.length === 1 ? first[0] : undefined;
  if (overload === undefined || overload < 1 || overload > 3) {
    throw new MalformedPacket('The DHCP message has an option 52 that is not 1, 2 or 3.');
  }
  return overload;
}

function text(field: Uint8Array): string {
  const end = field.indexOf(0);
  return String.fromCharCode(...(end < 0 ? field : field.subarray(0, end)));
}

/** At least 300 bytes. Options longer than 255 bytes are split (RFC 3396); sname and file are never overloaded. */
export function encodeDhcp(message: DhcpMessage): Uint8Array {
  if (message.chaddr.length !== 16) throw new MalformedPacket('chaddr takes 16 bytes.');
  const bytes = concat(
    u8(message.op === 'request' ? 1 : 2, message.htype, message.hlen, message.hops),
    u32(message.xid),
    u16(message.secs, message.broadcast ? BROADCAST_FLAG : 0),
    ipv4(message.ciaddr),
    ipv4(message.yiaddr),
    ipv4(message.siaddr),
    ipv4(message.giaddr),
    message.chaddr,
    padded(message.sname, SNAME_LENGTH, 'sname'),
    padded(message.file, FILE_LENGTH, 'file'),
    u32(MAGIC_COOKIE),
    ...[...message.options].flatMap(([code, value]) => encodeOption(code, value)),
    u8(END),
  );
  return bytes.length >= MIN_LENGTH ? bytes : concat(bytes, new Uint8Array(MIN_LENGTH - bytes.length));
}

function encodeOption(code: number, value: Uint8Array): Uint8Array[] {
  if (code <= PAD || code >= END || code === DhcpOption.overload) {
    throw new MalformedPacket(`DHCP option ${code} cannot be set.`);
  }
  if (value.length === 0) return [u8(code, 0)];
  const parts: Uint8Array[] = [];
  for (let start = 0; start < value.length; start += 255) {
    const part = value.subarray(start, start + 255);
    parts.push(u8(code, part.length), part);
  }
  return parts;
}

function padded(value: string, length: number, name: string): Uint8Array {
  const field = new Uint8Array(length);
  if (value.length > length) throw new MalformedPacket(`${name} takes ${length} bytes.`);
  for (let i = 0; i < value.length; i++) field[i] = value.charCodeAt(i);
  return field;
}
