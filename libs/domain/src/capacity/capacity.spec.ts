import { given, idOf, judge, on, sample } from '@weir/testing/domain';
import { InvalidInput } from '../bounds';
import { NoValidZone, SiteNotFound } from '../site/errors';
import { streams } from '../streams';
import { capacity, freeOf } from './capacity';
import { changeCapacity } from './commands';
import { NoCapacity } from './errors';

const totals = (vcpus: number) => ({ type: 'CapacityChanged', data: { vcpus, ramMb: 4096, diskGb: 100 } }) as const;
const small = { vcpus: 2, ramMb: 512, diskGb: 10 };
const taken = (n: number) => ({ type: 'CapacityTaken', data: { server: idOf('server', n), ...small } }) as const;
const freed = (n: number) => ({ type: 'CapacityFreed', data: { server: idOf('server', n), ...small } }) as const;
const take = (n: number) => ({ type: 'TakeCapacity', server: idOf('server', n), resources: small }) as const;

describe('the capacity of a zone', () => {
  const zone = judge(capacity);

  it('is taken up to its totals', () => {
    zone(totals(4), taken(1)).when(take(2)).then(taken(2));
  });
  it('refuses what no longer fits, and says what is free', () => {
    zone(totals(4), taken(1), taken(2)).when(take(3)).thenFails(NoCapacity, '0 VCPUs, 3072 MB RAM and 80 GB disk free');
  });
  it('refuses everything before a Bottom reported any', () => {
    zone().when(take(1)).thenFails(NoCapacity);
  });
  it('can be taken again once it was freed', () => {
    zone(totals(2), taken(1), freed(1)).when(take(2)).then(taken(2));
  });
  it('may fall below what is taken; then nothing more fits', () => {
    zone(totals(4), taken(1), taken(2))
      .when({ type: 'ChangeCapacity', total: { vcpus: 1, ramMb: 4096, diskGb: 100 } })
      .then(totals(1));
    zone(totals(4), taken(1), taken(2), totals(1), freed(1)).when(take(3)).thenFails(NoCapacity, '0 VCPUs');
  });
  it('is not recorded again when nothing changed', () => {
    zone(totals(4))
      .when({ type: 'ChangeCapacity', total: { vcpus: 4, ramMb: 4096, diskGb: 100 } })
      .thenNothing();
  });
  it.each([-1, 1.5, Number.NaN])('refuses a total of %s', (vcpus) => {
    zone()
      .when({ type: 'ChangeCapacity', total: { vcpus, ramMb: 1, diskGb: 1 } })
      .thenFails(InvalidInput);
  });
  it('is given back by name', () => {
    zone(totals(4), taken(1))
      .when({ type: 'FreeCapacity', server: idOf('server'), resources: small })
      .then(freed(1));
  });
  it('shows what is free, never below zero', () => {
    const nothing = { vcpus: 0, ramMb: 0, diskGb: 0 };
    expect(freeOf({ total: nothing, taken: small, servers: 1 })).toEqual(nothing);
  });
});

describe('a report of capacity', () => {
  const { siteId, ...added } = sample.addSite();
  const site = on(streams.site(siteId), { type: 'SiteAdded', data: added });
  const report = (zone: string) => changeCapacity({ siteId, zone, totals: { vcpus: 4, ramMb: 4096, diskGb: 100 } });

  it('changes the totals of its zone', () => {
    given(site)
      .when(report('a'))
      .then(on(streams.capacity(siteId, 'a'), totals(4)));
  });
  it('of a zone that the site does not have is refused', () => {
    given(site).when(report('z')).thenFails(NoValidZone);
  });
  it('of a site that is gone is refused', () => {
    given().when(report('a')).thenFails(SiteNotFound);
  });
});
