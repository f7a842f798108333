import type { FactLine } from '@weir/cascade';
import { canonicalJson } from '@weir/kernel';
import { type HeldFact, SEAL_FACT } from '@weir/topology';

/** A fact that is not the same here and there. */
export interface Difference {
  readonly kind: string;
  readonly id: string;
  readonly name: string | null;
}

/** What a site holds against what the log wants there. */
export interface Differences {
  /** The site has it, and the log does not want it there. */
  readonly onlySite: readonly HeldFact[];
  /** The log wants it there, and the site does not have it. */
  readonly onlyLog: readonly Extract<FactLine, { type: 'upsert' }>[];
  /** Both know it, at another state. */
  readonly different: readonly HeldFact[];
}

/** Seals are the log's own, and nothing stands behind them. */
export function compareFacts(held: readonly HeldFact[], wanted: readonly FactLine[]): Differences {
  const missing = new Map<string, Extract<FactLine, { type: 'upsert' }>>();
  for (const line of wanted) if (line.type === 'upsert' && isOfNetwork(line)) missing.set(keyOf(line), line);
  const onlySite: HeldFact[] = [];
  const different: HeldFact[] = [];
  for (const fact of held.filter(isOfNetwork)) {
    const line = missing.get(keyOf(fact));
    missing.delete(keyOf(fact));
    if (!line) onlySite.push(fact);
    else if (canonicalJson(line.body) !== canonicalJson(fact.body)) different.push(fact);
  }
  return { onlySite, onlyLog: [...missing.values()], different };
}

/** As much of them as an answer holds; the counts are of all. */
export function differencesView({ onlySite, onlyLog, different }: Differences, limit: number) {
  const lists = { only_site: onlySite.map(shown), only_log: onlyLog.map(shown), different: different.map(shown) };
  return {
    counts: { only_site: onlySite.length, only_log: onlyLog.length, different: different.length },
    only_site: lists.only_site.slice(0, limit),
    only_log: lists.only_log.slice(0, limit),
    different: lists.different.slice(0, limit),
    truncated: Object.values(lists).some((list) => list.length > limit),
  };
}

function shown({ kind, id, body }: Pick<HeldFact, 'kind' | 'id' | 'body'>): Difference {
  const name = body['name'];
  return { kind, id, name: typeof name === 'string' && name !== '' ? name : null };
}

function keyOf({ kind, id }: { readonly kind: string; readonly id: string }): string {
  return `${kind}/${id}`;
}

function isOfNetwork({ kind }: { readonly kind: string }): boolean {
  return kind !== SEAL_FACT.kind;
}
