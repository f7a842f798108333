import { type Ip } from '@weir/kernel';
import { cidr, given, idOf, ip, judge, Log, mac, on, sample } from '@weir/testing/domain';
import { IdInUse, InvalidInput, Ipv6NotSupported } from '../bounds';
import type { AddressChoice } from '../commands';
import type { PortEvent } from '../events/index';
import { addSubnet, createNetwork } from '../network/commands';
import {
  InvalidIpForNetwork,
  InvalidIpForSubnet,
  IpAddressAlreadyAllocated,
  MacAddressInUse,
  NetworkNotFound,
} from '../network/errors';
import { addRouterInterface, createRouter } from '../router/commands';
import { CandidateTaken } from '../scarce/errors';
import { streams } from '../streams';
import { bindPort, completePortDeletion, createPort, deletePort, updatePort } from './commands';
import { DeviceOwnerReserved, PortInUse, PortNotFound, ServicePortInUse, UnsupportedPortDeviceOwner } from './errors';
import { port } from './port';

const networkId = idOf('network');
const subnetId = idOf('subnet');
const portId = idOf('port');
const stream = streams.port(portId);
const portMac = mac('fa:16:3e:00:00:10');
const macStream = streams.mac(networkId, portMac);
const addressStream = (text: string) => streams.address(subnetId, ip(text));
const taken = { type: 'Taken', data: { by: portId } } as const;
const freed = { type: 'Freed', data: {} } as const;
const asked = (text: string, over: Partial<AddressChoice> = {}): AddressChoice => ({
  subnetId,
  ip: ip(text),
  picked: false,
  ...over,
});

const fields = {
  projectId: idOf('project'),
  networkId,
  mac: portMac,
  name: '',
  description: '',
  adminStateUp: true,
  portSecurityEnabled: true,
  fixedIps: [{ subnetId, ip: ip('10.1.1.10') }],
  deviceId: '',
  deviceOwner: '',
};
const created = (over: Partial<typeof fields> = {}): PortEvent => ({
  type: 'PortCreated',
  data: { ...fields, ...over },
});
const ofServer = created({ deviceId: idOf('server'), deviceOwner: 'compute:paris:a' });
const deleting: PortEvent = { type: 'PortDeleting', data: {} };
const deleted: PortEvent = { type: 'PortDeleted', data: {} };
const place = { siteId: idOf('site'), host: 'h1', endpoint: ip('198.51.100.1') };
const bound: PortEvent = { type: 'PortBound', data: place };

/** A network with 10.1.1.0/24, and its ports. */
function world(...ports: Parameters<typeof sample.createPort>[0][]): Log {
  const log = new Log();
  log.run(createNetwork(sample.createNetwork()));
  log.run(addSubnet(sample.addSubnet()));
  for (const over of ports) log.run(createPort(sample.createPort(over)));
  return log;
}
const networkEvents = (log: Log) => log.eventsOf(streams.network(networkId));
const create = (over: Parameters<typeof sample.createPort>[0] = {}) => createPort(sample.createPort(over));

describe('creating a port', () => {
  it('takes its MAC and its address, and holds only while the network stays as it is', () => {
    const { writes, checks } = world().decide(create());
    expect(writes).toEqual([
      { stream: macStream, expected: -1, events: [taken] },
      { stream, expected: -1, events: [created()] },
      { stream: addressStream('10.1.1.10'), expected: -1, events: [taken] },
    ]);
    expect(checks).toEqual([{ stream: streams.network(networkId), expected: 1 }]);
  });
  it('takes several addresses', () => {
    const log = world({ fixedIps: [asked('10.1.1.10'), asked('10.1.1.11')] });
    expect(log.eventsOf(addressStream('10.1.1.11'))).toEqual([taken]);
  });
  it('finds the subnet of an address given alone', () => {
    const log = world({ fixedIps: [asked('10.1.1.99', { subnetId: undefined })] });
    expect(log.eventsOf(stream)).toMatchObject([{ data: { fixedIps: [{ subnetId, ip: '10.1.1.99' }] } }]);
  });
  it('may have an address outside the pools when asked for by name', () => {
    const log = new Log();
    log.run(createNetwork(sample.createNetwork()));
    log.run(addSubnet(sample.addSubnet({ allocationPools: [{ start: ip('10.1.1.2'), end: ip('10.1.1.9') }] })));
    expect(() => log.run(create({ fixedIps: [asked('10.1.1.200')] }))).not.toThrow();
  });
  it('in a network without subnets has no address', () => {
    const log = new Log();
    log.run(createNetwork(sample.createNetwork()));
    log.run(create({ fixedIps: [] }));
    expect(log.eventsOf(stream)).toMatchObject([{ data: { fixedIps: [] } }]);
  });
  it('follows its network in port security, unless it says otherwise', () => {
    const log = new Log();
    log.run(createNetwork(sample.createNetwork({ portSecurityEnabled: false })));
    expect(log.decide(create({ fixedIps: [] })).writes[1]?.events).toMatchObject([
      { data: { portSecurityEnabled: false } },
    ]);
    const secure = log.decide(create({ fixedIps: [], portSecurityEnabled: true }));
    expect(secure.writes[1]?.events).toMatchObject([{ data: { portSecurityEnabled: true } }]);
  });
  it('picks again when a candidate was taken, or the subnet changed meanwhile', () => {
    const picked = (text: string, over = {}) => asked(text, { picked: true, ...over });
    const other = { portId: idOf('port', 2), mac: { mac: mac('fa:16:3e:00:00:11'), picked: true } };
    expect(() => world({}).run(create({ ...other, fixedIps: [picked('10.1.1.10')] }))).toThrow(CandidateTaken);
    expect(() => world({}).run(create({ ...other, mac: { mac: portMac, picked: true }, fixedIps: [] }))).toThrow(
      CandidateTaken,
    );
    expect(() => world().run(create({ fixedIps: [picked('10.1.1.255')] }))).toThrow(CandidateTaken);
    expect(() => world().run(create({ fixedIps: [picked('10.1.1.5', { subnetId: idOf('subnet', 9) })] }))).toThrow(
      CandidateTaken,
    );
  });
  it.each<[string, AddressChoice[], new (...args: never[]) => Error]>([
    ['an address in use', [asked('10.1.1.10')], IpAddressAlreadyAllocated],
    ['the gateway', [asked('10.1.1.1')], IpAddressAlreadyAllocated],
    ['the network address', [asked('10.1.1.0')], InvalidIpForSubnet],
    ['the broadcast address', [asked('10.1.1.255')], InvalidIpForSubnet],
    ['an address outside its subnet', [asked('10.9.9.9')], InvalidIpForSubnet],
    ['an address in no subnet', [asked('10.9.9.9', { subnetId: undefined })], InvalidIpForNetwork],
    ['a subnet of another network', [asked('10.1.1.5', { subnetId: idOf('subnet', 9) })], InvalidInput],
    ['an IPv6 address', [asked('fd00::1')], Ipv6NotSupported],
    ['an address twice', [asked('10.1.1.5'), asked('10.1.1.5', { subnetId: undefined })], InvalidInput],
    ['17 addresses', Array.from({ length: 17 }, (_, n) => asked(`10.1.1.${n + 20}`)), InvalidInput],
  ])('is refused with %s', (_, fixedIps, error) => {
    const other = { portId: idOf('port', 2), mac: { mac: mac('fa:16:3e:00:00:11'), picked: true } };
    expect(() => world({}).run(create({ ...other, fixedIps }))).toThrow(error);
  });
  it('is refused with a MAC in use, which another network may have', () => {
    const again = { portId: idOf('port', 2), mac: { mac: portMac, picked: false }, fixedIps: [] };
    const log = world({});
    expect(() => log.run(create(again))).toThrow(MacAddressInUse);
    log.run(
      createNetwork(
        sample.createNetwork({ networkId: idOf('network', 2), segment: { type: 'vxlan', key: 10_001, picked: true } }),
      ),
    );
    expect(() => log.run(create({ ...again, networkId: idOf('network', 2) }))).not.toThrow();
  });
  it('is refused with an owner that only the service sets', () => {
    for (const deviceOwner of ['network:dhcp', 'network:router_interface', 'compute:paris:a']) {
      given().when(create({ deviceOwner })).thenFails(DeviceOwnerReserved);
    }
  });
  it('is refused in a network that does not exist, with texts too long, and under an id in use', () => {
    given().when(create()).thenFails(NetworkNotFound);
    expect(() => world().run(create({ name: 'x'.repeat(256) }))).toThrow(InvalidInput);
    expect(() => world().run(create({ deviceId: 'x'.repeat(256) }))).toThrow(InvalidInput);
    judge(port)(created())
      .when({ type: 'CreatePort', portId, ...fields })
      .thenFails(IdInUse);
  });
});

describe('updating a port', () => {
  it('records only what changed', () => {
    given(on(stream, created()))
      .when(updatePort({ portId, changes: { name: 'eth', adminStateUp: true, deviceId: 'mine' } }))
      .then(on(stream, { type: 'PortUpdated', data: { name: 'eth', deviceId: 'mine' } }));
    given(on(stream, created()))
      .when(updatePort({ portId, changes: {} }))
      .thenNothing();
  });
  it('takes new addresses, keeps the old ones that are named again, and frees the others', () => {
    const log = world({ fixedIps: [asked('10.1.1.10'), asked('10.1.1.11')] });
    log.run(updatePort({ portId, changes: { fixedIps: [asked('10.1.1.11'), asked('10.1.1.12', { picked: true })] } }));
    const has = (text: string): { subnetId: typeof subnetId; ip: Ip } => ({ subnetId, ip: ip(text) });
    expect(log.eventsOf(stream).at(-1)).toEqual({
      type: 'PortUpdated',
      data: { fixedIps: [has('10.1.1.11'), has('10.1.1.12')] },
    });
    expect(log.eventsOf(addressStream('10.1.1.10'))).toEqual([taken, freed]);
    expect(log.eventsOf(addressStream('10.1.1.11'))).toEqual([taken]);
    expect(log.eventsOf(addressStream('10.1.1.12'))).toEqual([taken]);
  });
  it('refuses an address that another has', () => {
    const log = world(
      {},
      { portId: idOf('port', 2), mac: { mac: mac('fa:16:3e:00:00:11'), picked: true }, fixedIps: [asked('10.1.1.11')] },
    );
    expect(() => log.run(updatePort({ portId, changes: { fixedIps: [asked('10.1.1.11')] } }))).toThrow(
      IpAddressAlreadyAllocated,
    );
  });
  it("leaves a server's port its addresses and its device, but not its name", () => {
    const network = on(streams.network(networkId), ...networkEvents(world()));
    const changing = (changes: Parameters<typeof updatePort>[0]['changes']) =>
      given(network, on(stream, ofServer)).when(updatePort({ portId, changes }));
    changing({ fixedIps: [] }).thenFails(UnsupportedPortDeviceOwner, 'update of fixed_ips');
    changing({ deviceId: '' }).thenFails(UnsupportedPortDeviceOwner, 'update of device_id');
    changing({ deviceOwner: '' }).thenFails(UnsupportedPortDeviceOwner, 'update of device_owner');
    changing({ name: 'eth' }).then(on(stream, { type: 'PortUpdated', data: { name: 'eth' } }));
  });
  it('is refused with an owner that only the service sets, texts too long, and when it is gone or going', () => {
    given(on(stream, created()))
      .when(updatePort({ portId, changes: { deviceOwner: 'compute:x' } }))
      .thenFails(DeviceOwnerReserved);
    given(on(stream, created()))
      .when(updatePort({ portId, changes: { description: 'x'.repeat(256) } }))
      .thenFails(InvalidInput);
    given()
      .when(updatePort({ portId, changes: { name: 'x' } }))
      .thenFails(PortNotFound);
    given(on(stream, ofServer, deleting))
      .when(updatePort({ portId, changes: { name: 'x' } }))
      .thenFails(PortNotFound);
  });
});

describe('a port and its device', () => {
  const judged = judge(port);
  const attach = { type: 'AttachPort', portId, deviceId: idOf('server'), deviceOwner: 'compute:paris:a' } as const;
  const detach = (deviceId: string) => ({ type: 'DetachPort', portId, deviceId }) as const;

  it('come together once', () => {
    judged(created())
      .when(attach)
      .then({ type: 'PortUpdated', data: { deviceId: idOf('server'), deviceOwner: 'compute:paris:a' } });
    judged(ofServer).when(attach).thenFails(PortInUse, idOf('server'));
    judged().when(attach).thenFails(PortNotFound);
  });
  it('are parted only by the device that has it', () => {
    judged(ofServer)
      .when(detach(idOf('server')))
      .then({ type: 'PortUpdated', data: { deviceId: '', deviceOwner: '' } });
    judged(ofServer)
      .when(detach(idOf('server', 2)))
      .thenNothing();
  });
  it('lose their place when they part', () => {
    judged(ofServer, bound, { type: 'PortUpdated', data: { deviceId: '', deviceOwner: '' } })
      .when({ type: 'BindPort', portId, ...place })
      .then(bound);
  });
});

describe('binding a port', () => {
  it('records a place once, and every other place', () => {
    given(on(stream, ofServer))
      .when(bindPort({ portId, ...place }))
      .then(on(stream, bound));
    given(on(stream, ofServer, bound))
      .when(bindPort({ portId, ...place }))
      .thenNothing();
    given(on(stream, ofServer, bound))
      .when(bindPort({ portId, ...place, host: 'h2' }))
      .then(on(stream, { type: 'PortBound', data: { ...place, host: 'h2' } }));
  });
  it('changes nothing for a port that is gone or going', () => {
    given()
      .when(bindPort({ portId, ...place }))
      .thenNothing();
    given(on(stream, ofServer, deleting))
      .when(bindPort({ portId, ...place }))
      .thenNothing();
  });
});

describe('deleting a port', () => {
  it('that no site knows frees its address and its MAC at once', () => {
    const change = world({}).decide(deletePort({ portId }));
    expect(change.result).toEqual({ deleted: true });
    expect(change.writes).toEqual([
      { stream, expected: 0, events: [deleted] },
      { stream: addressStream('10.1.1.10'), expected: 0, events: [freed] },
      { stream: macStream, expected: 0, events: [freed] },
    ]);
  });
  it('of a server waits until its site has seen it gone: nobody gets its address meanwhile', () => {
    given(on(stream, ofServer)).when(deletePort({ portId })).then(on(stream, deleting));
    given(on(stream, ofServer)).when(deletePort({ portId })).thenAnswers({ deleted: false });
    given(on(stream, ofServer, deleting))
      .when(deletePort({ portId }))
      .thenNothing();
    given(on(stream, ofServer, deleting), on(addressStream('10.1.1.10'), taken), on(macStream, taken))
      .when(completePortDeletion({ portId }))
      .then(on(stream, deleted), on(addressStream('10.1.1.10'), freed), on(macStream, freed));
  });
  it('is completed only where it was asked for', () => {
    given(on(stream, ofServer)).when(completePortDeletion({ portId })).thenNothing();
    given().when(completePortDeletion({ portId })).thenNothing();
    judge(port)().when({ type: 'RemovePort', portId }).thenNothing();
  });
  it('of a router or a DHCP server is refused', () => {
    const log = world();
    log.run(createRouter(sample.createRouter()));
    log.run(
      addRouterInterface({
        routerId: idOf('router'),
        target: { by: 'subnet', networkId, subnetId, newPortId: portId },
      }),
    );
    expect(() => log.run(deletePort({ portId }))).toThrow(
      `Port ${portId} cannot be deleted directly via the port API: has device owner network:router_interface.`,
    );
    const second = {
      subnetId: idOf('subnet', 2),
      cidr: cidr('10.2.0.0/24'),
      gatewayIp: null,
      serverMac: mac('fa:16:3e:00:00:02'),
    };
    log.run(addSubnet(sample.addSubnet(second)));
    expect(() => log.run(deletePort({ portId: sample.addSubnet().dhcpPortId }))).toThrow(ServicePortInUse);
  });
  it('that does not exist is not found', () => {
    given().when(deletePort({ portId })).thenFails(PortNotFound);
    given(on(stream, created(), deleted))
      .when(deletePort({ portId }))
      .thenFails(PortNotFound);
  });
});
