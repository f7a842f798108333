import { canonicalMatch } from '../canonical';
import { InvalidFlow } from '../errors';
import { fieldOfHeader, fieldSpec, type FieldSpec, VLAN_PCP_HEADER } from '../fields';
import type { Field, FieldMatch, Match } from '../model';
import { padded, type Reader } from './reader';
import type { MessageWriter } from './writer';

/** OFPMT_OXM. */
const MATCH_TYPE_OXM = 1;
const EXPERIMENTER_CLASS = 0xffff;
const VLAN_PRESENT_BITS = 0x1fffn;

/** `ofp_match` of a canonical match, padded. A foreign match is written as it came. */
export function writeMatch(writer: MessageWriter, match: Match, foreign?: string): void {
  const start = writer.at;
  writer.u16(MATCH_TYPE_OXM);
  writer.u16(0);
  if (foreign === undefined) writeFields(writer, match);
  else writer.raw(Buffer.from(foreign, 'hex'));
  writer.patch16(start + 2, writer.at - start);
  writer.pad8(start);
}

function writeFields(writer: MessageWriter, match: Match): void {
  for (const name in match) {
    const field = match[name as Field];
    if (field) writeField(writer, fieldSpec(name as Field), field.value, field.mask);
  }
}

export function writeField(writer: MessageWriter, spec: FieldSpec, value: bigint, mask: bigint | undefined): void {
  writer.u32(mask === undefined ? spec.header : spec.maskedHeader);
  writer.unsigned(value, spec.bytes);
  if (mask !== undefined) writer.unsigned(mask, spec.bytes);
}

export interface DecodedMatch {
  readonly match: Match;
  /** The fields in hex, when the model cannot say all of them; `match` is empty then. */
  readonly foreign?: string;
}

/** `ofp_match` with its padding. */
export function readMatch(reader: Reader): DecodedMatch {
  const type = reader.u16();
  const length = reader.u16();
  if (type !== MATCH_TYPE_OXM) reader.fail(`with a match of type ${type}`);
  if (length < 4) reader.fail(`with a match of ${length} bytes`);
  const fields = reader.part(length - 4, 'a match');
  const start = fields.position;
  reader.skip(padded(length) - length);
  const decoded = readFields(fields);
  if (!decoded.unknown) {
    try {
      return { match: canonicalMatch(decoded.fields) };
    } catch (error) {
      // Somebody else's match that we would not write (a VLAN priority alone): kept as it came.
      if (!(error instanceof InvalidFlow)) throw error;
    }
  }
  return { match: {}, foreign: fields.hexSince(start) };
}

export interface DecodedFields {
  readonly fields: Match;
  /** Whether there was a field that the model does not know. */
  readonly unknown: boolean;
}

/** A list of OXM and NXM fields, to the end of the reader. */
export function readFields(reader: Reader): DecodedFields {
  const fields: { [F in Field]?: FieldMatch } = {};
  let unknown = false;
  let vlanPriority: bigint | undefined;
  while (reader.left > 0) {
    const header = reader.u32();
    const length = header & 0xff;
    const masked = (header & 0x100) !== 0;
    const value = reader.part(length, 'a match field');
    const spec = header >>> 16 === EXPERIMENTER_CLASS ? undefined : fieldOfHeader(header);
    if (header === VLAN_PCP_HEADER) {
      vlanPriority = value.unsigned(1);
    } else if (!spec || length !== (masked ? spec.bytes * 2 : spec.bytes)) {
      unknown = true;
    } else {
      const bits = value.unsigned(spec.bytes);
      fields[spec.name] = masked ? { value: bits, mask: value.unsigned(spec.bytes) } : { value: bits };
    }
  }
  if (vlanPriority !== undefined) {
    const vid = fields.vlan_vid ?? { value: 0n, mask: 0n };
    delete fields.vlan_vid;
    fields.vlan_tci = { value: vid.value | (vlanPriority << 13n), mask: (vid.mask ?? VLAN_PRESENT_BITS) | 0xe000n };
  }
  return { fields, unknown };
}
