import { factKey } from '../prepare';
import {
  FIRST_STANDING,
  Slice,
  type FactKey,
  type SliceOptions,
  type SliceRow,
  type SliceRows,
  type Standing,
} from '../slice';

class MemoryRows implements SliceRows {
  private readonly rows = new Map<string, SliceRow>();
  private stand = FIRST_STANDING;

  standing(): Standing {
    return this.stand;
  }

  get({ kind, id }: FactKey): SliceRow | undefined {
    return this.rows.get(factKey(kind, id));
  }

  all(): readonly SliceRow[] {
    return [...this.rows.values()];
  }

  store({ put, remove, standing }: Parameters<SliceRows['store']>[0]): void {
    for (const row of put) this.rows.set(factKey(row.kind, row.id), row);
    for (const { kind, id } of remove) this.rows.delete(factKey(kind, id));
    this.stand = standing;
  }

  close(): void {
    this.rows.clear();
  }
}

/** The twin of the SQLite slice. */
export class MemorySlice extends Slice {
  constructor(options: SliceOptions = {}) {
    super(new MemoryRows(), options);
  }
}
