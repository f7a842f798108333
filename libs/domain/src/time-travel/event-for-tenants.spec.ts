import { completeHistory, idOf, ip, Log, sample } from '@weir/testing/domain';
import * as domain from '../index';
import { eventForTenants, eventsForTenants, streamForTenants } from './index';

const logged = completeHistory().all.map(({ stream, event }) => ({ stream, ...domain.encodeEvent(event) }));

describe('an event as a tenant sees it', () => {
  it('tells no site, host, endpoint or segment', () => {
    const { events } = eventsForTenants(logged);
    const names = events.flatMap(({ data }) => Object.keys({ ...data, ...(data['fault'] as object | undefined) }));
    for (const hidden of ['segment', 'siteId', 'zone', 'host', 'endpoint']) expect(names).not.toContain(hidden);
    expect(JSON.stringify(events)).not.toContain(idOf('site'));
  });

  it('is left out, and counted, where it stands in a stream of the operator', () => {
    const { events, leftOut } = eventsForTenants(logged);
    const kinds = new Set(events.map(({ stream }) => stream.replace(/-.*/, '')));
    expect([...kinds].sort()).toEqual(['address', 'mac', 'network', 'port', 'router', 'server']);
    expect(leftOut).toBe(logged.length - events.length);
    expect(leftOut).toBeGreaterThan(0);
  });

  it('keeps everything else, also what its user named like a field of the operator', () => {
    const log = new Log();
    log.run(domain.createNetwork(sample.createNetwork()));
    const network = log.all.map(({ stream, event }) => ({ stream, ...domain.encodeEvent(event) }));
    const [created] = network.filter(({ type }) => type === 'NetworkCreated');
    if (!created) throw new Error('The network was created.');
    const { segment, ...rest } = created.data;
    expect(segment).toBeDefined();
    expect(eventForTenants(created)).toEqual({ ...created, data: rest });
    const named = { stream: 'server-1', data: { metadata: { host: 'mine', zone: 'b' } } };
    expect(eventForTenants(named)).toEqual(named);
  });

  it('tells of a failure why, and not where', () => {
    const failed = {
      stream: 'server-1',
      data: { fault: { host: 'paris-1', message: 'No room.' }, capacityFreed: true },
    };
    expect(eventForTenants(failed)?.data).toEqual({ fault: { message: 'No room.' }, capacityFreed: true });
    const bound = { stream: 'port-1', data: { siteId: idOf('site'), host: 'paris-1', endpoint: ip('198.51.100.1') } };
    expect(eventForTenants(bound)).toEqual({ stream: 'port-1', data: {} });
  });
});

describe('the name of a stream', () => {
  it.each([
    ['network-1', 'network-1'],
    ['address-1-10.0.0.2', 'address-1-10.0.0.2'],
    ['capacity-1-paris-a', 'capacity'],
    ['segment-vxlan-5', 'a segment'],
    ['site-1', 'what it depends on'],
    ['site-name-paris', 'what it depends on'],
    ['zone-Paris:a', 'what it depends on'],
    ['publisher', 'what it depends on'],
  ])('%s is told to tenants as %s', (stream, told) => {
    expect(streamForTenants(stream)).toBe(told);
  });
});
