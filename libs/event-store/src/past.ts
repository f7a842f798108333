import type { Filter, ListOptions, RowReader, RowVersion } from './reader';
import type { Row, Table } from './view';

/** A reader for which a position of the past is now. */
export class PastRows implements RowReader {
  constructor(
    private readonly reader: RowReader,
    private readonly position: number,
  ) {}

  get tables(): readonly Table[] {
    return this.reader.tables;
  }

  get horizon(): number {
    return this.reader.horizon;
  }

  get(table: string, key: Row, asOf = this.position): Row | undefined {
    return this.reader.get(table, key, this.bounded(asOf));
  }

  live(table: string, where?: Filter, options?: ListOptions): Row[] {
    return this.reader.asOf(table, this.position, where, options);
  }

  asOf(table: string, position: number, where?: Filter, options?: ListOptions): Row[] {
    return this.reader.asOf(table, this.bounded(position), where, options);
  }

  count(table: string, where?: Filter, asOf = this.position): number {
    return this.reader.count(table, where, this.bounded(asOf));
  }

  prepareAsOf(position: number): Promise<void> {
    return this.reader.prepareAsOf(this.bounded(position));
  }

  at(position: number): Promise<RowReader> {
    return this.reader.at(this.bounded(position));
  }

  foldAsOf(table: string, position: number, where?: Filter, options?: ListOptions): Promise<Row[]> {
    return this.reader.foldAsOf(table, this.bounded(position), where, options);
  }

  *versions(table: string): Iterable<RowVersion> {
    for (const version of this.reader.versions(table)) {
      if (version.validFrom > this.position) continue;
      const ended = version.validTo !== null && version.validTo <= this.position;
      yield ended ? version : { ...version, validTo: null };
    }
  }

  private bounded(position: number): number {
    return Math.min(position, this.position);
  }
}
