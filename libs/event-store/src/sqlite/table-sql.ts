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

/**
 * The live rows, and apart from them those that have ended, each by key and by each look-up. The positions are in every
 * index, so that versions of other times are passed over without being read.
 */
export function indexSql(shape: TableShape, name = shape.name, suffix = ''): string {
  return lookups(shape)
    .flatMap((columns, i) => {
      const index = (kind: string) => `${quote(`ix_${shape.name}_${kind}_${i}${suffix}`)} on ${quote(name)}`;
      return [
        `create index ${index('live')} (${columns}, valid_from) where valid_to is null;`,
        `create index ${index('ended')} (${columns}, valid_from, valid_to) where valid_to is not null;`,
      ];
    })
    .join('\n');
}

/** The key first, then the others; the key at their end gives pages in order without a sort. */
function lookups({ table }: TableShape): string[] {
  return [[], ...table.indexes].map((columns) => [...new Set([...columns, ...table.key])].map(quote).join(', '));
}

export function writerTables(tables: TableSet): WriterTable[] {
  return tables.shapes.map(({ number, name, columns, key }) => ({ number, name, columns, key }));
}
