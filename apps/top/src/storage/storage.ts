import type { ProjectedFactStore } from '@weir/cascade';
import type { EventStore, RowReader } from '@weir/event-store';
import type { KeptAnswers } from '../orchestration/kept-answers';
import type { Observed } from '../sites/observed';

/** Everything that a Top keeps but its identities, which are a file of their own. */
export interface Storage {
  readonly store: EventStore;
  /** The read models of `store`. */
  readonly rows: RowReader;
  readonly observed: Observed;
  /** Of requests with an Idempotency-Key. */
  readonly answers: KeptAnswers;
  /** The facts of the sites, in whatever generation they were told; new ones are of this one. */
  readonly openFacts: (generation: number) => ProjectedFactStore;
  /** Behind the Top that used it. */
  close(): Promise<void>;
}
