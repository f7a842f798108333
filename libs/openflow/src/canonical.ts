import { unreachable } from '@weir/kernel';
import { InvalidFlow } from './errors';
import { FIELD_SPECS, type FieldSpec, fieldSpec, type Prerequisite } from './fields';
import {
  type Action,
  type Bits,
  type Bucket,
  type Field,
  type FieldMatch,
  type Flow,
  type Group,
  type Match,
  type Meter,
} from './model';

/** OFPP_IN_PORT. */
const IN_PORT = 0xfffffff8;
/** The highest table that a flow can be in; 255 means all of them. */
const MAX_TABLE = 254;
const MAX_U16 = 0xffff;
const MAX_U32 = 0xffffffff;
const MAX_COOKIE = (1n << 64n) - 1n;
/** An action's length field has 16 bits; this leaves room for its other properties. */
const MAX_USERDATA = 0xff00;

/** The highest port of OpenFlow 1.0, whose 16 bits NXM_OF_IN_PORT has, and the reserved ones of 1.3. */
const MAX_PORT = 0xfeffn;
const RESERVED_PORTS = 0xffffff00n;

const VLAN_VID_BITS = 0x1fffn;
const VLAN_PCP_BITS = 0xe000n;

/**
 * The one form of a flow: `decode(what Open vSwitch sends back)` deep-equals `canonical(what was sent)`. Masks of all ones are left
 * out and those of all zeros dropped with their field, value bits outside a mask are zero, eth_type and ip_proto stand before what
 * needs them, registers are matched by 32 bits, a VLAN by vlan_vid. Throws `InvalidFlow` for what cannot be said in OpenFlow.
 */
export function canonical(flow: Flow): Flow {
  inRange('table', flow.table, MAX_TABLE, flow);
  inRange('priority', flow.priority, MAX_U16, flow);
  if (flow.cookie < 0n || flow.cookie > MAX_COOKIE)
    throw new InvalidFlow(`A cookie has 64 bits: ${flow.cookie.toString()}.`);
  if (flow.meter !== undefined) inRange('meter', flow.meter, MAX_U32, flow);
  if (flow.goto !== undefined) {
    inRange('goto', flow.goto, MAX_TABLE, flow);
    if (flow.goto <= flow.table)
      throw new InvalidFlow(`Table ${flow.table} can only go to a later table, not to ${flow.goto}.`);
  }
  inRange('idleTimeout', flow.idleTimeout ?? 0, MAX_U16, flow);
  inRange('hardTimeout', flow.hardTimeout ?? 0, MAX_U16, flow);
  const match = canonicalMatch(flow.match);
  const actions = canonicalActions(flow.actions);
  if (match === flow.match && actions === flow.actions && flow.idleTimeout !== 0 && flow.hardTimeout !== 0) return flow;
  return {
    table: flow.table,
    priority: flow.priority,
    cookie: flow.cookie,
    match,
    ...(flow.meter === undefined ? {} : { meter: flow.meter }),
    actions,
    ...(flow.goto === undefined ? {} : { goto: flow.goto }),
    ...(flow.idleTimeout ? { idleTimeout: flow.idleTimeout } : {}),
    ...(flow.hardTimeout ? { hardTimeout: flow.hardTimeout } : {}),
    ...(flow.foreign === undefined ? {} : { foreign: flow.foreign }),
  };
}

export function canonicalGroup(group: Group): Group {
  inRange('group', group.id, MAX_U32, group);
  return {
    id: group.id,
    type: 'all',
    buckets: group.buckets.map((bucket: Bucket) => ({ actions: canonicalActions(bucket.actions) })),
    ...(group.foreign === undefined ? {} : { foreign: group.foreign }),
  };
}

/** Open vSwitch takes a burst of 0 for one as large as the rate, and says so. */
export function canonicalMeter(meter: Meter): Meter {
  inRange('meter', meter.id, MAX_U32, meter);
  inRange('rate', meter.rate, MAX_U32, meter);
  inRange('burst', meter.burst, MAX_U32, meter);
  return meter.burst === 0 && meter.foreign === undefined ? { ...meter, burst: meter.rate } : meter;
}

/** The match itself when it is canonical already, as with flows: what `difference` gave is encoded without copies. */
export function canonicalMatch(match: Match): Match {
  return isCanonicalMatch(match) ? match : rewriteMatch(match);
}

function isCanonicalMatch(match: Match): boolean {
  let last = -1;
  for (const name in match) {
    const spec = FIELD_SPECS.get(name as Field);
    const field = match[name as Field];
    if (!spec || !field || spec.order <= last || field.value < 0n || field.value > spec.max) return false;
    last = spec.order;
    if (!isCanonicalMask(spec, field)) return false;
    if (name === 'xxreg1' || name === 'vlan_tci') return false;
    if (spec.prerequisite && !isMet(spec.prerequisite, match)) return false;
  }
  return true;
}

function isCanonicalMask(spec: FieldSpec, { value, mask }: FieldMatch): boolean {
  if (mask === undefined) return !spec.alwaysMasked;
  if (!spec.maskable || mask <= 0n || (value & mask) !== value) return false;
  return spec.alwaysMasked ? mask <= spec.max : mask < spec.max;
}

function isMet(prerequisite: Prerequisite, match: Match): boolean {
  const ethType = match.eth_type?.value;
  if (ethType === undefined || !prerequisite.ethTypes.includes(ethType)) return false;
  if (prerequisite.ipProto !== undefined && match.ip_proto?.value !== prerequisite.ipProto) return false;
  if (!prerequisite.icmpv6Types) return true;
  const icmpv6Type = match.icmpv6_type?.value;
  return icmpv6Type !== undefined && prerequisite.icmpv6Types.includes(icmpv6Type);
}

type Fields = Map<Field, FieldMatch>;

function rewriteMatch(match: Match): Match {
  const fields: Fields = new Map();
  for (const [name, field] of Object.entries(match)) {
    if (field === undefined) continue;
    const spec = FIELD_SPECS.get(name as Field);
    if (!spec) throw new InvalidFlow(`No field is called '${name}'.`);
    const normal = normalField(spec, field);
    if (normal) fields.set(spec.name, normal);
  }
  splitRegisters(fields);
  nameVlan(fields);
  addPrerequisites(fields);
  const ordered = [...fields].sort(([a], [b]) => fieldSpec(a).order - fieldSpec(b).order);
  return Object.fromEntries(ordered);
}

/** Undefined when nothing is matched. */
function normalField(spec: FieldSpec, { value, mask }: FieldMatch): FieldMatch | undefined {
  if (mask !== undefined && (mask < 0n || mask > fullMask(spec))) {
    throw new InvalidFlow(`The mask of ${spec.name} does not fit: 0x${mask.toString(16)}.`);
  }
  const bits = mask === undefined ? spec.max : mask & spec.max;
  if (bits === 0n) return undefined;
  if (value < 0n || (mask === undefined ? value > spec.max : value > fullMask(spec))) {
    throw new InvalidFlow(`The value of ${spec.name} does not fit: 0x${value.toString(16)}.`);
  }
  if (bits === spec.max && !spec.alwaysMasked) return { value: value & spec.max };
  if (!spec.maskable) throw new InvalidFlow(`${spec.name} can only be matched as a whole.`);
  return { value: value & bits, mask: bits };
}

/** All bits on the wire, of which the field may use fewer (ip_frag, vlan_vid). */
function fullMask(spec: FieldSpec): bigint {
  return (1n << BigInt(spec.bytes * 8)) - 1n;
}

/** Open vSwitch gives a match on xxreg1 back as the four registers that it is made of. */
function splitRegisters(fields: Fields): void {
  const wide = fields.get('xxreg1');
  if (!wide) return;
  fields.delete('xxreg1');
  const mask = wide.mask ?? (1n << 128n) - 1n;
  for (const [index, name] of (['reg4', 'reg5', 'reg6', 'reg7'] as const).entries()) {
    const shift = BigInt(96 - 32 * index);
    const part = normalField(fieldSpec(name), {
      value: BigInt.asUintN(32, wide.value >> shift),
      mask: BigInt.asUintN(32, mask >> shift),
    });
    if (!part) continue;
    if (fields.has(name)) throw new InvalidFlow(`A match names ${name} and xxreg1, which holds it.`);
    fields.set(name, part);
  }
}

/** Open vSwitch gives the VLAN id of a vlan_tci back as vlan_vid, and its priority as vlan_pcp, but only whole and beside an id that is not zero. */
function nameVlan(fields: Fields): void {
  const tci = fields.get('vlan_tci');
  if (!tci) return;
  fields.delete('vlan_tci');
  if (fields.has('vlan_vid')) throw new InvalidFlow('A match names vlan_vid and vlan_tci, which holds it.');
  const mask = tci.mask ?? 0xffffn;
  const vid = normalField(fieldSpec('vlan_vid'), { value: tci.value & VLAN_VID_BITS, mask: mask & VLAN_VID_BITS });
  const priority = mask & VLAN_PCP_BITS;
  const untagged = vid?.mask === undefined && vid?.value === 0n;
  if (priority === 0n || untagged) {
    if (untagged && (tci.value & VLAN_PCP_BITS) !== 0n)
      throw new InvalidFlow('A frame without a VLAN tag has no priority.');
    if (vid) fields.set('vlan_vid', vid);
  } else if (priority === VLAN_PCP_BITS && vid && vid.value !== 0n) {
    fields.set('vlan_tci', tci);
  } else {
    throw new InvalidFlow('A VLAN priority can only be matched whole, and with a VLAN id that is not zero.');
  }
}

function addPrerequisites(fields: Fields): void {
  for (const name of [...fields.keys()]) {
    const { prerequisite } = fieldSpec(name);
    if (!prerequisite) continue;
    const [first] = prerequisite.ethTypes;
    if (first !== undefined && prerequisite.impliesEthType && !fields.has('eth_type'))
      fields.set('eth_type', { value: first });
    if (prerequisite.ipProto !== undefined && !fields.has('ip_proto'))
      fields.set('ip_proto', { value: prerequisite.ipProto });
    const [only, ...others] = prerequisite.icmpv6Types ?? [];
    if (only !== undefined && others.length === 0 && !fields.has('icmpv6_type'))
      fields.set('icmpv6_type', { value: only });
  }
  const match: Match = Object.fromEntries(fields);
  for (const name of fields.keys()) {
    const { prerequisite } = fieldSpec(name);
    if (!prerequisite || isMet(prerequisite, match)) continue;
    const ethTypes = prerequisite.ethTypes.map((value) => `0x${value.toString(16)}`).join(' or ');
    const proto = prerequisite.ipProto === undefined ? '' : `, ip_proto=${prerequisite.ipProto.toString()}`;
    const types = prerequisite.icmpv6Types ? `, icmpv6_type=${prerequisite.icmpv6Types.join(' or ')}` : '';
    throw new InvalidFlow(`${name} can only be matched together with eth_type=${ethTypes}${proto}${types}.`);
  }
}

export function canonicalActions(actions: readonly Action[]): readonly Action[] {
  return actions.every((action) => canonicalAction(action) === action) ? actions : actions.map(canonicalAction);
}

function canonicalAction(action: Action): Action {
  switch (action.type) {
    case 'output':
      if (action.port === 'in_port') return action;
      inRange('port', action.port, MAX_U32, action);
      return action.port === IN_PORT ? { type: 'output', port: 'in_port' } : action;
    case 'controller':
      inRange('maxLength', action.maxLength, MAX_U16, action);
      if (action.meter !== undefined) inRange('meter', action.meter, MAX_U32, action);
      if (Buffer.byteLength(action.userdata) > MAX_USERDATA)
        throw new InvalidFlow('The userdata of a controller action is too long.');
      return action;
    case 'group':
      inRange('group', action.group, MAX_U32, action);
      return action;
    case 'resubmit':
      inRange('table', action.table, MAX_TABLE, action);
      return action;
    case 'set_field':
      return canonicalSetField(action);
    case 'move':
      validBits(action.from);
      writable(action.to.field);
      validBits(action.to);
      if (action.from.width !== action.to.width)
        throw new InvalidFlow('A move copies as many bits as it reads.', { action });
      return action;
    case 'push':
      validBits(action.from);
      return action;
    case 'pop':
      writable(action.to.field);
      validBits(action.to);
      return action;
    case 'check_pkt_larger':
      inRange('length', action.length, MAX_U16, action);
      writable(action.to.field);
      validBits(action.to);
      if (action.to.width !== 1) throw new InvalidFlow('check_pkt_larger writes one bit.', { action });
      return action;
    case 'push_vlan':
    case 'pop_vlan':
    case 'dec_ttl':
    case 'ct_clear':
      return action;
    default:
      return unreachable(action);
  }
}

function canonicalSetField(action: Extract<Action, { type: 'set_field' }>): Action {
  const spec = fieldSpec(action.field);
  writable(action.field);
  const { value, mask } = action;
  if (action.field === 'in_port' && value > MAX_PORT && value < RESERVED_PORTS) {
    throw new InvalidFlow('in_port can only be set to a number of 16 bits or a reserved port.', { action });
  }
  if (value < 0n || value > spec.max) {
    throw new InvalidFlow(`The value for ${spec.name} does not fit: 0x${value.toString(16)}.`);
  }
  if (mask === undefined) return action;
  if (!spec.maskable && mask !== spec.max) throw new InvalidFlow(`${spec.name} can only be written as a whole.`);
  if (mask <= 0n || mask > spec.max) {
    throw new InvalidFlow(`No bit, or more than it has, is to be written into ${spec.name}.`);
  }
  if (mask === spec.max) return { type: 'set_field', field: action.field, value };
  return (value & mask) === value ? action : { ...action, value: value & mask };
}

function writable(field: Field): void {
  if (!fieldSpec(field).writable) throw new InvalidFlow(`No action can write ${field}.`);
}

function validBits({ field, offset, width }: Bits): void {
  const bits = fieldSpec(field).movableBits;
  if (!Number.isInteger(offset) || !Number.isInteger(width) || offset < 0 || width < 1 || offset + width > bits) {
    throw new InvalidFlow(`${field} has no bits ${offset} to ${offset + width - 1}.`);
  }
}

function inRange(what: string, value: number, max: number, of: unknown): void {
  if (Number.isInteger(value) && value >= 0 && value <= max) return;
  throw new InvalidFlow(`A ${what} is a whole number from 0 to ${max}, not ${value}.`, { of });
}
