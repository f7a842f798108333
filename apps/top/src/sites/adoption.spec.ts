import { MemoryEventStore } from '@weir/event-store/memory';
import type { Ip, Mac } from '@weir/kernel';
import { idOf, seededRandom } from '@weir/testing/domain';
import type { HeldFact } from '@weir/topology';
import { adoptionOf } from './adoption';

const [siteId, userId, projectId] = [idOf('site'), idOf('user'), idOf('project')];
const [networkId, subnetId] = [idOf('network'), idOf('subnet')];
const held = (kind: string, id: string, body: object): HeldFact => ({ kind, id, position: 9, body: { ...body } });

const network = held('network', networkId, {
  ...{ id: networkId, project: projectId, name: 'blue', mtu: 1450 },
  segment: { type: 'vxlan', key: 10_000 },
});
const portFact = (n: number): HeldFact =>
  held('port', idOf('port', n), {
    ...{ id: idOf('port', n), network: networkId, project: projectId, name: '', server: idOf('server', n) },
    ...{ mac: `fa:16:3e:00:00:${(16 + n).toString(16)}` as Mac, adminStateUp: true, portSecurity: true },
    fixedIps: [{ subnet: subnetId, ip: `10.1.1.${10 + n}` as Ip }],
  });
const serverFact = (n: number, size = { vcpus: 1, ramMb: 512, diskGb: 5 }): HeldFact =>
  held('server', idOf('server', n), {
    ...{ id: idOf('server', n), project: projectId, name: `vm${n}`, site: siteId, zone: 'a', ...size },
    ...{ image: 'weir-instance', ports: [idOf('port', n)], power: 'on' },
  });
const bindingFact = (n: number): HeldFact =>
  held('binding', idOf('port', n), { port: idOf('port', n), host: 'p1', endpoint: '198.51.100.11' });

describe('what only a site knows, as commands', () => {
  const log = new MemoryEventStore();
  const adoption = (facts: readonly HeldFact[], all = facts) =>
    adoptionOf(facts, all, { siteId, userId, log, random: seededRandom(1) });

  it('gives a server the flavor of its size, or one of its own, and its ports the place that they have', async () => {
    const odd = { vcpus: 3, ramMb: 333, diskGb: 3 };
    const facts = [serverFact(1), portFact(1), serverFact(2, odd), portFact(2)];
    const { steps, conflicts } = await adoption(facts, [...facts, bindingFact(1)]);
    expect(conflicts).toEqual([]);
    const servers = steps.flatMap((step) => step.servers);
    expect(servers.map(({ flavor }) => flavor)).toEqual([
      { id: '2', name: 'weir.small', vcpus: 1, ramMb: 512, diskGb: 5 },
      { id: 'adopted', name: 'adopted', ...odd },
    ]);
    expect(servers.map(({ ports }) => ports.map(({ binding, isKnown }) => [binding, isKnown]))).toEqual([
      [[{ host: 'p1', endpoint: '198.51.100.11' }, false]],
      [[null, false]],
    ]);
  });

  it('come in appends of a size that the log takes, networks first', async () => {
    const servers = Array.from({ length: 40 }, (_, n) => serverFact(n + 1));
    const ports = Array.from({ length: 40 }, (_, n) => portFact(n + 1));
    const { steps } = await adoption([...servers, ...ports, network]);
    expect(steps.map((step) => [step.networks.length, step.servers.length])).toEqual([
      [1, 0],
      [0, 15],
      [0, 15],
      [0, 10],
    ]);
  });

  it('leave out what the log has heard of: it was deleted here', async () => {
    const metadata = { correlation: 'r', causation: 'r', actor: 'a', time: '2026-01-01T00:00:00.000Z' };
    const event = { id: idOf('event'), type: 'ServerDeleted', schemaVersion: 1, data: {}, metadata };
    await log.append({ writes: [{ stream: `server-${idOf('server', 9)}`, expected: -1, events: [event] }] });
    const { steps } = await adoption([serverFact(9), portFact(9), serverFact(8), portFact(8)]);
    expect(steps.flatMap((step) => step.servers.map(({ serverId }) => serverId))).toEqual([idOf('server', 8)]);
  });

  it('name what nobody here could take', async () => {
    const { conflicts } = await adoption([held('volume', 'v', {}), held('server', 's', { id: 's' })]);
    expect(conflicts.map(({ kind, id }) => `${kind} ${id}`)).toEqual(['volume v', 'server s']);
  });
});
