import type { Json } from '@weir/kernel';
import { OvsdbMalformed } from './errors';
import { asArray } from './json';

/** A uuid stands here as its plain text: the column's type tells them apart. */
export type Atom = string | number | boolean;
/** A set, sorted and without doubles; a single value is a set of one. */
export type OvsSet = readonly Atom[];
export type OvsMap = ReadonlyMap<Atom, Atom>;
export type Datum = OvsSet | OvsMap;

/** For operations: a reference to a row, by its uuid. */
export function uuid(id: string): Json {
  return ['uuid', id];
}

/** For operations: a reference to a row inserted by the same transaction under this `uuid-name`. */
export function namedUuid(name: string): Json {
  return ['named-uuid', name];
}

/** For operations: a set of atoms or references. */
export function ovsSet(values: Iterable<Json>): Json {
  return ['set', [...values]];
}

/** For operations: a map of texts. */
export function ovsMap(entries: Readonly<Record<string, string>>): Json {
  return ['map', Object.entries(entries)];
}

/** Throws OvsdbMalformed. */
export function decodeDatum(value: Json): Datum {
  if (Array.isArray(value)) {
    const [tag, content] = value as readonly Json[];
    if (tag === 'set' && Array.isArray(content)) return sortedSet((content as readonly Json[]).map(decodeAtom));
    if (tag === 'map' && Array.isArray(content)) return new Map((content as readonly Json[]).map(decodePair));
  }
  return [decodeAtom(value)];
}

function decodePair(pair: Json): readonly [Atom, Atom] {
  const [key, value, ...rest] = asArray(pair, 'An entry of an OVSDB map');
  if (key === undefined || value === undefined || rest.length > 0) {
    throw new OvsdbMalformed('An entry of an OVSDB map is not a pair.');
  }
  return [decodeAtom(key), decodeAtom(value)];
}

function decodeAtom(value: Json): Atom {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  if (Array.isArray(value)) {
    const [tag, id] = value as readonly Json[];
    if ((tag === 'uuid' || tag === 'named-uuid') && typeof id === 'string') return id;
  }
  throw new OvsdbMalformed(`An OVSDB value is none: ${JSON.stringify(value).slice(0, 64)}`);
}

function sortedSet(atoms: Iterable<Atom>): OvsSet {
  return [...new Set(atoms)].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

export function isMap(datum: Datum): datum is OvsMap {
  return datum instanceof Map;
}

export function sameDatum(left: Datum, right: Datum): boolean {
  if (isMap(left)) {
    return isMap(right) && left.size === right.size && [...left].every(([key, value]) => right.get(key) === value);
  }
  return !isMap(right) && left.length === right.length && left.every((atom, i) => right[i] === atom);
}

/** The value that `difference` makes of `before`, as ovsdb-server(7) §4.1.14 defines it for sets and maps of many. */
export function applyDifference(before: Datum, difference: Datum): Datum {
  if (isMap(before) && isMap(difference)) {
    const after = new Map(before);
    for (const [key, value] of difference) {
      if (before.get(key) === value) after.delete(key);
      else after.set(key, value);
    }
    return after;
  }
  if (isMap(before) || isMap(difference))
    throw new OvsdbMalformed('An update changes a map by a set, or a set by a map.');
  const known = new Set(before);
  const changed = new Set(difference);
  return sortedSet([...before.filter((atom) => !changed.has(atom)), ...difference.filter((atom) => !known.has(atom))]);
}

/** A row of a replica, with every monitored column. Never changes: an update makes another row. */
export class Row {
  constructor(
    readonly uuid: string,
    private readonly columns: ReadonlyMap<string, Datum>,
  ) {}

  /** The text of a single-valued column; '' where there is none. */
  text(column: string): string {
    return this.optionalText(column) ?? '';
  }

  optionalText(column: string): string | undefined {
    const value = this.first(column);
    return typeof value === 'string' ? value : undefined;
  }

  integer(column: string): number | undefined {
    const value = this.first(column);
    return typeof value === 'number' ? value : undefined;
  }

  /** The texts of a set, or the uuids that a set refers to. */
  texts(column: string): readonly string[] {
    const datum = this.columns.get(column);
    if (datum === undefined || isMap(datum)) return [];
    return datum.filter((atom) => typeof atom === 'string');
  }

  textMap(column: string): Readonly<Record<string, string>> {
    const datum = this.columns.get(column);
    if (datum === undefined || !isMap(datum)) return {};
    return Object.fromEntries([...datum].map(([key, value]) => [String(key), String(value)]));
  }

  /** This row with some columns changed. */
  with(changed: ReadonlyMap<string, Datum>): Row {
    return new Row(this.uuid, new Map([...this.columns, ...changed]));
  }

  datum(column: string): Datum | undefined {
    return this.columns.get(column);
  }

  equals(other: Row): boolean {
    return (
      this.columns.size === other.columns.size &&
      [...this.columns].every(([column, datum]) => {
        const theirs = other.datum(column);
        return theirs !== undefined && sameDatum(datum, theirs);
      })
    );
  }

  private first(column: string): Atom | undefined {
    const datum = this.columns.get(column);
    return datum === undefined || isMap(datum) ? undefined : datum[0];
  }
}
