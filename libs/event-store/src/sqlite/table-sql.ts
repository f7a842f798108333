import type { TableSet, TableShape } from '../rows';
import type { WriterTable } from './protocol';
import { quote } from './row-writer';

const COLUMN_TYPES = { text: 'text', integer: 'integer', json: 'text' } as const;

/** A table without its indexes, under its own name or another. */
export function tableSql(shape: TableShape, name = shape.name): string {
  const columns = shape.columns.map((column, index) => {
    const type = COLUMN_TYPES[shape.types[index] ?? 'text'];
    return `${quote(column)} ${type}${shape.key.includes(index) ? ' not null' : ''}`;
  });
  return `create table ${quote(name)} (${columns.join(', ')}, valid_from integer not null, valid_to integer) strict;`;
}

/** The live rows by key and by each look-up, all versions by key, and the ended ones by each look-up for reads of the past. */
export function indexSql(shape: TableShape, name = shape.name, suffix = ''): string {
  const key = shape.table.key.map(quote).join(', ');
  const index = indexNaming(shape, name, suffix);
  return [
    `create unique index ${index('live')} (${key}) where valid_to is null;`,
    `create unique index ${index('versions')} (${key}, valid_from);`,
    ...lookups(shape).map(
      (columns, i) => `create index ${index(`live_${i + 1}`)} (${columns}) where valid_to is null;`,
    ),
    endedIndexSql(shape, name, suffix),
  ].join('\n');
}

/** With both positions in it, so that versions of other times are passed over without being read. */
export function endedIndexSql(shape: TableShape, name = shape.name, suffix = ''): string {
  const index = indexNaming(shape, name, suffix);
  const columns = lookups(shape).map((looked) => `${looked}, valid_from, valid_to`);
  return columns
    .map((covered, i) => `create index ${index(`ended_${i + 1}`)} (${covered}) where valid_to is not null;`)
    .join('\n');
}

function indexNaming(shape: TableShape, name: string, suffix: string): (kind: string) => string {
  return (kind) => `${quote(`ix_${shape.name}_${kind}${suffix}`)} on ${quote(name)}`;
}

/** The key at the end gives pages in order without a sort. */
function lookups({ table }: TableShape): string[] {
  return table.indexes.map((columns) => [...new Set([...columns, ...table.key])].map(quote).join(', '));
}

export function writerTables(tables: TableSet): WriterTable[] {
  return tables.shapes.map(({ number, name, columns, key }) => ({ number, name, columns, key }));
}
