import { cidr, given, idOf, ip, judge, Log, on, sample } from '@weir/testing/domain';
import { IdInUse, InvalidInput, Ipv6NotSupported } from '../bounds';
import type { NetworkEvent } from '../events/index';
import { createPort } from '../port/commands';
import { addRouterInterface, createRouter } from '../router/commands';
import { CandidateTaken } from '../scarce/errors';
import { streams } from '../streams';
import {
  addSubnet,
  closeNetwork,
  closeSubnet,
  createNetwork,
  deleteNetwork,
  removeSubnet,
  reopenNetwork,
  reopenSubnet,
  updateNetwork,
  updateSubnet,
} from './commands';
import {
  GatewayConflictWithAllocationPools,
  GatewayIpInUse,
  InvalidAllocationPool,
  IpAddressAlreadyAllocated,
  IpAddressGenerationFailure,
  NetworkBeingDeleted,
  NetworkInUse,
  NetworkNotFound,
  OutOfBoundsAllocationPool,
  OverlappingAllocationPools,
  SegmentTypeNotAllowed,
  SubnetBeingDeleted,
  SubnetInUse,
  SubnetNotFound,
  SubnetOverlap,
  TunnelIdInUse,
  VlanIdInUse,
} from './errors';
import { network } from './network';

const networkId = idOf('network');
const subnetId = idOf('subnet');
const dhcpPortId = sample.addSubnet().dhcpPortId;
const serverMac = sample.addSubnet().serverMac;
const stream = streams.network(networkId);
const macStream = streams.mac(networkId, serverMac);
const segmentStream = streams.segment({ type: 'vxlan', key: 10_000 });

const created: NetworkEvent = {
  type: 'NetworkCreated',
  data: {
    projectId: idOf('project'),
    name: 'blue',
    description: '',
    adminStateUp: true,
    portSecurityEnabled: true,
    mtu: 1450,
    segment: { type: 'vxlan', key: 10_000 },
    availabilityZoneHints: [],
  },
};
const closing: NetworkEvent = { type: 'NetworkClosing', data: {} };
const reopened: NetworkEvent = { type: 'NetworkReopened', data: {} };
const deleted: NetworkEvent = { type: 'NetworkDeleted', data: {} };
const subnetAdded: NetworkEvent = {
  type: 'SubnetAdded',
  data: {
    subnetId,
    projectId: idOf('project'),
    cidr: cidr('10.1.1.0/24'),
    name: 'blue-4',
    description: '',
    gatewayIp: ip('10.1.1.1'),
    allocationPools: [{ start: ip('10.1.1.2'), end: ip('10.1.1.254') }],
    enableDhcp: true,
    dnsNameservers: [],
    hostRoutes: [],
    serverIp: ip('10.1.1.1'),
    serverMac,
  },
};
const subnetRemoved: NetworkEvent = { type: 'SubnetRemoved', data: { subnetId } };
const taken = (by: string) => ({ type: 'Taken', data: { by } }) as const;
const freed = { type: 'Freed', data: {} } as const;
const pool = (start: string, end: string) => ({ start: ip(start), end: ip(end) });

/** A network with one subnet, which `over` describes. */
function world(over: Parameters<typeof sample.addSubnet>[0] = {}): Log {
  const log = new Log();
  log.run(createNetwork(sample.createNetwork()));
  log.run(addSubnet(sample.addSubnet(over)));
  return log;
}

const written = (log: Log, command: Parameters<Log['decide']>[0]) =>
  log.decide(command).writes.flatMap(({ stream: name, events }) => events.map(({ type }) => `${type} ${name}`));

describe('creating a network', () => {
  it('takes its segment', () => {
    given()
      .when(createNetwork(sample.createNetwork()))
      .then(on(stream, created), on(segmentStream, taken(networkId)));
  });
  it('picks again when its candidate was taken meanwhile', () => {
    given(on(segmentStream, taken(idOf('network', 9))))
      .when(createNetwork(sample.createNetwork()))
      .thenFails(CandidateTaken);
  });
  it('refuses a segment in use that was asked for by number', () => {
    const asked = (type: 'vxlan' | 'vlan', key: number) =>
      createNetwork(
        sample.createNetwork({ segment: { type, key, picked: false }, allowedSegmentTypes: ['vxlan', 'vlan'] }),
      );
    given(on(segmentStream, taken(idOf('network', 9))))
      .when(asked('vxlan', 10_000))
      .thenFails(TunnelIdInUse, '10000');
    given(on(streams.segment({ type: 'vlan', key: 7 }), taken(idOf('network', 9))))
      .when(asked('vlan', 7))
      .thenFails(VlanIdInUse, '7');
  });
  it('of type mac takes no key', () => {
    const segment = { type: 'mac', key: 0, picked: true } as const;
    const data = { ...created.data, segment: { type: 'mac', key: 0 } } as typeof created.data;
    given()
      .when(createNetwork(sample.createNetwork({ segment, allowedSegmentTypes: ['mac'] })))
      .then(on(stream, { ...created, data }));
  });
  it.each([
    ['a type that is not allowed', { segment: { type: 'gre', key: 10_000, picked: true } }, SegmentTypeNotAllowed],
    ['a VNI below 10,000', { segment: { type: 'vxlan', key: 9999, picked: false } }, InvalidInput],
    ['a VNI above 24 bits', { segment: { type: 'vxlan', key: 16_777_216, picked: false } }, InvalidInput],
    [
      'a VLAN of 4095',
      { segment: { type: 'vlan', key: 4095, picked: false }, allowedSegmentTypes: ['vlan'] },
      InvalidInput,
    ],
    [
      'a GRE key of 33 bits',
      { segment: { type: 'gre', key: 2 ** 32, picked: false }, allowedSegmentTypes: ['gre'] },
      InvalidInput,
    ],
    [
      'a key for type mac',
      { segment: { type: 'mac', key: 5, picked: false }, allowedSegmentTypes: ['mac'] },
      InvalidInput,
    ],
    ['a name of 256 letters', { name: 'x'.repeat(256) }, InvalidInput],
    ['a description of 256 letters', { description: 'x'.repeat(256) }, InvalidInput],
    ['an MTU of 575', { mtu: 575 }, InvalidInput],
    ['an MTU of 9217', { mtu: 9217 }, InvalidInput],
  ] as const)('is refused with %s', (_, over, error) => {
    given()
      .when(createNetwork(sample.createNetwork(over)))
      .thenFails(error);
  });
  it('is refused under an id in use', () => {
    const { segment, ...rest } = sample.createNetwork();
    judge(network)(created)
      .when({ type: 'CreateNetwork', ...rest, segment })
      .thenFails(IdInUse);
  });
});

describe('updating a network', () => {
  it('records only what changed', () => {
    given(on(stream, created))
      .when(updateNetwork({ networkId, changes: { name: 'green', mtu: 1450, description: undefined } }))
      .then(on(stream, { type: 'NetworkUpdated', data: { name: 'green' } }));
    given(on(stream, created))
      .when(updateNetwork({ networkId, changes: { name: 'blue' } }))
      .thenNothing();
  });
  it('is refused beyond its bounds, while it is being deleted, and when it does not exist', () => {
    given(on(stream, created))
      .when(updateNetwork({ networkId, changes: { mtu: 1 } }))
      .thenFails(InvalidInput);
    given(on(stream, created, closing))
      .when(updateNetwork({ networkId, changes: { name: 'x' } }))
      .thenFails(NetworkBeingDeleted);
    given()
      .when(updateNetwork({ networkId, changes: {} }))
      .thenFails(NetworkNotFound);
  });
});

describe('deleting a network', () => {
  it('closes it first, and says which closing it is', () => {
    given(on(stream, created)).when(closeNetwork({ networkId })).then(on(stream, closing));
    given(on(stream, created, closing))
      .when(closeNetwork({ networkId }))
      .thenNothing();
    given(on(stream, created, closing))
      .when(closeNetwork({ networkId }))
      .thenAnswers({ closing: 1 });
    given(on(stream, created, closing, reopened))
      .when(closeNetwork({ networkId }))
      .thenAnswers({ closing: 2 });
  });
  it('keeps new subnets and ports out while it is closing', () => {
    const log = world();
    log.run(closeNetwork({ networkId }));
    expect(() => log.run(createPort(sample.createPort()))).toThrow(NetworkBeingDeleted);
    expect(() => log.run(addSubnet(sample.addSubnet({ subnetId: idOf('subnet', 2) })))).toThrow(NetworkBeingDeleted);
  });
  it('and making a port in it exclude each other, whichever is first', () => {
    const log = world();
    const port = log.decide(createPort(sample.createPort()));
    const close = log.decide(closeNetwork({ networkId }));
    expect(log.commit(close)).toBe(true);
    expect(log.commit(port)).toBe(false);
  });
  it('takes its subnets along, and frees the segment and the MACs of their gateways', () => {
    const log = world();
    log.run(closeNetwork({ networkId }));
    expect(written(log, deleteNetwork({ networkId, closing: 1, portsLeft: [] }))).toEqual([
      `SubnetRemoved ${stream}`,
      `NetworkDeleted ${stream}`,
      `Freed ${macStream}`,
      `Freed ${segmentStream}`,
    ]);
  });
  it('takes ports of DHCP servers along', () => {
    const log = world({ gatewayIp: null });
    log.run(closeNetwork({ networkId }));
    expect(written(log, deleteNetwork({ networkId, closing: 1, portsLeft: [] }))).toEqual([
      `SubnetRemoved ${stream}`,
      `NetworkDeleted ${stream}`,
      `Freed ${streams.address(subnetId, ip('10.1.1.1'))}`,
      `PortDeleted ${streams.port(dhcpPortId)}`,
      `Freed ${macStream}`,
      `Freed ${segmentStream}`,
    ]);
  });
  it('of type mac has no segment to free', () => {
    const log = new Log();
    log.run(
      createNetwork(
        sample.createNetwork({ segment: { type: 'mac', key: 0, picked: true }, allowedSegmentTypes: ['mac'] }),
      ),
    );
    log.run(closeNetwork({ networkId }));
    expect(written(log, deleteNetwork({ networkId, closing: 1, portsLeft: [] }))).toEqual([`NetworkDeleted ${stream}`]);
  });
  it('is refused with ports left, naming them', () => {
    given(on(stream, created, closing))
      .when(deleteNetwork({ networkId, closing: 1, portsLeft: [idOf('port')] }))
      .thenFails(NetworkInUse, idOf('port'));
    const many = Array.from({ length: 12 }, (_, n) => idOf('port', n));
    given(on(stream, created, closing))
      .when(deleteNetwork({ networkId, closing: 1, portsLeft: many }))
      .thenFails(NetworkInUse, 'and 2 more');
  });
  it('is refused by the count of a closing that is over', () => {
    const stale = deleteNetwork({ networkId, closing: 1, portsLeft: [] });
    given(on(stream, created, closing, reopened))
      .when(stale)
      .thenFails(NetworkInUse);
    const older = deleteNetwork({ networkId, closing: 1, portsLeft: [] });
    given(on(stream, created, closing, reopened, closing))
      .when(older)
      .thenFails(NetworkInUse);
  });
  it('is given up by reopening, once', () => {
    given(on(stream, created, closing))
      .when(reopenNetwork({ networkId, closing: 1 }))
      .then(on(stream, reopened));
    given(on(stream, created, closing, reopened))
      .when(reopenNetwork({ networkId, closing: 1 }))
      .thenNothing();
    given(on(stream, created, closing, reopened, closing))
      .when(reopenNetwork({ networkId, closing: 1 }))
      .thenNothing();
  });
  it('that is gone is not found', () => {
    given(on(stream, created, closing, deleted))
      .when(closeNetwork({ networkId }))
      .thenFails(NetworkNotFound);
  });
});

describe('adding a subnet', () => {
  const add = (over: Parameters<typeof sample.addSubnet>[0] = {}) => addSubnet(sample.addSubnet(over));
  const has = given(on(stream, created));

  it('takes the first address as gateway, all others as pool, and one MAC for life', () => {
    has.when(add()).then(on(stream, subnetAdded), on(macStream, taken(subnetId)));
  });
  it('leaves a gateway in the middle out of the pools', () => {
    const data = {
      ...subnetAdded.data,
      gatewayIp: ip('10.1.1.100'),
      serverIp: ip('10.1.1.100'),
      allocationPools: [pool('10.1.1.1', '10.1.1.99'), pool('10.1.1.101', '10.1.1.254')],
    };
    has
      .when(add({ gatewayIp: ip('10.1.1.100') }))
      .then(on(stream, { type: 'SubnetAdded', data }), on(macStream, taken(subnetId)));
  });
  it('without a gateway reserves an address for its DHCP server', () => {
    const log = new Log();
    log.run(createNetwork(sample.createNetwork()));
    log.run(add({ gatewayIp: null }));
    expect(log.eventsOf(stream).at(-1)).toMatchObject({ data: { gatewayIp: null, serverIp: '10.1.1.1' } });
    expect(log.eventsOf(streams.port(dhcpPortId))).toMatchObject([
      {
        type: 'PortCreated',
        data: { deviceOwner: 'network:dhcp', mac: serverMac, fixedIps: [{ subnetId, ip: '10.1.1.1' }] },
      },
    ]);
    expect(log.eventsOf(streams.address(subnetId, ip('10.1.1.1')))).toEqual([taken(dhcpPortId)]);
  });
  it('without gateway and DHCP reserves nothing', () => {
    const data = {
      ...subnetAdded.data,
      gatewayIp: null,
      enableDhcp: false,
      allocationPools: [pool('10.1.1.1', '10.1.1.254')],
      serverIp: ip('10.1.1.0'),
    };
    has
      .when(add({ gatewayIp: null, enableDhcp: false }))
      .then(on(stream, { type: 'SubnetAdded', data }), on(macStream, taken(subnetId)));
  });
  it('picks again when the candidate for its MAC is taken', () => {
    given(on(stream, created), on(macStream, taken(idOf('port', 9))))
      .when(add())
      .thenFails(CandidateTaken);
  });
  it('is refused when it overlaps with another of the network', () => {
    given(on(stream, created, subnetAdded))
      .when(add({ subnetId: idOf('subnet', 2), cidr: cidr('10.1.0.0/16') }))
      .thenFails(SubnetOverlap, 'overlaps with another subnet');
  });
  it.each([
    ['an IPv6 range', { cidr: cidr('fd00::/64') }, Ipv6NotSupported],
    ['a /31', { cidr: cidr('10.1.1.0/31') }, InvalidInput],
    ['a /0', { cidr: cidr('0.0.0.0/0') }, InvalidInput],
    ['a multicast range', { cidr: cidr('224.1.0.0/16') }, InvalidInput],
    ['the loopback', { cidr: cidr('127.0.0.0/8') }, InvalidInput],
    ['a gateway outside', { gatewayIp: ip('10.1.2.1') }, InvalidInput],
    ['the broadcast address as gateway', { gatewayIp: ip('10.1.1.255') }, InvalidInput],
    ['an IPv6 gateway', { gatewayIp: ip('fd00::1') }, Ipv6NotSupported],
    ['a pool outside', { allocationPools: [pool('10.1.1.5', '10.1.2.5')] }, OutOfBoundsAllocationPool],
    ['a pool with the network address', { allocationPools: [pool('10.1.1.0', '10.1.1.5')] }, OutOfBoundsAllocationPool],
    ['a pool turned round', { allocationPools: [pool('10.1.1.9', '10.1.1.5')] }, InvalidAllocationPool],
    ['an IPv6 pool', { allocationPools: [pool('fd00::1', 'fd00::2')] }, Ipv6NotSupported],
    [
      'pools that overlap',
      { allocationPools: [pool('10.1.1.2', '10.1.1.9'), pool('10.1.1.9', '10.1.1.20')] },
      OverlappingAllocationPools,
    ],
    ['the gateway in a pool', { allocationPools: [pool('10.1.1.1', '10.1.1.9')] }, GatewayConflictWithAllocationPools],
    ['no address for its DHCP server', { gatewayIp: null, allocationPools: [] }, IpAddressGenerationFailure],
    ['21 DNS servers', { dnsNameservers: Array.from({ length: 21 }, () => ip('9.9.9.9')) }, InvalidInput],
    ['an IPv6 DNS server', { dnsNameservers: [ip('fd00::1')] }, Ipv6NotSupported],
    [
      '101 host routes',
      {
        hostRoutes: Array.from({ length: 101 }, () => ({ destination: cidr('10.9.0.0/16'), nexthop: ip('10.1.1.9') })),
      },
      InvalidInput,
    ],
    [
      'an IPv6 host route',
      { hostRoutes: [{ destination: cidr('fd00::/64'), nexthop: ip('10.1.1.9') }] },
      Ipv6NotSupported,
    ],
    ['a name of 256 letters', { name: 'x'.repeat(256) }, InvalidInput],
  ] as const)('is refused with %s', (_, over, error) => {
    has.when(add(over)).thenFails(error);
  });
  it('is refused under an id in use, and in a network that is not there', () => {
    given(on(stream, created, subnetAdded))
      .when(add())
      .thenFails(IdInUse);
    given().when(add()).thenFails(NetworkNotFound);
  });
});

describe('updating a subnet', () => {
  const dhcpPort = { portId: idOf('port', 0xe), ip: ip('10.1.1.77') };
  const update = (changes: Parameters<typeof updateSubnet>[0]['changes']) =>
    updateSubnet({ networkId, subnetId, changes, dhcpPort });

  it('records only what changed', () => {
    given(on(stream, created, subnetAdded))
      .when(update({ name: 'green', enableDhcp: true, dnsNameservers: [ip('9.9.9.9')] }))
      .then(on(stream, { type: 'SubnetUpdated', data: { subnetId, name: 'green', dnsNameservers: [ip('9.9.9.9')] } }));
    given(on(stream, created, subnetAdded))
      .when(update({ name: 'blue-4' }))
      .thenNothing();
  });
  it('moves the DHCP server along with the gateway', () => {
    const data = {
      subnetId,
      gatewayIp: ip('10.1.1.254'),
      serverIp: ip('10.1.1.254'),
      allocationPools: [pool('10.1.1.2', '10.1.1.200')],
    };
    given(on(stream, created, subnetAdded))
      .when(update({ gatewayIp: ip('10.1.1.254'), allocationPools: [pool('10.1.1.2', '10.1.1.200')] }))
      .then(on(stream, { type: 'SubnetUpdated', data }));
  });
  it('refuses another gateway while a router interface has the present one', () => {
    const log = world();
    log.run(createRouter(sample.createRouter()));
    log.run(
      addRouterInterface({
        routerId: idOf('router'),
        target: { by: 'subnet', networkId, subnetId, newPortId: idOf('port', 5) },
      }),
    );
    expect(() => log.run(update({ gatewayIp: null }))).toThrow(GatewayIpInUse);
  });
  it('refuses an address as gateway that a port has', () => {
    const log = world({ allocationPools: [pool('10.1.1.2', '10.1.1.20')] });
    log.run(createPort(sample.createPort({ fixedIps: [{ ip: ip('10.1.1.50'), picked: false }] })));
    expect(() => log.run(update({ gatewayIp: ip('10.1.1.50') }))).toThrow(IpAddressAlreadyAllocated);
  });
  it('refuses a gateway inside the pools', () => {
    expect(() => world().run(update({ gatewayIp: ip('10.1.1.50') }))).toThrow(GatewayConflictWithAllocationPools);
  });
  it('without a gateway from now on reserves an address for the DHCP server', () => {
    const log = world();
    log.run(update({ gatewayIp: null }));
    expect(log.eventsOf(stream).at(-1)).toEqual({
      type: 'SubnetUpdated',
      data: { subnetId, gatewayIp: null, serverIp: ip('10.1.1.77') },
    });
    expect(log.eventsOf(streams.address(subnetId, ip('10.1.1.77')))).toEqual([taken(dhcpPort.portId)]);
  });
  it('picks again when that address is taken, and fails when there is none', () => {
    const log = world();
    log.run(createPort(sample.createPort({ fixedIps: [{ ip: ip('10.1.1.77'), picked: false }] })));
    expect(() => log.run(update({ gatewayIp: null }))).toThrow(CandidateTaken);
    const without = updateSubnet({
      networkId,
      subnetId,
      changes: { gatewayIp: null },
      dhcpPort: { ...dhcpPort, ip: undefined },
    });
    expect(() => world().run(without)).toThrow(IpAddressGenerationFailure);
  });
  it('gives the reserved address back when the subnet gets a gateway, or loses its DHCP server', () => {
    for (const changes of [{ gatewayIp: ip('10.1.1.254'), allocationPools: [] }, { enableDhcp: false }]) {
      const log = world({ gatewayIp: null });
      log.run(update(changes));
      expect(log.eventsOf(streams.port(dhcpPortId)).at(-1)?.type).toBe('PortDeleted');
      expect(log.eventsOf(streams.address(subnetId, ip('10.1.1.1'))).at(-1)).toEqual(freed);
      expect(log.eventsOf(macStream)).toEqual([taken(subnetId)]);
    }
  });
  it('may make the reserved address itself the gateway', () => {
    const log = world({ gatewayIp: null });
    log.run(update({ gatewayIp: ip('10.1.1.1'), allocationPools: [pool('10.1.1.2', '10.1.1.254')] }));
    expect(log.eventsOf(stream).at(-1)).toMatchObject({ data: { gatewayIp: '10.1.1.1' } });
  });
  it('keeps the reserved address through other changes', () => {
    const log = world({ gatewayIp: null });
    log.run(update({ name: 'green' }));
    expect(log.eventsOf(stream).at(-1)).toEqual({ type: 'SubnetUpdated', data: { subnetId, name: 'green' } });
  });
  it('is refused beyond its bounds, while it is being deleted, and when it does not exist', () => {
    given(on(stream, created, subnetAdded))
      .when(update({ description: 'x'.repeat(256) }))
      .thenFails(InvalidInput);
    given(on(stream, created, subnetAdded, { type: 'SubnetClosing', data: { subnetId } }))
      .when(update({ name: 'x' }))
      .thenFails(SubnetBeingDeleted);
    given(on(stream, created, subnetAdded, closing))
      .when(update({ name: 'x' }))
      .thenFails(NetworkBeingDeleted);
    given(on(stream, created))
      .when(update({ name: 'x' }))
      .thenFails(SubnetNotFound);
    judge(network)(created, subnetAdded)
      .when({ type: 'UpdateSubnet', networkId, subnetId, changes: {}, serverIpCandidate: undefined })
      .thenNothing();
  });
});

describe('removing a subnet', () => {
  const subnetClosing: NetworkEvent = { type: 'SubnetClosing', data: { subnetId } };
  const subnetReopened: NetworkEvent = { type: 'SubnetReopened', data: { subnetId } };
  const history = [created, subnetAdded];

  it('closes it first, and says which closing it is', () => {
    given(on(stream, ...history))
      .when(closeSubnet({ networkId, subnetId }))
      .then(on(stream, subnetClosing));
    given(on(stream, ...history, subnetClosing))
      .when(closeSubnet({ networkId, subnetId }))
      .thenNothing();
    given(on(stream, ...history, subnetClosing, subnetReopened))
      .when(closeSubnet({ networkId, subnetId }))
      .thenAnswers({ closing: 2 });
    given(on(stream, created)).when(closeSubnet({ networkId, subnetId })).thenFails(SubnetNotFound);
  });
  it('gives no addresses while it is closing', () => {
    const log = world();
    log.run(closeSubnet({ networkId, subnetId }));
    expect(() => log.run(createPort(sample.createPort()))).toThrow(SubnetBeingDeleted);
    log.run(reopenSubnet({ networkId, subnetId, closing: 1 }));
    expect(() => log.run(createPort(sample.createPort()))).not.toThrow();
  });
  it('frees the MAC of its gateway', () => {
    const log = world();
    log.run(closeSubnet({ networkId, subnetId }));
    expect(written(log, removeSubnet({ networkId, subnetId, closing: 1, portsLeft: [] }))).toEqual([
      `SubnetRemoved ${stream}`,
      `Freed ${macStream}`,
    ]);
  });
  it('takes the port of its DHCP server along', () => {
    const log = world({ gatewayIp: null });
    log.run(closeSubnet({ networkId, subnetId }));
    log.run(removeSubnet({ networkId, subnetId, closing: 1, portsLeft: [] }));
    expect(log.eventsOf(streams.port(dhcpPortId)).at(-1)?.type).toBe('PortDeleted');
    expect(log.eventsOf(stream).at(-1)).toEqual(subnetRemoved);
  });
  it('is refused with ports left, or by the count of a closing that is over', () => {
    given(on(stream, ...history, subnetClosing))
      .when(removeSubnet({ networkId, subnetId, closing: 1, portsLeft: [idOf('port')] }))
      .thenFails(SubnetInUse, 'One or more ports have an IP allocation');
    given(on(stream, ...history, subnetClosing, subnetReopened, subnetClosing))
      .when(removeSubnet({ networkId, subnetId, closing: 1, portsLeft: [] }))
      .thenFails(SubnetInUse);
  });
  it('is given up by reopening, once', () => {
    given(on(stream, ...history, subnetClosing))
      .when(reopenSubnet({ networkId, subnetId, closing: 1 }))
      .then(on(stream, subnetReopened));
    given(on(stream, ...history))
      .when(reopenSubnet({ networkId, subnetId, closing: 1 }))
      .thenNothing();
  });
});
