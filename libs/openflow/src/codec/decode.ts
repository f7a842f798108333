import { macFromBytes, unreachable } from '@weir/kernel';
import { MalformedMessage, type Refusal } from '../errors';
import type { Action, Bucket, Field, Flow, FlowStats, Group, Meter } from '../model';
import type { CookieMask, FlowRemoved, PacketIn, PacketOut, PortStatus, SwitchPort } from '../switch';
import { NICIRA, readActions } from './actions';
import { errorName, niciraErrorName, onfErrorName } from './error-names';
import { readInstructions } from './instructions';
import { readFields, readMatch } from './match';
import {
  ALL_TABLES,
  BUNDLE,
  BUNDLE_ADD,
  BUNDLE_CONTROL,
  type BundleControl,
  type Command,
  CONTROLLER_PORT,
  FLOW_COMMAND,
  GROUP_COMMAND,
  GROUP_TYPE_ALL,
  HEADER,
  LAST_TYPE,
  METER_BAND_DROP,
  METER_BAND_LENGTH,
  METER_COMMAND,
  METER_FLAGS,
  METER_STATS_FLAG,
  type Modification,
  MULTIPART,
  MULTIPART_MORE,
  ONF,
  PACKET_IN2,
  SET_PACKET_IN_FORMAT,
  TYPE,
  VERSION,
} from './protocol';
import { padded, Reader } from './reader';

/** Every message that we send or understand. */
export type Message = { readonly xid: number } & MessageBody;

type MessageBody =
  | { readonly type: 'hello'; readonly speaks13: boolean }
  | { readonly type: 'error'; readonly refusal: Refusal }
  | { readonly type: 'echo_request' | 'echo_reply'; readonly data: Uint8Array }
  | {
      readonly type:
        'features_request' | 'barrier_request' | 'barrier_reply' | 'set_config' | 'set_async' | 'set_packet_in_format';
    }
  | { readonly type: 'features_reply'; readonly datapathId: bigint; readonly tables: number }
  | { readonly type: 'packet_in'; readonly packet: PacketIn }
  | { readonly type: 'flow_removed'; readonly removed: FlowRemoved | undefined }
  | { readonly type: 'port_status'; readonly status: PortStatus }
  | { readonly type: 'packet_out'; readonly packet: PacketOut }
  | { readonly type: 'meter_mod'; readonly command: 'add' | 'modify'; readonly meter: Meter }
  | { readonly type: 'meter_removal'; readonly meter: number }
  | {
      readonly type: 'bundle_control';
      readonly bundle: number;
      readonly control: BundleControl;
      readonly reply: boolean;
    }
  | { readonly type: 'bundle_add'; readonly bundle: number; readonly part: Modification }
  | { readonly type: 'modification'; readonly part: Modification }
  | { readonly type: 'flow_removal_by_cookie'; readonly cookie: CookieMask; readonly table?: number }
  | { readonly type: 'multipart_request'; readonly request: StatsRequest }
  | { readonly type: 'multipart_reply'; readonly more: boolean; readonly part: StatsReply };

export type StatsRequest =
  | { readonly kind: 'flow' | 'aggregate'; readonly table?: number; readonly cookie: CookieMask }
  | { readonly kind: 'groupDesc' | 'meterConfig' | 'portDesc' };

export type StatsReply =
  | { readonly kind: 'flow'; readonly flows: readonly FlowStats[] }
  | { readonly kind: 'aggregate'; readonly flows: number; readonly packets: bigint; readonly bytes: bigint }
  | { readonly kind: 'groupDesc'; readonly groups: readonly Group[] }
  | { readonly kind: 'meterConfig'; readonly meters: readonly Meter[] }
  | { readonly kind: 'portDesc'; readonly ports: readonly SwitchPort[] };

/** One whole message, its header included. Throws `MalformedMessage`; views of `frame` may be part of what it returns. */
export function decodeMessage(frame: Uint8Array): Message {
  const reader = Reader.of(frame, 'a message');
  const version = reader.u8();
  const type = reader.u8();
  const length = reader.u16();
  const xid = reader.u32();
  if (length !== frame.length) reader.fail(`of ${frame.length} bytes that says it has ${length}`);
  checkHeader(version, type, length);
  return { xid, ...decodeBody(type, version, reader) };
}

/** Says at once, before the rest of a message has come, that it will be none. */
function checkHeader(version: number, type: number, length: number): void {
  if (length < HEADER)
    throw new MalformedMessage(`The switch sent a message of ${length} bytes, shorter than its header.`);
  // A HELLO names the highest version of its sender, and an error may answer it in that version.
  if (version !== VERSION && type !== TYPE.hello && type !== TYPE.error) {
    throw new MalformedMessage(`The switch sent a message of OpenFlow version ${version}.`);
  }
  if (type > LAST_TYPE) throw new MalformedMessage(`The switch sent a message of the unknown type ${type}.`);
}

function decodeBody(type: number, version: number, reader: Reader): MessageBody {
  switch (type) {
    case TYPE.hello:
      return { type: 'hello', speaks13: readVersions(reader, version) };
    case TYPE.error:
      return { type: 'error', refusal: readRefusal(reader) };
    case TYPE.echoRequest:
      return { type: 'echo_request', data: reader.take(reader.left) };
    case TYPE.echoReply:
      return { type: 'echo_reply', data: reader.take(reader.left) };
    case TYPE.experimenter:
      return readExperimenter(reader);
    case TYPE.featuresRequest:
      return { type: 'features_request' };
    case TYPE.featuresReply: {
      const datapathId = reader.u64();
      reader.skip(4);
      return { type: 'features_reply', datapathId, tables: reader.u8() };
    }
    case TYPE.setConfig:
      return { type: 'set_config' };
    case TYPE.flowRemoved:
      return { type: 'flow_removed', removed: readFlowRemoved(reader) };
    case TYPE.portStatus:
      return { type: 'port_status', status: readPortStatus(reader) };
    case TYPE.packetOut:
      return { type: 'packet_out', packet: readPacketOut(reader) };
    case TYPE.flowMod:
    case TYPE.groupMod:
      return readModification(type, reader);
    case TYPE.multipartRequest:
      return { type: 'multipart_request', request: readStatsRequest(reader) };
    case TYPE.multipartReply:
      return readStatsReply(reader);
    case TYPE.barrierRequest:
      return { type: 'barrier_request' };
    case TYPE.barrierReply:
      return { type: 'barrier_reply' };
    case TYPE.setAsync:
      return { type: 'set_async' };
    case TYPE.meterMod:
      return readMeterMod(reader);
    default:
      return reader.fail(`of the unknown type ${type}`);
  }
}

/** Whether 1.3 is among the versions of a HELLO: by its bitmap, or without one by being no newer than its own version. */
function readVersions(reader: Reader, version: number): boolean {
  while (reader.left >= 4) {
    const type = reader.u16();
    const length = reader.u16();
    if (length < 4) reader.fail(`with a HELLO element of ${length} bytes`);
    const body = reader.part(length - 4, 'a HELLO element');
    reader.skip(Math.min(padded(length) - length, reader.left));
    if (type === 1) return (body.u32() & (1 << VERSION)) !== 0;
  }
  return version >= VERSION;
}

const EXPERIMENTER_ERROR = 0xffff;

function readRefusal(reader: Reader): Refusal {
  const errorType = reader.u16();
  const errorCode = reader.u16();
  if (errorType !== EXPERIMENTER_ERROR) {
    return { errorType, errorCode, errorName: errorName(errorType, errorCode), data: rest(reader) };
  }
  const vendor = reader.u32();
  const name =
    vendor === ONF
      ? onfErrorName(errorCode)
      : vendor === NICIRA
        ? niciraErrorName(errorCode)
        : `error ${errorCode} of 0x${vendor.toString(16)}`;
  return { errorType, errorCode, errorName: name, data: rest(reader) };
}

/** A copy, since an error outlives the frame that it came in. */
function rest(reader: Reader): Uint8Array {
  return reader.take(reader.left).slice();
}

function readExperimenter(reader: Reader): MessageBody {
  const vendor = reader.u32();
  const subtype = reader.u32();
  if (vendor === NICIRA && subtype === PACKET_IN2) return { type: 'packet_in', packet: readPacketIn(reader) };
  if (vendor === NICIRA && subtype === SET_PACKET_IN_FORMAT) return { type: 'set_packet_in_format' };
  if (vendor === ONF && subtype === BUNDLE_CONTROL) {
    const bundle = reader.u32();
    const type = reader.u16();
    for (const control of Object.keys(BUNDLE) as BundleControl[]) {
      if ((type & ~1) === BUNDLE[control]) return { type: 'bundle_control', bundle, control, reply: (type & 1) === 1 };
    }
    return reader.fail(`about a bundle, of the unknown type ${type}`);
  }
  if (vendor === ONF && subtype === BUNDLE_ADD) {
    const bundle = reader.u32();
    reader.skip(4);
    const inner = decodeMessage(reader.take(reader.left));
    if (inner.type !== 'modification') return reader.fail(`with a ${inner.type} in a bundle`);
    return { type: 'bundle_add', bundle, part: inner.part };
  }
  return reader.fail(`of the unknown kind ${subtype} of experimenter 0x${vendor.toString(16)}`);
}

/** Properties of NXT_PACKET_IN2; those that we have no use for are skipped. */
const PACKET = 0;
const TABLE = 3;
const COOKIE = 4;
const METADATA = 6;
const USERDATA = 7;

function readPacketIn(reader: Reader): PacketIn {
  let packet: Uint8Array | undefined;
  let table = 0;
  let cookie = 0n;
  let metadata: PacketIn['metadata'] = {};
  let userdata = '';
  while (reader.left > 0) {
    const type = reader.u16();
    const length = reader.u16();
    if (length < 4) reader.fail(`with a packet-in property of ${length} bytes`);
    const value = reader.part(length - 4, 'a packet-in property');
    // The property that ends a message may go without its padding.
    reader.skip(Math.min(padded(length) - length, reader.left));
    if (type === PACKET) packet = value.take(value.left);
    else if (type === TABLE) table = value.u8();
    else if (type === COOKIE) {
      value.skip(value.left - 8);
      cookie = value.u64();
    } else if (type === METADATA) metadata = readMetadata(value);
    else if (type === USERDATA) userdata = value.text();
  }
  if (!packet) return reader.fail('that punts no packet');
  return { packet, table, cookie, inPort: Number(metadata.in_port ?? 0n), metadata, userdata };
}

function readMetadata(reader: Reader): PacketIn['metadata'] {
  const metadata: { [F in Field]?: bigint } = {};
  const { fields } = readFields(reader);
  for (const name in fields) {
    const field = fields[name as Field];
    if (field) metadata[name as Field] = field.value;
  }
  return metadata;
}

/** Undefined for a flow that went for another reason than time, or with a match that the model cannot say: not ours. */
function readFlowRemoved(reader: Reader): FlowRemoved | undefined {
  const cookie = reader.u64();
  const priority = reader.u16();
  const reason = reader.u8();
  const table = reader.u8();
  reader.skip(12);
  const packets = reader.u64();
  const bytes = reader.u64();
  const { match, foreign } = readMatch(reader);
  if (reason > 1 || foreign !== undefined) return undefined;
  return { flow: { table, priority, cookie, match }, reason: reason === 0 ? 'idle' : 'hard', packets, bytes };
}

const PORT_REASONS = ['added', 'removed', 'modified'] as const;

function readPortStatus(reader: Reader): PortStatus {
  const reason = PORT_REASONS[reader.u8()];
  if (!reason) return reader.fail('about a port, for an unknown reason');
  reader.skip(7);
  return { reason, port: readPort(reader) };
}

function readPort(reader: Reader): SwitchPort {
  const number = reader.u32();
  reader.skip(4);
  const mac = macFromBytes(reader.take(6));
  reader.skip(2);
  const name = Buffer.from(reader.take(16)).toString('utf8');
  const down = reader.u32() & 1;
  const linkDown = reader.u32() & 1;
  reader.skip(24);
  const end = name.indexOf('\0');
  return { number, name: end < 0 ? name : name.slice(0, end), mac, up: down === 0 && linkDown === 0 };
}

function readPacketOut(reader: Reader): PacketOut {
  reader.skip(4);
  const port = reader.u32();
  const length = reader.u16();
  reader.skip(6);
  const actions = readActions(reader.part(length, 'actions')) ?? reader.fail('with actions that we never send');
  return { inPort: port === CONTROLLER_PORT ? 'controller' : port, actions, data: reader.take(reader.left) };
}

function readModification(type: number, reader: Reader): MessageBody {
  return type === TYPE.groupMod ? { type: 'modification', part: readGroupMod(reader) } : readFlowMod(reader);
}

function readFlowMod(reader: Reader): MessageBody {
  const cookie = reader.u64();
  const mask = reader.u64();
  const table = reader.u8();
  const number = reader.u8();
  const idleTimeout = reader.u16();
  const hardTimeout = reader.u16();
  const priority = reader.u16();
  reader.skip(16);
  const match = readMatch(reader);
  const instructions = readInstructions(reader);
  if (number === FLOW_COMMAND.deleteMatching) {
    return {
      type: 'flow_removal_by_cookie',
      cookie: { value: cookie, mask },
      ...(table === ALL_TABLES ? {} : { table }),
    };
  }
  const command = commandOf(FLOW_COMMAND, number, reader);
  const flow = flowOf({ table, priority, cookie, idleTimeout, hardTimeout }, match, instructions);
  return { type: 'modification', part: { kind: 'flow', command, flow } };
}

function commandOf(commands: Readonly<Record<Command, number>>, number: number, reader: Reader): Command {
  for (const command of ['add', 'modify', 'remove'] as const) if (commands[command] === number) return command;
  return reader.fail(`with the unknown command ${number}`);
}

function flowOf(
  head: { table: number; priority: number; cookie: bigint; idleTimeout: number; hardTimeout: number },
  match: ReturnType<typeof readMatch>,
  { foreign: instructions, ...does }: ReturnType<typeof readInstructions>,
): Flow {
  const foreign = {
    ...(match.foreign === undefined ? {} : { match: match.foreign }),
    ...(instructions === undefined ? {} : { instructions }),
  };
  return {
    table: head.table,
    priority: head.priority,
    cookie: head.cookie,
    match: match.match,
    ...does,
    ...(head.idleTimeout === 0 ? {} : { idleTimeout: head.idleTimeout }),
    ...(head.hardTimeout === 0 ? {} : { hardTimeout: head.hardTimeout }),
    ...(Object.keys(foreign).length === 0 ? {} : { foreign }),
  };
}

function readGroupMod(reader: Reader): Modification {
  const number = reader.u16();
  const type = reader.u8();
  reader.skip(1);
  const id = reader.u32();
  const command = commandOf(GROUP_COMMAND, number, reader);
  if (command === 'remove') return { kind: 'group', command, group: id };
  return { kind: 'group', command, group: readBuckets(id, type, reader) };
}

/** Buckets to the end of the reader. */
function readBuckets(id: number, type: number, reader: Reader): Group {
  const start = reader.position;
  const buckets: Bucket[] = [];
  let known = type === GROUP_TYPE_ALL;
  while (reader.left > 0) {
    const length = reader.u16();
    if (length < 16 || length % 8 !== 0) reader.fail(`with a bucket of ${length} bytes`);
    const body = reader.part(length - 2, 'a bucket');
    body.skip(14);
    const actions: readonly Action[] | undefined = readActions(body);
    if (actions) buckets.push({ actions });
    else known = false;
  }
  if (known) return { id, type: 'all', buckets };
  return { id, type: 'all', buckets: [], foreign: reader.hexSince(start) };
}

function readMeterMod(reader: Reader): MessageBody {
  const command = commandOf(METER_COMMAND, reader.u16(), reader);
  const flags = reader.u16();
  if (command === 'remove') return { type: 'meter_removal', meter: reader.u32() };
  return { type: 'meter_mod', command, meter: readMeter(flags, reader) };
}

/** A meter's id and bands, to the end of the reader. */
function readMeter(flags: number, reader: Reader): Meter {
  const id = reader.u32();
  const bands = reader.part(reader.left, 'the bands of a meter');
  const start = bands.position;
  const plain = (flags | METER_STATS_FLAG) === METER_FLAGS && bands.left === METER_BAND_LENGTH;
  if (plain && bands.u16() === METER_BAND_DROP) {
    bands.skip(2);
    const rate = bands.u32();
    return { id, rate, burst: bands.u32() };
  }
  bands.skip(bands.left);
  return { id, rate: 0, burst: 0, foreign: bands.hexSince(start) };
}

function readStatsRequest(reader: Reader): StatsRequest {
  const type = reader.u16();
  reader.skip(6);
  for (const kind of Object.keys(MULTIPART) as (keyof typeof MULTIPART)[]) {
    if (MULTIPART[kind] !== type) continue;
    if (kind !== 'flow' && kind !== 'aggregate') return { kind };
    const table = reader.u8();
    reader.skip(15);
    const cookie = { value: reader.u64(), mask: reader.u64() };
    return { kind, cookie, ...(table === ALL_TABLES ? {} : { table }) };
  }
  return reader.fail(`that asks for the unknown statistics ${type}`);
}

function readStatsReply(reader: Reader): MessageBody {
  const type = reader.u16();
  const more = (reader.u16() & MULTIPART_MORE) !== 0;
  reader.skip(4);
  for (const kind of Object.keys(MULTIPART) as (keyof typeof MULTIPART)[]) {
    if (MULTIPART[kind] === type) return { type: 'multipart_reply', more, part: readStats(kind, reader) };
  }
  return reader.fail(`with the unknown statistics ${type}`);
}

function readStats(kind: keyof typeof MULTIPART, reader: Reader): StatsReply {
  switch (kind) {
    case 'flow':
      return { kind, flows: readAll(reader, 56, 'a flow', readFlowStats) };
    case 'aggregate': {
      const packets = reader.u64();
      const bytes = reader.u64();
      return { kind, packets, bytes, flows: reader.u32() };
    }
    case 'groupDesc':
      return {
        kind,
        groups: readAll(reader, 8, 'a group', (body) => {
          const type = body.u8();
          body.skip(1);
          const id = body.u32();
          return readBuckets(id, type, body);
        }),
      };
    case 'meterConfig':
      return { kind, meters: readAll(reader, 8, 'a meter', (body) => readMeter(body.u16(), body)) };
    case 'portDesc': {
      const ports: SwitchPort[] = [];
      while (reader.left > 0) ports.push(readPort(reader));
      return { kind, ports };
    }
    default:
      return unreachable(kind);
  }
}

/** Entries that start with their own length. */
function readAll<T>(reader: Reader, least: number, what: string, read: (body: Reader) => T): T[] {
  const found: T[] = [];
  while (reader.left > 0) {
    const length = reader.u16();
    if (length < least) reader.fail(`with ${what} of ${length} bytes`);
    found.push(read(reader.part(length - 2, what)));
  }
  return found;
}

function readFlowStats(reader: Reader): FlowStats {
  const table = reader.u8();
  reader.skip(1);
  const durationSeconds = reader.u32();
  reader.skip(4);
  const priority = reader.u16();
  const idleTimeout = reader.u16();
  const hardTimeout = reader.u16();
  reader.skip(6);
  const cookie = reader.u64();
  const packets = reader.u64();
  const bytes = reader.u64();
  const match = readMatch(reader);
  const flow = flowOf({ table, priority, cookie, idleTimeout, hardTimeout }, match, readInstructions(reader));
  return { flow, packets, bytes, durationSeconds };
}

/** Cuts a stream of bytes into messages, holding at most one incomplete message. */
export class MessageFramer {
  private rest: Uint8Array = new Uint8Array(0);

  /** Hands each whole message to `take`; throws `MalformedMessage` for a length that cannot be. */
  push(chunk: Uint8Array, take: (frame: Uint8Array) => void): void {
    let bytes = chunk;
    if (this.rest.length > 0) bytes = Buffer.concat([this.rest, chunk]);
    let at = 0;
    while (bytes.length - at >= HEADER) {
      const length = ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0);
      checkHeader(bytes[at] ?? 0, bytes[at + 1] ?? 0, length);
      if (bytes.length - at < length) break;
      take(bytes.subarray(at, at + length));
      at += length;
    }
    this.rest = bytes.subarray(at);
  }
}
