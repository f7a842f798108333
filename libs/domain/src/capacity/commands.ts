import { at } from '../at';
import type { ChangeCapacity } from '../commands';
import { NoValidZone } from '../site/errors';
import { existingSite } from '../site/site';
import { open, type Transaction } from '../transaction';

/** What a Bottom reports; less than what is taken is allowed, then nothing more fits. */
export function* changeCapacity(input: ChangeCapacity): Transaction<void> {
  const site = yield* open(at.site(input.siteId));
  if (!existingSite(site.state, input.siteId).availabilityZones.includes(input.zone)) throw new NoValidZone(input.zone);
  const capacity = yield* open(at.capacity(input.siteId, input.zone));
  capacity.do({ type: 'ChangeCapacity', total: input.totals });
}
