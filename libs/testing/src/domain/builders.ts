import { type Id, parseCidr, parseIp, parseMac, type Random } from '@weir/kernel';
import type { AddSubnet, CreateNetwork, CreatePort, CreateRouter, CreateServer, AddSite } from '@weir/domain';

/** The n-th id of a kind: equal arguments, equal ids; other kinds, other ids. */
export function idOf<Kind extends string>(kind: Kind, n = 1): Id<Kind> {
  const hash = [...kind].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 0x1_0000, 7);
  return `${n.toString(16).padStart(8, '0')}-${hash.toString(16).padStart(4, '0')}-4000-8000-000000000000` as Id<Kind>;
}

export const ip = parseIp;
export const cidr = parseCidr;
export const mac = parseMac;

/** One seed, one sequence (mulberry32). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const integer = (below: number) => Math.floor(next() * below);
  const bytes = (count: number) => Uint8Array.from({ length: count }, () => integer(256));
  const hex = (count: number) => Array.from(bytes(count), (byte) => byte.toString(16).padStart(2, '0')).join('');
  return { integer, bytes, uuid: () => `${hex(4)}-${hex(2)}-4${hex(2).slice(1)}-8${hex(2).slice(1)}-${hex(6)}` };
}

const SHA256 = 'ab'.repeat(32);

/** Commands that succeed as they stand; tests change what they are about. */
export const sample = {
  addSite: (over: Partial<AddSite> = {}): AddSite => ({
    siteId: idOf('site'),
    name: 'paris',
    dataCenter: 'paris',
    availabilityZones: ['a', 'b'],
    driver: 'ovs',
    tunnel: { type: 'vxlan', mtu: 1500 },
    joinTokenHash: SHA256,
    ...over,
  }),
  createNetwork: (over: Partial<CreateNetwork> = {}): CreateNetwork => ({
    networkId: idOf('network'),
    projectId: idOf('project'),
    name: 'blue',
    description: '',
    adminStateUp: true,
    portSecurityEnabled: true,
    mtu: 1450,
    segment: { type: 'vxlan', key: 10_000, picked: true },
    allowedSegmentTypes: ['vxlan'],
    availabilityZoneHints: [],
    ...over,
  }),
  addSubnet: (over: Partial<AddSubnet> = {}): AddSubnet => ({
    networkId: idOf('network'),
    subnetId: idOf('subnet'),
    projectId: idOf('project'),
    name: 'blue-4',
    description: '',
    cidr: cidr('10.1.1.0/24'),
    enableDhcp: true,
    dnsNameservers: [],
    hostRoutes: [],
    serverMac: mac('fa:16:3e:00:00:01'),
    dhcpPortId: idOf('port', 0xd),
    ...over,
  }),
  createRouter: (over: Partial<CreateRouter> = {}): CreateRouter => ({
    routerId: idOf('router'),
    projectId: idOf('project'),
    name: 'gate',
    description: '',
    adminStateUp: true,
    routes: [],
    distributed: true,
    availabilityZoneHints: [],
    ...over,
  }),
  createPort: (over: Partial<CreatePort> = {}): CreatePort => ({
    portId: idOf('port'),
    projectId: idOf('project'),
    networkId: idOf('network'),
    name: '',
    description: '',
    adminStateUp: true,
    fixedIps: [{ subnetId: idOf('subnet'), ip: ip('10.1.1.10'), picked: true }],
    mac: { mac: mac('fa:16:3e:00:00:10'), picked: true },
    deviceId: '',
    deviceOwner: '',
    ...over,
  }),
  createServer: (over: Partial<CreateServer> = {}): CreateServer => ({
    serverId: idOf('server'),
    projectId: idOf('project'),
    userId: idOf('user'),
    name: 'one',
    flavor: { id: '1', name: 'weir.small', vcpus: 1, ramMb: 512, diskGb: 1 },
    imageId: idOf('image'),
    siteId: idOf('site'),
    zone: 'a',
    availabilityZone: 'paris:a',
    ports: [
      {
        kind: 'new',
        portId: idOf('port', 2),
        networkId: idOf('network'),
        fixedIps: [{ subnetId: idOf('subnet'), ip: ip('10.1.1.20'), picked: true }],
        mac: { mac: mac('fa:16:3e:00:00:20'), picked: true },
      },
    ],
    metadata: {},
    ...over,
  }),
} as const;
