import type { Action, Flow, Match } from '@weir/openflow';
import type { Ip, Mac } from '@weir/kernel';
import { encodeFrame, ipv4, udp } from '@weir/packet';
import type { Plan } from '@weir/pipeline';
import { TUNNEL_PORT } from '@weir/testing/topology';
import { OFPORTS } from './dummy-switch';
import type { Stimulus } from './verdict';

/** Rows that no pipeline of ours has, for what Open vSwitch does at the edges of actions that ours do have. */
export interface Corner {
  readonly name: string;
  readonly plan: Plan;
  readonly stimulus: Stimulus;
}

const [IN = 0, OUT = 0, THIRD = 0] = OFPORTS;
const IP: Match = { eth_type: { value: 0x0800n } };
const A = { mac: 'fa:16:3e:00:00:0a' as Mac, ip: '10.0.0.1' as Ip };
const B = { mac: 'fa:16:3e:00:00:0b' as Mac, ip: '10.0.0.2' as Ip };
const FRAME = encodeFrame({
  source: A.mac,
  destination: B.mac,
  payload: ipv4({ source: A.ip, destination: B.ip, payload: udp(4000, 4001, new Uint8Array(9)) }),
});

let cookies = 0n;

function row(table: number, match: Match, actions: readonly Action[], more: Partial<Flow> = {}): Flow {
  return { table, priority: 100, cookie: ++cookies, match, actions, ...more };
}

const to = (port: number | 'in_port'): Action => ({ type: 'output', port });
const again = (table: number): Action => ({ type: 'resubmit', table });
const punt: Action = { type: 'controller', userdata: 'why', maxLength: 0xffff };
const reg = (value: number): Action => ({ type: 'set_field', field: 'reg1', value: BigInt(value) });
const held = (value: number): Match => ({ reg1: { value: BigInt(value) } });
const check = (length: number): Action => ({
  type: 'check_pkt_larger',
  length,
  to: { field: 'reg1', offset: 0, width: 1 },
});
const bits = (field: 'reg1' | 'reg2' | 'ip_src' | 'ip_dst' | 'nw_ttl', width = 32) => ({ field, offset: 0, width });

function corner(name: string, flows: readonly Flow[], more: Partial<Plan> = {}, stimulus?: Stimulus): Corner {
  return {
    name,
    plan: { flows, groups: [], meters: [], ...more },
    stimulus: stimulus ?? { from: 'instance', inPort: IN, frame: FRAME },
  };
}

function calls(times: number, last: readonly Action[], goto?: number): Flow[] {
  const chain = Array.from({ length: times }, (_, call) => row(0, held(call), [reg(call + 1), again(0)]));
  return [...chain, row(0, held(times), last, goto === undefined ? {} : { goto }), row(1, {}, [to(OUT)])];
}

export const CORNERS: readonly Corner[] = [
  corner('63 calls inside each other, and on', calls(63, [], 1)),
  corner('64 calls inside each other, and on', calls(64, [], 1)),
  corner('64 calls inside each other, and out', calls(64, [to(OUT)])),
  corner('64 calls inside each other, and a group', calls(64, [{ type: 'group', group: 1 }]), {
    groups: [{ id: 1, type: 'all', buckets: [{ actions: [to(OUT)] }] }],
  }),
  corner("a punt of a table's miss", [
    row(0, {}, [punt, to(OUT)], { priority: 0, goto: 1 }),
    row(1, IP, [punt], { priority: 0 }),
  ]),
  corner('a punt and a copy before calls without end', [row(0, {}, [punt, to(OUT), again(0)])]),
  corner('over 4,096 look-ups', [
    row(0, {}, [to(OUT), ...Array.from({ length: 70 }, () => again(1))]),
    row(
      1,
      {},
      Array.from({ length: 70 }, () => again(2)),
    ),
    row(2, {}, [reg(1)]),
  ]),
  corner('what a called table left behind', [
    row(0, {}, [again(1), again(2)]),
    row(1, {}, [reg(5)]),
    row(2, held(5), [to(OUT)]),
  ]),
  corner('what a called table left behind its question for the length', [
    row(0, {}, [again(1), again(2)]),
    row(1, {}, [check(10), again(3), reg(5)]),
    row(2, held(5), [to(OUT)]),
    row(2, held(0), [to(THIRD)]),
    row(3, held(1), [to(OUT), punt]),
  ]),
  corner('calls without end behind the other answer', [
    row(0, {}, [check(9000)], { goto: 1 }),
    row(1, held(1), [again(1)]),
    row(1, held(0), [to(OUT), punt]),
  ]),
  corner(
    'what a bucket leaves to the next one',
    [row(0, {}, [{ type: 'group', group: 1 }, again(1)]), row(1, held(5), [to(OUT)]), row(1, held(0), [to(THIRD)])],
    { groups: [{ id: 1, type: 'all', buckets: [{ actions: [reg(5), again(1)] }, { actions: [again(1)] }] }] },
  ),
  corner(
    'a group that leads to another one',
    [row(0, {}, [{ type: 'group', group: 1 }]), row(1, held(5), [to(THIRD)])],
    {
      groups: [
        { id: 2, type: 'all', buckets: [{ actions: [again(1)] }, { actions: [to(THIRD)] }] },
        { id: 1, type: 'all', buckets: [{ actions: [reg(5), to(OUT)] }, { actions: [{ type: 'group', group: 2 }] }] },
      ],
    },
  ),
  corner('back to where it came from', [row(0, {}, [to(IN), to('in_port'), to(OUT)])]),
  corner('back, with in_port cleared', [
    row(0, {}, [{ type: 'set_field', field: 'in_port', value: 0n }, to(IN), to('in_port')]),
  ]),
  corner('no such port, a tunnel to nowhere', [row(0, {}, [to(77), to(TUNNEL_PORT), to(OUT)])]),
  corner('a tag put on and taken off', [
    row(0, {}, [
      { type: 'push_vlan', ethertype: 0x8100 },
      { type: 'set_field', field: 'vlan_vid', value: 0x1000n | 7n },
      to(OUT),
      { type: 'pop_vlan' },
      to(THIRD),
    ]),
  ]),
  corner('more taken from the stack than was put there', [
    row(0, IP, [
      { type: 'push', from: bits('ip_src') },
      { type: 'pop', to: bits('ip_dst') },
      { type: 'pop', to: bits('reg1') },
      to(OUT),
    ]),
  ]),
  corner('a TTL that ends', [
    row(0, IP, [{ type: 'set_field', field: 'nw_ttl', value: 1n }, to(OUT), { type: 'dec_ttl' }, to(THIRD)], {
      goto: 1,
    }),
    row(1, {}, [to(THIRD)]),
  ]),
  corner('bits of a field into others', [
    row(0, IP, [{ type: 'move', from: bits('ip_dst', 8), to: bits('nw_ttl', 8) }, to(OUT)]),
  ]),
  corner('a punt after a rewrite, and a rewrite after a punt', [
    row(0, IP, [{ type: 'set_field', field: 'ip_src', value: 0xc0000201n }, punt, { type: 'dec_ttl' }, to(OUT)]),
  ]),
  corner(
    'a tunnel to where it came from, and its key',
    [
      row(0, { in_port: { value: BigInt(TUNNEL_PORT) } }, [
        { type: 'set_field', field: 'in_port', value: 0n },
        { type: 'set_field', field: 'tun_dst', value: 0xc6336402n },
        to(TUNNEL_PORT),
        punt,
      ]),
    ],
    {},
    { from: 'tunnel', id: 0xfffffe, src: '198.51.100.3' as Ip, frame: FRAME },
  ),
  corner(
    'a PACKET_OUT that is too deep',
    [row(0, {}, [punt, to(OUT), again(0)])],
    {},
    {
      from: 'controller',
      inPort: IN,
      frame: FRAME,
      actions: [to(OUT), again(0)],
    },
  ),
  corner(
    'a PACKET_OUT',
    [row(0, {}, [punt, to(OUT)])],
    {},
    {
      from: 'controller',
      inPort: IN,
      frame: FRAME,
      actions: [to(THIRD), to('in_port'), again(0)],
    },
  ),
];
