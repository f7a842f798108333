import type { FactChange, FlowChanges, RowChanges } from '@weir/topology';
import { hostId } from '@weir/openstack-api/compute';
import type { Preview, SitePreview } from './preview';

interface ShownFact extends Pick<FactChange, 'op' | 'kind' | 'id'> {
  readonly body?: object;
}
type ShownFacts = Readonly<Record<string, readonly ShownFact[]>>;

/** A preview, or what may be seen of it. */
export type ShownPreview = Omit<Preview, 'facts' | 'bindings'> & {
  readonly facts: ShownFacts;
  readonly bindings: ShownFacts;
};

/**
 * Of what would follow, what a tenant may see: how much changes on how many hosts, not their names, their addresses on the underlay, and
 * rows full of both. A host is named as Nova names it to tenants.
 */
export function previewForTenants(preview: Preview, project: string): ShownPreview {
  const named = (host: string) => hostId(project, host);
  return {
    ...preview,
    facts: mapped(preview.facts, (changes) => changes.map(withoutOperators)),
    bindings: mapped(preview.bindings, (changes) => changes.map(withoutOperators)),
    flows: mapped(preview.flows, (site): SitePreview => {
      if ('unknown' in site) return UNKNOWN;
      return {
        hosts: Object.fromEntries(
          Object.entries(site.hosts).map(([host, would]) => [
            named(host),
            'unknown' in would ? UNKNOWN : countsOf(would),
          ]),
        ),
        placements: mapped(site.placements, (placed) =>
          'host' in placed ? { host: named(placed.host) } : { waiting: 'There is no room for it yet.' },
        ),
      };
    }),
  };
}

/** The reason may name what does not answer. */
const UNKNOWN = { unknown: 'It did not answer.' };
/** Fields of facts that tell how the operator carries them out. */
const OPERATORS = ['segment', 'site', 'host', 'endpoint'];

function withoutOperators(change: FactChange): ShownFact {
  if (change.op === 'delete') return change;
  const { op, kind, id } = change;
  const body = Object.fromEntries(Object.entries(change.body).filter(([field]) => !OPERATORS.includes(field)));
  return { op, kind, id, body };
}

function countsOf({ flows, groups, meters, leftOut }: FlowChanges): FlowChanges {
  const rows = [flows, groups, meters].flatMap(({ added, changed, removed }) => [...added, ...changed, ...removed]);
  return { flows: counted(flows), groups: counted(groups), meters: counted(meters), leftOut: leftOut + rows.length };
}

function counted({ counts }: RowChanges): RowChanges {
  return { added: [], changed: [], removed: [], counts };
}

function mapped<T, U>(record: Readonly<Record<string, T>>, to: (value: T) => U): Readonly<Record<string, U>> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, to(value)]));
}
