import fc from 'fast-check';
import { FIELD_SPECS, type FieldSpec } from '../fields';
import type { Action, Bits, Field, FieldMatch, Flow, Group, Match, Meter } from '../model';

/** Random flows, groups and meters that OpenFlow can say, for property tests; not always in canonical form. */

const specs = [...FIELD_SPECS.values()];
const writable = specs.filter((spec) => spec.writable);

/** What may stand together in one match. */
const CONTEXTS: readonly (readonly [fixed: Match, fields: readonly Field[]])[] = [
  [{}, []],
  [{ eth_type: { value: 0x88ccn } }, []],
  [{ eth_type: { value: 0x8035n } }, ['arp_op', 'arp_spa']],
  [{}, ['arp_op', 'arp_spa', 'arp_tpa', 'arp_sha', 'arp_tha']],
  [{}, ['ip_src', 'ip_dst']],
  [{ eth_type: { value: 0x0800n } }, ['ip_src', 'ip_dst', 'ip_proto', 'nw_ttl', 'ip_frag']],
  [{ eth_type: { value: 0x86ddn } }, ['ipv6_src', 'ipv6_dst', 'ip_proto', 'nw_ttl', 'ip_frag']],
  [{ eth_type: { value: 0x0800n } }, ['ip_dst', 'tcp_src', 'tcp_dst']],
  [{ eth_type: { value: 0x86ddn } }, ['ipv6_src', 'udp_src', 'udp_dst']],
  [{}, ['icmp_type', 'icmp_code']],
  [{}, ['icmpv6_type', 'icmpv6_code']],
  [{}, ['nd_sll', 'ipv6_src']],
  [{ icmpv6_type: { value: 135n } }, ['nd_target', 'nd_sll', 'nd_options_type', 'nd_reserved']],
  [{}, ['nd_tll']],
  [{ icmpv6_type: { value: 136n } }, ['nd_target', 'nd_tll', 'nd_options_type', 'nd_reserved']],
];
const ANYWHERE: readonly Field[] = [
  ...(['in_port', 'metadata', 'tun_id', 'tun_src', 'tun_dst', 'conj_id', 'ct_state', 'ct_zone', 'ct_mark'] as const),
  ...(['reg0', 'reg1', 'reg2', 'reg3', 'reg8', 'reg9', 'eth_dst', 'eth_src', 'vlan_vid'] as const),
];

const bits = (max: bigint): fc.Arbitrary<bigint> => fc.oneof(fc.bigInt({ min: 0n, max }), fc.constantFrom(0n, 1n, max));

function fieldMatch({ max, maskable }: FieldSpec): fc.Arbitrary<FieldMatch> {
  const exact = bits(max).map((value) => ({ value }));
  return maskable ? fc.oneof(exact, fc.record({ value: bits(max), mask: bits(max) })) : exact;
}

function fieldsOf(names: readonly Field[]): fc.Arbitrary<Match> {
  const chosen = specs.filter((spec) => names.includes(spec.name));
  return fc.record(Object.fromEntries(chosen.map((spec) => [spec.name, fieldMatch(spec)])), { requiredKeys: [] });
}

export const matches: fc.Arbitrary<Match> = fc
  .tuple(
    fc.constantFrom(...CONTEXTS).chain(([fixed, names]) => fieldsOf(names).map((match) => ({ ...match, ...fixed }))),
    fieldsOf(ANYWHERE),
    fc.oneof(fieldsOf(['reg4', 'reg5', 'reg6', 'reg7']), fieldsOf(['xxreg1'])),
  )
  .map((parts): Match => Object.assign({}, ...parts));

function bitsIn(spec: FieldSpec, width: number): fc.Arbitrary<Bits> {
  return fc.nat(spec.movableBits - width).map((offset) => ({ field: spec.name, offset, width }));
}

function runOfBits(among: readonly FieldSpec[]): fc.Arbitrary<Bits> {
  return fc
    .constantFrom(...among)
    .chain((spec) => fc.integer({ min: 1, max: spec.movableBits }).chain((width) => bitsIn(spec, width)));
}

const moves: fc.Arbitrary<Action> = fc
  .tuple(fc.constantFrom(...specs), fc.constantFrom(...writable))
  .chain(([from, to]) =>
    fc
      .integer({ min: 1, max: Math.min(from.movableBits, to.movableBits) })
      .chain((width) =>
        fc.record({ type: fc.constant('move' as const), from: bitsIn(from, width), to: bitsIn(to, width) }),
      ),
  );

const setFields: fc.Arbitrary<Action> = fc.constantFrom(...writable).chain((spec): fc.Arbitrary<Action> => {
  const head = { type: fc.constant('set_field' as const), field: fc.constant(spec.name) };
  if (spec.name === 'in_port') return fc.record({ ...head, value: fc.bigInt({ min: 0n, max: 0xfeffn }) });
  const whole = fc.record({ ...head, value: bits(spec.max) });
  return spec.maskable
    ? fc.oneof(whole, fc.record({ ...head, value: bits(spec.max), mask: fc.bigInt({ min: 1n, max: spec.max }) }))
    : whole;
});

const u16 = fc.nat(0xffff);
const u32 = fc.nat(0xffffffff);
const table = fc.nat(254);

export const actions: fc.Arbitrary<Action> = fc.oneof(
  fc.record({ type: fc.constant('output' as const), port: fc.oneof(fc.nat(0xfeff), fc.constant('in_port' as const)) }),
  fc.record(
    { type: fc.constant('controller' as const), userdata: fc.string({ unit: 'grapheme' }), maxLength: u16, meter: u32 },
    { requiredKeys: ['type', 'userdata', 'maxLength'] },
  ),
  fc.record({ type: fc.constant('group' as const), group: u32 }),
  fc.record({ type: fc.constant('resubmit' as const), table }),
  setFields,
  moves,
  fc.record({ type: fc.constant('push' as const), from: runOfBits(specs) }),
  fc.record({ type: fc.constant('pop' as const), to: runOfBits(writable) }),
  fc.constant<Action>({ type: 'push_vlan', ethertype: 0x8100 }),
  fc.constantFrom<Action>({ type: 'pop_vlan' }, { type: 'dec_ttl' }, { type: 'ct_clear' }),
  fc.record({
    type: fc.constant('check_pkt_larger' as const),
    length: u16,
    to: fc.constantFrom(...writable).chain((spec) => bitsIn(spec, 1)),
  }),
);

const actionLists = fc.array(actions, { maxLength: 6 });

export const flows: fc.Arbitrary<Flow> = fc
  .record(
    {
      table: fc.nat(253),
      priority: u16,
      cookie: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
      match: matches,
      meter: u32,
      actions: actionLists,
      goto: fc.nat(253),
      idleTimeout: u16,
      hardTimeout: u16,
    },
    { requiredKeys: ['table', 'priority', 'cookie', 'match', 'actions'] },
  )
  .map(({ goto, ...flow }) => (goto === undefined ? flow : { ...flow, goto: Math.max(goto, flow.table) + 1 }));

export const groups: fc.Arbitrary<Group> = fc.record({
  id: u32,
  type: fc.constant('all' as const),
  buckets: fc.array(
    actionLists.map((list) => ({ actions: list })),
    { maxLength: 5 },
  ),
});

export const meters: fc.Arbitrary<Meter> = fc.record({ id: u32, rate: u32, burst: u32 });
