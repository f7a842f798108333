import { planLab, twoSites } from './plan';

describe('the plan of a lab', () => {
  it('puts the router at the last address of each site and the hosts at the first', () => {
    const plan = planLab('ab12', twoSites());
    expect(plan.sites.map((site) => [site.gateway, ...site.hosts.map((host) => host.underlay)])).toEqual([
      ['198.51.100.254', '198.51.100.1', '198.51.100.2'],
      ['203.0.113.254', '203.0.113.1', '203.0.113.2'],
    ]);
  });

  it('names links that Linux accepts and MACs that differ', () => {
    const hosts = planLab('ab12', twoSites()).sites.flatMap((site) => site.hosts);
    for (const host of hosts) expect(host.underlayLink.length).toBeLessThanOrEqual(15);
    expect(new Set(hosts.flatMap((host) => [host.mac, host.externalMac])).size).toBe(8);
  });

  it('refuses names that are too long for links, twice there, or the underlay’s own', () => {
    const site = (name: string, host: string) => () =>
      planLab('ab12', [{ name, subnet: '192.0.2.0/24', hosts: [host] }]);
    expect(site('rome', 'a-long-host-name')).toThrow("'a-long-host-name' cannot name a site or host of a lab");
    expect(site('rome', 'rome')).toThrow("'rome' names two sites or hosts of a lab.");
    expect(site('rome', 'router')).toThrow("'router' cannot name");
  });

  it('refuses a subnet without room for its hosts', () => {
    const hosts = ['a', 'b', 'c', 'd', 'e', 'f'];
    expect(() => planLab('ab12', [{ name: 'rome', subnet: '192.0.2.0/29', hosts }])).toThrow(
      'cannot hold a router and 6 hosts',
    );
  });
});
