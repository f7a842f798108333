import type { Flow } from '@weir/openflow';
import { buildTopology, compilerAt, type Topology, topology } from '@weir/testing/topology';
import fc from 'fast-check';
import type { Plan } from './compiler';
import { lintFacts, lintPlan } from './lint';
import { PUNTS, TABLES } from './tables';

const on = (host: number) => ({ host, up: true, secure: true });
const world: Topology = buildTopology({
  hosts: 2,
  projects: [
    {
      networks: [
        { dhcp: true, ports: [on(0), on(1)] },
        { dhcp: true, ports: [on(1)] },
      ],
      routers: [{ up: true, networks: [0, 1] }],
    },
  ],
});
const compilers = world.hosts.map((host) => ({ name: host.name, compiler: compilerAt(world, host) }));

function plan(): Plan {
  const [first] = compilers;
  if (!first) throw new Error('No host.');
  return first.compiler.plan();
}

function hosts(): {
  name: string;
  slice: (typeof compilers)[number]['compiler']['slice'];
  environment: (typeof compilers)[number]['compiler']['environment'];
}[] {
  return compilers.map(({ name, compiler }) => ({ name, slice: compiler.slice, environment: compiler.environment }));
}

describe('the plan of any topology', () => {
  it('has one last word in each table: a drop, the next table, or a named punt (G14)', () => {
    fc.assert(
      fc.property(topology, (any) => {
        for (const host of any.hosts) expect(lintPlan(compilerAt(any, host).plan())).toEqual([]);
      }),
      { numRuns: 50, seed: 14 },
    );
  });

  it('punts for reasons that the local controller knows', () => {
    const reasons = plan().flows.flatMap(({ actions }) =>
      actions.flatMap((action) => (action.type === 'controller' ? [action.userdata] : [])),
    );
    expect([...new Set(reasons)].sort()).toEqual(Object.values(PUNTS).sort());
  });

  it('takes no address, MAC or key twice, and has no port on two hosts', () => {
    expect(lintFacts(hosts())).toEqual([]);
  });
});

describe('lint', () => {
  it.each(TABLES.map(({ name, number }) => [name, number] as const))('misses the last row of %s', (name, number) => {
    const flows = plan().flows.filter(({ table, priority }) => table !== number || priority !== 0);
    expect(lintPlan({ ...plan(), flows })).toEqual([expect.stringContaining(name)]);
  });

  it('finds punts without a meter, and meters and groups that are not there', () => {
    const unmetered = plan().flows.map((flow) => ({ ...flow, meter: undefined }) as unknown as Flow);
    expect(lintPlan({ ...plan(), flows: unmetered })).toContainEqual(expect.stringContaining('without a meter'));
    expect(lintPlan({ ...plan(), meters: [] })).toContainEqual(expect.stringContaining('needs meter'));
    expect(lintPlan({ ...plan(), groups: [] })).toContainEqual(expect.stringContaining('needs group'));
  });

  it('finds a punt of a miss, and a row that writes into a header which may not be there', () => {
    const punting = plan().flows.map((flow): Flow =>
      flow.priority === 0 ? { ...flow, actions: [{ type: 'controller', userdata: 'why', maxLength: 9 }] } : flow,
    );
    expect(lintPlan({ ...plan(), flows: punting })).toContainEqual(expect.stringContaining('neither a drop'));
    const careless = plan().flows.map((flow): Flow => {
      const { arp_op: operation, arp_tpa: target, icmp_type: kind, ...match } = flow.match;
      return (operation && target) || kind ? { ...flow, match } : flow;
    });
    const wrong = lintPlan({ ...plan(), flows: careless }).join('\n');
    expect(wrong).toContain('writes arp_op whether it is there or not');
    expect(wrong).toContain('writes icmp_type whether it is there or not');
  });

  it('finds an address that two ports have, a key of two networks, and a port on two hosts', () => {
    const [first, second] = world.ports;
    const [blue, green] = world.networks;
    if (!first || !second || !blue || !green) throw new Error('No such world.');
    const twice: Topology = {
      ...world,
      networks: [blue, { ...green, segment: blue.segment }],
      ports: [first, { ...second, fact: { ...second.fact, fixedIps: first.fact.fixedIps, mac: first.fact.mac } }],
    };
    const told = world.hosts.map((host) => {
      const compiler = compilerAt(twice, host);
      compiler.apply([], [{ type: 'local-port', port: first.fact.id, ofport: 50 }]);
      return { name: host.name, slice: compiler.slice, environment: compiler.environment };
    });
    const wrong = lintFacts(told).join('\n');
    expect(wrong).toContain('10.1.1.11 in network');
    expect(wrong).toContain('fa:16:3e:00:01:0b in network');
    expect(wrong).toContain('The key 10000 of vxlan');
    expect(wrong).toContain(`Port ${first.fact.id} is taken by h1 and h2.`);
  });
});
