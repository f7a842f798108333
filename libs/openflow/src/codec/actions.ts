import { unreachable } from '@weir/kernel';
import { fieldOfHeader, fieldSpec, type FieldSpec, NXM_IN_PORT_HEADER } from '../fields';
import type { Action, Bits } from '../model';
import { writeField } from './match';
import { padded, Reader } from './reader';
import type { MessageWriter } from './writer';

const OUTPUT = 0;
const PUSH_VLAN = 17;
const POP_VLAN = 18;
const GROUP = 22;
const DEC_NW_TTL = 24;
const SET_FIELD = 25;
const EXPERIMENTER = 0xffff;

/** NX_VENDOR_ID. */
export const NICIRA = 0x2320;
const REG_MOVE = 6;
const REG_LOAD = 7;
const RESUBMIT_TABLE = 14;
const STACK_PUSH = 27;
const STACK_POP = 28;
const REG_LOAD2 = 33;
const CONTROLLER2 = 37;
const CT_CLEAR = 43;
const CHECK_PKT_LARGER = 49;

/** Properties of NXAST_CONTROLLER2. */
const MAX_LENGTH = 0;
const USERDATA = 3;
const METER = 5;

/** OFPP_IN_PORT, as 32 bits and as Nicira's 16. */
const IN_PORT = 0xfffffff8;
const NX_IN_PORT = 0xfff8;
/** OFPP_CONTROLLER: as an output it is the plain punt of OpenFlow, which ovs-ofctl writes. */
const CONTROLLER = 0xfffffffd;
/** "The whole packet", which Open vSwitch leaves out when it sends an action back. */
const WHOLE_PACKET = 0xffff;
const ALL_TABLES = 255;
/** NXAST_REG_LOAD's place for 16 bits from the lowest on: offset in 10 bits, width less one in 6. */
const WHOLE_U16 = 15;
/** Ports from here on are reserved, in 16 bits and in 32. */
const NX_RESERVED_PORTS = 0xff00n;
const RESERVED_PORTS = 0xffff0000n;

/** Actions one behind the other; they must be canonical. */
export function writeActions(writer: MessageWriter, actions: readonly Action[]): void {
  for (const action of actions) writeAction(writer, action);
}

function writeAction(writer: MessageWriter, action: Action): void {
  const start = writer.at;
  switch (action.type) {
    case 'output':
      writer.u16(OUTPUT);
      writer.u16(16);
      writer.u32(action.port === 'in_port' ? IN_PORT : action.port);
      writer.u16(0);
      return writer.zeros(6);
    case 'controller':
      nicira(writer, CONTROLLER2);
      writer.zeros(6);
      property(writer, MAX_LENGTH, 2);
      writer.u16(action.maxLength);
      writer.pad8(start);
      if (action.userdata !== '') {
        property(writer, USERDATA, Buffer.byteLength(action.userdata));
        writer.text(action.userdata);
        writer.pad8(start);
      }
      if (action.meter !== undefined) {
        property(writer, METER, 4);
        writer.u32(action.meter);
      }
      return writer.patch16(start + 2, writer.at - start);
    case 'group':
      writer.u16(GROUP);
      writer.u16(8);
      return writer.u32(action.group);
    case 'resubmit':
      nicira(writer, RESUBMIT_TABLE, 16);
      writer.u16(NX_IN_PORT);
      writer.u8(action.table);
      return writer.zeros(3);
    case 'set_field':
      return writeSetField(writer, action);
    case 'move':
      nicira(writer, REG_MOVE, 24);
      writer.u16(action.from.width);
      writer.u16(action.from.offset);
      writer.u16(action.to.offset);
      writer.u32(fieldSpec(action.from.field).header);
      return writer.u32(fieldSpec(action.to.field).header);
    case 'push':
      return writeStack(writer, STACK_PUSH, action.from);
    case 'pop':
      return writeStack(writer, STACK_POP, action.to);
    case 'push_vlan':
      writer.u16(PUSH_VLAN);
      writer.u16(8);
      writer.u16(action.ethertype);
      return writer.zeros(2);
    case 'pop_vlan':
      writer.u16(POP_VLAN);
      writer.u16(8);
      return writer.zeros(4);
    case 'dec_ttl':
      writer.u16(DEC_NW_TTL);
      writer.u16(8);
      return writer.zeros(4);
    case 'check_pkt_larger':
      nicira(writer, CHECK_PKT_LARGER, 24);
      writer.u16(action.length);
      writer.u16(action.to.offset);
      writer.u32(fieldSpec(action.to.field).header);
      return writer.zeros(6);
    case 'ct_clear':
      nicira(writer, CT_CLEAR, 16);
      return writer.zeros(6);
    default:
      return unreachable(action);
  }
}

function writeSetField(writer: MessageWriter, action: Extract<Action, { type: 'set_field' }>): void {
  const start = writer.at;
  if (action.mask === undefined) {
    writer.u16(SET_FIELD);
    writer.u16(0);
  } else {
    // OFPAT_SET_FIELD has no mask before OpenFlow 1.5. Open vSwitch sends this one back as it came, and NXAST_REG_LOAD by runs of bits.
    nicira(writer, REG_LOAD2);
  }
  if (action.field === 'in_port') {
    writer.u32(NXM_IN_PORT_HEADER);
    writer.u16(Number(action.value & 0xffffn));
  } else {
    writeField(writer, fieldSpec(action.field), action.value, action.mask);
  }
  writer.pad8(start);
  writer.patch16(start + 2, writer.at - start);
}

function nicira(writer: MessageWriter, subtype: number, length = 0): void {
  writer.u16(EXPERIMENTER);
  writer.u16(length);
  writer.u32(NICIRA);
  writer.u16(subtype);
}

function property(writer: MessageWriter, type: number, length: number): void {
  writer.u16(type);
  writer.u16(4 + length);
}

function writeStack(writer: MessageWriter, subtype: number, bits: Bits): void {
  nicira(writer, subtype, 24);
  writer.u16(bits.offset);
  writer.u32(fieldSpec(bits.field).header);
  writer.u16(bits.width);
  writer.zeros(6);
}

/** Actions to the end of the reader, or undefined when the model cannot say them all. */
export function readActions(reader: Reader): readonly Action[] | undefined {
  const actions: Action[] = [];
  let known = true;
  while (reader.left > 0) {
    const type = reader.u16();
    const length = reader.u16();
    if (length < 8 || length % 8 !== 0) reader.fail(`with an action of ${length} bytes`);
    const action = readAction(type, reader.part(length - 4, 'an action'));
    if (action) actions.push(action);
    else known = false;
  }
  return known ? actions : undefined;
}

function readAction(type: number, body: Reader): Action | undefined {
  switch (type) {
    case OUTPUT: {
      const port = body.u32();
      if (port === CONTROLLER) return { type: 'controller', userdata: '', maxLength: body.u16() };
      return { type: 'output', port: port === IN_PORT ? 'in_port' : port };
    }
    case GROUP:
      return { type: 'group', group: body.u32() };
    case PUSH_VLAN:
      return body.u16() === 0x8100 ? { type: 'push_vlan', ethertype: 0x8100 } : undefined;
    case POP_VLAN:
      return { type: 'pop_vlan' };
    case DEC_NW_TTL:
      return { type: 'dec_ttl' };
    case SET_FIELD:
      return readSetField(body);
    case EXPERIMENTER:
      return body.u32() === NICIRA ? readNicira(body.u16(), body) : undefined;
    default:
      return undefined;
  }
}

function readNicira(subtype: number, body: Reader): Action | undefined {
  switch (subtype) {
    case RESUBMIT_TABLE: {
      const port = body.u16();
      const table = body.u8();
      return port === NX_IN_PORT && table !== ALL_TABLES ? { type: 'resubmit', table } : undefined;
    }
    case REG_MOVE: {
      const width = body.u16();
      const fromOffset = body.u16();
      const toOffset = body.u16();
      const from = readBits(body, fromOffset, width);
      const to = readBits(body, toOffset, width);
      return from && to && { type: 'move', from, to };
    }
    case REG_LOAD:
      return readLoad(body);
    case REG_LOAD2:
      return readSetField(body);
    case STACK_PUSH: {
      const from = readStack(body);
      return from && { type: 'push', from };
    }
    case STACK_POP: {
      const to = readStack(body);
      return to && { type: 'pop', to };
    }
    case CONTROLLER2:
      return readController(body);
    case CHECK_PKT_LARGER: {
      const length = body.u16();
      const offset = body.u16();
      const to = readBits(body, offset, 1);
      return to && { type: 'check_pkt_larger', length, to };
    }
    case CT_CLEAR:
      return { type: 'ct_clear' };
    default:
      return undefined;
  }
}

function readSetField(body: Reader): Action | undefined {
  const header = body.u32();
  if (header === NXM_IN_PORT_HEADER) return setInPort(BigInt(body.u16()));
  const spec = fieldOfHeader(header);
  const masked = (header & 0x100) !== 0;
  if (!spec || (header & 0xff) !== (masked ? spec.bytes * 2 : spec.bytes)) return undefined;
  const value = body.unsigned(spec.bytes);
  return setField(spec, value, masked ? body.unsigned(spec.bytes) : spec.max);
}

/** NXAST_REG_LOAD, which ovs-ofctl sends for `load` and for a set_field with a mask. */
function readLoad(body: Reader): Action | undefined {
  const place = body.u16();
  const offset = BigInt(place >>> 6);
  const width = BigInt((place & 0x3f) + 1);
  const header = body.u32();
  const value = body.u64();
  if (header === NXM_IN_PORT_HEADER && place === WHOLE_U16) return setInPort(value);
  const spec = fieldOfHeader(header);
  return spec && setField(spec, value << offset, ((1n << width) - 1n) << offset);
}

function setField(spec: FieldSpec, value: bigint, mask: bigint): Action | undefined {
  const { name: field, max } = spec;
  if (mask === 0n || mask > max || (value & mask) !== value) return undefined;
  return mask === max ? { type: 'set_field', field, value } : { type: 'set_field', field, value, mask };
}

function setInPort(value: bigint): Action {
  return { type: 'set_field', field: 'in_port', value: value >= NX_RESERVED_PORTS ? value | RESERVED_PORTS : value };
}

function readStack(body: Reader): Bits | undefined {
  const offset = body.u16();
  const header = body.u32();
  return bitsOf(header, offset, body.u16());
}

function readBits(body: Reader, offset: number, width: number): Bits | undefined {
  return bitsOf(body.u32(), offset, width);
}

function bitsOf(header: number, offset: number, width: number): Bits | undefined {
  const spec = fieldOfHeader(header);
  if (!spec || width < 1 || offset + width > spec.movableBits) return undefined;
  return { field: spec.name, offset, width };
}

/** Undefined for what our punts never have: another connection's id, another reason, `pause`. */
function readController(body: Reader): Action | undefined {
  body.skip(6);
  let maxLength = WHOLE_PACKET;
  let userdata = '';
  let meter: number | undefined;
  let known = true;
  while (body.left > 0) {
    const type = body.u16();
    const length = body.u16();
    if (length < 4) body.fail(`with a property of ${length} bytes`);
    const value = body.part(length - 4, 'a property of a controller action');
    body.skip(Math.min(padded(length) - length, body.left));
    if (type === MAX_LENGTH) maxLength = value.u16();
    else if (type === USERDATA) userdata = value.text();
    else if (type === METER) meter = value.u32();
    else known = false;
  }
  if (!known) return undefined;
  return meter === undefined
    ? { type: 'controller', userdata, maxLength }
    : { type: 'controller', userdata, maxLength, meter };
}
