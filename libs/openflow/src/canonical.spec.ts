import fc from 'fast-check';
import { canonical, canonicalMatch, canonicalMeter } from './canonical';
import { InvalidFlow } from './errors';
import type { Action, Flow, Match } from './model';
import * as arbitrary from './testing';

const row = (match: Match, actions: readonly Action[] = [], more: Partial<Flow> = {}): Flow => ({
  table: 0,
  priority: 1,
  cookie: 0n,
  match,
  actions,
  ...more,
});
const ones = (bits: number): bigint => (1n << BigInt(bits)) - 1n;

describe('the canonical form of a match', () => {
  it('has no mask of all ones, no field that is masked away, no value outside a mask', () => {
    expect(
      canonicalMatch({
        reg1: { value: 5n, mask: ones(32) },
        reg2: { value: 5n, mask: 0n },
        reg0: { value: 0xffn, mask: 3n },
      }),
    ).toEqual({ reg1: { value: 5n }, reg0: { value: 3n, mask: 3n } });
  });

  it('names its fields in one order, prerequisites first, whatever the order they were written in', () => {
    const match = canonicalMatch({ udp_dst: { value: 67n }, reg1: { value: 1n }, eth_type: { value: 0x86ddn } });
    expect(Object.keys(match)).toEqual(['reg1', 'eth_type', 'ip_proto', 'udp_dst']);
  });

  it.each<[string, Match, Match]>([
    ['ip_src', { ip_src: { value: 1n } }, { eth_type: { value: 0x0800n } }],
    ['arp_tpa', { arp_tpa: { value: 1n } }, { eth_type: { value: 0x0806n } }],
    [
      'nd_sll',
      { nd_sll: { value: 1n } },
      { eth_type: { value: 0x86ddn }, ip_proto: { value: 58n }, icmpv6_type: { value: 135n } },
    ],
    ['icmp_type', { icmp_type: { value: 8n } }, { eth_type: { value: 0x0800n }, ip_proto: { value: 1n } }],
  ])('says for itself what %s needs', (_name, match, needed) => {
    expect(canonicalMatch(match)).toEqual({ ...match, ...needed });
  });

  it.each<[string, Match]>([
    ['a TCP port without the IP version', { tcp_dst: { value: 80n } }],
    ['an address of IPv4 in IPv6', { ip_src: { value: 1n }, eth_type: { value: 0x86ddn } }],
    ['UDP ports of TCP', { eth_type: { value: 0x0800n }, ip_proto: { value: 6n }, udp_dst: { value: 1n } }],
    ['a target without solicit or advert', { nd_target: { value: 1n } }],
    ['part of an eth_type', { eth_type: { value: 0n, mask: 1n } }],
    ['a value that does not fit', { ct_zone: { value: 0x10000n } }],
    ['a negative value', { reg1: { value: -1n } }],
    ['a mask that does not fit', { reg1: { value: 0n, mask: 1n << 32n } }],
    ['a register and the wide one that holds it', { reg5: { value: 1n }, xxreg1: { value: 0n } }],
    ['a VLAN twice', { vlan_tci: { value: 0x1005n }, vlan_vid: { value: 0x1005n } }],
    ['a VLAN priority alone', { vlan_tci: { value: 0x2000n, mask: 0xe000n } }],
    ['an unknown field', { dl_type: { value: 0n } } as Match],
  ])('refuses %s', (_name, match) => {
    expect(() => canonicalMatch(match)).toThrow(InvalidFlow);
  });

  it('splits xxreg1 into the registers that Open vSwitch gives back', () => {
    const value = 0xfd00_0001_0000_0000_0000_0000_0000_0005n;
    expect(canonicalMatch({ xxreg1: { value } })).toEqual({
      reg4: { value: 0xfd00_0001n },
      reg5: { value: 0n },
      reg6: { value: 0n },
      reg7: { value: 5n },
    });
    expect(canonicalMatch({ xxreg1: { value, mask: ones(32) << 96n } })).toEqual({ reg4: { value: 0xfd00_0001n } });
  });

  it('calls "untagged" vlan_vid, and always masks ct_state', () => {
    expect(canonicalMatch({ vlan_tci: { value: 0n, mask: 0x1fffn } })).toEqual({ vlan_vid: { value: 0n } });
    expect(canonicalMatch({ vlan_tci: { value: 0x1064n, mask: 0x1fffn } })).toEqual({ vlan_vid: { value: 0x1064n } });
    expect(canonicalMatch({ ct_state: { value: 0x22n } })).toEqual({ ct_state: { value: 0x22n, mask: 0xffn } });
  });
});

describe('the canonical form of a flow', () => {
  it('is its own canonical form, and not even a copy', () => {
    fc.assert(
      fc.property(arbitrary.flows, (flow) => {
        const once = canonical(flow);
        expect(canonical(once)).toEqual(once);
        expect(canonicalMatch(once.match)).toEqual(once.match);
      }),
    );
    const plain = row({ reg1: { value: 1n } });
    expect(canonical(plain)).toBe(plain);
  });

  it('has no timeouts of zero, calls OFPP_IN_PORT in_port, and writes whole fields without a mask', () => {
    expect(
      canonical(
        row(
          {},
          [
            { type: 'output', port: 0xfffffff8 },
            { type: 'set_field', field: 'reg1', value: 5n, mask: ones(32) },
            { type: 'set_field', field: 'reg1', value: 5n, mask: 1n },
          ],
          { idleTimeout: 0, hardTimeout: 3 },
        ),
      ),
    ).toEqual(
      row(
        {},
        [
          { type: 'output', port: 'in_port' },
          { type: 'set_field', field: 'reg1', value: 5n },
          { type: 'set_field', field: 'reg1', value: 1n, mask: 1n },
        ],
        { hardTimeout: 3 },
      ),
    );
  });

  it.each<[string, Partial<Flow>]>([
    ['a jump back', { table: 5, goto: 5 }],
    ['a jump beyond the last table', { goto: 255 }],
    ['a priority beyond 16 bits', { priority: 65_536 }],
    ['half a table', { table: 0.5 }],
    ['a cookie beyond 64 bits', { cookie: 1n << 64n }],
    ['a timeout beyond 16 bits', { idleTimeout: 70_000 }],
    ['an action that writes what is read-only', { actions: [{ type: 'set_field', field: 'ct_mark', value: 1n }] }],
    ['an action that writes nothing', { actions: [{ type: 'set_field', field: 'reg1', value: 1n, mask: 0n }] }],
    [
      'an action that writes part of a whole field',
      { actions: [{ type: 'set_field', field: 'nw_ttl', value: 1n, mask: 1n }] },
    ],
    [
      'an in_port that NXM_OF_IN_PORT does not have',
      { actions: [{ type: 'set_field', field: 'in_port', value: 70_000n }] },
    ],
    ['bits that a field does not have', { actions: [{ type: 'push', from: { field: 'reg1', offset: 30, width: 3 } }] }],
    ['no bits', { actions: [{ type: 'pop', to: { field: 'reg1', offset: 0, width: 0 } }] }],
    [
      'a move of unequal widths',
      {
        actions: [
          { type: 'move', from: { field: 'reg1', offset: 0, width: 2 }, to: { field: 'reg2', offset: 0, width: 3 } },
        ],
      },
    ],
    [
      'a check into two bits',
      { actions: [{ type: 'check_pkt_larger', length: 5, to: { field: 'reg0', offset: 0, width: 2 } }] },
    ],
    [
      'userdata that no message can hold',
      { actions: [{ type: 'controller', userdata: 'x'.repeat(70_000), maxLength: 5 }] },
    ],
  ])('refuses %s', (_name, change) => {
    expect(() => canonical(row({}, [], change))).toThrow(InvalidFlow);
  });
});

describe('the canonical form of a meter', () => {
  it('has its rate for a burst of 0', () => {
    expect(canonicalMeter({ id: 1, rate: 10, burst: 0 })).toEqual({ id: 1, rate: 10, burst: 10 });
  });
});
