import type { Action, Flow, FlowChange, Match } from '@weir/openflow';
import type { Ip, Mac } from '@weir/kernel';
import { decodeFrame, encodeFrame, ipv4, tcp, udp } from '@weir/packet';
import { arpRequest, datagram } from '@weir/testing/topology';
import { FlowRefused } from './accepts';
import { SwitchModel } from './switch-model';

const A = { mac: 'fa:16:3e:00:00:0a' as Mac, ip: '10.0.0.1' as Ip };
const B = { mac: 'fa:16:3e:00:00:0b' as Mac, ip: '10.0.0.2' as Ip };
const TUNNEL = 9;
const frame = datagram(A, B);

const IP: Match = { eth_type: { value: 0x0800n } };
const PORT: Match = { ...IP, ip_proto: { value: 17n }, udp_dst: { value: 4001n } };
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

function row(priority: number, match: Match, actions: readonly Action[], more: Partial<Flow> = {}): Flow {
  return { table: 0, priority, cookie: BigInt(priority), match, actions, ...more };
}

const to = (port: number | 'in_port'): Action => ({ type: 'output', port });
const again = (table: number): Action => ({ type: 'resubmit', table });
const set = (
  field: 'reg1' | 'reg2' | 'in_port' | 'ip_src' | 'tun_dst' | 'tun_id' | 'metadata' | 'vlan_vid',
  value: bigint,
  mask?: bigint,
): Action => (mask === undefined ? { type: 'set_field', field, value } : { type: 'set_field', field, value, mask });

function model(
  flows: readonly Flow[],
  groups: ConstructorParameters<typeof SwitchModel>[0]['groups'] = [],
): SwitchModel {
  return new SwitchModel({
    flows,
    groups,
    ports: [{ number: 1 }, { number: 2 }, { number: 3 }, { number: TUNNEL, tunnel: true }],
  });
}

function outputs(flows: readonly Flow[], inPort = 1, sent: Uint8Array = frame): number[] {
  return model(flows)
    .process({ inPort, frame: sent })
    .outputs.map(({ port }) => port);
}

describe('a table', () => {
  it('takes the row of highest priority, whatever its fields are', () => {
    expect(outputs([row(5, {}, [to(2)]), row(10, IP, [to(3)])])).toEqual([3]);
    expect(outputs([row(15, {}, [to(2)]), row(10, IP, [to(3)])])).toEqual([2]);
    expect(outputs([row(10, { ...IP, ip_dst: { value: 0x0a000002n } }, [to(3)]), row(9, IP, [to(2)])])).toEqual([3]);
  });

  it('looks at the bits under a mask only', () => {
    const prefix = (value: bigint): Match => ({ ...IP, ip_dst: { value, mask: 0xffffff00n } });
    expect(outputs([row(1, prefix(0x0a000000n), [to(2)])])).toEqual([2]);
    expect(outputs([row(1, prefix(0x0a000100n), [to(2)])])).toEqual([]);
    const multicast: Match = { eth_dst: { value: 1n << 40n, mask: 1n << 40n } };
    expect(outputs([row(1, multicast, [to(2)])])).toEqual([]);
    expect(outputs([row(1, multicast, [to(2)])], 1, arpRequest(A, B.ip))).toEqual([2]);
    const wide: Match = { metadata: { value: 1n << 60n, mask: 1n << 60n } };
    expect(
      outputs([row(1, {}, [set('metadata', (1n << 60n) | 5n), again(1)]), row(1, wide, [to(2)], { table: 1 })]),
    ).toEqual([2]);
  });

  it('drops what no row takes, and says so', () => {
    const { outputs: sent, trace } = model([row(1, { eth_type: { value: 0x0806n } }, [to(2)])]).process({
      inPort: 1,
      frame,
    });
    expect(sent).toEqual([]);
    expect(trace).toEqual([{ table: 0, depth: 0, notes: ['no row: dropped'] }]);
  });

  it('reads 0 where a header is cut short or not there', () => {
    const short = frame.subarray(0, 30);
    expect(
      outputs([row(2, { ...IP, ip_src: { value: 0x0a000001n } }, [to(2)]), row(1, IP, [to(3)])], 1, short),
    ).toEqual([3]);
    const fragment = encodeFrame({
      source: A.mac,
      destination: B.mac,
      payload: ipv4({
        source: A.ip,
        destination: B.ip,
        fragmentOffset: 8,
        payload: { kind: 'raw', protocol: 17, bytes: new Uint8Array(16) },
      }),
    });
    expect(outputs([row(2, PORT, [to(2)]), row(1, IP, [to(3)])], 1, fragment)).toEqual([3]);
  });

  it('matches the ports of a first fragment, as the connection asks Open vSwitch to', () => {
    const whole = ipv4({ source: A.ip, destination: B.ip, payload: udp(4000, 4001, new Uint8Array(8)) });
    const sent = (moreFragments: boolean) =>
      encodeFrame({ source: A.mac, destination: B.mac, payload: { ...whole, moreFragments } });
    const rows = [row(2, PORT, [to(2)]), row(1, IP, [to(3)])];
    expect(outputs(rows, 1, sent(false))).toEqual([2]);
    expect(outputs(rows, 1, sent(true))).toEqual([2]);
  });

  it('takes no padding for ports', () => {
    const empty = encodeFrame({
      source: A.mac,
      destination: B.mac,
      payload: ipv4({
        source: A.ip,
        destination: B.ip,
        payload: { kind: 'raw', protocol: 17, bytes: new Uint8Array() },
      }),
    });
    const padded = Uint8Array.from([...empty, 0x0f, 0xa0, 0x0f, 0xa1, 0, 8, 0, 0]);
    expect(outputs([row(2, PORT, [to(2)]), row(1, IP, [to(3)])], 1, padded)).toEqual([3]);
  });

  it('counts the packets of each row, and keeps counting when its actions change', () => {
    const flow = row(7, {}, [to(2)]);
    const counted = model([flow]);
    for (let i = 0; i < 3; i++) counted.process({ inPort: 1, frame });
    counted.apply({ ...nothing, modify: [{ ...flow, actions: [to(3)] }] });
    counted.process({ inPort: 1, frame });
    expect(counted.packetsOf(7n)).toBe(4n);
    counted.apply({ ...nothing, add: [{ ...flow, cookie: 8n }] });
    expect(counted.packetsOf(8n)).toBe(0n);
  });
});

describe('actions', () => {
  it('see what a resubmit left behind, while a bucket keeps its changes to itself', () => {
    const called = row(1, { reg2: { value: 5n } }, [set('reg1', 7n)], { table: 1 });
    const back = row(1, { reg1: { value: 7n } }, [to(2)], { table: 2 });
    expect(outputs([row(1, {}, [set('reg2', 5n), again(1), again(2)]), called, back])).toEqual([2]);

    const group = {
      id: 1,
      type: 'all',
      buckets: [{ actions: [set('reg1', 7n), again(2)] }, { actions: [again(2)] }],
    } as const;
    const flows = [row(1, {}, [{ type: 'group', group: 1 }, again(2)]), back];
    expect(model(flows, [group]).process({ inPort: 1, frame }).outputs).toHaveLength(1);
  });

  it('do not send a packet back where it came from, unless told so or in_port is cleared', () => {
    expect(outputs([row(1, {}, [to(1), to(2)])])).toEqual([2]);
    expect(outputs([row(1, {}, [to('in_port')])])).toEqual([1]);
    expect(outputs([row(1, {}, [set('in_port', 0n), to(1)])])).toEqual([1]);
    expect(outputs([row(1, {}, [set('in_port', 0n), to('in_port')])])).toEqual([]);
    const relay = model([
      row(1, {}, [set('tun_dst', 5n), to(TUNNEL)]),
      row(2, { tun_id: { value: 8n } }, [set('in_port', 0n), set('tun_dst', 0xc6336401n), to(TUNNEL)]),
    ]);
    const arrive = (id: number) =>
      relay.process({ inPort: TUNNEL, frame, tunnel: { id, src: '198.51.100.9' as Ip } }).outputs;
    expect(arrive(7)).toEqual([]);
    expect(arrive(8)).toEqual([{ port: TUNNEL, frame, tunnel: { id: 8, dst: '198.51.100.1' } }]);
  });

  it('send nothing to ports that are not there, or into a tunnel without an end', () => {
    const { outputs: sent, trace } = model([row(1, {}, [to(77), to(TUNNEL)])]).process({ inPort: 1, frame });
    expect(sent).toEqual([]);
    expect(trace[0]?.notes).toEqual(['no port 77: dropped', 'a tunnel without a destination: dropped']);
  });

  it('write fields into the bytes, with the checksums above them', () => {
    for (const payload of [udp(1, 2, new Uint8Array([1, 2, 3])), tcp({ sourcePort: 1, destinationPort: 2 })]) {
      const sent = encodeFrame({
        source: A.mac,
        destination: B.mac,
        payload: ipv4({ source: A.ip, destination: B.ip, payload }),
      });
      const [output] = model([row(1, IP, [set('ip_src', 0xc0000201n), { type: 'dec_ttl' }, to(2)])]).process({
        inPort: 1,
        frame: sent,
      }).outputs;
      const arrived = decodeFrame(output?.frame ?? new Uint8Array(14));
      expect(arrived.payload).toEqual(ipv4({ source: '192.0.2.1' as Ip, destination: B.ip, ttl: 63, payload }));
    }
  });

  it('keep a wrong checksum wrong, and a datagram without one without', () => {
    const broken = frame.slice();
    broken[24] = (broken[24] ?? 0) ^ 0xff;
    const change = (sent: Uint8Array) =>
      model([row(1, IP, [set('ip_src', 0xc0000201n), to(2)])]).process({ inPort: 1, frame: sent }).outputs[0]?.frame ??
      new Uint8Array(14);
    expect(decodeFrame(change(broken)).payload.kind).toBe('raw');
    const unchecked = encodeFrame({
      source: A.mac,
      destination: B.mac,
      payload: ipv4({ source: A.ip, destination: B.ip, payload: { ...udp(1, 2, new Uint8Array(3)), unchecked: true } }),
    });
    expect(decodeFrame(change(unchecked)).payload).toMatchObject({ source: '192.0.2.1', payload: { unchecked: true } });
  });

  it('leave the frame that came in as it was', () => {
    const before = frame.slice();
    model([row(1, IP, [set('ip_src', 1n), to(2)])]).process({ inPort: 1, frame });
    expect(frame).toEqual(before);
  });

  it('end a packet whose time is over', () => {
    const last = encodeFrame({
      source: A.mac,
      destination: B.mac,
      payload: ipv4({ source: A.ip, destination: B.ip, ttl: 1, payload: udp(1, 2, new Uint8Array()) }),
    });
    expect(
      outputs([row(1, IP, [{ type: 'dec_ttl' }, to(2)], { goto: 1 }), row(1, {}, [to(3)], { table: 1 })], 1, last),
    ).toEqual([]);
  });

  it('carry nothing out on the IP header of protocol 0, while later rows see it', () => {
    const hopByHop = encodeFrame({
      source: A.mac,
      destination: B.mac,
      payload: ipv4({
        source: A.ip,
        destination: B.ip,
        payload: { kind: 'raw', protocol: 0, bytes: new Uint8Array() },
      }),
    });
    const rows = [
      row(1, IP, [{ type: 'dec_ttl' }, set('ip_src', 0xc0000201n)], { goto: 1 }),
      row(1, { ...IP, nw_ttl: { value: 63n }, ip_src: { value: 0xc0000201n } }, [to(2)], { table: 1 }),
    ];
    expect(model(rows).process({ inPort: 1, frame: hopByHop }).outputs).toEqual([{ port: 2, frame: hopByHop }]);
  });

  const check = (length: number): Flow[] => [
    row(1, {}, [{ type: 'check_pkt_larger', length, to: { field: 'reg1', offset: 3, width: 1 } }, again(1)]),
    row(9, { reg1: { value: 8n, mask: 8n } }, [to(3)], { table: 1 }),
    row(0, {}, [to(2)], { table: 1 }),
  ];

  it('hold the frame without its padding against a length, to the byte', () => {
    expect(outputs(check(frame.length))).toEqual([2]);
    expect(outputs(check(frame.length - 1))).toEqual([3]);
    expect(outputs(check(frame.length), 1, Uint8Array.from([...frame, 0, 0]))).toEqual([2]);
  });

  it('count a packet behind both answers to that, and drop it where either is too deep', () => {
    const counted = model(check(frame.length));
    counted.process({ inPort: 1, frame });
    expect([counted.packetsOf(9n), counted.packetsOf(0n)]).toEqual([1n, 1n]);
    const looping = row(10, { reg1: { value: 8n, mask: 8n } }, [again(1)], { table: 1 });
    expect(outputs([...check(frame.length), looping])).toEqual([]);
  });

  it('move bits, and keep them on a stack, last in and first out', () => {
    const bits = (field: 'reg1' | 'reg2' | 'ip_src' | 'ip_dst', offset = 0, width = 32) => ({ field, offset, width });
    const moved = [
      row(1, IP, [{ type: 'move', from: bits('ip_dst', 0, 8), to: bits('reg1', 8, 8) }, again(1)]),
      row(1, { reg1: { value: 0x200n } }, [to(2)], { table: 1 }),
    ];
    expect(outputs(moved)).toEqual([2]);
    const swapped = [
      row(1, IP, [
        { type: 'push', from: bits('ip_src') },
        { type: 'push', from: bits('ip_dst') },
        { type: 'pop', to: bits('ip_src') },
        { type: 'pop', to: bits('ip_dst') },
        { type: 'pop', to: bits('reg1') },
        to(2),
      ]),
    ];
    const [output] = model(swapped).process({ inPort: 1, frame }).outputs;
    expect(decodeFrame(output?.frame ?? new Uint8Array(14)).payload).toMatchObject({ source: B.ip, destination: A.ip });
  });

  it('put a VLAN tag on and take it off', () => {
    const tag = row(1, {}, [{ type: 'push_vlan', ethertype: 0x8100 }, set('vlan_vid', 0x1000n | 200n), to(2)]);
    const tagged = model([tag]).process({ inPort: 1, frame }).outputs[0]?.frame ?? new Uint8Array(14);
    expect(decodeFrame(tagged)).toEqual({ ...decodeFrame(frame), vlan: { id: 200, priority: 0, dropEligible: false } });
    const untag = row(1, { ...IP, vlan_vid: { value: 0x1000n | 200n } }, [{ type: 'pop_vlan' }, to(3)]);
    expect(model([untag]).process({ inPort: 2, frame: tagged }).outputs).toEqual([{ port: 3, frame }]);
    expect(outputs([untag])).toEqual([]);
  });

  it('drop the whole packet where tables call each other without end', () => {
    const { outputs: sent, trace } = model([row(1, {}, [to(2), again(0)])]).process({ inPort: 1, frame });
    expect(sent).toEqual([]);
    expect(trace.at(-1)?.notes).toEqual(['over 64 resubmits inside each other']);
    const punt: Action = { type: 'controller', userdata: 'why', maxLength: 20 };
    expect(model([row(1, {}, [punt, again(0)])]).process({ inPort: 1, frame }).punts).toEqual([]);
    const loop = model([row(1, {}, [again(0)])]);
    loop.execute(frame, [again(0)]);
    expect(loop.packetsOf(1n)).toBe(0n);
    loop.process({ inPort: 1, frame });
    expect(loop.packetsOf(1n)).toBe(65n);
    const wide = Array.from({ length: 70 }, () => again(1));
    const wider = Array.from({ length: 70 }, () => again(2));
    const many = model([row(1, {}, [to(2), ...wide]), row(1, {}, wider, { table: 1 })]).process({ inPort: 1, frame });
    expect(many.outputs).toEqual([]);
    expect(many.trace.at(-1)?.notes).toContain('over 4096 table look-ups');
  });

  it('look into no further table at the last depth, be it a later one', () => {
    const calls = (times: number): Flow[] => [
      ...Array.from({ length: times }, (_, call) =>
        row(1, { reg1: { value: BigInt(call) } }, [set('reg1', BigInt(call + 1)), again(0)]),
      ),
      row(1, { reg1: { value: BigInt(times) } }, [], { goto: 1 }),
      row(1, {}, [to(2)], { table: 1 }),
    ];
    expect(outputs(calls(63))).toEqual([2]);
    expect(outputs(calls(64))).toEqual([]);
  });

  it('punt a copy with registers, reason and row, and go on', () => {
    const punt: Action = { type: 'controller', userdata: 'why', maxLength: 20 };
    const { punts, outputs: sent } = model([row(6, {}, [set('reg1', 3n), punt, to(2)], { meter: 4 })]).process({
      inPort: 1,
      frame,
    });
    expect(punts).toEqual([
      {
        userdata: 'why',
        frame: frame.subarray(0, 20),
        inPort: 1,
        registers: { in_port: 1n, reg1: 3n },
        table: 0,
        cookie: 6n,
        meter: 4,
      },
    ]);
    expect(sent).toHaveLength(1);
  });
});

describe('a flow', () => {
  const refused = (flow: Flow) => expect(() => model([flow]));

  it('is refused with an action on a header that it does not match', () => {
    const arp: Action = { type: 'set_field', field: 'arp_op', value: 2n };
    refused(row(1, {}, [arp])).toThrow(FlowRefused);
    refused(row(1, IP, [arp])).toThrow('OFPBAC_MATCH_INCONSISTENT');
    refused(row(1, { eth_type: { value: 0x0806n } }, [arp])).not.toThrow();
    refused(row(1, {}, [{ type: 'dec_ttl' }])).toThrow('dec_ttl without IP');
    refused(row(1, IP, [{ type: 'set_field', field: 'icmp_type', value: 0n }])).toThrow('icmp_type');
  });

  it('matches an ARP field in ARP only, and a port number with its protocol only', () => {
    expect(outputs([row(1, { arp_tpa: { value: 0n } }, [to(2)])])).toEqual([]);
    refused(row(1, { tcp_dst: { value: 80n } }, [])).toThrow('tcp_dst');
  });

  it('is refused when it goes back, or names a group that is not there', () => {
    refused(row(1, {}, [], { table: 5, goto: 5 })).toThrow('later table');
    refused(row(1, {}, [{ type: 'group', group: 3 }])).toThrow('OFPBAC_BAD_OUT_GROUP');
  });

  it('is refused rather than run wrongly where the model does not know a field', () => {
    refused(row(1, { ct_state: { value: 0x20n, mask: 0x20n } }, [])).toThrow('not known to the interpreter');
  });
});

describe('a change', () => {
  it('is taken as a whole or not at all', () => {
    const kept = row(1, {}, [to(2)]);
    const switched = model([kept]);
    const bad = row(2, {}, [{ type: 'group', group: 3 }]);
    expect(() => switched.apply({ ...nothing, remove: [kept], add: [row(3, {}, [to(3)]), bad] })).toThrow(FlowRefused);
    expect(switched.process({ inPort: 1, frame }).outputs.map(({ port }) => port)).toEqual([2]);
    switched.apply({
      ...nothing,
      remove: [kept],
      add: [row(3, {}, [{ type: 'group', group: 3 }])],
      addGroups: [{ id: 3, type: 'all', buckets: [{ actions: [to(3)] }] }],
    });
    expect(switched.process({ inPort: 1, frame }).outputs.map(({ port }) => port)).toEqual([3]);
    expect(switched.flows).toHaveLength(1);
  });

  it('takes ports away and brings them', () => {
    const switched = model([row(1, {}, [to(2), to(5)])]);
    switched.addPort({ number: 5 });
    switched.removePort(2);
    expect(switched.process({ inPort: 1, frame }).outputs.map(({ port }) => port)).toEqual([5]);
  });
});
