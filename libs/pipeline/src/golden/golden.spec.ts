import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatFlow, formatGroup, formatMeter } from '@weir/openflow';
import { compilerAt, goldenTopologies, type Topology } from '@weir/testing/topology';
import { type Compiler } from '../compiler';
import { tableName } from '../tables';

function nameOf(world: Topology, kind: string, id: string): string {
  const things: readonly { readonly id: string; readonly name: string }[] = [
    ...world.networks,
    ...world.subnets,
    ...world.routers,
    ...world.ports.map(({ fact }) => fact),
  ];
  return `${kind} ${things.find((thing) => thing.id === id)?.name ?? id}`;
}

/** One host's plan as people read it: each row behind the thing that it is there for. */
function render(world: Topology, compiler: Compiler): string {
  const { flows, groups, meters } = compiler.plan();
  const rows = flows.map((flow) => {
    const owner = compiler.ownerOf(flow.cookie);
    return `${formatFlow(flow, tableName)}  # ${owner ? nameOf(world, owner.kind, owner.id) : 'nobody'}`;
  });
  return [...meters.map(formatMeter), ...groups.map((group) => formatGroup(group, tableName)), ...rows, ''].join('\n');
}

/** `UPDATE_GOLDEN=1` writes them anew; the commit says why they changed. */
describe('the flows of a topology', () => {
  it.each(Object.entries(goldenTopologies))('%s are those of the golden file', (name, world) => {
    const text = world.hosts.map((host) => `## ${host.name}\n${render(world, compilerAt(world, host))}`).join('\n');
    const file = join(__dirname, `${name}.flows`);
    if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(file, text);
    expect(text).toBe(readFileSync(file, 'utf8'));
  });
});
