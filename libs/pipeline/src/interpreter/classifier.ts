import { type Field, FIELD_BITS, type Flow } from '@weir/openflow';
import type { FieldValue, Packet } from './packet';

/** A flow in a switch, with how many packets it took. */
export interface Entry {
  readonly flow: Flow;
  packets: bigint;
}

type Key = string | number | bigint;
type Part = (packet: Packet) => FieldValue;

/** A field under its mask, in one type for packets and for rows. */
function part(field: Field, mask: bigint | undefined): Part {
  if (mask === undefined) return (packet) => packet.read(field);
  if (FIELD_BITS[field] <= 32) {
    const bits = Number(mask);
    return (packet) => ((packet.read(field) as number) & bits) >>> 0;
  }
  return (packet) => BigInt(packet.read(field)) & mask;
}

function constant(field: Field, value: bigint, mask: bigint | undefined): FieldValue {
  const isNumber = mask === undefined ? FIELD_BITS[field] <= 48 : FIELD_BITS[field] <= 32;
  return isNumber ? Number(value) : value;
}

/** The rows of one table that look at the same bits: one look-up for all of them. */
class Subtable {
  private readonly parts: readonly Part[];
  private readonly rows = new Map<Key, Entry[]>();
  maxPriority = -1;

  constructor(private readonly fields: readonly (readonly [Field, bigint | undefined])[]) {
    this.parts = fields.map(([field, mask]) => part(field, mask));
  }

  get isEmpty(): boolean {
    return this.rows.size === 0;
  }

  find(packet: Packet): Entry | undefined {
    const values = this.parts.map((read) => read(packet));
    return this.rows.get(key(values))?.[0];
  }

  add(entry: Entry): void {
    const at = this.keyOf(entry.flow);
    const entries = [...(this.rows.get(at) ?? []), entry].sort(
      (left, right) => right.flow.priority - left.flow.priority,
    );
    this.rows.set(at, entries);
    this.maxPriority = Math.max(this.maxPriority, entry.flow.priority);
  }

  remove(flow: Flow): void {
    const at = this.keyOf(flow);
    const entries = (this.rows.get(at) ?? []).filter((entry) => entry.flow.priority !== flow.priority);
    if (entries.length > 0) this.rows.set(at, entries);
    else this.rows.delete(at);
  }

  private keyOf(flow: Flow): Key {
    return key(this.fields.map(([field, mask]) => constant(field, flow.match[field]?.value ?? 0n, mask)));
  }
}

function key(values: readonly FieldValue[]): Key {
  return values.length === 1 ? (values[0] ?? 0) : values.join();
}

/** One table: finds the row of highest priority, by tuple space search as Open vSwitch does. */
export class Classifier {
  private readonly subtables = new Map<string, Subtable>();
  private ordered: readonly Subtable[] = [];

  add(entry: Entry): void {
    const fields = fieldsOf(entry.flow);
    const signature = fields.map(([field, mask]) => `${field}/${mask ?? ''}`).join();
    const subtable = this.subtables.get(signature) ?? new Subtable(fields);
    this.subtables.set(signature, subtable);
    subtable.add(entry);
    this.order();
  }

  remove(flow: Flow): void {
    const signature = fieldsOf(flow)
      .map(([field, mask]) => `${field}/${mask ?? ''}`)
      .join();
    const subtable = this.subtables.get(signature);
    subtable?.remove(flow);
    if (subtable?.isEmpty) this.subtables.delete(signature);
    this.order();
  }

  find(packet: Packet): Entry | undefined {
    let best: Entry | undefined;
    for (const subtable of this.ordered) {
      if (best && best.flow.priority >= subtable.maxPriority) break;
      const found = subtable.find(packet);
      if (found && (!best || found.flow.priority > best.flow.priority)) best = found;
    }
    return best;
  }

  private order(): void {
    this.ordered = [...this.subtables.values()].sort((left, right) => right.maxPriority - left.maxPriority);
  }
}

function fieldsOf(flow: Flow): (readonly [Field, bigint | undefined])[] {
  return (Object.keys(flow.match) as Field[]).sort().map((field) => [field, flow.match[field]?.mask] as const);
}
