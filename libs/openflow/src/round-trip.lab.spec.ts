import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { silentLogger, systemClock, systemTimers } from '@weir/kernel';
import { canonical, canonicalMeter } from './canonical';
import { connectOpenFlow, type OpenFlowConnection } from './connection';
import { difference, groupDifference, meterDifference } from './difference';
import { ChangeRefused, ConnectionClosed } from './errors';
import { FIELD_SPECS, type FieldSpec } from './fields';
import { formatFlow, formatGroup, formatMeter } from './format';
import { type LabSwitch, startSwitch } from './lab';
import type { Action, Bits, Field, Flow, FlowChange, Group, Match, Meter } from './model';
import type { FlowRemoved, PacketIn, PortStatus } from './switch';

const ports = { logger: silentLogger, clock: systemClock, timers: systemTimers };
let lab: LabSwitch;
let bridge: OpenFlowConnection;

beforeAll(async () => {
  lab = await startSwitch();
  bridge = await connectOpenFlow({ path: lab.socket, ...ports });
}, 30_000);
afterAll(async () => {
  await bridge.close();
  await lab.stop();
});
afterEach(async () => {
  await lab.ofctl('del-flows');
  await lab.ofctl('del-groups');
  await lab.ofctl('del-meters');
});

const nothing: FlowChange = {
  add: [],
  modify: [],
  remove: [],
  addGroups: [],
  modifyGroups: [],
  removeGroups: [],
  addMeters: [],
  removeMeters: [],
};
const same = { add: [], modify: [], remove: [] };

/** Waits for a condition that a switch brings about. */
async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = systemClock.monotonic() + 5_000;
  while (!condition()) {
    if (systemClock.monotonic() > deadline) throw new Error(`${what} did not happen`);
    await systemTimers.sleep(5);
  }
}

const specs = [...FIELD_SPECS.values()];

/** Whatever a match on a field needs beside it where canonical() cannot choose. */
function context(field: Field): Match {
  if (/^(tcp|udp)_|^ip_proto$|^nw_ttl$|^ip_frag$/.test(field)) return { eth_type: { value: 0x0800n } };
  if (/^nd_(target|reserved|options_type)$/.test(field)) return { icmpv6_type: { value: 136n } };
  return {};
}

/** What a flow must match before an action may touch a field. */
function precondition({ name, max }: FieldSpec): Match {
  if (name === 'vlan_vid') return { vlan_vid: { value: 0x1000n, mask: 0x1000n } };
  const needed = canonical({
    table: 0,
    priority: 0,
    cookie: 0n,
    match: { ...context(name), [name]: { value: max >> 4n } },
    actions: [],
  }).match;
  return Object.fromEntries(Object.entries(needed).filter(([field]) => field !== name));
}

/** A value with its highest and lowest bits set, but for fields that only take some. */
function valueOf({ name, max }: FieldSpec): bigint {
  const special: Partial<Record<Field, bigint>> = {
    eth_type: 0x88ccn,
    ct_state: 0x22n,
    vlan_tci: 0x1064n,
    vlan_vid: 0x1064n,
    in_port: 7n,
    ip_frag: 1n,
  };
  return special[name] ?? (max >> 1n) + 2n;
}

function partialMask({ name, max }: FieldSpec): bigint {
  const special: Partial<Record<Field, bigint>> = { ct_state: 0x2an, ip_frag: 1n, vlan_tci: 0x1fffn };
  return special[name] ?? max ^ 1n;
}

let serial = 0;
const row = (match: Match, actions: readonly Action[] = [], more: Partial<Flow> = {}): Flow => ({
  table: 1,
  priority: ++serial,
  cookie: BigInt(serial) << 40n,
  match,
  actions,
  ...more,
});

const meters: Meter[] = [
  { id: 1, rate: 10, burst: 10 },
  { id: 262144, rate: 100_000, burst: 0 },
];
const groups: Group[] = [
  { id: 1, type: 'all', buckets: [] },
  {
    id: 0xfffffeff,
    type: 'all',
    buckets: [
      {
        actions: [
          { type: 'set_field', field: 'reg2', value: 11n },
          { type: 'resubmit', table: 11 },
        ],
      },
      {
        actions: [
          { type: 'set_field', field: 'tun_dst', value: 0xc6336401n },
          { type: 'output', port: 9 },
        ],
      },
      { actions: [{ type: 'group', group: 1 }] },
    ],
  },
];

function matches(): Flow[] {
  return specs.flatMap((spec) => {
    const masks = spec.maskable ? [undefined, spec.max, partialMask(spec), 0n] : [undefined, spec.max, 0n];
    return masks.map((mask) =>
      row({ ...context(spec.name), [spec.name]: { value: valueOf(spec), ...(mask === undefined ? {} : { mask }) } }),
    );
  });
}

function writes(): Flow[] {
  return specs
    .filter((spec) => spec.writable)
    .flatMap((spec) => {
      const whole: Action = { type: 'set_field', field: spec.name, value: valueOf(spec) };
      const partly: Action = { ...whole, mask: partialMask(spec) };
      return [[whole], ...(spec.maskable ? [[partly]] : [])].map((actions) => row(precondition(spec), actions));
    });
}

function copies(): Flow[] {
  return specs.flatMap((spec) => {
    const width = Math.min(spec.movableBits, 32);
    const bits: Bits = { field: spec.name, offset: spec.movableBits - width, width };
    const register: Bits = { field: 'reg5', offset: 32 - width, width };
    const readings: Action[][] = [
      [{ type: 'move', from: bits, to: register }],
      [
        { type: 'push', from: bits },
        { type: 'pop', to: register },
      ],
    ];
    const writings: Action[][] = [
      [{ type: 'move', from: register, to: bits }],
      [
        { type: 'push', from: register },
        { type: 'pop', to: bits },
      ],
    ];
    return [...readings, ...(spec.writable ? writings : [])].map((actions) => row(precondition(spec), actions));
  });
}

function otherActions(): Flow[] {
  const ip: Match = { eth_type: { value: 0x86ddn } };
  const actions: readonly (readonly [Match, readonly Action[]])[] = [
    [
      {},
      [
        { type: 'output', port: 1 },
        { type: 'output', port: 0xfffffffe },
        { type: 'output', port: 'in_port' },
        { type: 'output', port: 0xfffffff8 },
      ],
    ],
    [{}, [{ type: 'controller', userdata: 'DHCP', maxLength: 0xffff }]],
    [{}, [{ type: 'controller', userdata: '', maxLength: 128 }]],
    [{}, [{ type: 'controller', userdata: 'zu groß, 过大', maxLength: 0, meter: 1 }]],
    [{}, [{ type: 'group', group: 0xfffffeff }]],
    [
      {},
      [
        { type: 'resubmit', table: 0 },
        { type: 'resubmit', table: 253 },
      ],
    ],
    [{}, [{ type: 'set_field', field: 'in_port', value: 0n }]],
    [{}, [{ type: 'set_field', field: 'in_port', value: 0xfffffffen }]],
    [
      {},
      [
        { type: 'push_vlan', ethertype: 0x8100 },
        { type: 'set_field', field: 'vlan_vid', value: 0x10c8n },
      ],
    ],
    [{ vlan_vid: { value: 0x10c8n } }, [{ type: 'pop_vlan' }]],
    [ip, [{ type: 'dec_ttl' }, { type: 'ct_clear' }]],
    [{}, [{ type: 'check_pkt_larger', length: 1464, to: { field: 'reg0', offset: 3, width: 1 } }]],
  ];
  return actions.map(([match, list]) => row(match, list));
}

function shapes(): Flow[] {
  return [
    row({}),
    row({}, [], { table: 0, goto: 1 }),
    row({}, [{ type: 'ct_clear' }], { table: 12, goto: 253 }),
    row({}, [{ type: 'controller', userdata: 'RS', maxLength: 0xffff }], { meter: 1 }),
    row({}, [], { meter: 262144, goto: 13 }),
    row({}, [], { idleTimeout: 300 }),
    row({}, [], { hardTimeout: 3, idleTimeout: 65535 }),
    row({}, [], { priority: 0, cookie: (1n << 64n) - 2n }),
    row({}, [], { priority: 65535, cookie: 0n }),
    row({ xxreg1: { value: 0xfd00_0001_0001_0000n << 64n, mask: ((1n << 64n) - 1n) << 64n } }),
    row({ vlan_tci: { value: 0xb064n, mask: 0xf064n } }),
    row({ vlan_tci: { value: 0n } }),
    row({
      eth_dst: { value: 0x01_00_00_00_00_00n, mask: 0x01_00_00_00_00_00n },
      reg0: { value: 1n, mask: 3n },
      metadata: { value: 5n },
    }),
    row({ udp_dst: { value: 67n }, udp_src: { value: 68n }, eth_type: { value: 0x0800n }, ip_src: { value: 0n } }),
    row({ nd_sll: { value: 0n }, icmpv6_code: { value: 0n }, ipv6_src: { value: 0n } }),
    row({ eth_type: { value: 0x8035n }, arp_op: { value: 3n } }),
  ];
}

const everything = (): Flow[] => [...matches(), ...writes(), ...copies(), ...otherActions(), ...shapes()];
const byPriority = (flows: Iterable<Flow>): Flow[] => [...flows].map(canonical).sort((a, b) => a.priority - b.priority);

describe('a switch read back', () => {
  it('has every field and every action exactly as canonical() says, and differs in nothing from what was committed in one bundle', async () => {
    const wanted = everything();
    await bridge.commit({ ...nothing, add: wanted, addGroups: groups, addMeters: meters });

    const present = (await bridge.flows()).map((stats) => stats.flow);
    expect(byPriority(present)).toEqual(byPriority(wanted));
    expect(difference(wanted, present)).toEqual(same);
    expect(groupDifference(groups, await bridge.groups())).toEqual({
      addGroups: [],
      modifyGroups: [],
      removeGroups: [],
    });
    expect(meterDifference(meters, await bridge.meters())).toEqual({ addMeters: [], removeMeters: [] });
  });

  it('is the same when ovs-ofctl writes the rows as formatFlow() prints them', async () => {
    // ovs-ofctl sends a set_field with more than 64 bits of mask as two loads, and leaves out the bit of vlan_vid that says "tagged".
    const splits = (action: Action): boolean =>
      action.type === 'set_field' &&
      action.mask !== undefined &&
      (action.mask >= 1n << 64n || action.field === 'vlan_vid');
    const wanted = everything().filter((flow) => !flow.actions.some(splits));
    for (const meter of meters) await lab.ofctl('add-meter', formatMeter(meter));
    for (const group of groups) await lab.ofctl('add-group', formatGroup(group));
    const file = join(lab.folder, 'rows');
    await writeFile(file, wanted.map((flow) => formatFlow(flow)).join('\n'));
    await lab.ofctl('add-flows', file);
    expect(new Set(await bridge.meters())).toEqual(new Set(meters.map(canonicalMeter)));
    expect(new Set(await bridge.groups())).toEqual(new Set(groups));
    expect(byPriority((await bridge.flows()).map((stats) => stats.flow))).toEqual(byPriority(wanted));
  });

  it('changes only where it must, and rows keep their counters whatever changes in them', async () => {
    const before = [
      row({ reg1: { value: 1n } }, [], { cookie: 1n }),
      row({ reg1: { value: 2n } }, [], { cookie: 1n }),
      row({ reg1: { value: 3n } }, [], { cookie: 1n }),
    ];
    await bridge.commit({ ...nothing, add: before });
    for (const value of [1n, 2n, 3n])
      punt([
        { type: 'set_field', field: 'reg1', value },
        { type: 'resubmit', table: 1 },
      ]);
    await bridge.barrier();
    const [kept, modified, renamed] = before.map((flow, index) => ({
      ...flow,
      ...(index === 1 ? { actions: [{ type: 'output' as const, port: 3 }] } : {}),
      ...(index === 2 ? { cookie: 2n } : {}),
    })) as [Flow, Flow, Flow];
    const wanted = [kept, modified, renamed];
    const change = difference(
      wanted,
      (await bridge.flows()).map((stats) => stats.flow),
    );
    expect(change).toEqual({ add: [canonical(renamed)], modify: [canonical(modified)], remove: [] });
    await bridge.commit({ ...nothing, ...change });
    const after = await bridge.flows(1);
    expect(
      difference(
        wanted,
        after.map((stats) => stats.flow),
      ),
    ).toEqual(same);
    const counted = new Map(after.map((stats) => [stats.flow.priority, stats.packets]));
    expect(wanted.map((flow) => counted.get(flow.priority))).toEqual([1n, 1n, 1n]);
  });

  it('shows rows of others, which can all be removed', async () => {
    const foreign = [
      'table=0,priority=1 actions=NORMAL',
      'table=0,priority=2,ip,nw_tos=32 actions=drop',
      'table=0,priority=3,dl_vlan=5,dl_vlan_pcp=3 actions=strip_vlan,controller:77',
      'table=0,priority=4,tcp,tcp_flags=+syn-ack actions=learn(table=2,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])',
      'table=0,priority=5,ip,ct_label=0x5/0xf actions=ct(commit,zone=5,table=3)',
      'table=0,priority=6,dl_vlan_pcp=3 actions=write_actions(output:1),goto_table:2',
      'table=0,priority=7,sctp,sctp_dst=5 actions=clone(output:1),note:00.11',
      'table=0,priority=8,reg1=5 actions=controller(id=7,pause),resubmit(5,6)',
      'table=0,priority=9,pkt_mark=4,tun_id=5 actions=conjunction(1,1/2)',
    ];
    for (const line of foreign) await lab.ofctl('add-flow', line);
    await lab.ofctl('add-group', 'group_id=5,type=select,bucket=weight:3,actions=output:1');
    await lab.ofctl('add-meter', 'meter=9,kbps,band=type=drop,rate=5');

    const present = (await bridge.flows()).map((stats) => stats.flow);
    expect(present).toHaveLength(foreign.length);
    const seen = await bridge.groups();
    expect(
      groupDifference([{ id: 5, type: 'all', buckets: [{ actions: [{ type: 'output', port: 1 }] }] }], seen)
        .modifyGroups,
    ).toHaveLength(1);
    const change = {
      ...difference([], present),
      ...groupDifference([], seen),
      ...meterDifference([], await bridge.meters()),
    };
    await bridge.commit({ ...nothing, ...change });
    expect([await bridge.flows(), await bridge.groups(), await bridge.meters()]).toEqual([[], [], []]);
  });

  it('answers for one table, by cookie, and in sum', async () => {
    const flows = [1, 2, 3, 4].map((n) =>
      row({ reg1: { value: BigInt(n) } }, [], { table: n % 2, cookie: BigInt(n) << 48n }),
    );
    await bridge.commit({ ...nothing, add: flows });
    const cookies = async (...query: Parameters<typeof bridge.flows>): Promise<bigint[]> =>
      (await bridge.flows(...query)).map((stats) => stats.flow.cookie >> 48n).sort();
    expect(await cookies(1)).toEqual([1n, 3n]);
    expect(await cookies(undefined, { value: 2n << 48n, mask: 2n << 48n })).toEqual([2n, 3n]);
    expect(await cookies(1, { value: 2n << 48n, mask: 0xffffn << 48n })).toEqual([]);
    expect(await bridge.aggregate()).toEqual({ flows: 4, packets: 0n, bytes: 0n });
    await bridge.removeByCookie({ value: 2n << 48n, mask: 2n << 48n });
    expect(await cookies()).toEqual([1n, 4n]);
    await bridge.removeByCookie({ value: 0n, mask: 0n }, 0);
    expect(await cookies()).toEqual([1n]);
  });
});

describe('a change', () => {
  it('is applied whole or not at all, and its refusal names the row', async () => {
    const kept = row({}, [], { cookie: 7n });
    await bridge.commit({ ...nothing, add: [kept] });
    const fine = Array.from({ length: 1_000 }, (_, n) => row({ reg1: { value: BigInt(n) } }));
    const wrong = row({ reg2: { value: 5n } }, [{ type: 'group', group: 77 }]);
    const change: FlowChange = {
      ...nothing,
      add: [...fine, wrong],
      remove: [kept],
      addGroups: groups,
      addMeters: meters,
    };

    const error: unknown = await bridge.commit(change).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ChangeRefused);
    expect(error).toMatchObject({
      failed: `add ${formatFlow(wrong)}`,
      refusal: { errorType: 2, errorCode: 9, errorName: 'OFPBAC_BAD_OUT_GROUP' },
    });
    expect([(await bridge.flows()).map((stats) => stats.flow), await bridge.groups(), await bridge.meters()]).toEqual([
      [canonical(kept)],
      [],
      [],
    ]);

    await bridge.commit({ ...change, add: fine });
    expect((await bridge.aggregate()).flows).toBe(1_000);
  });

  it('is refused at once when a row is malformed for the switch, and leaves no open bundle behind', async () => {
    const wrong = row({ arp_op: { value: 1n } }, [{ type: 'dec_ttl' }]);
    const many = Array.from({ length: 5_000 }, (_, n) => row({ reg1: { value: BigInt(n) } }, [], { priority: 9 }));
    await expect(bridge.commit({ ...nothing, add: [wrong, ...many] })).rejects.toMatchObject({
      failed: `add ${formatFlow(wrong)}`,
      refusal: { errorName: 'OFPBAC_MATCH_INCONSISTENT' },
    });
    await expect(
      bridge.commit({ ...nothing, add: [...many, { ...wrong, match: { tcp_dst: { value: 1n } } }] }),
    ).rejects.toThrow(/tcp_dst can only be matched together with/);
    expect((await bridge.aggregate()).flows).toBe(0);
  });

  it('changes and removes groups with the rows that name them, and meters', async () => {
    const flood = row({}, [{ type: 'group', group: 1 }], { meter: 1 });
    const bucket = (port: number) => ({ actions: [{ type: 'output' as const, port }] });
    await bridge.commit({
      ...nothing,
      add: [flood],
      addGroups: [{ id: 1, type: 'all', buckets: [bucket(1)] }],
      addMeters: meters,
    });
    await bridge.commit({
      ...nothing,
      modifyGroups: [{ id: 1, type: 'all', buckets: [bucket(1), bucket(2)] }],
      addMeters: [{ id: 1, rate: 20, burst: 30 }],
      removeMeters: [1],
    });
    expect(await bridge.groups()).toEqual([{ id: 1, type: 'all', buckets: [bucket(1), bucket(2)] }]);
    expect(await bridge.meters()).toContainEqual({ id: 1, rate: 20, burst: 30 });
    expect((await bridge.flows()).map((stats) => stats.flow)).toEqual([canonical(flood)]);
    await bridge.commit({ ...nothing, remove: [flood], removeGroups: [1], removeMeters: [1, 262144] });
    expect([await bridge.flows(), await bridge.groups(), await bridge.meters()]).toEqual([[], [], []]);
  });

  it('waits for the one before it, and does not hold up packets', async () => {
    const add = Array.from({ length: 20_000 }, (_, n) =>
      row({ reg1: { value: BigInt(n) } }, [], { priority: 9, table: 2 }),
    );
    const punts: PacketIn[] = [];
    const stop = bridge.onPacketIn((packet) => punts.push(packet));
    const first = bridge.commit({ ...nothing, add });
    const second = bridge.commit({ ...nothing, remove: add });
    punt([{ type: 'controller', userdata: 'between', maxLength: 0xffff }]);
    await until(() => punts.length === 1, 'the punt');
    await Promise.all([first, second]);
    expect((await bridge.aggregate()).flows).toBe(0);
    stop();
  });
});

const frame = Buffer.from(
  '020000000002020000000001080045000014000040004001000a0a0000010a000002'.padEnd(120, '0'),
  'hex',
);
function punt(actions: readonly Action[]): void {
  bridge.packetOut({ inPort: 'controller', actions, data: frame });
}

describe('a connection', () => {
  it('asks the switch to match first fragments by their ports', async () => {
    expect(await lab.ofctl('get-frags')).toBe('nx-match\n');
  });
});

describe('the switch tells', () => {
  it('of a punted packet: its bytes, table, cookie, userdata, registers and tunnel', async () => {
    const punts: PacketIn[] = [];
    const stop = bridge.onPacketIn((packet) => punts.push(packet));
    await bridge.commit({
      ...nothing,
      add: [
        row({}, [{ type: 'controller', userdata: 'DHCP', maxLength: 0xffff }], {
          table: 3,
          cookie: 0xabcd_0000_0000_0001n,
        }),
      ],
    });
    const set: Partial<Record<Field, bigint>> = {
      metadata: 0x1_0000_0005n,
      reg1: 11n,
      reg9: 0xffffffffn,
      tun_id: 10_000n,
      tun_src: 0xc6336401n,
    };
    bridge.packetOut({
      inPort: 5,
      actions: [
        ...Object.entries(set).map(([field, value]): Action => ({ type: 'set_field', field: field as Field, value })),
        { type: 'resubmit', table: 3 },
      ],
      data: frame,
    });
    await until(() => punts.length === 1, 'the punt');
    stop();
    expect(punts[0]).toEqual({
      packet: frame,
      table: 3,
      cookie: 0xabcd_0000_0000_0001n,
      inPort: 5,
      userdata: 'DHCP',
      metadata: expect.objectContaining({ ...set, in_port: 5n }) as unknown,
    });
  });

  it('of rows that ran out of time', async () => {
    const removed: FlowRemoved[] = [];
    const stop = bridge.onFlowRemoved((gone) => removed.push(gone));
    const lease = row({ reg1: { value: 9n } }, [], { hardTimeout: 1 });
    await bridge.commit({ ...nothing, add: [lease] });
    await until(() => removed.length === 1, 'the expiry');
    stop();
    const { table, priority, cookie, match } = lease;
    expect(removed).toEqual([{ flow: { table, priority, cookie, match }, reason: 'hard', packets: 0n, bytes: 0n }]);
  });

  it('of ports that come and go', async () => {
    const changes: PortStatus[] = [];
    const stop = bridge.onPortStatus((status) => changes.push(status));
    await lab.vsctl(
      'add-port',
      'br0',
      'p1',
      '--',
      'set',
      'interface',
      'p1',
      'type=internal',
      'ofport_request=17',
      'mac="02:00:00:00:00:17"',
    );
    await until(() => changes.some((change) => change.reason === 'added'), 'the new port');
    expect((await bridge.ports()).map((port) => [port.number, port.name])).toEqual(
      expect.arrayContaining([[17, 'p1']]),
    );
    await lab.vsctl('del-port', 'br0', 'p1');
    await until(() => changes.some((change) => change.reason === 'removed'), 'the end of the port');
    stop();
    expect(changes[0]).toMatchObject({
      reason: 'added',
      port: { number: 17, name: 'p1', mac: expect.stringMatching(/^[0-9a-f:]{17}$/) as string },
    });
  });

  it('nothing more once it is killed: whatever was asked fails, and the connection is closed', async () => {
    const other = await startSwitch();
    try {
      const connection = await connectOpenFlow({ path: other.socket, ...ports });
      const closed = new Promise<Error | undefined>((resolve) => connection.onClose(resolve));
      const add = Array.from({ length: 50_000 }, (_, n) => row({ reg1: { value: BigInt(n) } }, [], { priority: 9 }));
      const commit = connection.commit({ ...nothing, add }).catch((error: unknown) => error);
      process.kill(other.pid, 'SIGKILL');
      expect(await commit).toBeInstanceOf(ConnectionClosed);
      expect(await closed).toBeInstanceOf(ConnectionClosed);
      await expect(connection.flows()).rejects.toBeInstanceOf(ConnectionClosed);
      await expect(connectOpenFlow({ path: other.socket, ...ports })).rejects.toThrow(/cannot be reached/);
    } finally {
      await other.stop();
    }
  }, 30_000);
});
