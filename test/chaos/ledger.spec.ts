import { type DomainEvent, views } from '@weir/domain';
import { type RecordedEvent, replayRows } from '@weir/event-store';
import { capacityFaults, logFaults, referenceFaults, scarceFaults } from './ledger';

const id = (number: number): string => `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
const [SITE, NETWORK, SUBNET, PORT, OTHER, SERVER] = [1, 2, 3, 4, 5, 6].map(id) as [
  string,
  string,
  string,
  string,
  string,
  string,
];
const MAC = 'fa:16:3e:00:00:01';
const FLAVOR = { vcpus: 1, ramMb: 128, diskGb: 1 };

type Told = readonly [stream: string, type: DomainEvent['type'], data?: object];

/** A log of these, numbered. */
function log(...told: readonly Told[]): readonly RecordedEvent[] {
  const revisions = new Map<string, number>();
  return told.map(([stream, type, data = {}], index): RecordedEvent => {
    const revision = (revisions.get(stream) ?? -1) + 1;
    revisions.set(stream, revision);
    const metadata = { correlation: 'r', causation: 'r', actor: 'a', time: '2025-03-01T12:00:00.000Z' };
    return {
      position: index + 1,
      stream,
      revision,
      id: id(1_000 + index),
      type,
      schemaVersion: 1,
      data: JSON.parse(JSON.stringify(data)) as RecordedEvent['data'],
      metadata,
      digest: '',
    };
  });
}

const network = (number = 10_000): readonly Told[] => [
  [`network-${NETWORK}`, 'NetworkCreated', { projectId: 'p', name: 'n', segment: { type: 'vxlan', key: number } }],
  [`segment-vxlan-${number}`, 'Taken', { by: NETWORK }],
  [`network-${NETWORK}`, 'SubnetAdded', { subnetId: SUBNET, projectId: 'p', cidr: '10.0.0.0/24', serverMac: MAC }],
  [`mac-${NETWORK}-${MAC}`, 'Taken', { by: SUBNET }],
];
const port = (by: string, mac: string, ip: string, device: object = {}): readonly Told[] => [
  [
    `port-${by}`,
    'PortCreated',
    {
      projectId: 'p',
      networkId: NETWORK,
      mac,
      fixedIps: [{ subnetId: SUBNET, ip }],
      deviceId: '',
      deviceOwner: '',
      ...device,
    },
  ],
];
const held = (by: string, mac: string, ip: string): readonly Told[] => [
  [`mac-${NETWORK}-${mac}`, 'Taken', { by }],
  [`address-${SUBNET}-${ip}`, 'Taken', { by }],
];
const FIRST = ['fa:16:3e:00:00:02', '10.0.0.2'] as const;
const SECOND = ['fa:16:3e:00:00:03', '10.0.0.3'] as const;

const site: readonly Told[] = [
  [`site-${SITE}`, 'SiteAdded', { name: 's', dataCenter: 'D', availabilityZones: ['a'] }],
  ['site-name-s', 'Taken', { by: SITE }],
  ['zone-D:a', 'Taken', { by: SITE }],
  [`capacity-${SITE}-a`, 'CapacityChanged', { vcpus: 2, ramMb: 256, diskGb: 2 }],
];
const server: readonly Told[] = [
  [
    `server-${SERVER}`,
    'ServerRequested',
    { name: 'v', flavor: { id: '1', name: 't', ...FLAVOR }, siteId: SITE, zone: 'a', ports: [], metadata: {} },
  ],
];
const taken: Told = [`capacity-${SITE}-a`, 'CapacityTaken', { server: SERVER, ...FLAVOR }];

const scarce = (...told: readonly Told[]): readonly string[] => {
  const events = log(...told);
  return scarceFaults(events, replayRows(views, events));
};
const capacity = (...told: readonly Told[]): readonly string[] => {
  const events = log(...told);
  return capacityFaults(events, replayRows(views, events));
};
const references = (...told: readonly Told[]): readonly string[] => referenceFaults(replayRows(views, log(...told)));

describe('the ledger of a log', () => {
  it('finds nothing where everything adds up', () => {
    const told = [...site, ...network(), ...port(PORT, ...FIRST), ...held(PORT, ...FIRST), ...server, taken];
    expect(logFaults(log(...told))).toEqual([]);
    expect(scarce(...told)).toEqual([]);
    expect(capacity(...told)).toEqual([]);
    expect(references(...told)).toEqual([]);
  });

  it('finds a revision that is missing', () => {
    const events = log(...network()).filter(({ position }) => position !== 1);
    expect(logFaults(events)).toEqual([`network-${NETWORK} goes from revision -1 to 1 at 3`]);
  });

  it('finds what is taken twice, and freed for nothing', () => {
    const stream = `address-${SUBNET}-10.0.0.2`;
    expect(logFaults(log([stream, 'Taken', { by: PORT }], [stream, 'Taken', { by: OTHER }]))).toEqual([
      `${stream} is taken by ${OTHER} while ${PORT} has it`,
    ]);
    expect(logFaults(log([stream, 'Freed']))).toEqual([`${stream} is freed while nobody has it`]);
  });

  it('finds two ports with one address, and with one MAC', () => {
    const one = [...network(), ...port(PORT, ...FIRST), ...held(PORT, ...FIRST)];
    expect(
      scarce(...one, ...port(OTHER, SECOND[0], FIRST[1]), [`mac-${NETWORK}-${SECOND[0]}`, 'Taken', { by: OTHER }]),
    ).toEqual([`address-${SUBNET}-${FIRST[1]} is both ${PORT}'s and ${OTHER}'s`]);
    const address: Told = [`address-${SUBNET}-${SECOND[1]}`, 'Taken', { by: OTHER }];
    expect(scarce(...one, ...port(OTHER, FIRST[0], SECOND[1]), address)).toEqual([
      `mac-${NETWORK}-${FIRST[0]} is both ${PORT}'s and ${OTHER}'s`,
    ]);
  });

  it('finds what is used and not held, and held and not used', () => {
    expect(scarce(...network(), ...port(PORT, ...FIRST), ...held(OTHER, ...FIRST))).toHaveLength(2);
    expect(scarce(...network(), ...port(PORT, ...FIRST))).toHaveLength(2);
    expect(scarce(...network(), ...held(PORT, ...FIRST))).toEqual([
      `mac-${NETWORK}-${FIRST[0]} is held by ${PORT}, and nothing live uses it`,
      `address-${SUBNET}-${FIRST[1]} is held by ${PORT}, and nothing live uses it`,
    ]);
  });

  it('finds capacity that is taken by nobody, twice, or not at all, and more than there is', () => {
    expect(capacity(...site, taken)).toContain('D:a counts 1 servers, of 0');
    expect(capacity(...site, ...server, taken, taken)).toContain('D:a has 2 of vcpus taken, its servers take 1');
    expect(capacity(...site, ...server)).toContain('D:a counts 0 servers, of 1');
    const less: Told = [`capacity-${SITE}-a`, 'CapacityChanged', { vcpus: 0, ramMb: 256, diskGb: 2 }];
    expect(capacity(...site, ...server, taken, less)).toEqual(['D:a has 1 of vcpus taken, of 0']);
  });

  it('takes a server that gave its capacity back for one that takes none', () => {
    const failed: Told = [
      `server-${SERVER}`,
      'ServerFailed',
      { fault: { host: 'h', message: 'm' }, capacityFreed: true },
    ];
    const freed: Told = [`capacity-${SITE}-a`, 'CapacityFreed', { server: SERVER, ...FLAVOR }];
    expect(capacity(...site, ...server, taken, failed, freed)).toEqual([]);
  });

  it('finds what names a thing that is not there', () => {
    const owner = { deviceId: SERVER, deviceOwner: 'compute:D:a' };
    expect(references(...port(PORT, ...FIRST, owner))).toEqual([
      `port ${PORT} names network ${NETWORK}, which is not there`,
      `port ${PORT} names subnet ${SUBNET}, which is not there`,
      `port ${PORT} names server ${SERVER}, which is not there`,
    ]);
  });
});
