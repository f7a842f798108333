import { canonicalJson, type PortId, type ServerId, unreachable } from '@weir/kernel';
import type { BindingFact, FactChange, PlacedChange, ServerFact, SiteAnswer } from '@weir/topology';
import type { HostSlices } from './host-slices';
import { placeInOrder, type Room, type Verdict } from './placement';

/** What changes of facts would lead to at a site. */
export interface SitePlan extends Pick<SiteAnswer, 'placements' | 'bindings'> {
  /** What each host would be told, in order. */
  readonly hosts: ReadonlyMap<string, readonly FactChange[]>;
}

/** A site as it is. */
export interface SiteNow {
  readonly slices: HostSlices;
  /** Servers without a place, in the order in which they are placed. */
  readonly waiting: readonly ServerFact[];
  readonly rooms: readonly Room[];
  /** Where a server is, wanted or not. */
  readonly placeOf: (server: ServerId) => string | undefined;
  readonly endpointOf: (host: string) => BindingFact['endpoint'] | undefined;
}

/** Carries the changes out on the site's slices, and takes all of it back. */
export function planChanges(changes: readonly FactChange[], now: SiteNow): SitePlan {
  const { slices, rooms, placeOf, endpointOf } = now;
  const before = new Map<string, string>();
  const noteBinding = (port: string): void => {
    if (!before.has(port)) before.set(port, canonicalJson(slices.ownBinding(port) ?? null));
  };
  for (const { kind, id } of changes) {
    if (kind === 'port') noteBinding(id);
    if (kind === 'server') for (const port of slices.portsAt(id)) noteBinding(port);
  }
  for (const { id } of now.waiting) for (const port of slices.portsAt(id)) noteBinding(port);

  return slices.rehearse(() => {
    const waiting = new Map(now.waiting.map((fact) => [fact.id, fact]));
    const placements: SitePlan['placements'] = {};
    let isNew = false;
    const put = (server: ServerId, host: string): void => {
      slices.place(server, { host, endpoint: endpointOf(host) });
      placements[server] = { host };
    };
    for (const change of changes) {
      slices.apply(change);
      if (change.kind !== 'server') continue;
      const server = change.id as ServerId;
      const host = placeOf(server);
      if (change.op === 'delete') waiting.delete(server);
      else if (host === undefined) {
        if (!waiting.has(server)) isNew = true;
        // Told again, it is younger than the others.
        waiting.delete(server);
        waiting.set(server, change.body);
      } else if (!slices.isPlaced(server)) put(server, host);
    }
    const verdicts = isNew ? placeInOrder([...waiting.values()], rooms) : [];
    for (const { need, verdict } of verdicts) {
      if (verdict.situation === 'placed') put(need.id, verdict.host);
      else placements[need.id] = { waiting: reason(verdict) };
    }
    const hosts = byHost(slices.flush());
    const bindings = [...before]
      .map(([port, known]) => ({ known, binding: slices.ownBinding(port as PortId) }))
      .flatMap(({ known, binding }) => (binding && canonicalJson(binding) !== known ? [binding] : []));
    return { hosts, placements, bindings };
  });
}

/** As a journal would publish them: in order of kind and id. */
function byHost(placed: readonly PlacedChange[]): ReadonlyMap<string, readonly FactChange[]> {
  const hosts = new Map<string, FactChange[]>();
  const key = ({ place, kind, id }: PlacedChange): string => `${place}\n${kind}\n${id}`;
  for (const change of [...placed].sort((one, other) => (key(one) < key(other) ? -1 : 1))) {
    const { place, ...fact } = change;
    const facts = hosts.get(place);
    if (facts) facts.push(fact);
    else hosts.set(place, [fact]);
  }
  return hosts;
}

function reason(verdict: Exclude<Verdict, { situation: 'placed' }>): string {
  if (verdict.situation === 'impossible') return verdict.message;
  switch (verdict.why) {
    case 'no-host':
      return 'No host of its zone is known yet.';
    case 'silent':
      return 'The hosts that may have room are silent.';
    case 'full':
      return 'No host of its zone has room now.';
    default:
      return unreachable(verdict.why);
  }
}
