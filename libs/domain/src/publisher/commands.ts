import { at } from '../at';
import type { RaiseGeneration } from '../commands';
import { open, type Transaction } from '../transaction';

/** Answers the generation in force afterwards. */
export function* raiseGeneration(input: RaiseGeneration): Transaction<number> {
  const publisher = yield* open(at.publisher);
  publisher.do({ type: 'RaiseGeneration', from: input.from });
  return publisher.state.generation;
}
