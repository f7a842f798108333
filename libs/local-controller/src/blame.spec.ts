import fc from 'fast-check';
import { MemorySlice } from '@weir/cascade/memory';
import { compilerAt, factsAt, type Topology, topology, type TopologyHost } from '@weir/testing/topology';
import { hostBlame } from '@weir/topology';
import { blame } from './blame';

function sliceOf(world: Topology, host: TopologyHost): MemorySlice {
  const slice = new MemorySlice();
  slice.newGeneration(1);
  const lines = factsAt(world, host).flatMap((fact, index) =>
    fact.op === 'upsert'
      ? [{ type: 'upsert', kind: fact.kind, id: fact.id, position: index + 1, body: { ...fact.body } } as const]
      : [],
  );
  slice.apply(lines, { position: lines.length, digest: 'x', generation: 1, caughtUp: true });
  return slice;
}

describe('the blame for a flow', () => {
  it('names its owner, and the facts without which it would not be there', () => {
    const kinds = new Set<string>();
    fc.assert(
      fc.property(topology, (world) => {
        for (const host of world.hosts) {
          const [compiler, slice] = [compilerAt(world, host), sliceOf(world, host)];
          for (const { cookie } of compiler.plan().flows) {
            const found = hostBlame.parse(blame(compiler, slice, cookie));
            const { owner, facts } = found;
            kinds.add(owner?.kind ?? 'nobody');
            expect(compiler.flowsOf(compiler.ownerOf(cookie) ?? { kind: 'pipeline', id: '' })).toHaveLength(
              found.flows,
            );
            if (owner?.kind === 'pipeline') expect(facts).toEqual([]);
            else if (owner?.kind === 'peer')
              expect(new Set(facts.map(({ kind }) => kind))).toEqual(new Set(['binding']));
            else expect(facts[0]).toMatchObject({ kind: owner?.kind, id: owner?.id });
            for (const { kind, id, position } of facts) expect(slice.get(kind, id)?.position).toBe(position);
          }
        }
      }),
      { numRuns: 20 },
    );
    expect(kinds).not.toContain('nobody');
    expect(kinds).toContain('port');
    expect(kinds).toContain('router-interface');
  });

  it('is nobody’s for a cookie that no flow has', () => {
    fc.assert(
      fc.property(topology, (world) => {
        const [host] = world.hosts;
        if (!host) return;
        expect(blame(compilerAt(world, host), sliceOf(world, host), 0x7_0000_0000_0001n)).toEqual({
          owner: null,
          flows: 0,
          facts: [],
        });
      }),
      { numRuns: 5 },
    );
  });
});
