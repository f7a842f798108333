import { silentLogger, systemClock, systemTimers } from '@weir/kernel';
import { connectOpenFlow, difference, groupDifference, meterDifference, type OpenFlowConnection } from '@weir/openflow';
import { type LabSwitch, startSwitch } from '@weir/openflow/lab';
import {
  buildTopology,
  environmentAt,
  factsAt,
  goldenTopologies,
  type Topology,
  type TopologyHost,
} from '@weir/testing/topology';
import { Compiler } from './compiler';
import { KeyAllocator } from './keys';

const on = (host: number, secure = true) => ({ host, up: true, secure });
/** Two projects alike; blue and green with a router, ports here and there, one without port security. */
const world: Topology = buildTopology({
  hosts: 2,
  projects: [
    {
      networks: [
        { dhcp: true, ports: [on(0), on(0), on(1)] },
        { dhcp: false, ports: [on(0, false), on(1)] },
      ],
      routers: [{ up: true, networks: [0, 1] }],
    },
    { networks: [{ dhcp: true, ports: [on(0), on(1)] }], routers: [{ up: true, networks: [0] }] },
  ],
});

let lab: LabSwitch;
let bridge: OpenFlowConnection;

beforeAll(async () => {
  lab = await startSwitch();
  bridge = await connectOpenFlow({ path: lab.socket, logger: silentLogger, clock: systemClock, timers: systemTimers });
}, 60_000);

afterAll(async () => {
  await bridge.close();
  await lab.stop();
});

beforeEach(async () => {
  for (const what of ['del-flows', 'del-groups', 'del-meters']) await lab.ofctl(what);
});

/** What the switch has beside what the compiler wants: nothing is missing, nothing is over, nothing came back in another form. */
async function expectProgrammed(compiler: Compiler): Promise<void> {
  const plan = compiler.plan();
  const flows = (await bridge.flows()).map(({ flow }) => flow);
  expect(difference(plan.flows, flows)).toEqual({ add: [], modify: [], remove: [] });
  expect(groupDifference(plan.groups, await bridge.groups())).toEqual({
    addGroups: [],
    modifyGroups: [],
    removeGroups: [],
  });
  expect(meterDifference(plan.meters, await bridge.meters())).toEqual({ addMeters: [], removeMeters: [] });
}

async function program(topology: Topology, host: TopologyHost): Promise<Compiler> {
  const compiler = new Compiler();
  const facts = factsAt(topology, host);
  await bridge.commit(
    compiler.apply(facts, [...new KeyAllocator().follow(facts).changes, ...environmentAt(topology, host)]),
  );
  return compiler;
}

describe('the plan on Open vSwitch', () => {
  const hosts = Object.entries(goldenTopologies).flatMap(([name, topology]) =>
    topology.hosts.map((host) => [name, host.name, topology, host] as const),
  );
  it.each(hosts)(
    'of %s, host %s, is what is read back after it was committed',
    async (_name, _host, topology, host) => {
      await expectProgrammed(await program(topology, host));
    },
  );

  it('is kept by each change that the compiler makes, down to nothing', async () => {
    const [host] = world.hosts;
    if (!host) throw new Error('No host.');
    const compiler = await program(world, host);
    for (const fact of factsAt(world, host)) {
      await bridge.commit(compiler.apply([{ op: 'delete', kind: fact.kind, id: fact.id }]));
      await expectProgrammed(compiler);
    }
    expect(compiler.plan().groups).toEqual([]);
  }, 60_000);
});
