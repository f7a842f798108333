import { type Cidr, cidrAddress, cidrRange, invalid, type Ip, type Mac, macFromNumber, parseCidr } from '@weir/kernel';

export interface LabSite {
  readonly name: string;
  /** The underlay's subnet: the hosts take its addresses from .1 on, the router takes the last but one. */
  readonly subnet: string;
  readonly hosts: readonly string[];
}

export interface PlannedHost {
  readonly name: string;
  readonly site: string;
  readonly netns: string;
  readonly underlay: Ip;
  /** Of `eth0` and `br-phy`; known beforehand, so that the neighbours can be set without asking. */
  readonly mac: Mac;
  readonly externalMac: Mac;
  /** The underlay's names of the other ends of `eth0` and `eth1`. */
  readonly underlayLink: string;
  readonly physicalLink: string;
}

export interface PlannedSite {
  readonly name: string;
  readonly subnet: Cidr;
  readonly prefix: number;
  readonly gateway: Ip;
  readonly gatewayMac: Mac;
  /** The site's bridge in the underlay, and the bridge's link to the router. */
  readonly bridge: string;
  readonly routerLink: string;
  readonly hosts: readonly PlannedHost[];
}

export interface LabPlan {
  readonly underlayNetns: string;
  readonly routerNetns: string;
  readonly sites: readonly PlannedSite[];
}

/** `br-` + name must fit into 15 characters, and sites and hosts are addressed by the same `cut`. */
const NAME = /^[a-z][a-z0-9-]{0,11}$/;

/** Paris and Tokyo, two hosts each. */
export function twoSites(): readonly LabSite[] {
  return [
    { name: 'paris', subnet: '198.51.100.0/24', hosts: ['paris-1', 'paris-2'] },
    { name: 'tokyo', subnet: '203.0.113.0/24', hosts: ['tokyo-1', 'tokyo-2'] },
  ];
}

/** Chooses every name and address of a lab. */
export function planLab(id: string, sites: readonly LabSite[]): LabPlan {
  const names = [...sites.map((site) => site.name), ...sites.flatMap((site) => site.hosts)];
  const bad = names.find((name) => !NAME.test(name) || name === 'physical' || name === 'underlay' || name === 'router');
  if (bad !== undefined) throw invalid(`'${bad}' cannot name a site or host of a lab: at most 12 of a-z, 0-9 and '-'.`);
  if (!sites.some((site) => site.hosts.length > 0)) throw invalid('A lab needs a host.');
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw invalid(`'${twice}' names two sites or hosts of a lab.`);
  return {
    underlayNetns: `weir-${id}-underlay`,
    routerNetns: `weir-${id}-router`,
    sites: sites.map((site, index) => planSite(id, site, index)),
  };
}

function planSite(id: string, site: LabSite, index: number): PlannedSite {
  const subnet: Cidr = parseCidr(site.subnet);
  const { prefix, version } = cidrRange(subnet);
  const room = 2 ** (32 - prefix) - 3;
  if (version !== 4 || site.hosts.length > Math.min(room, 250)) {
    throw invalid(
      `The underlay subnet ${subnet} cannot hold a router and ${site.hosts.length} hosts with IPv4 addresses.`,
    );
  }
  return {
    name: site.name,
    subnet,
    prefix,
    gateway: cidrAddress(subnet, room + 1),
    gatewayMac: mac(0, index, 0xfe),
    bridge: `br-${site.name}`,
    routerLink: `r-${site.name}`,
    hosts: site.hosts.map((name, host) => ({
      name,
      site: site.name,
      netns: `weir-${id}-${name}`,
      underlay: cidrAddress(subnet, host + 1),
      mac: mac(0, index, host + 1),
      externalMac: mac(1, index, host + 1),
      underlayLink: `u-${name}`,
      physicalLink: `x-${name}`,
    })),
  };
}

/** Locally administered; labs are apart, so the same in each. */
function mac(kind: number, site: number, host: number): Mac {
  return macFromNumber(0x020000000000 + kind * 0x10000 + site * 0x100 + host);
}
