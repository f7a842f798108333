import { canonical, canonicalActions, canonicalGroup, canonicalMeter } from '../canonical';
import { InvalidFlow } from '../errors';
import type { Bucket, Flow, Group, Meter } from '../model';
import type { CookieMask, PacketOut } from '../switch';
import { NICIRA, writeActions } from './actions';
import { writeInstructions } from './instructions';
import { writeMatch } from './match';
import {
  ALL_TABLES,
  ANY,
  BUNDLE,
  BUNDLE_ADD,
  BUNDLE_CONTROL,
  BUNDLE_FLAGS,
  type BundleControl,
  type Command,
  CONTROLLER_PORT,
  FLOW_COMMAND,
  GROUP_COMMAND,
  GROUP_TYPE_ALL,
  METER_BAND_DROP,
  METER_BAND_LENGTH,
  METER_COMMAND,
  METER_FLAGS,
  type Modification,
  MULTIPART,
  NO_BUFFER,
  ONF,
  SEND_FLOW_REMOVED,
  SET_PACKET_IN_FORMAT,
  TYPE,
  VERSION,
} from './protocol';
import type { MessageWriter } from './writer';

/** OFPHET_VERSIONBITMAP: we speak 1.3 and nothing else. */
const VERSION_BITMAP = 1;
/** NXPIF_NXT_PACKET_IN2. */
const PACKET_IN2_FORMAT = 2;
/** A management connection hears nothing before it has asked for bytes of missed packets; 0xffff is all of them. */
const WHOLE_PACKET = 0xffff;
/** OFPC_FRAG_NX_MATCH. */
const FRAGMENTS_NX_MATCH = 3;
/** Bits of the reasons that we want to hear of: punts by an action; ports added, deleted, modified; flows that ran out of time. */
const PUNTS = 1 << 1;
const PORT_CHANGES = 0b111;
const EXPIRIES = 0b11;

function header(writer: MessageWriter, type: number, xid: number): void {
  writer.u8(VERSION);
  writer.u8(type);
  writer.u16(0);
  writer.u32(xid);
}

function experimenter(writer: MessageWriter, vendor: number, subtype: number, xid: number): void {
  header(writer, TYPE.experimenter, xid);
  writer.u32(vendor);
  writer.u32(subtype);
}

function whole(writer: MessageWriter, write: () => void): void {
  writer.begin();
  try {
    write();
  } catch (error) {
    writer.abandon();
    throw error;
  }
  writer.end();
}

export function encodeHello(writer: MessageWriter, xid: number): void {
  whole(writer, () => {
    header(writer, TYPE.hello, xid);
    writer.u16(VERSION_BITMAP);
    writer.u16(8);
    writer.u32(1 << VERSION);
  });
}

export function encodeEcho(writer: MessageWriter, type: 'request' | 'reply', xid: number, data: Uint8Array): void {
  whole(writer, () => {
    header(writer, type === 'request' ? TYPE.echoRequest : TYPE.echoReply, xid);
    writer.raw(data);
  });
}

export function encodeFeaturesRequest(writer: MessageWriter, xid: number): void {
  whole(writer, () => header(writer, TYPE.featuresRequest, xid));
}

export function encodeBarrier(writer: MessageWriter, xid: number): void {
  whole(writer, () => header(writer, TYPE.barrierRequest, xid));
}

/** Fragments: a first one is matched by its ports, which by default it would be said not to have. */
export function encodeSetConfig(writer: MessageWriter, xid: number): void {
  whole(writer, () => {
    header(writer, TYPE.setConfig, xid);
    writer.u16(FRAGMENTS_NX_MATCH);
    writer.u16(WHOLE_PACKET);
  });
}

export function encodeSetPacketInFormat(writer: MessageWriter, xid: number): void {
  whole(writer, () => {
    experimenter(writer, NICIRA, SET_PACKET_IN_FORMAT, xid);
    writer.u32(PACKET_IN2_FORMAT);
  });
}

/** Punts, port changes and expired flows are heard, as any controller but a secondary one. */
export function encodeSetAsync(writer: MessageWriter, xid: number): void {
  whole(writer, () => {
    header(writer, TYPE.setAsync, xid);
    for (const mask of [PUNTS, PORT_CHANGES, EXPIRIES]) {
      writer.u32(mask);
      writer.u32(0);
    }
  });
}

export function encodePacketOut(writer: MessageWriter, xid: number, packet: PacketOut): void {
  whole(writer, () => {
    header(writer, TYPE.packetOut, xid);
    writer.u32(NO_BUFFER);
    writer.u32(packet.inPort === 'controller' ? CONTROLLER_PORT : packet.inPort);
    const lengthAt = writer.at;
    writer.u16(0);
    writer.zeros(6);
    const start = writer.at;
    writeActions(writer, canonicalActions(packet.actions));
    writer.patch16(lengthAt, writer.at - start);
    writer.raw(packet.data);
  });
}

/** `modify` and `remove` mean exactly this flow (strict). */
export function encodeFlowMod(writer: MessageWriter, xid: number, command: Command, flow: Flow): void {
  whole(writer, () => putFlowMod(writer, xid, command, flow));
}

function putFlowMod(writer: MessageWriter, xid: number, command: Command, wanted: Flow): void {
  const flow = canonical(wanted);
  if (command !== 'remove' && flow.foreign) {
    throw new InvalidFlow('A flow that somebody else wrote can be removed, but not written again.');
  }
  const start = writer.at;
  const expires = Boolean(flow.idleTimeout) || Boolean(flow.hardTimeout);
  putFlowModHead(writer, xid, flow.cookie, 0n, flow.table, FLOW_COMMAND[command]);
  writer.u16(flow.idleTimeout ?? 0);
  writer.u16(flow.hardTimeout ?? 0);
  writer.u16(flow.priority);
  putFlowModTail(writer, expires ? SEND_FLOW_REMOVED : 0);
  writeMatch(writer, flow.match, flow.foreign?.match);
  if (command !== 'remove') writeInstructions(writer, flow);
  writer.patch16(start + 2, writer.at - start);
}

function putFlowModHead(
  writer: MessageWriter,
  xid: number,
  cookie: bigint,
  mask: bigint,
  table: number,
  command: number,
): void {
  header(writer, TYPE.flowMod, xid);
  writer.u64(cookie);
  writer.u64(mask);
  writer.u8(table);
  writer.u8(command);
}

function putFlowModTail(writer: MessageWriter, flags: number): void {
  writer.u32(NO_BUFFER);
  writer.u32(ANY);
  writer.u32(ANY);
  writer.u16(flags);
  writer.zeros(2);
}

/** Removes every flow with these bits in its cookie, of one table or of all. */
export function encodeFlowRemovalByCookie(
  writer: MessageWriter,
  xid: number,
  cookie: CookieMask,
  table: number = ALL_TABLES,
): void {
  whole(writer, () => {
    putFlowModHead(writer, xid, cookie.value & cookie.mask, cookie.mask, table, FLOW_COMMAND.deleteMatching);
    writer.zeros(6);
    putFlowModTail(writer, 0);
    writeMatch(writer, {});
  });
}

export function encodeGroupMod(writer: MessageWriter, xid: number, command: 'add' | 'modify', group: Group): void {
  whole(writer, () => putGroupMod(writer, xid, command, group));
}

export function encodeGroupRemoval(writer: MessageWriter, xid: number, group: number): void {
  whole(writer, () => putGroupRemoval(writer, xid, group));
}

function putGroupMod(writer: MessageWriter, xid: number, command: 'add' | 'modify', group: Group): void {
  if (group.foreign) throw new InvalidFlow('A group that somebody else wrote can be removed, but not written again.');
  const { id, buckets } = canonicalGroup(group);
  const start = writer.at;
  putGroupModHead(writer, xid, GROUP_COMMAND[command], id);
  for (const bucket of buckets) putBucket(writer, bucket);
  writer.patch16(start + 2, writer.at - start);
}

function putGroupRemoval(writer: MessageWriter, xid: number, group: number): void {
  const start = writer.at;
  putGroupModHead(writer, xid, GROUP_COMMAND.remove, group);
  writer.patch16(start + 2, writer.at - start);
}

function putGroupModHead(writer: MessageWriter, xid: number, command: number, group: number): void {
  header(writer, TYPE.groupMod, xid);
  writer.u16(command);
  writer.u8(GROUP_TYPE_ALL);
  writer.zeros(1);
  writer.u32(group);
}

function putBucket(writer: MessageWriter, bucket: Bucket): void {
  const start = writer.at;
  writer.u16(0);
  writer.u16(0);
  writer.u32(ANY);
  writer.u32(ANY);
  writer.zeros(4);
  writeActions(writer, bucket.actions);
  writer.patch16(start, writer.at - start);
}

export function encodeMeterMod(writer: MessageWriter, xid: number, command: 'add' | 'modify', meter: Meter): void {
  const { id, rate, burst } = canonicalMeter(meter);
  whole(writer, () => {
    putMeterModHead(writer, xid, METER_COMMAND[command], id);
    writer.u16(METER_BAND_DROP);
    writer.u16(METER_BAND_LENGTH);
    writer.u32(rate);
    writer.u32(burst);
    writer.zeros(4);
  });
}

export function encodeMeterRemoval(writer: MessageWriter, xid: number, meter: number): void {
  whole(writer, () => putMeterModHead(writer, xid, METER_COMMAND.remove, meter));
}

function putMeterModHead(writer: MessageWriter, xid: number, command: number, meter: number): void {
  header(writer, TYPE.meterMod, xid);
  writer.u16(command);
  writer.u16(METER_FLAGS);
  writer.u32(meter);
}

export function encodeBundleControl(writer: MessageWriter, xid: number, bundle: number, control: BundleControl): void {
  whole(writer, () => {
    experimenter(writer, ONF, BUNDLE_CONTROL, xid);
    writer.u32(bundle);
    writer.u16(BUNDLE[control]);
    writer.u16(BUNDLE_FLAGS);
  });
}

/** The message inside has the same xid, which is how an error names it. */
export function encodeBundleAdd(writer: MessageWriter, xid: number, bundle: number, part: Modification): void {
  whole(writer, () => {
    experimenter(writer, ONF, BUNDLE_ADD, xid);
    writer.u32(bundle);
    writer.zeros(2);
    writer.u16(BUNDLE_FLAGS);
    if (part.kind === 'flow') putFlowMod(writer, xid, part.command, part.flow);
    else if (part.command === 'remove') putGroupRemoval(writer, xid, part.group);
    else putGroupMod(writer, xid, part.command, part.group);
  });
}

/** Of one table or all, and of cookies with these bits or any. */
export function encodeFlowStatsRequest(
  writer: MessageWriter,
  xid: number,
  what: 'flow' | 'aggregate',
  table: number = ALL_TABLES,
  cookie: CookieMask = { value: 0n, mask: 0n },
): void {
  whole(writer, () => {
    multipart(writer, xid, MULTIPART[what]);
    writer.u8(table);
    writer.zeros(3);
    writer.u32(ANY);
    writer.u32(ANY);
    writer.zeros(4);
    writer.u64(cookie.value & cookie.mask);
    writer.u64(cookie.mask);
    writeMatch(writer, {});
  });
}

export function encodeGroupDescRequest(writer: MessageWriter, xid: number): void {
  whole(writer, () => multipart(writer, xid, MULTIPART.groupDesc));
}

export function encodeMeterConfigRequest(writer: MessageWriter, xid: number): void {
  whole(writer, () => {
    multipart(writer, xid, MULTIPART.meterConfig);
    writer.u32(ANY);
    writer.zeros(4);
  });
}

export function encodePortDescRequest(writer: MessageWriter, xid: number): void {
  whole(writer, () => multipart(writer, xid, MULTIPART.portDesc));
}

function multipart(writer: MessageWriter, xid: number, type: number): void {
  header(writer, TYPE.multipartRequest, xid);
  writer.u16(type);
  writer.zeros(6);
}
