import { given, idOf, judge, on, sample } from '@weir/testing/domain';
import { IdInUse, InvalidInput } from '../bounds';
import type { SiteEvent } from '../events/index';
import { streams } from '../streams';
import {
  addSite,
  joinSite,
  markSiteReachable,
  markSiteUnreachable,
  removeSite,
  useJoinToken,
  activateSite,
} from './commands';
import {
  JoinTokenUnknown,
  JoinTokenUsed,
  SiteHasResources,
  SiteNameInUse,
  SiteNotActive,
  SiteNotFound,
  SiteUnreachable,
  ZoneInUse,
} from './errors';
import { site, usableSite } from './site';

const { siteId, ...fields } = sample.addSite();
const token = fields.joinTokenHash;
const key = 'cd'.repeat(32);
const since = '2026-01-01T00:00:00.000Z';
const added: SiteEvent = { type: 'SiteAdded', data: fields };
const joined: SiteEvent = { type: 'SiteJoined', data: { keyHash: key } };
const tokenUsed: SiteEvent = { type: 'SiteJoinTokenUsed', data: {} };
const activated: SiteEvent = { type: 'SiteActivated', data: {} };
const unreachable: SiteEvent = { type: 'SiteUnreachable', data: { since } };
const reachable: SiteEvent = { type: 'SiteReachable', data: {} };
const removed: SiteEvent = { type: 'SiteRemoved', data: { availabilityZones: ['a', 'b'] } };
const taken = { type: 'Taken', data: { by: siteId } } as const;
const freed = { type: 'Freed', data: {} } as const;
const name = streams.siteName('paris');
const [zoneA, zoneB] = [streams.zone('paris', 'a'), streams.zone('paris', 'b')];

describe('adding a site', () => {
  it('takes its name and its zones', () => {
    given()
      .when(addSite(sample.addSite()))
      .then(on(streams.site(siteId), added), on(name, taken), on(zoneA, taken), on(zoneB, taken));
  });
  it('is refused when another has its name', () => {
    given(on(name, { type: 'Taken', data: { by: idOf('site', 9) } }))
      .when(addSite(sample.addSite()))
      .thenFails(SiteNameInUse, "'paris'");
  });
  it('is refused when another has one of its zones', () => {
    given(on(zoneB, { type: 'Taken', data: { by: idOf('site', 9) } }))
      .when(addSite(sample.addSite()))
      .thenFails(ZoneInUse, "'paris:b'");
  });
  it('may use the same name for a zone in another data center', () => {
    given(on(zoneA, taken), on(zoneB, taken))
      .when(addSite(sample.addSite({ siteId: idOf('site', 2), name: 'tokyo', dataCenter: 'tokyo' })))
      .thenAnswers(undefined);
  });
  it('is refused under an id in use', () => {
    judge(site)(added)
      .when({ type: 'AddSite', siteId, ...fields })
      .thenFails(IdInUse);
  });
  it.each([
    ['no zone', { availabilityZones: [] }],
    ['a zone twice', { availabilityZones: ['a', 'a'] }],
    ['a zone with a colon', { availabilityZones: ['a:b'] }],
    ['an empty zone', { availabilityZones: [''] }],
    ['a zone of 65 letters', { availabilityZones: ['z'.repeat(65)] }],
    ['too many zones', { availabilityZones: Array.from({ length: 65 }, (_, n) => `z${n}`) }],
    ['a name with a space', { name: 'my site' }],
    ['a data center with a slash', { dataCenter: 'a/b' }],
    ['an MTU of 100', { tunnel: { type: 'vxlan', mtu: 100 } as const }],
    ['a token hash that is none', { joinTokenHash: 'secret' }],
  ])('is refused with %s', (_, over) => {
    given()
      .when(addSite(sample.addSite(over)))
      .thenFails(InvalidInput);
  });
});

describe('joining a site', () => {
  const join = (over = {}) => joinSite({ siteId, tokenHash: token, keyHash: key, ...over });
  const stream = streams.site(siteId);

  it('registers the key of its Bottom', () => {
    given(on(stream, added)).when(join()).then(on(stream, joined));
  });
  it('again with the same key changes nothing, so that a lost answer costs nothing', () => {
    given(on(stream, added, joined))
      .when(join())
      .thenNothing();
  });
  it('with another key is refused', () => {
    given(on(stream, added, joined))
      .when(join({ keyHash: 'ef'.repeat(32) }))
      .thenFails(JoinTokenUsed);
  });
  it('is refused once the token is used up, also with the same key', () => {
    given(on(stream, added, joined, tokenUsed))
      .when(join())
      .thenFails(JoinTokenUsed);
  });
  it('with another token is refused', () => {
    given(on(stream, added))
      .when(join({ tokenHash: '00'.repeat(32) }))
      .thenFails(JoinTokenUnknown);
  });
  it('with a key that is no hash is refused', () => {
    given(on(stream, added))
      .when(join({ keyHash: 'short' }))
      .thenFails(InvalidInput);
  });
  it('uses the token up with its first facts, once', () => {
    given(on(stream, added, joined))
      .when(useJoinToken({ siteId }))
      .then(on(stream, tokenUsed));
    given(on(stream, added, joined, tokenUsed))
      .when(useJoinToken({ siteId }))
      .thenNothing();
    given(on(stream, added)).when(useJoinToken({ siteId })).thenFails(SiteNotActive);
  });
  it('makes it active once', () => {
    given(on(stream, added, joined))
      .when(activateSite({ siteId }))
      .then(on(stream, activated));
    given(on(stream, added, joined, activated))
      .when(activateSite({ siteId }))
      .thenNothing();
    given(on(stream, added)).when(activateSite({ siteId })).thenFails(SiteNotActive);
  });
});

describe('the reachability of a site', () => {
  const stream = streams.site(siteId);

  it('is lost and found again, each recorded once', () => {
    given(on(stream, added, joined))
      .when(markSiteUnreachable({ siteId, since }))
      .then(on(stream, unreachable));
    given(on(stream, added, joined, unreachable))
      .when(markSiteUnreachable({ siteId, since: 'later' }))
      .thenNothing();
    given(on(stream, added, joined, unreachable))
      .when(markSiteReachable({ siteId }))
      .then(on(stream, reachable));
    given(on(stream, added, joined))
      .when(markSiteReachable({ siteId }))
      .thenNothing();
  });
  it('is not missed before it joined', () => {
    given(on(stream, added)).when(markSiteUnreachable({ siteId, since })).thenNothing();
  });
  it('decides whether anything new may be asked of it', () => {
    const after = (...events: SiteEvent[]) => events.reduce((state, event) => site.evolve(state, event), site.initial);
    expect(() => usableSite(after(added, joined), siteId)).toThrow(SiteNotActive);
    expect(() => usableSite(after(added, joined, activated, unreachable), siteId)).toThrow(SiteUnreachable);
    expect(() => usableSite(after(added, joined, activated, unreachable), siteId)).toThrow(`since ${since}`);
    expect(usableSite(after(added, joined, activated, unreachable, reachable), siteId).name).toBe('paris');
  });
});

describe('removing a site', () => {
  const history = [
    on(streams.site(siteId), added, joined, activated),
    on(name, taken),
    on(zoneA, taken),
    on(zoneB, taken),
  ];
  const resources = { vcpus: 1, ramMb: 1, diskGb: 1 };
  const used = { type: 'CapacityTaken', data: { server: idOf('server'), ...resources } } as const;
  const back = { type: 'CapacityFreed', data: { server: idOf('server'), ...resources } } as const;

  it('frees its name and its zones', () => {
    given(...history)
      .when(removeSite({ siteId }))
      .then(on(streams.site(siteId), removed), on(name, freed), on(zoneA, freed), on(zoneB, freed));
  });
  it('holds only while no server takes capacity meanwhile', () => {
    given(...history)
      .when(removeSite({ siteId }))
      .thenChecks(streams.capacity(siteId, 'a'), streams.capacity(siteId, 'b'));
  });
  it('is refused while a server holds capacity in it', () => {
    given(...history, on(streams.capacity(siteId, 'b'), used))
      .when(removeSite({ siteId }))
      .thenFails(SiteHasResources, '1 server holds');
  });
  it('is possible once all of it was given back', () => {
    given(...history, on(streams.capacity(siteId, 'b'), used, back))
      .when(removeSite({ siteId }))
      .thenAnswers(undefined);
  });
  it('is refused when there is none', () => {
    given().when(removeSite({ siteId })).thenFails(SiteNotFound);
    given(on(streams.site(siteId), added, removed))
      .when(markSiteReachable({ siteId }))
      .thenFails(SiteNotFound);
  });
});
