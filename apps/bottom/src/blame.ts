import type { SliceStore } from '@weir/cascade';
import { WeirError } from '@weir/kernel';
import { BLAME, type BlameQuestion, hostBlame, type SiteBlame } from '@weir/topology';

/** For the answers to come back before the Top gives up. */
const MARGIN_MS = 300;
const SHORTEST_MS = 100;

export interface BlameParts {
  readonly hosts: readonly string[];
  readonly slice: Pick<SliceStore, 'get'>;
  readonly ask: (host: string, kind: string, body: unknown, timeoutMs: number) => Promise<unknown>;
}

/** Asks the hosts whose a flow is, and says of each fact behind it where the Top told it. */
export async function siteBlameOf(
  { hosts, slice, ask }: BlameParts,
  { cookie, host: asked }: BlameQuestion,
  timeoutMs: number,
): Promise<SiteBlame> {
  const wanted = hosts.filter((host) => asked === undefined || host === asked);
  const ofHost = async (host: string): Promise<SiteBlame['hosts'][number]> => {
    try {
      const answer = hostBlame.parse(await ask(host, BLAME, { cookie }, Math.max(SHORTEST_MS, timeoutMs - MARGIN_MS)));
      const facts = answer.facts.map((fact) => ({ ...fact, told: slice.get(fact.kind, fact.id)?.position ?? null }));
      return { host, answered: true, ...answer, facts };
    } catch (error) {
      const reason = error instanceof WeirError ? error.message : 'it answered something else';
      return { host, answered: false, reason };
    }
  };
  return { hosts: await Promise.all(wanted.map(ofHost)) };
}
