import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Ip, Mac } from '@weir/kernel';
import { silentLogger, systemClock, systemTimers } from '@weir/kernel';
import {
  type Action,
  connectOpenFlow,
  difference,
  type FlowChange,
  groupDifference,
  meterDifference,
  type OpenFlowConnection,
  type PacketIn,
} from '@weir/openflow';
import { BRIDGE, type LabSwitch, startSwitch } from '@weir/openflow/lab';
import { encodeFrame, ipv4, tcp, udp } from '@weir/packet';
import {
  arpReply,
  arpRequest,
  buildTopology,
  datagram,
  echoRequest,
  environmentAt,
  factsAt,
  goldenTopologies,
  ofportOf,
  type Topology,
  type TopologyHost,
  TUNNEL_PORT,
} from '@weir/testing/topology';
import { Compiler } from '../compiler';
import { KeyAllocator } from '../keys';
import { tableNumber } from '../tables';
import { type Arrival, type Result, SwitchModel } from './switch-model';

const run = promisify(execFile);
const BROADCAST = 'ff:ff:ff:ff:ff:ff' as Mac;
const NOBODY = '02:00:00:00:00:77' as Mac;
const FIRST_OFPORT = 10;
const OFPORTS = Array.from({ length: 6 }, (_, index) => FIRST_OFPORT + index);
const PORTS = [{ number: TUNNEL_PORT, tunnel: true }, ...OFPORTS.map((number) => ({ number }))];

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
  const add = (name: string, number: number, ...options: string[]) =>
    lab.vsctl('add-port', BRIDGE, name, '--', 'set', 'interface', name, `ofport_request=${number}`, ...options);
  await add('vx', TUNNEL_PORT, 'type=vxlan', 'options:remote_ip=flow', 'options:key=flow');
  for (const number of OFPORTS) await add(`p${number}`, number, 'type=internal');
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

interface Taken {
  readonly rows: readonly string[];
  readonly outputs: readonly string[];
}

/** What Open vSwitch says it would do with a frame: the rows that it takes, and the ports that it sends it to. */
async function traced(arrival: Arrival): Promise<Taken> {
  const tunnel = arrival.tunnel
    ? `,tun_id=${arrival.tunnel.id},tun_src=${arrival.tunnel.src},tun_dst=198.51.100.1`
    : '';
  const hex = Buffer.from(arrival.frame).toString('hex');
  const control = [
    '-t',
    `${lab.folder}/vswitchd.ctl`,
    'ofproto/trace',
    BRIDGE,
    `in_port=${arrival.inPort}${tunnel}`,
    hex,
  ];
  const lines = (await run('ovs-appctl', control)).stdout.split('\n');
  const rows: string[] = [];
  const outputs: string[] = [];
  lines.forEach((line, index) => {
    const [, table, what = ''] = /^ *(\d+)\. (.*)$/.exec(line) ?? [];
    if (table !== undefined)
      rows.push(
        `${table} ${/priority (\d+)/.exec(what)?.[1] ?? 'miss'} ${/cookie 0x([0-9a-f]+)/.exec(what)?.[1] ?? ''}`,
      );
    const output = /^ +(?:output:(\d+)|(IN_PORT))$/.exec(line);
    if (output && !lines[index + 1]?.includes('skipping output to input port'))
      outputs.push(output[1] ?? String(arrival.inPort));
  });
  return { rows, outputs };
}

/** Open vSwitch translates check_pkt_larger into both its branches, TOO_BIG's row first; a packet takes one of them. */
function oneBranch(both: Taken, taken: Taken): Taken {
  const isTooBig = (row: string) => row.startsWith(`${tableNumber('NEIGHBOR')} 110 `);
  const at = both.rows.findIndex(isTooBig);
  if (at < 0) return both;
  if (taken.rows.some(isTooBig)) return { rows: both.rows.slice(0, at + 1), outputs: [] };
  return { rows: both.rows.toSpliced(at, 1), outputs: both.outputs };
}

function interpreted({ trace, outputs }: Result): Taken {
  return {
    rows: trace.map(({ table, flow }) => `${table} ${flow?.priority ?? 'miss'} ${flow?.cookie.toString(16) ?? ''}`),
    outputs: outputs.map(({ port }) => String(port)),
  };
}

interface Sample {
  readonly name: string;
  readonly arrival: Arrival;
}

/** Frames of all kinds, from every port here and from the other host. */
function samples(host: TopologyHost): Sample[] {
  const gateways = world.interfaces.map(({ mac, ip }) => ({ mac, ip }));
  const ends = world.ports.map(({ fact }) => ({ mac: fact.mac, ip: fact.fixedIps[0]?.ip ?? ('0.0.0.0' as Ip) }));
  const unknown = { mac: NOBODY, ip: '10.1.1.99' as Ip };
  const dhcp = (from: { mac: Mac }, source: number, destination: number) =>
    encodeFrame({
      source: from.mac,
      destination: BROADCAST,
      payload: ipv4({
        source: '0.0.0.0' as Ip,
        destination: '255.255.255.255' as Ip,
        payload: udp(source, destination, new Uint8Array(240)),
      }),
    });
  const sent = (from: { mac: Mac; ip: Ip }): [string, Uint8Array][] => [
    ...[...ends, ...gateways, unknown].flatMap((to): [string, Uint8Array][] => [
      [`arp for ${to.ip}`, arpRequest(from, to.ip)],
      [`datagram to ${to.mac}`, datagram(from, to)],
      [`routed to ${to.ip}`, datagram(from, { mac: gateways[0]?.mac ?? NOBODY, ip: to.ip })],
      [`echo to ${to.ip}`, echoRequest(from, { mac: gateways[0]?.mac ?? NOBODY, ip: to.ip })],
    ]),
    ['arp reply', arpReply(from, unknown)],
    ['broadcast', datagram(from, { mac: BROADCAST, ip: '255.255.255.255' as Ip })],
    ['dhcp', dhcp(from, 68, 67)],
    ['dhcp answer', dhcp(from, 67, 68)],
    [
      'tagged',
      encodeFrame({
        source: from.mac,
        destination: BROADCAST,
        vlan: { id: 5, priority: 1, dropEligible: false },
        payload: ipv4({ source: from.ip, destination: unknown.ip, payload: udp(1, 2, new Uint8Array(4)) }),
      }),
    ],
    [
      'ipv6',
      encodeFrame({
        source: from.mac,
        destination: BROADCAST,
        payload: { kind: 'raw', etherType: 0x86dd, bytes: new Uint8Array(60).fill(0x60) },
      }),
    ],
    ['cut short', datagram(from, unknown).subarray(0, 30)],
    [
      'later fragment',
      encodeFrame({
        source: from.mac,
        destination: gateways[0]?.mac ?? NOBODY,
        payload: ipv4({
          source: from.ip,
          destination: '10.1.2.11' as Ip,
          fragmentOffset: 64,
          payload: { kind: 'raw', protocol: 17, bytes: new Uint8Array(32) },
        }),
      }),
    ],
    [
      'large',
      encodeFrame({
        source: from.mac,
        destination: gateways[0]?.mac ?? NOBODY,
        payload: ipv4({ source: from.ip, destination: '10.1.2.11' as Ip, payload: udp(1, 2, new Uint8Array(1430)) }),
      }),
    ],
  ];
  const here = world.ports.filter((port) => port.host === host);
  return [
    ...here.flatMap((port, index) => {
      const own = { mac: port.fact.mac, ip: port.fact.fixedIps[0]?.ip ?? ('0.0.0.0' as Ip) };
      const liars = index === 0 ? [own, { ...own, mac: NOBODY }, { ...own, ip: '10.1.1.66' as Ip }] : [own];
      return liars.flatMap((from) =>
        sent(from).map(([name, frame]) => ({
          name: `${port.fact.name} as ${from.mac} ${from.ip}: ${name}`,
          arrival: { inPort: ofportOf(world, port), frame },
        })),
      );
    }),
    ...[10_000, 10_002, 99_999].flatMap((id) =>
      (['198.51.100.2', '198.51.100.77'] as Ip[]).flatMap((src) =>
        [...ends.slice(0, 2), ...gateways.slice(0, 1), { mac: BROADCAST, ip: '10.1.1.255' as Ip }, unknown].map(
          (to) => ({
            name: `tunnel ${id} from ${src} to ${to.mac}`,
            arrival: { inPort: TUNNEL_PORT, frame: datagram(ends[2] ?? unknown, to), tunnel: { id, src } },
          }),
        ),
      ),
    ),
  ];
}

const PROBE = { type: 'controller', userdata: 'probe', maxLength: 0xffff } as const satisfies Action;
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

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** The probes that a frame sets off, up to the mark that follows it. */
async function punted(data: Uint8Array, actions: readonly Action[]): Promise<PacketIn[]> {
  const packets: PacketIn[] = [];
  const all = new Promise<void>((resolve) => {
    const off = bridge.onPacketIn((packet) => {
      if (packet.userdata === 'probe') packets.push(packet);
      if (packet.userdata !== 'done') return;
      off();
      resolve();
    });
  });
  bridge.packetOut({ inPort: FIRST_OFPORT, data, actions });
  bridge.packetOut({ inPort: FIRST_OFPORT, data, actions: [{ ...PROBE, userdata: 'done' }] });
  await all;
  return packets;
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

describe('the interpreter', () => {
  it('takes the same rows as Open vSwitch, and sends to the same ports', async () => {
    const [host] = world.hosts;
    if (!host) throw new Error('No host.');
    const model = new SwitchModel({ ...(await program(world, host)).plan(), ports: PORTS });
    for (const { name, arrival } of samples(host)) {
      const ours = interpreted(model.process(arrival));
      expect({ name, ...ours }).toEqual({ name, ...oneBranch(await traced(arrival), ours) });
    }
  }, 120_000);

  it('leaves the same bytes and registers behind', async () => {
    const [host] = world.hosts;
    if (!host) throw new Error('No host.');
    const compiler = await program(world, host);
    const [a1] = world.ports;
    const [gateway] = world.interfaces;
    if (!a1 || !gateway) throw new Error('No such world.');
    const own = { mac: a1.fact.mac, ip: '10.1.1.11' as Ip };
    const routed = (payload: Parameters<typeof ipv4>[0]['payload'], change = {}) =>
      encodeFrame({
        source: own.mac,
        destination: gateway.mac,
        payload: ipv4({ source: own.ip, destination: '10.1.2.12' as Ip, payload, ...change }),
      });
    const frames = [
      arpRequest(own, '10.1.1.12' as Ip),
      arpRequest(own, gateway.ip),
      echoRequest(own, gateway),
      routed(udp(1, 2, new Uint8Array(5))),
      routed({ ...udp(1, 2, new Uint8Array(5)), unchecked: true }),
      routed(tcp({ sourcePort: 1, destinationPort: 2, payload: new Uint8Array(3) })),
      routed(udp(1, 2, new Uint8Array(5)), { ttl: 2, options: new Uint8Array([1, 1, 1, 0]) }),
      ...Array.from({ length: 20 }, (_, index) =>
        routed(
          { kind: 'raw', protocol: 50, bytes: new Uint8Array(index) },
          { identification: index * 3000, tos: index },
        ),
      ),
    ];
    // Nothing behind check_pkt_larger shows itself to who called the table, so that the rows themselves have to tell.
    const telling = (actions: readonly Action[]): Action[] =>
      actions.flatMap((action): Action[] => (action.type === 'output' ? [PROBE, action] : [action]));
    const plan = compiler.plan();
    const flows = plan.flows.map((flow) => ({ ...flow, actions: telling(flow.actions) }));
    await bridge.commit({ ...NOTHING, modify: flows });
    const model = new SwitchModel({ ...plan, flows, ports: PORTS });
    for (const data of frames) {
      const actions: Action[] = [{ type: 'resubmit', table: 0 }];
      const expected = model.execute(data, actions, FIRST_OFPORT).punts.filter(({ userdata }) => userdata === 'probe');
      expect(expected).toHaveLength(1);
      expect((await punted(data, actions)).map(({ packet, metadata }) => [hex(packet), metadata])).toEqual(
        expected.map(({ frame, registers }) => [hex(frame), registers]),
      );
    }
  }, 60_000);
});
