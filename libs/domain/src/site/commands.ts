import { at } from '../at';
import type { AddSite, JoinSite, MarkSiteUnreachable, OfSite } from '../commands';
import { fresh, open, openAll, type Transaction } from '../transaction';
import { SiteHasResources, SiteNameInUse, ZoneInUse } from './errors';
import { existingSite } from './site';

/** Takes the site's name and, for each of its zones, the name `<data center>:<zone>`. */
export function* addSite(input: AddSite): Transaction<void> {
  const site = yield* open(fresh(at.site(input.siteId)));
  site.do({ type: 'AddSite', ...input });
  const name = yield* open(at.siteName(input.name));
  if (name.state.held) throw new SiteNameInUse(input.name);
  name.do({ type: 'Take', by: input.siteId });
  const zones = yield* openAll(input.availabilityZones.map((zone) => at.zone(input.dataCenter, zone)));
  zones.forEach((zone, index) => {
    if (zone.state.held) throw new ZoneInUse(`${input.dataCenter}:${input.availabilityZones[index] ?? ''}`);
    zone.do({ type: 'Take', by: input.siteId });
  });
}

/** Idempotent with the same key, until the token is used up. */
export function* joinSite(input: JoinSite): Transaction<void> {
  const site = yield* open(at.site(input.siteId));
  site.do({ type: 'JoinSite', ...input });
}

export function* useJoinToken(input: OfSite): Transaction<void> {
  const site = yield* open(at.site(input.siteId));
  site.do({ type: 'UseJoinToken', siteId: input.siteId });
}

export function* activateSite(input: OfSite): Transaction<void> {
  const site = yield* open(at.site(input.siteId));
  site.do({ type: 'ActivateSite', siteId: input.siteId });
}

export function* markSiteUnreachable(input: MarkSiteUnreachable): Transaction<void> {
  const site = yield* open(at.site(input.siteId));
  site.do({ type: 'MarkUnreachable', ...input });
}

export function* markSiteReachable(input: OfSite): Transaction<void> {
  const site = yield* open(at.site(input.siteId));
  site.do({ type: 'MarkReachable', siteId: input.siteId });
}

/** Refused while a server holds capacity in it; frees the names that the site took. */
export function* removeSite(input: OfSite): Transaction<void> {
  const site = yield* open(at.site(input.siteId));
  const { name, dataCenter, availabilityZones } = existingSite(site.state, input.siteId);
  const capacities = yield* openAll(availabilityZones.map((zone) => at.capacity(input.siteId, zone)));
  const servers = capacities.reduce((sum, capacity) => sum + capacity.state.servers, 0);
  if (servers > 0) throw new SiteHasResources(name, servers);
  site.do({ type: 'RemoveSite', siteId: input.siteId });
  const names = yield* openAll([at.siteName(name), ...availabilityZones.map((zone) => at.zone(dataCenter, zone))]);
  for (const taken of names) taken.do({ type: 'Free', by: input.siteId });
}
