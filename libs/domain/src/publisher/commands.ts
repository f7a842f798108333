import { at } from '../at';
import type { FindDivergence, LiftQuarantine, RaiseGeneration, SettleDivergence } from '../commands';
import { open, openAll, type Transaction } from '../transaction';

/** Answers the generation in force afterwards. */
export function* raiseGeneration(input: RaiseGeneration): Transaction<number> {
  const publisher = yield* open(at.publisher);
  publisher.do({ type: 'RaiseGeneration', from: input.from });
  return publisher.state.generation;
}

/** The Top is in quarantine from here on. Idempotent. */
export function* findDivergence(input: FindDivergence): Transaction<void> {
  const publisher = yield* open(at.publisher);
  publisher.do({ type: 'FindDivergence', ...input });
}

export function* settleDivergence(input: SettleDivergence): Transaction<void> {
  const publisher = yield* open(at.publisher);
  publisher.do({ type: 'SettleDivergence', ...input });
}

/** What sites hold and the log does not know is deleted there, and the quarantine ends; refused while a site is not decided about. */
export function* liftQuarantine(input: LiftQuarantine): Transaction<void> {
  const sites = yield* openAll(input.discarded.map(({ siteId }) => at.site(siteId)));
  input.discarded.forEach(({ siteId, facts }, index) => sites[index]?.do({ type: 'DiscardFacts', siteId, facts }));
  const publisher = yield* open(at.publisher);
  publisher.do({ type: 'LiftQuarantine' });
}
