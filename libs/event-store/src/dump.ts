import { canonicalJson } from '@weir/kernel';
import { MemoryRows } from './memory/rows';
import type { RecordedEvent } from './port';
import type { RowReader } from './reader';
import { TableSet } from './rows';
import type { View } from './view';

/** Every version of every row as text, one line each, in one order: equal read models give equal text. */
export function dumpRows(reader: RowReader): string {
  const lines: string[] = [];
  for (const { name } of [...reader.tables].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    for (const { row, validFrom, validTo } of reader.versions(name)) {
      lines.push(canonicalJson({ table: name, from: validFrom, to: validTo, row }));
    }
  }
  return lines.map((line) => `${line}\n`).join('');
}

/** The read models that the events make in fresh tables. */
export function replayRows(views: readonly View[], events: Iterable<RecordedEvent>): RowReader {
  const tables = new TableSet(views);
  const rows = new MemoryRows(tables);
  for (const event of events) rows.apply(tables.changes(event));
  return rows;
}
