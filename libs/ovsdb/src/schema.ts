import type { Json } from '@weir/kernel';
import { asObject } from './json';
import type { Datum } from './values';

export interface ColumnType {
  /** What a new row holds where it is not told. */
  readonly initial: Datum;
  /** Holds many values: a modification says which come and go, not the new value. */
  readonly many: boolean;
}

/** Table → column → type. */
export type DatabaseSchema = ReadonlyMap<string, ReadonlyMap<string, ColumnType>>;

const NIL_UUID = '00000000-0000-0000-0000-000000000000';

/** From the answer to get_schema (RFC 7047 §3.2); throws OvsdbMalformed. */
export function decodeSchema(value: Json): DatabaseSchema {
  const tables = asObject(asObject(value, 'The schema')['tables'], 'The list of tables');
  return new Map(
    Object.entries(tables).map(([name, table]) => {
      const columns = asObject(asObject(table, `Table ${name}`)['columns'], `The list of columns of ${name}`);
      return [name, new Map(Object.entries(columns).map(([column, definition]) => [column, columnType(definition)]))];
    }),
  );
}

function columnType(definition: Json): ColumnType {
  const type = asObject(definition, 'A column')['type'];
  if (typeof type === 'string') return { initial: [initialAtom(type)], many: false };
  const { key, value, min, max } = asObject(type, 'The type of a column');
  const many = max === 'unlimited' || (typeof max === 'number' && max > 1);
  if (value !== undefined) return { initial: new Map(), many };
  return { initial: min === 0 ? [] : [initialAtom(baseType(key))], many };
}

function baseType(key: Json | undefined): Json | undefined {
  return typeof key === 'string' ? key : asObject(key, 'The base type of a column')['type'];
}

function initialAtom(type: Json | undefined): string | number | boolean {
  switch (type) {
    case 'integer':
    case 'real':
      return 0;
    case 'boolean':
      return false;
    case 'uuid':
      return NIL_UUID;
    default:
      return '';
  }
}
