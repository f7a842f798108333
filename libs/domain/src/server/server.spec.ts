import { given, idOf, ip, judge, Log, mac, on, sample } from '@weir/testing/domain';
import { IdInUse, InvalidInput } from '../bounds';
import { changeCapacity } from '../capacity/commands';
import { NoCapacity } from '../capacity/errors';
import type { ServerEvent } from '../events/index';
import { addSubnet, closeNetwork, createNetwork } from '../network/commands';
import { IpAddressAlreadyAllocated, NetworkBeingDeleted } from '../network/errors';
import { createPort, deletePort } from '../port/commands';
import { PortInUse, PortNotFound } from '../port/errors';
import { CandidateTaken } from '../scarce/errors';
import { activateSite, addSite, joinSite, markSiteUnreachable } from '../site/commands';
import { NoValidZone, SiteNotActive, SiteNotFound, SiteUnreachable } from '../site/errors';
import { streams } from '../streams';
import {
  completeServerDeletion,
  createServer,
  deleteServer,
  reportServerActive,
  reportServerFailed,
  updateServer,
} from './commands';
import { ServerBeingDeleted, ServerNotFound } from './errors';
import { server } from './server';

const { serverId, ...request } = sample.createServer();
const siteId = idOf('site');
const networkId = idOf('network');
const subnetId = idOf('subnet');
const ownPort = idOf('port', 2);
const otherPort = idOf('port');
const stream = streams.server(serverId);
const capacityStream = streams.capacity(siteId, 'a');
const resources = { vcpus: 1, ramMb: 512, diskGb: 1 };

const requested: ServerEvent = {
  type: 'ServerRequested',
  data: { ...request, ports: [{ portId: ownPort, networkId, own: true }] },
};
const active: ServerEvent = { type: 'ServerActive', data: { host: 'h1' } };
const fault = { host: 'h1', message: 'no space' };
const failed = (capacityFreed: boolean): ServerEvent => ({ type: 'ServerFailed', data: { fault, capacityFreed } });
const deleting: ServerEvent = { type: 'ServerDeleting', data: {} };
const deleted: ServerEvent = { type: 'ServerDeleted', data: {} };
const taken = (by: string) => ({ type: 'Taken', data: { by } }) as const;
const freed = { type: 'Freed', data: {} } as const;

/** A site with room for two servers in zone a, and a network. */
function world(): Log {
  const log = new Log();
  log.run(addSite(sample.addSite()));
  log.run(joinSite({ siteId, tokenHash: sample.addSite().joinTokenHash, keyHash: 'cd'.repeat(32) }));
  log.run(activateSite({ siteId }));
  log.run(changeCapacity({ siteId, zone: 'a', totals: { vcpus: 2, ramMb: 1024, diskGb: 2 } }));
  log.run(createNetwork(sample.createNetwork()));
  log.run(addSubnet(sample.addSubnet()));
  return log;
}
const create = (over: Parameters<typeof sample.createServer>[0] = {}) => createServer(sample.createServer(over));
const nth = (n: number) =>
  create({
    serverId: idOf('server', n),
    ports: [
      {
        kind: 'new',
        portId: idOf('port', 100 + n),
        networkId,
        fixedIps: [{ subnetId, ip: ip(`10.1.1.${100 + n}`), picked: true }],
        mac: { mac: mac(`fa:16:3e:00:01:0${n}`), picked: true },
      },
    ],
  });
const existing = { kind: 'existing', portId: otherPort } as const;

describe('creating a server', () => {
  it('is one append of server, capacity, port, MAC and address', () => {
    const { writes, checks } = world().decide(create());
    expect(writes).toEqual([
      { stream, expected: -1, events: [requested] },
      {
        stream: capacityStream,
        expected: 0,
        events: [{ type: 'CapacityTaken', data: { server: serverId, ...resources } }],
      },
      { stream: streams.mac(networkId, mac('fa:16:3e:00:00:20')), expected: -1, events: [taken(ownPort)] },
      {
        stream: streams.port(ownPort),
        expected: -1,
        events: [
          {
            type: 'PortCreated',
            data: {
              projectId: idOf('project'),
              networkId,
              name: '',
              description: '',
              adminStateUp: true,
              portSecurityEnabled: true,
              fixedIps: [{ subnetId, ip: ip('10.1.1.20') }],
              mac: mac('fa:16:3e:00:00:20'),
              deviceId: serverId,
              deviceOwner: 'compute:paris:a',
            },
          },
        ],
      },
      { stream: streams.address(subnetId, ip('10.1.1.20')), expected: -1, events: [taken(ownPort)] },
    ]);
    expect(checks.map((check) => check.stream)).toEqual([streams.site(siteId), streams.network(networkId)]);
  });
  it('takes an existing port as it is', () => {
    const log = world();
    log.run(createPort(sample.createPort()));
    log.run(create({ ports: [existing] }));
    expect(log.eventsOf(stream)).toMatchObject([{ data: { ports: [{ portId: otherPort, networkId, own: false }] } }]);
    expect(log.eventsOf(streams.port(otherPort)).at(-1)).toEqual({
      type: 'PortUpdated',
      data: { deviceId: serverId, deviceOwner: 'compute:paris:a' },
    });
  });
  it('is refused with a port that another server has, that does not exist, or that is named twice', () => {
    const log = world();
    expect(() => log.run(create({ ports: [existing] }))).toThrow(PortNotFound);
    log.run(createPort(sample.createPort()));
    expect(() => log.run(create({ ports: [existing, existing] }))).toThrow(InvalidInput);
    log.run(create({ ports: [existing] }));
    expect(() => log.run(create({ serverId: idOf('server', 2), ports: [existing] }))).toThrow(PortInUse);
  });
  it('is refused when its zone has no room', () => {
    const log = world();
    log.run(nth(1));
    log.run(nth(2));
    expect(() => log.run(nth(3))).toThrow(NoCapacity);
    expect(log.eventsOf(streams.port(idOf('port', 103)))).toEqual([]);
  });
  it('is refused in a zone that the site does not have, or has no capacity for', () => {
    expect(() => world().run(create({ zone: 'z', availabilityZone: 'paris:z' }))).toThrow("'paris:z' is not available");
    expect(() => world().run(create({ zone: 'z', availabilityZone: 'paris:z' }))).toThrow(NoValidZone);
    expect(() => world().run(create({ zone: 'b', availabilityZone: 'paris:b' }))).toThrow(NoCapacity);
  });
  it('is refused when its site is unreachable, not active or unknown', () => {
    const cut = world();
    cut.run(markSiteUnreachable({ siteId, since: '2026-01-01T00:00:00.000Z' }));
    expect(() => cut.run(create())).toThrow(SiteUnreachable);
    expect(() => cut.run(create())).toThrow('since 2026-01-01T00:00:00.000Z');
    const young = new Log();
    young.run(addSite(sample.addSite()));
    expect(() => young.run(create())).toThrow(SiteNotActive);
    given().when(create()).thenFails(SiteNotFound);
  });
  it('loses, or picks again, with an address or MAC that another has', () => {
    const log = world();
    log.run(createPort(sample.createPort()));
    const port = (picked: boolean) => ({
      kind: 'new' as const,
      portId: ownPort,
      networkId,
      fixedIps: [{ subnetId, ip: ip('10.1.1.10'), picked }],
      mac: { mac: mac('fa:16:3e:00:00:77'), picked: true },
    });
    expect(() => log.run(create({ ports: [port(true)] }))).toThrow(CandidateTaken);
    expect(() => log.run(create({ ports: [port(false)] }))).toThrow(IpAddressAlreadyAllocated);
    const two = [port(true), { ...port(true), portId: idOf('port', 3) }];
    expect(() => world().run(create({ ports: two }))).toThrow(CandidateTaken);
  });
  it('is refused in a network that is being deleted', () => {
    const log = world();
    log.run(closeNetwork({ networkId }));
    expect(() => log.run(create())).toThrow(NetworkBeingDeleted);
  });
  it.each([
    ['no name', { name: '' }],
    ['a name of 256 letters', { name: 'x'.repeat(256) }],
    ['129 metadata items', { metadata: Object.fromEntries(Array.from({ length: 129 }, (_, n) => [`k${n}`, 'v'])) }],
    ['an empty metadata key', { metadata: { '': 'v' } }],
    ['a metadata value of 256 letters', { metadata: { k: 'v'.repeat(256) } }],
    [
      '17 ports',
      {
        ports: Array.from({ length: 17 }, (_, n) => ({
          kind: 'new' as const,
          portId: idOf('port', 50 + n),
          networkId,
          fixedIps: [],
          mac: { mac: mac(`fa:16:3e:00:05:${(16 + n).toString(16)}`), picked: true },
        })),
      },
    ],
  ])('is refused with %s', (_, over) => {
    expect(() => world().run(create(over))).toThrow(InvalidInput);
  });
  it('is refused under an id in use', () => {
    judge(server)(requested)
      .when({ type: 'RequestServer', serverId, ...requested.data })
      .thenFails(IdInUse);
  });
});

describe('updating a server', () => {
  it('records only what changed', () => {
    given(on(stream, requested))
      .when(updateServer({ serverId, changes: { name: 'two', metadata: {} } }))
      .then(on(stream, { type: 'ServerUpdated', data: { name: 'two' } }));
    given(on(stream, requested))
      .when(updateServer({ serverId, changes: {} }))
      .thenNothing();
  });
  it('is refused with an empty name, while it is being deleted, and when it does not exist', () => {
    given(on(stream, requested))
      .when(updateServer({ serverId, changes: { name: '' } }))
      .thenFails(InvalidInput);
    given(on(stream, requested, deleting))
      .when(updateServer({ serverId, changes: { name: 'x' } }))
      .thenFails(ServerBeingDeleted);
    given()
      .when(updateServer({ serverId, changes: { name: 'x' } }))
      .thenFails(ServerNotFound);
  });
});

describe('what a site reports of a server', () => {
  const report = (host = 'h1') => reportServerActive({ serverId, host });
  const fail = (freeCapacity: boolean) => reportServerFailed({ serverId, fault, freeCapacity });

  it('makes it active, once for each host', () => {
    given(on(stream, requested)).when(report()).then(on(stream, active));
    given(on(stream, requested, active))
      .when(report())
      .thenNothing();
    given(on(stream, requested, active))
      .when(report('h2'))
      .then(on(stream, { type: 'ServerActive', data: { host: 'h2' } }));
  });
  it('makes it fail, once for each fault, and it may come back', () => {
    given(on(stream, requested))
      .when(fail(false))
      .then(on(stream, failed(false)));
    given(on(stream, requested, failed(false)))
      .when(fail(false))
      .thenNothing();
    given(on(stream, requested, failed(false)))
      .when(report())
      .then(on(stream, active));
  });
  it('gives the capacity back when nothing could ever hold it, once', () => {
    const log = world();
    log.run(create());
    log.run(fail(true));
    expect(log.eventsOf(stream).at(-1)).toEqual(failed(true));
    expect(log.eventsOf(capacityStream).at(-1)).toEqual({
      type: 'CapacityFreed',
      data: { server: serverId, ...resources },
    });
    given(on(stream, requested, failed(true)))
      .when(fail(true))
      .thenNothing();
    given(on(stream, requested, failed(true)))
      .when(report())
      .thenNothing();
    given(on(stream, requested, failed(false)))
      .when(fail(true))
      .then(
        on(stream, failed(true)),
        on(capacityStream, { type: 'CapacityFreed', data: { server: serverId, ...resources } }),
      );
  });
  it('keeps a fault short', () => {
    const long = reportServerFailed({
      serverId,
      fault: { host: 'h1', message: 'x'.repeat(3000) },
      freeCapacity: false,
    });
    const data = { fault: { host: 'h1', message: 'x'.repeat(2000) }, capacityFreed: false };
    given(on(stream, requested))
      .when(long)
      .then(on(stream, { type: 'ServerFailed', data }));
  });
  it('changes nothing for a server that is gone or going', () => {
    for (const command of [report(), fail(true)])
      given(on(stream, requested, deleting))
        .when(command)
        .thenNothing();
    for (const command of [report(), fail(true)]) given().when(command).thenNothing();
  });
});

describe('deleting a server', () => {
  const remove = (neverPublished: boolean) => deleteServer({ serverId, neverPublished });
  const summary = (log: Log, from: number) =>
    log.all.slice(from).map(({ event, stream: name }) => `${event.type} ${name}`);
  const gone = [
    `ServerDeleted ${stream}`,
    `PortDeleted ${streams.port(ownPort)}`,
    `Freed ${streams.address(subnetId, ip('10.1.1.20'))}`,
    `Freed ${streams.mac(networkId, mac('fa:16:3e:00:00:20'))}`,
    `CapacityFreed ${capacityStream}`,
  ];

  it('tells its site first, and only once', () => {
    given(on(stream, requested)).when(remove(false)).then(on(stream, deleting));
    given(on(stream, requested)).when(remove(false)).thenAnswers({ deleted: false });
    given(on(stream, requested, deleting))
      .when(remove(false))
      .thenNothing();
  });
  it('frees everything in one append when it was seen gone', () => {
    const log = world();
    log.run(create());
    log.run(remove(false));
    const before = log.all.length;
    log.run(completeServerDeletion({ serverId }));
    expect(summary(log, before).sort()).toEqual([...gone].sort());
    given(on(stream, requested, deleting, deleted))
      .when(completeServerDeletion({ serverId }))
      .thenNothing();
  });
  it('frees everything at once when no Bottom ever got it', () => {
    const log = world();
    log.run(create());
    const before = log.all.length;
    expect(log.run(remove(true))).toEqual({ deleted: true });
    expect(summary(log, before).sort()).toEqual([...gone].sort());
  });
  it('is not completed when nobody asked for it: absence is not deletion', () => {
    given(on(stream, requested, active))
      .when(completeServerDeletion({ serverId }))
      .thenNothing();
  });
  it('leaves existing ports to their owner, without a device', () => {
    const log = world();
    log.run(createPort(sample.createPort()));
    log.run(create({ ports: [existing] }));
    log.run(remove(true));
    expect(log.eventsOf(streams.port(otherPort)).at(-1)).toEqual({
      type: 'PortUpdated',
      data: { deviceId: '', deviceOwner: '' },
    });
    expect(log.eventsOf(streams.address(subnetId, ip('10.1.1.10')))).toEqual([taken(otherPort)]);
    expect(log.run(deletePort({ portId: otherPort }))).toEqual({ deleted: true });
  });
  it('completes the deletion of existing ports that was asked for, and passes over those gone already', () => {
    const log = world();
    log.run(createPort(sample.createPort()));
    log.run(create({ ports: [existing] }));
    log.run(deletePort({ portId: otherPort }));
    log.run(remove(true));
    expect(log.eventsOf(streams.address(subnetId, ip('10.1.1.10'))).at(-1)).toEqual(freed);
    given(on(stream, requested, deleting))
      .when(completeServerDeletion({ serverId }))
      .then(
        on(stream, deleted),
        on(capacityStream, { type: 'CapacityFreed', data: { server: serverId, ...resources } }),
      );
  });
  it('that failed for good does not give its capacity back twice', () => {
    given(on(stream, requested, failed(true), deleting))
      .when(completeServerDeletion({ serverId }))
      .then(on(stream, deleted));
  });
  it('that does not exist is not found', () => {
    given().when(remove(false)).thenFails(ServerNotFound);
    given().when(remove(true)).thenFails(ServerNotFound);
  });
});
