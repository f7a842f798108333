import type { FactLine } from '@weir/cascade';
import type { HeldFact } from '@weir/topology';
import { compareFacts, differencesView } from './differences';

const held = (kind: string, id: string, body: Record<string, unknown> = {}): HeldFact => ({
  kind,
  id,
  position: 7,
  body,
});
const wanted = (kind: string, id: string, body: Record<string, unknown> = {}): FactLine => ({
  type: 'upsert',
  ...{ kind, id, position: 3, body },
});

describe('what a site holds against what the log wants there', () => {
  it('is told apart by what either lacks, and by what it says', () => {
    const differences = compareFacts(
      [held('server', 'a', { name: 'one' }), held('port', 'same', { x: 1, y: 2 }), held('port', 'other', { up: true })],
      [wanted('port', 'same', { y: 2, x: 1 }), wanted('port', 'other', { up: false }), wanted('network', 'n')],
    );
    expect(differencesView(differences, 10)).toEqual({
      counts: { only_site: 1, only_log: 1, different: 1 },
      only_site: [{ kind: 'server', id: 'a', name: 'one' }],
      only_log: [{ kind: 'network', id: 'n', name: null }],
      different: [{ kind: 'port', id: 'other', name: null }],
      truncated: false,
    });
  });

  it('has a place for kinds that this version does not know, and none for seals', () => {
    const { onlySite, onlyLog } = compareFacts(
      [held('volume', 'v'), held('seal', 'log')],
      [wanted('seal', 'log', { n: 1 })],
    );
    expect([onlySite.map(({ kind }) => kind), onlyLog]).toEqual([['volume'], []]);
  });

  it('is counted whole where the lists are cut', () => {
    const many = Array.from({ length: 5 }, (_, n) => held('port', String(n)));
    expect(differencesView(compareFacts(many, []), 2)).toMatchObject({
      counts: { only_site: 5 },
      only_site: [{ id: '0' }, { id: '1' }],
      truncated: true,
    });
  });
});
