import { canonical, canonicalGroup, canonicalMeter } from './canonical';
import { InvalidFlow } from './errors';
import type { Field, Flow, FlowChange, Group, Match, Meter } from './model';

/** What makes a flow this one and no other: table, priority and match. A foreign match is a key of its own. */
export function flowKey(flow: Flow): string {
  return canonicalKey(canonical(flow));
}

function canonicalKey(flow: Flow): string {
  return `${flow.table},${flow.priority}${matchKey(flow.match)}${flow.foreign?.match === undefined ? '' : `,foreign=${flow.foreign.match}`}`;
}

function matchKey(match: Match): string {
  let key = '';
  for (const name in match) {
    const field = match[name as Field];
    if (!field) continue;
    key += `,${name}=${field.value.toString(16)}`;
    if (field.mask !== undefined) key += `/${field.mask.toString(16)}`;
  }
  return key;
}

/** Same key, cookie, timeouts, meter, actions and jump. */
export function flowsEqual(left: Flow, right: Flow): boolean {
  return sameValue(canonical(left), canonical(right));
}

export function groupsEqual(left: Group, right: Group): boolean {
  return sameValue(canonicalGroup(left), canonicalGroup(right));
}

export type FlowDifference = Pick<FlowChange, 'add' | 'modify' | 'remove'>;

/**
 * What turns `present` (as read from a switch) into `wanted`, in canonical form. A flow whose cookie or timeouts differ is added
 * over the old one, since OpenFlow cannot modify those; with other actions alone it is modified. Open vSwitch keeps its counters in both cases.
 * Throws `InvalidFlow` when two different flows are wanted under one key.
 */
export function difference(wanted: Iterable<Flow>, present: Iterable<Flow>): FlowDifference {
  const left = new Map<string, Flow>();
  for (const flow of present) {
    const normal = canonical(flow);
    left.set(canonicalKey(normal), normal);
  }
  const seen = new Map<string, Flow>();
  const add: Flow[] = [];
  const modify: Flow[] = [];
  for (const flow of wanted) {
    const normal = canonical(flow);
    const key = canonicalKey(normal);
    const twin = seen.get(key);
    if (twin) {
      if (!sameValue(twin, normal))
        throw new InvalidFlow('Two different flows are wanted with the same table, priority and match.', { key });
      continue;
    }
    seen.set(key, normal);
    const old = left.get(key);
    left.delete(key);
    if (!old || !hasSameIdentity(old, normal)) add.push(normal);
    else if (!sameValue(old, normal)) modify.push(normal);
  }
  return { add, modify, remove: [...left.values()] };
}

function hasSameIdentity(old: Flow, wanted: Flow): boolean {
  return (
    old.cookie === wanted.cookie && old.idleTimeout === wanted.idleTimeout && old.hardTimeout === wanted.hardTimeout
  );
}

export type GroupDifference = Pick<FlowChange, 'addGroups' | 'modifyGroups' | 'removeGroups'>;

export function groupDifference(wanted: Iterable<Group>, present: Iterable<Group>): GroupDifference {
  const left = new Map<number, Group>();
  for (const group of present) left.set(group.id, canonicalGroup(group));
  const addGroups: Group[] = [];
  const modifyGroups: Group[] = [];
  for (const group of wanted) {
    const normal = canonicalGroup(group);
    const old = left.get(group.id);
    left.delete(group.id);
    if (!old) addGroups.push(normal);
    else if (!sameValue(old, normal)) modifyGroups.push(normal);
  }
  return { addGroups, modifyGroups, removeGroups: [...left.keys()] };
}

export type MeterDifference = Pick<FlowChange, 'addMeters' | 'removeMeters'>;

/** A meter whose rate differs is in both lists, which `commit` takes for a change in place. */
export function meterDifference(wanted: Iterable<Meter>, present: Iterable<Meter>): MeterDifference {
  const left = new Map<number, Meter>();
  for (const meter of present) left.set(meter.id, meter);
  const addMeters: Meter[] = [];
  for (const meter of wanted) {
    const normal = canonicalMeter(meter);
    const old = left.get(meter.id);
    if (old && sameValue(old, normal)) left.delete(meter.id);
    else addMeters.push(normal);
  }
  return { addMeters, removeMeters: [...left.keys()] };
}

/** Deep equality of plain values; a field that is undefined counts as absent. */
function sameValue(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false;
  if (Array.isArray(left) || Array.isArray(right)) {
    if (!Array.isArray(left) || !Array.isArray(right) || left.length !== right.length) return false;
    return left.every((item, index) => sameValue(item, right[index]));
  }
  const ours = left as Readonly<Record<string, unknown>>;
  const theirs = right as Readonly<Record<string, unknown>>;
  for (const key in ours) if (!sameValue(ours[key], theirs[key])) return false;
  for (const key in theirs) if (theirs[key] !== undefined && ours[key] === undefined) return false;
  return true;
}
