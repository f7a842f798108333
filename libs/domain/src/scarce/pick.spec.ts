import type { Ip } from '@weir/kernel';
import { ip, seededRandom } from '@weir/testing/domain';
import { candidateMac, candidateSegment, pickAddress, SEGMENT_KEYS } from './pick';

const random = seededRandom(1);
const pool = (start: string, end: string) => ({ start: ip(start), end: ip(end) });

describe('picking an address', () => {
  it('finds the only free one of several pools', () => {
    const pools = [pool('10.0.0.2', '10.0.0.3'), pool('10.0.0.8', '10.0.0.9')];
    const taken = new Set([ip('10.0.0.2'), ip('10.0.0.3'), ip('10.0.0.9')]);
    expect(pickAddress({ pools, taken, random })).toBe('10.0.0.8');
  });
  it('says so when none is free', () => {
    expect(pickAddress({ pools: [pool('10.0.0.2', '10.0.0.3')], taken: () => true, random })).toBeUndefined();
    expect(pickAddress({ pools: [], taken: new Set(), random })).toBeUndefined();
  });
  it('finds the only free one of a /16', () => {
    const free = ip('10.0.77.7');
    const pools = [pool('10.0.0.2', '10.0.255.254')];
    expect(pickAddress({ pools, taken: (address: Ip) => address !== free, random })).toBe(free);
    expect(pickAddress({ pools, taken: () => true, random })).toBeUndefined();
  });
  it('draws from all of the free, so that concurrent requests seldom meet', () => {
    const pools = [pool('10.0.0.2', '10.0.255.254')];
    const picks = Array.from({ length: 100 }, () => pickAddress({ pools, taken: new Set<Ip>(), random }));
    expect(new Set(picks).size).toBeGreaterThan(95);
  });
  it('gives each address of a small pool sooner or later', () => {
    const pools = [pool('10.0.0.2', '10.0.0.5')];
    const picks = Array.from({ length: 200 }, () => pickAddress({ pools, taken: new Set<Ip>(), random }));
    expect([...new Set(picks)].sort()).toEqual(['10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5']);
  });
});

describe('picking a segment', () => {
  it.each(['vxlan', 'geneve', 'gre', 'vlan'] as const)('of type %s stays in its range', (type) => {
    for (let tries = 0; tries < 200; tries++) {
      const key = candidateSegment(type, new Set(), random)?.key;
      expect(key).toBeGreaterThanOrEqual(SEGMENT_KEYS[type].first);
      expect(key).toBeLessThanOrEqual(SEGMENT_KEYS[type].last);
    }
  });
  it('finds the last free VLAN, and says so when there is none', () => {
    expect(candidateSegment('vlan', (key) => key !== 4094, random)).toEqual({ type: 'vlan', key: 4094 });
    expect(candidateSegment('vlan', () => true, random)).toBeUndefined();
  });
  it('of type mac has no key', () => {
    expect(candidateSegment('mac', () => true, random)).toEqual({ type: 'mac', key: 0 });
  });
});

it('picks MACs with the prefix of OpenStack', () => {
  expect(candidateMac(random)).toMatch(/^fa:16:3e(:[0-9a-f]{2}){3}$/);
});
