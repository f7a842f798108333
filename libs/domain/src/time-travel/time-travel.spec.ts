import { MemoryEventStore } from '@weir/event-store/memory';
import { completeHistory, idOf, ip, Log, mac, sample } from '@weir/testing/domain';
import * as domain from '../index';
import { RESOURCES } from './resources';
import {
  Attribution,
  type AuthoredEvent,
  DIFF_TABLES,
  type Difference,
  diffRows,
  heldStreams,
  historyOf,
  RESOURCE_KINDS,
  type ResourceKind,
  streamsOf,
  type Tables,
} from './index';

const networkId = idOf('network');
const subnetId = idOf('subnet');
const portId = idOf('port');
const serverId = idOf('server');
const routerId = idOf('router');
const siteId = idOf('site');
const project = idOf('project');

const timeOf = (position: number) => new Date(Date.UTC(2026, 0, 1) + position * 1000).toISOString();

/** Every event was asked for by somebody of its own. */
function eventsOf(log: Log, from = 0, to = Infinity): readonly AuthoredEvent[] {
  return log.all
    .filter(({ position }) => position > from && position <= to)
    .map(({ event, ...place }) => {
      const time = timeOf(place.position);
      const metadata = { time, actor: `user-${place.position}`, correlation: `req-${place.position}` };
      return { ...place, ...domain.encodeEvent(event), metadata };
    });
}

async function tablesAt(log: Log, position = Infinity): Promise<Tables> {
  const store = new MemoryEventStore({ views: domain.views });
  for (const append of log.appends().slice(0, position)) await store.append(append);
  return Object.fromEntries(DIFF_TABLES.map((table) => [table, store.reader.live(table)]));
}

function streamsIn(log: Log, ...names: readonly string[]): readonly AuthoredEvent[] {
  return eventsOf(log).filter(({ stream }) => names.includes(stream));
}

/** A network with a subnet, named otherwise later. */
function renamed(): { readonly log: Log; readonly then: number } {
  const log = new Log();
  log.run(domain.createNetwork(sample.createNetwork()));
  log.run(domain.addSubnet(sample.addSubnet()));
  log.run(domain.createPort(sample.createPort()));
  const then = log.all.length;
  log.run(domain.updateNetwork({ networkId, changes: { name: 'green', adminStateUp: false } }));
  log.run(domain.updateNetwork({ networkId, changes: { adminStateUp: true } }));
  return { log, then };
}

const summary = ({ kind, id, change }: Difference) => [kind, id, change];

describe('the difference between two moments', () => {
  it('is none when nothing happened', async () => {
    const tables = await tablesAt(completeHistory());
    expect(diffRows(tables, tables)).toEqual([]);
  });
  it('names what changed with both values, and nothing that changed back', async () => {
    const { log, then } = renamed();
    expect(diffRows(await tablesAt(log, then), await tablesAt(log))).toEqual([
      {
        kind: 'network',
        id: networkId,
        name: 'green',
        project,
        change: 'changed',
        fields: [{ field: 'name', before: 'blue', after: 'green' }],
      },
    ]);
  });
  it('does not call a network changed because a subnet was added to it', async () => {
    const log = new Log();
    log.run(domain.createNetwork(sample.createNetwork()));
    const then = log.all.length;
    log.run(domain.addSubnet(sample.addSubnet()));
    const differences = diffRows(await tablesAt(log, then), await tablesAt(log));
    expect(differences.map(summary)).toEqual([['subnet', subnetId, 'created']]);
  });
  it('shows what was created with its fields, and what was deleted with those that it had', async () => {
    const { log, then } = renamed();
    log.run(domain.deletePort({ portId }));
    const other = { portId: idOf('port', 2), mac: { mac: mac('fa:16:3e:00:00:11'), picked: true } };
    log.run(domain.createPort(sample.createPort({ ...other, name: 'new' })));
    const [, ...ports] = diffRows(await tablesAt(log, then), await tablesAt(log));
    expect(ports).toMatchObject([
      { kind: 'port', id: portId, name: '', project, change: 'deleted' },
      { kind: 'port', id: other.portId, name: 'new', project, change: 'created' },
    ]);
    expect(ports[0]?.fields).toContainEqual({ field: 'mac_address', before: 'fa:16:3e:00:00:10' });
    expect(ports[1]?.fields).toContainEqual({ field: 'mac_address', after: 'fa:16:3e:00:00:11' });
  });
  it('says whose an interface is, also when its router went with it, and that a site is nobody’s', async () => {
    const log = completeHistory();
    const nothing = {};
    const everything = await tablesAt(log);
    for (const differences of [diffRows(nothing, everything), diffRows(everything, nothing)]) {
      const projects = new Map(differences.map(({ kind, project: of }) => [kind, of]));
      expect(projects.get('router-interface')).toBe(project);
      expect([projects.get('site'), projects.get('zone')]).toEqual([null, null]);
    }
  });
  it('tells no hash of a secret, and no sum of what servers tell', async () => {
    const shown = diffRows({}, await tablesAt(completeHistory()));
    const fields = (wanted: ResourceKind) =>
      shown.filter(({ kind }) => kind === wanted).flatMap((difference) => difference.fields.map(({ field }) => field));
    expect(fields('site')).toContain('lifecycle');
    for (const hidden of ['join_token_hash', 'key_hash']) expect(fields('site')).not.toContain(hidden);
    expect(fields('zone')).toContain('total_vcpus');
    expect(fields('zone')).not.toContain('taken_vcpus');
  });
  it('names who caused each part of it, page by page', async () => {
    const { log, then } = renamed();
    log.run(domain.deletePort({ portId }));
    const attribution = new Attribution(diffRows(await tablesAt(log, then), await tablesAt(log)));
    for (const event of eventsOf(log, then)) attribution.take([event]);
    const by = (position: number, type: string) => ({
      position,
      time: timeOf(position),
      actor: `user-${position}`,
      request: `req-${position}`,
      type,
    });
    const deleted = log.all.find(({ event }) => event.type === 'PortDeleted')?.position ?? 0;
    expect(attribution.result()).toMatchObject([
      { kind: 'network', by: [by(then + 1, 'NetworkUpdated'), by(then + 2, 'NetworkUpdated')] },
      { kind: 'port', by: [by(deleted, 'PortDeleted')] },
    ]);
  });
  it('has somebody who caused it, whatever two moments it is between', async () => {
    const log = completeHistory();
    const now = await tablesAt(log);
    for (let then = 0; then < log.all.length; then += 13) {
      const differences = diffRows(await tablesAt(log, then), now);
      const attribution = new Attribution(differences);
      attribution.take(eventsOf(log, then));
      expect(attribution.result().filter(({ by }) => by.length === 0)).toEqual([]);
    }
  });
  it('is read from tables and columns that there are', () => {
    const tables = new Map(domain.views.flatMap((view) => view.tables).map((table) => [table.name, table]));
    for (const { table, key, hidden, owner } of Object.values(RESOURCES)) {
      expect(tables.get(table)?.key).toEqual(key);
      const columns = Object.keys(tables.get(table)?.columns ?? {});
      expect(columns).toEqual(expect.arrayContaining([...hidden, ...(owner ? [owner.column] : [])]));
    }
  });
});

describe('the history of a resource', () => {
  it('tells who changed what, and when', () => {
    const { log, then } = renamed();
    const [created, ...changes] = historyOf('network', networkId, streamsIn(log, ...streamsOf('network', networkId)));
    expect(created).toMatchObject({ type: 'NetworkCreated', differences: [{ kind: 'network', change: 'created' }] });
    expect(created?.differences[0]?.fields).toContainEqual({ field: 'mtu', after: 1450 });
    expect(changes.slice(1)).toEqual([
      {
        position: then + 1,
        time: timeOf(then + 1),
        actor: `user-${then + 1}`,
        request: `req-${then + 1}`,
        type: 'NetworkUpdated',
        differences: [
          {
            kind: 'network',
            id: networkId,
            name: 'green',
            project,
            change: 'changed',
            fields: [
              { field: 'name', before: 'blue', after: 'green' },
              { field: 'admin_state_up', before: 1, after: 0 },
            ],
          },
        ],
      },
      expect.objectContaining({ position: then + 2, type: 'NetworkUpdated' }),
    ]);
  });
  it('of a network tells of its subnets; that of a subnet of no other', () => {
    const log = completeHistory();
    const events = streamsIn(log, ...streamsOf('subnet', idOf('subnet', 3), idOf('network', 2)));
    const types = (kind: ResourceKind, id: string) => historyOf(kind, id, events).map(({ type }) => type);
    const brief = ['SubnetAdded', 'SubnetClosing', 'SubnetReopened', 'SubnetClosing', 'SubnetRemoved'];
    expect(types('subnet', idOf('subnet', 3))).toEqual(brief);
    expect(types('network', idOf('network', 2))).toEqual([
      'NetworkCreated',
      'SubnetAdded',
      ...brief,
      'NetworkClosing',
      'NetworkReopened',
      'NetworkClosing',
      'SubnetRemoved',
      'NetworkDeleted',
    ]);
  });
  it('of a server tells of its ports while it has them', () => {
    const log = completeHistory();
    const own = streamsIn(log, ...streamsOf('server', serverId));
    const events = streamsIn(log, ...streamsOf('server', serverId), ...heldStreams(own));
    const entries = historyOf('server', serverId, events);
    expect(entries.map(({ type }) => type)).toEqual([
      'ServerRequested',
      'PortUpdated',
      'PortCreated',
      'PortBound',
      'ServerFailed',
      'ServerActive',
      'ServerUpdated',
    ]);
    expect(entries[4]?.differences[0]?.fields).toContainEqual({ field: 'status', before: 'BUILD', after: 'ERROR' });
  });
  it('of a site says when it was away, and of a zone what it had in all', () => {
    const log = completeHistory();
    const site = historyOf('site', siteId, streamsIn(log, ...streamsOf('site', siteId)));
    expect(site.map(({ type }) => type)).toContain('SiteUnreachable');
    const zone = `${siteId}/a`;
    const capacity = historyOf('zone', zone, streamsIn(log, ...streamsOf('zone', zone)));
    expect(capacity.map(({ type }) => type)).toEqual(['SiteAdded', 'CapacityChanged']);
    expect(capacity[1]?.differences[0]?.fields).toContainEqual({ field: 'total_vcpus', before: 0, after: 8 });
  });
  it('of a router tells of its interfaces', () => {
    const log = completeHistory();
    const entries = historyOf('router', routerId, streamsIn(log, ...streamsOf('router', routerId)));
    expect(entries.map(({ type }) => type)).toEqual(['RouterCreated', 'RouterInterfaceAdded', 'RouterUpdated']);
    const interfaceId = idOf('port', 3);
    const events = streamsIn(log, ...streamsOf('router-interface', interfaceId, routerId));
    expect(historyOf('router-interface', interfaceId, events).map(({ type }) => type)).toEqual([
      'RouterInterfaceAdded',
    ]);
  });
  it('is empty for what there never was', () => {
    expect(historyOf('port', idOf('port', 99), eventsOf(completeHistory()))).toEqual([]);
  });
  it('ends with what the tables show, from the streams of the resource alone', async () => {
    const log = completeHistory();
    const tables = await tablesAt(log);
    const now = diffRows({}, tables);
    for (const { kind, id, fields } of now) {
      const row = tables[RESOURCES[kind].table]?.find((found) => Object.values(found).includes(id));
      const owner = row?.[RESOURCES[kind].owner?.column ?? ''];
      const events = streamsIn(log, ...streamsOf(kind, id, typeof owner === 'string' ? owner : undefined));
      const told: Record<string, unknown> = {};
      for (const { differences } of historyOf(kind, id, events)) {
        for (const difference of differences.filter((found) => found.kind === kind && found.id === id))
          for (const { field, after } of difference.fields) told[field] = after;
      }
      expect(told).toMatchObject(Object.fromEntries(fields.map(({ field, after }) => [field, after])));
    }
    expect(new Set(now.map(({ kind }) => kind))).toEqual(new Set(RESOURCE_KINDS));
  });
  it('stops at an event that nobody knows', () => {
    const [event] = eventsOf(renamed().log);
    const unknown = { ...event, schemaVersion: 99 } as AuthoredEvent;
    expect(() => historyOf('network', networkId, [unknown])).toThrow(domain.UnknownEvent);
  });
});

describe('the streams of what a resource holds', () => {
  it('are found from its events', () => {
    const log = completeHistory();
    const server = streamsIn(log, ...streamsOf('server', serverId));
    const ports = heldStreams(server);
    expect(ports).toEqual([domain.streams.port(portId), domain.streams.port(idOf('port', 2))]);
    expect(heldStreams(streamsIn(log, ...ports))).toEqual([
      domain.streams.mac(networkId, mac('fa:16:3e:00:00:10')),
      domain.streams.address(subnetId, ip('10.1.1.10')),
      domain.streams.address(subnetId, ip('10.1.1.11')),
      domain.streams.mac(networkId, mac('fa:16:3e:00:00:20')),
      domain.streams.address(subnetId, ip('10.1.1.20')),
    ]);
  });
  it('are all those of scarce things, ports of routers and servers included', () => {
    const log = completeHistory();
    const held = heldStreams(eventsOf(log));
    const scarce = log.all.filter(({ event }) => event.type === 'Taken').map(({ stream }) => stream);
    expect(held).toEqual(expect.arrayContaining([...new Set(scarce)]));
  });
});
