import { AsyncLocalStorage } from 'node:async_hooks';
import type { Filter, ListOptions, Row, RowReader } from '@weir/event-store';

/** The read models as they were when `position` was the last one in the log: the same queries, answered by older row versions. */
export class PastRows implements RowReader {
  constructor(
    private readonly rows: RowReader,
    private readonly position: number,
  ) {}

  get tables(): RowReader['tables'] {
    return this.rows.tables;
  }

  get(table: string, key: Row, asOf = this.position): Row | undefined {
    return this.rows.get(table, key, Math.min(asOf, this.position));
  }

  live(table: string, where?: Filter, options?: ListOptions): Row[] {
    return this.rows.asOf(table, this.position, where, options);
  }

  asOf(table: string, position: number, where?: Filter, options?: ListOptions): Row[] {
    return this.rows.asOf(table, Math.min(position, this.position), where, options);
  }

  count(table: string, where?: Filter, asOf = this.position): number {
    return this.rows.count(table, where, Math.min(asOf, this.position));
  }

  versions(table: string): ReturnType<RowReader['versions']> {
    return this.rows.versions(table);
  }
}

/** The position that the request under way is to be answered as of; undefined for the present. */
export const asOfPosition = new AsyncLocalStorage<number>();
