import { WeirError } from '@weir/kernel';
import type { Publisher } from '@weir/cascade';
import { type FactChange, flowChanges, type SiteAnswer } from '@weir/topology';

/** For the answers to reach the Top before it gives the site up. */
const MARGIN_MS = 500;
/** Of the 4 MiB that an answer holds; the rest is for what is counted, and for what does not fit. */
const ROOM_FOR_ROWS = 3 * 1024 * 1024;

/** Asks all hosts at once which flows their changes would lead to; one that does not answer in time is unknown, and holds up no other. */
export async function askHosts(
  publisher: Pick<Publisher, 'query'>,
  changesByHost: ReadonlyMap<string, readonly FactChange[]>,
  timeoutMs: number,
): Promise<SiteAnswer['hosts']> {
  const maxCharacters = Math.max(1, Math.floor(ROOM_FOR_ROWS / changesByHost.size));
  const deadline = Math.max(1, timeoutMs - MARGIN_MS);
  const ask = async (host: string, changes: readonly FactChange[]): Promise<SiteAnswer['hosts'][string]> => {
    try {
      const answer = await publisher.query(host, 'preview', { changes, maxCharacters }, deadline);
      const parsed = flowChanges.safeParse(answer);
      return parsed.success ? parsed.data : { unknown: 'It answered in another form than agreed.' };
    } catch (error) {
      if (error instanceof WeirError) return { unknown: error.message };
      throw error;
    }
  };
  const asked = [...changesByHost].map(async ([host, changes]) => [host, await ask(host, changes)] as const);
  return Object.fromEntries(await Promise.all(asked));
}
