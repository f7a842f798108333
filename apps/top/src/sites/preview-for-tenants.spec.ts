import { idOf, ip } from '@weir/testing/domain';
import type { Preview } from './preview';
import { previewForTenants } from './preview-for-tenants';

const rows = (...added: string[]) => ({
  added,
  changed: [],
  removed: [],
  counts: { added: added.length, changed: 0, removed: 0 },
});
const PREVIEW: Preview = {
  facts: {
    paris: [
      {
        op: 'upsert',
        kind: 'network',
        id: idOf('network'),
        body: {
          id: idOf('network'),
          project: 'demo',
          name: 'blue',
          mtu: 1450,
          segment: { type: 'vxlan', key: 16_709_543 },
        },
      },
      { op: 'delete', kind: 'port', id: idOf('port') },
    ],
  },
  bindings: {
    tokyo: [
      {
        op: 'upsert',
        kind: 'binding',
        id: idOf('port'),
        body: { port: idOf('port'), host: 'paris-2', endpoint: ip('198.51.100.2') },
      },
    ],
  },
  flows: {
    paris: {
      hosts: {
        'paris-1': {
          flows: rows('table=11, actions=set_field:0xfef7a7->tun_id,set_field:198.51.100.2->tun_dst', 'table=4'),
          ...{ groups: rows(), meters: rows(), leftOut: 3 },
        },
        'paris-2': { unknown: 'paris-2 is silent' },
      },
      placements: { [idOf('server')]: { host: 'paris-2' }, [idOf('server', 2)]: { waiting: 'paris-2 is full' } },
    },
    tokyo: { unknown: 'tokyo is not connected' },
  },
  withoutBindingsOf: [],
};

describe('a preview for tenants', () => {
  const shown = previewForTenants(PREVIEW, 'demo');

  it('names no host, segment or address of the underlay', () => {
    const text = JSON.stringify(shown);
    for (const secret of ['paris-1', 'paris-2', '198.51.100', '16709543', 'fef7a7', 'is silent', 'is full'])
      expect([secret, text.includes(secret)]).toEqual([secret, false]);
  });

  it('says what they would be told, and how much would change where', () => {
    expect(shown.facts['paris']).toMatchObject([{ body: { name: 'blue', mtu: 1450 } }, { op: 'delete' }]);
    const { paris, tokyo } = shown.flows;
    expect(tokyo).toHaveProperty('unknown');
    if (!paris || 'unknown' in paris) throw new Error('Paris has answered.');
    expect(Object.values(paris.hosts)).toMatchObject([
      { flows: { counts: { added: 2 }, added: [] }, leftOut: 5 },
      { unknown: 'It did not answer.' },
    ]);
    const placed = paris.placements[idOf('server')];
    expect(Object.keys(paris.hosts)).toContain(placed && 'host' in placed ? placed.host : '');
  });

  it('names a host to each project in another way', () => {
    const others = previewForTenants(PREVIEW, 'other').flows['paris'];
    expect(others).not.toEqual(shown.flows['paris']);
  });
});
