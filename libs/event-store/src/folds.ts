import { HistoryPruned } from './errors';
import type { RowReader } from './reader';

/** One is as large as the live rows were; a reader of the past turns pages of one position. */
const MAX_FOLDS = 3;

interface Fold {
  readonly position: number;
  readonly made: Promise<FoldedRows>;
  ready: FoldedRows | undefined;
}

/** The rows as of one position, read as live ones. */
export interface FoldedRows {
  readonly rows: Pick<RowReader, 'get' | 'live' | 'count'>;
  discard(): void;
}

/** Rows of times whose versions are gone. */
export class Folds {
  private kept: Fold[] = [];

  constructor(
    private readonly horizon: () => number,
    private readonly make: (position: number) => Promise<FoldedRows>,
  ) {}

  /** Where a read as of `position` finds its rows; undefined where the versions still have them. Throws HistoryPruned. */
  at(position: number | undefined): FoldedRows['rows'] | undefined {
    if (position === undefined || position >= this.horizon()) return undefined;
    const fold = this.kept.find((candidate) => candidate.position === position && candidate.ready);
    if (!fold?.ready) throw new HistoryPruned(position, this.horizon());
    return fold.ready.rows;
  }

  async prepare(position: number): Promise<FoldedRows['rows']> {
    const found = this.kept.find((candidate) => candidate.position === position);
    const fold = found ?? this.start(position);
    // The last one used stays longest.
    this.kept = [...this.kept.filter((other) => other !== fold), fold];
    return (await fold.made).rows;
  }

  discard(): void {
    for (const fold of this.kept.splice(0)) this.drop(fold);
  }

  private start(position: number): Fold {
    const fold: Fold = { position, made: this.make(position), ready: undefined };
    fold.made.then(
      (made) => (fold.ready = made),
      () => (this.kept = this.kept.filter((other) => other !== fold)),
    );
    for (const old of this.kept.splice(0, this.kept.length - MAX_FOLDS + 1)) this.drop(old);
    return fold;
  }

  private drop(fold: Fold): void {
    fold.made.then(
      (made) => made.discard(),
      () => undefined,
    );
  }
}
