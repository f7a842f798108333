import fc from 'fast-check';
import { canonical } from './canonical';
import { difference, flowKey, flowsEqual, groupDifference, groupsEqual, meterDifference } from './difference';
import { InvalidFlow } from './errors';
import type { Flow, Group } from './model';
import * as arbitrary from './testing';

const row = (more: Partial<Flow>): Flow => ({ table: 1, priority: 1, cookie: 1n, match: {}, actions: [], ...more });
const empty = { add: [], modify: [], remove: [] };

describe('the key of a flow', () => {
  it('is its table, priority and match, and nothing else', () => {
    const match = { reg0: { value: 5n, mask: 7n }, ip_src: { value: 1n } };
    const same = { ip_src: { value: 1n }, eth_type: { value: 0x0800n }, reg0: { value: 0xfdn, mask: 7n } };
    expect(flowKey(row({ match }))).toBe(
      flowKey(row({ match: same, cookie: 9n, goto: 5, actions: [{ type: 'ct_clear' }] })),
    );
    expect(
      new Set(
        [row({}), row({ table: 2 }), row({ priority: 2 }), row({ match }), row({ foreign: { match: '80' } })].map(
          flowKey,
        ),
      ).size,
    ).toBe(5);
  });
});

describe('equal flows', () => {
  it('do the same to the same packets under the same cookie', () => {
    expect(flowsEqual(row({ match: { reg1: { value: 1n, mask: 0n } } }), row({ idleTimeout: 0 }))).toBe(true);
    expect(flowsEqual(row({}), row({ cookie: 2n }))).toBe(false);
    expect(flowsEqual(row({}), row({ goto: 2 }))).toBe(false);
    expect(flowsEqual(row({}), row({ foreign: { instructions: '00' } }))).toBe(false);
  });
});

describe('the difference of wanted and present flows', () => {
  it('is nothing when all are there, in whatever order and form', () => {
    fc.assert(
      fc.property(fc.uniqueArray(arbitrary.flows, { selector: flowKey }), (flows) => {
        expect(difference(flows, flows.map(canonical).reverse())).toEqual(empty);
      }),
    );
  });

  it('turns one into the other', () => {
    const few = fc.uniqueArray(
      fc
        .record({ flow: arbitrary.flows, priority: fc.nat(5) })
        .map(({ flow, priority }) => ({ ...flow, table: 0, priority, match: {} })),
      { selector: flowKey },
    );
    fc.assert(
      fc.property(few, few, (wanted, present) => {
        const change = difference(wanted, present);
        const table = new Map(present.map((flow) => [flowKey(flow), canonical(flow)]));
        for (const flow of change.remove) expect(table.delete(flowKey(flow))).toBe(true);
        for (const flow of change.modify) {
          const old = table.get(flowKey(flow));
          expect(old).toMatchObject({ cookie: flow.cookie });
          table.set(flowKey(flow), flow);
        }
        for (const flow of change.add) table.set(flowKey(flow), flow);
        expect(new Set(table.values())).toEqual(new Set(wanted.map(canonical)));
      }),
    );
  });

  it('modifies a row with other actions, and adds one with another cookie or timeout again', () => {
    const present = [row({ idleTimeout: 5 })];
    const other = { idleTimeout: 5, actions: [{ type: 'ct_clear' as const }] };
    expect(difference([row(other)], present)).toEqual({ ...empty, modify: [row(other)] });
    expect(difference([row({ ...other, cookie: 2n })], present)).toEqual({
      ...empty,
      add: [row({ ...other, cookie: 2n })],
    });
    expect(difference([row({ hardTimeout: 5 })], present)).toEqual({ ...empty, add: [row({ hardTimeout: 5 })] });
  });

  it('removes rows of others by their match, and takes a wanted one of the same key back', () => {
    const alien = row({ foreign: { match: '800000' } });
    const altered = row({ foreign: { instructions: '00' } });
    expect(difference([row({})], [alien, altered])).toEqual({ add: [], modify: [row({})], remove: [alien] });
  });

  it('refuses two wanted rows under one key, unless they are the same', () => {
    expect(difference([row({}), row({})], [])).toEqual({ ...empty, add: [row({})] });
    expect(() => difference([row({}), row({ goto: 5 })], [])).toThrow(InvalidFlow);
  });
});

describe('the difference of groups and meters', () => {
  const group = (id: number, ...ports: number[]): Group => ({
    id,
    type: 'all',
    buckets: ports.map((port) => ({ actions: [{ type: 'output', port }] })),
  });

  it('adds, modifies and removes groups by id', () => {
    expect(groupDifference([group(1, 1), group(2, 2), group(3)], [group(4), group(2, 5), group(1, 1)])).toEqual({
      addGroups: [group(3)],
      modifyGroups: [group(2, 2)],
      removeGroups: [4],
    });
    expect(
      groupsEqual(group(1, 0xfffffff8), {
        id: 1,
        type: 'all',
        buckets: [{ actions: [{ type: 'output', port: 'in_port' }] }],
      }),
    ).toBe(true);
  });

  it('names a meter with another rate in both lists', () => {
    const meters = [1, 2, 3].map((id) => ({ id, rate: id, burst: 0 }));
    const present = [
      { id: 1, rate: 1, burst: 1 },
      { id: 2, rate: 9, burst: 9 },
      { id: 4, rate: 4, burst: 4 },
    ];
    expect(meterDifference(meters, present)).toEqual({
      addMeters: [
        { id: 2, rate: 2, burst: 2 },
        { id: 3, rate: 3, burst: 3 },
      ],
      removeMeters: [2, 4],
    });
  });
});
