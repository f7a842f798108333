import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { silentLogger, systemClock, systemTimers } from '@weir/kernel';
import {
  type Action,
  connectOpenFlow,
  type Field,
  type Flow,
  type FlowChange,
  formatFlow,
  type Match,
} from '@weir/openflow';
import { type LabSwitch, startSwitch } from '@weir/openflow/lab';
import { type BenchResult, median, report } from './report';

/** How fast flows become true in one bundle, beside ovs-ofctl with the same flows in a file; each time on a switch of its own. */

const ROUNDS = 5;
const INSTANCES = 20_000;

const SERVICES = 3;
const SWITCH = 4;
const NEIGHBOR = 8;
const ACL_IN = 9;
const DELIVER = 11;
const TUNNEL_PORT = 1;

const bits = (field: Field, offset: number, width: number) => ({ field, offset, width });
const set = (field: Field, value: bigint, mask?: bigint): Action => ({
  type: 'set_field',
  field,
  value,
  ...(mask === undefined ? {} : { mask }),
});

/** The rows of one instance that every host of its network has: answer its ARP and ND, find it, route to it, deliver it. */
function rowsOf(number: number): Flow[] {
  const network = BigInt(10_000 + (number >> 8));
  const key = BigInt(100 + number);
  const mac = 0xfa_16_3e_00_00_00n + BigInt(number);
  const ip = 0x0a_00_00_00n + BigInt(number);
  const ip6 = (0xfd00_0001_0001_0000n << 64n) + BigInt(number);
  const gateway = 0xfa_16_3e_ff_00_00n + network;
  const interfaceKey = network + 1_000_000n;
  const host = 0xc6_33_64_00n + BigInt(1 + (number % 200));
  const row = (table: number, priority: number, match: Match, actions: readonly Action[], goto?: number): Flow => ({
    table,
    priority,
    cookie: (BigInt(table) << 48n) | BigInt(number),
    match,
    actions,
    ...(goto === undefined ? {} : { goto }),
  });
  return [
    row(
      SERVICES,
      100,
      { metadata: { value: network }, eth_type: { value: 0x0806n }, arp_op: { value: 1n }, arp_tpa: { value: ip } },
      [
        { type: 'move', from: bits('eth_src', 0, 48), to: bits('eth_dst', 0, 48) },
        set('eth_src', mac),
        set('arp_op', 2n),
        { type: 'move', from: bits('arp_sha', 0, 48), to: bits('arp_tha', 0, 48) },
        { type: 'move', from: bits('arp_spa', 0, 32), to: bits('arp_tpa', 0, 32) },
        set('arp_sha', mac),
        set('arp_spa', ip),
        { type: 'output', port: 'in_port' },
      ],
    ),
    row(
      SERVICES,
      100,
      {
        metadata: { value: network },
        eth_type: { value: 0x86ddn },
        ip_proto: { value: 58n },
        icmpv6_type: { value: 135n },
        icmpv6_code: { value: 0n },
        nd_target: { value: ip6 },
      },
      [
        { type: 'move', from: bits('eth_src', 0, 48), to: bits('eth_dst', 0, 48) },
        set('eth_src', mac),
        { type: 'move', from: bits('ipv6_src', 0, 128), to: bits('ipv6_dst', 0, 128) },
        set('ipv6_src', ip6),
        set('icmpv6_type', 136n),
        set('reg0', 16n, 31n),
        { type: 'resubmit', table: SERVICES },
      ],
    ),
    row(SWITCH, 100, { metadata: { value: network }, eth_dst: { value: mac } }, [set('reg2', key)], DELIVER),
    row(
      NEIGHBOR,
      100,
      { reg4: { value: ip }, reg9: { value: interfaceKey }, eth_type: { value: 0x0800n } },
      [
        { type: 'dec_ttl' },
        set('eth_src', gateway),
        set('eth_dst', mac),
        set('metadata', network),
        set('reg2', key),
        set('reg0', 0n, 3n),
        set('in_port', 0n),
      ],
      ACL_IN,
    ),
    row(DELIVER, 90, { reg0: { value: 0n, mask: 3n }, reg2: { value: key } }, [
      { type: 'move', from: bits('metadata', 0, 32), to: bits('tun_id', 0, 32) },
      set('tun_dst', host),
      { type: 'output', port: TUNNEL_PORT },
    ]),
  ];
}

const change: FlowChange = {
  add: Array.from({ length: INSTANCES }, (_, number) => rowsOf(number)).flat(),
  modify: [],
  remove: [],
  addGroups: [],
  modifyGroups: [],
  removeGroups: [],
  addMeters: [],
  removeMeters: [],
};

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const start = systemClock.monotonic();
  await work();
  return (systemClock.monotonic() - start) / 1_000;
}

async function onFreshSwitch(measure: (lab: LabSwitch) => Promise<number>): Promise<number> {
  const lab = await startSwitch();
  try {
    const took = await measure(lab);
    const present = Number(/flow_count=(\d+)/.exec(await lab.ofctl('dump-aggregate'))?.[1]);
    if (present !== change.add.length) throw new Error(`${present} of ${change.add.length} flows are there`);
    return took;
  } finally {
    await lab.stop();
  }
}

function ours(lab: LabSwitch): Promise<number> {
  const ports = { logger: silentLogger, clock: systemClock, timers: systemTimers };
  return seconds(async () => {
    const connection = await connectOpenFlow({ path: lab.socket, ...ports });
    await connection.commit(change);
    await connection.close();
  });
}

async function reference(lab: LabSwitch): Promise<number> {
  const file = join(lab.folder, 'flows');
  await writeFile(file, change.add.map((flow) => formatFlow(flow)).join('\n'));
  return seconds(() => lab.ofctl('--bundle add-flows', file));
}

async function main(): Promise<void> {
  const times = { ours: [] as number[], reference: [] as number[] };
  for (let round = 0; round < ROUNDS; round++) {
    times.ours.push(await onFreshSwitch(ours));
    times.reference.push(await onFreshSwitch(reference));
  }
  const rate = (took: readonly number[]): number => change.add.length / median(took);
  const result: BenchResult = {
    work: 'flows-bundle-100k',
    unit: 'flows/s',
    ours: rate(times.ours),
    reference: rate(times.reference),
    referenceName: 'ovs-ofctl --bundle add-flows',
    goal: 0.7,
  };
  report('flows', [result], process.argv.includes('--json'));
}

void main();
