import type { Filter, ListOptions, Row, RowReader, RowVersion, Table } from '@weir/event-store';
import { currentScope } from './scope';

/** The read models as the request under way sees them: a rehearsed one sees what it would have made. */
export class ScopedRows implements RowReader {
  constructor(private readonly present: RowReader) {}

  private get rows(): RowReader {
    return currentScope()?.branch?.rows ?? this.present;
  }

  get tables(): readonly Table[] {
    return this.rows.tables;
  }

  get horizon(): number {
    return this.rows.horizon;
  }

  get(table: string, key: Row, asOf?: number): Row | undefined {
    return this.rows.get(table, key, asOf);
  }

  live(table: string, where?: Filter, options?: ListOptions): Row[] {
    return this.rows.live(table, where, options);
  }

  asOf(table: string, position: number, where?: Filter, options?: ListOptions): Row[] {
    return this.rows.asOf(table, position, where, options);
  }

  count(table: string, where?: Filter, asOf?: number): number {
    return this.rows.count(table, where, asOf);
  }

  prepareAsOf(position: number): Promise<void> {
    return this.rows.prepareAsOf(position);
  }

  at(position: number): Promise<RowReader> {
    return this.rows.at(position);
  }

  foldAsOf(table: string, position: number, where?: Filter, options?: ListOptions): Promise<Row[]> {
    return this.rows.foldAsOf(table, position, where, options);
  }

  versions(table: string): Iterable<RowVersion> {
    return this.rows.versions(table);
  }
}
