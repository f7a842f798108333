import { silentLogger, systemClock, systemTimers } from '@weir/kernel';
import {
  connectOpenFlow,
  difference,
  type FlowChange,
  groupDifference,
  meterDifference,
  type OpenFlowConnection,
} from '@weir/openflow';
import { type LabSwitch, startSwitch } from '@weir/openflow/lab';
import { type Plan, tableName } from '@weir/pipeline';
import { compilerAt, goldenTopologies } from '@weir/testing/topology';

jest.setTimeout(30_000);

/**
 * What the pipeline's plan says of the part that is programmed: kinds of rows, by table and priority, and no others. ROUTE's
 * connected routes are at three times the prefix length and three; a router's last word in ROUTE and NEIGHBOR is at 1.
 */
const KINDS = [
  'CLASSIFY 120 tunnel, not KNOWN, from a host: FROM_FABRIC, KNOWN, once more',
  'CLASSIFY 119 tunnel, not KNOWN, from elsewhere: drop',
  'CLASSIFY 100 instance: metadata, reg1',
  'CLASSIFY 100 tunnel, KNOWN, a key: metadata',
  'CLASSIFY 99 tunnel, KNOWN, another key: drop',
  'CLASSIFY 0 drop',
  'PORT_SECURITY 100 own ARP, probe, RARP, DHCP client',
  "PORT_SECURITY 97 a tenant's own DHCP server",
  'PORT_SECURITY 96 a DHCP server where we serve: drop',
  'PORT_SECURITY 90 own IP',
  'PORT_SECURITY 80 without port security',
  'PORT_SECURITY 0 drop',
  'SG_OUT 0 drop',
  'SERVICES 110 ARP for its own address',
  'SERVICES 100 ARP responder, DHCP',
  'SERVICES 0 on',
  "SWITCH 110 the router's MAC",
  'SWITCH 100 a MAC of the network',
  'SWITCH 95 multicast from the fabric',
  'SWITCH 90 multicast from an instance',
  'SWITCH 20 unknown MAC, where a member may have any',
  'SWITCH 0 drop',
  'NAT_IN 0 on',
  'ACL_OUT 1 a network without an ACL',
  'ACL_OUT 0 drop',
  'ROUTE 65002 from an own address: drop',
  'ROUTE 65001 echo to an own address',
  'ROUTE 65000 an own address: unreachable',
  'ROUTE 64900 no hop left: time exceeded',
  'ROUTE 75 connected /24',
  'ROUTE 1 net unreachable',
  'ROUTE 0 drop',
  'NEIGHBOR 110 too big',
  'NEIGHBOR 100 a next hop',
  'NEIGHBOR 1 host unreachable',
  'NEIGHBOR 0 drop',
  'ACL_IN 1 a network without an ACL',
  'ACL_IN 0 drop',
  'NAT_OUT 0 on',
  'DELIVER 90 local, remote',
  'DELIVER 0 drop',
  'SG_IN 0 drop',
  'OUTPUT 100 a port',
  'OUTPUT 0 drop',
].map((kind) => kind.split(' ').slice(0, 2).join(' '));

describe('the golden plans on Open vSwitch', () => {
  let lab: LabSwitch;
  let bridge: OpenFlowConnection;

  beforeAll(async () => {
    lab = await startSwitch();
    bridge = await connectOpenFlow({
      path: lab.socket,
      logger: silentLogger,
      clock: systemClock,
      timers: systemTimers,
    });
  });

  afterAll(async () => {
    await bridge.close();
    await lab.stop();
  });

  const plans = Object.entries(goldenTopologies).flatMap(([name, world]) =>
    world.hosts.map((host) => [name, host.name, compilerAt(world, host).plan()] as const),
  );

  async function whatDiffers(plan: Plan): Promise<FlowChange> {
    const present = (await bridge.flows()).map(({ flow }) => flow);
    return {
      ...difference(plan.flows, present),
      ...groupDifference(plan.groups, await bridge.groups()),
      ...meterDifference(plan.meters, await bridge.meters()),
    };
  }

  const NOTHING: FlowChange = {
    add: [],
    modify: [],
    remove: [],
    addGroups: [],
    modifyGroups: [],
    removeGroups: [],
    addMeters: [],
    removeMeters: [],
  };

  it.each(plans)(
    'of %s, host %s, leave nothing to change once they are committed over another',
    async (_name, _host, plan) => {
      await bridge.commit(await whatDiffers(plan));
      expect(await whatDiffers(plan)).toEqual(NOTHING);
      const read = (await lab.ofctl('dump-flows')).split('\n').filter((line) => line.includes('cookie='));
      expect(read).toHaveLength(plan.flows.length);
    },
  );

  it('have rows in the tables and at the priorities of the plan, and all of them', async () => {
    const kinds = new Set<string>();
    for (const [, , plan] of plans) {
      await bridge.commit(await whatDiffers(plan));
      for (const { flow } of await bridge.flows()) kinds.add(`${tableName(flow.table)} ${flow.priority}`);
    }
    expect([...kinds].sort()).toEqual([...new Set(KINDS)].sort());
  });
});
