import Table from 'cli-table3';
import { stringify } from 'yaml';
import { invalid } from '@weir/kernel';

export const FORMATS = ['table', 'json', 'yaml', 'value'] as const;
export type Format = (typeof FORMATS)[number];

export function parseFormat(text: string): Format {
  const format = FORMATS.find((candidate) => candidate === text);
  if (!format) throw invalid(`-o takes one of ${FORMATS.join(', ')}, not '${text}'.`);
  return format;
}

type Cells = Readonly<Record<string, unknown>>;

/** Rows in the asked format; a table has only the columns, JSON and YAML the whole rows. */
export function rows(items: readonly Cells[], columns: readonly string[], format: Format): string {
  switch (format) {
    case 'json':
      return JSON.stringify(items, undefined, 2);
    case 'yaml':
      return stringify(items).trimEnd();
    case 'value':
      return items.map((item) => columns.map((column) => cell(item[column])).join(' ')).join('\n');
    case 'table': {
      const table = new Table({ head: [...columns], style: { head: [], border: [] } });
      for (const item of items) table.push(columns.map((column) => cell(item[column])));
      return table.toString();
    }
  }
}

export function fields(item: Cells, format: Format): string {
  if (format === 'json') return JSON.stringify(item, undefined, 2);
  if (format === 'yaml') return stringify(item).trimEnd();
  if (format === 'value') return Object.values(item).map(cell).join('\n');
  const table = new Table({ head: ['field', 'value'], style: { head: [], border: [] } });
  for (const [field, value] of Object.entries(item)) table.push([field, cell(value)]);
  return table.toString();
}

/** Text for a terminal: whatever a user named cannot move the cursor or colour the screen. */
function cell(value: unknown): string {
  const text = typeof value === 'string' ? value : value === null || value === undefined ? '' : JSON.stringify(value);
  return text.replace(/\p{C}/gu, '\uFFFD');
}
