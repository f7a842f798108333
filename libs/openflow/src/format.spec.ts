import { formatAction, formatFlow, formatGroup, formatMatch, formatMeter } from './format';
import type { Action, Match } from './model';

describe('a flow in the words of ovs-ofctl', () => {
  it('reads as people write it', () => {
    expect(
      formatFlow({
        table: 8,
        priority: 100,
        cookie: 0x5_0000_0000_0001n,
        match: { reg9: { value: 0x66n }, eth_type: { value: 0x0800n }, reg4: { value: 0x0a010105n } },
        actions: [
          { type: 'dec_ttl' },
          { type: 'set_field', field: 'eth_dst', value: 0xfa163e000005n },
          { type: 'set_field', field: 'reg0', value: 0n, mask: 3n },
        ],
        goto: 9,
        idleTimeout: 300,
      }),
    ).toBe(
      'table=8, priority=100, cookie=0x5000000000001, idle_timeout=300, ip,reg4=0xa010105,reg9=0x66 actions=dec_ttl,set_field:fa:16:3e:00:00:05->eth_dst,set_field:0x0/0x3->reg0,goto_table:9',
    );
  });

  it('drops what has no actions, and names tables where names are given', () => {
    const names = ['CLASSIFY', 'PORT_SECURITY'];
    const name = (table: number) => names[table] ?? '?';
    const row = { table: 0, priority: 0, cookie: 0n, match: {}, actions: [] };
    expect(formatFlow(row, name)).toBe('table=CLASSIFY, priority=0 actions=drop');
    const again: Action[] = [{ type: 'resubmit', table: 0 }];
    expect(formatFlow({ ...row, actions: again, goto: 1, meter: 7 }, name)).toBe(
      'table=CLASSIFY, priority=0 actions=meter:7,resubmit(,CLASSIFY),goto_table:PORT_SECURITY',
    );
  });

  it('shows what somebody else wrote in hex', () => {
    const row = { table: 0, priority: 0, cookie: 0n, match: {}, actions: [] };
    expect(formatFlow({ ...row, foreign: { match: '80', instructions: '00' } })).toBe(
      'table=0, priority=0, foreign(80) actions=foreign(00)',
    );
  });
});

describe('a match', () => {
  it.each<[Match, string]>([
    [{}, ''],
    [{ arp_op: { value: 1n }, arp_tpa: { value: 0x0a010101n } }, 'arp,arp_op=1,arp_tpa=10.1.1.1'],
    [{ udp_dst: { value: 67n }, eth_type: { value: 0x86ddn } }, 'udp6,udp_dst=67'],
    [{ ip_dst: { value: 0x0a000000n, mask: 0xff000000n } }, 'ip,ip_dst=10.0.0.0/8'],
    [{ ip_dst: { value: 0x0a000001n, mask: 0xff0000ffn } }, 'ip,ip_dst=10.0.0.1/255.0.0.255'],
    [{ ipv6_src: { value: 0xfd00n << 112n, mask: 0xffffn << 112n } }, 'ipv6,ipv6_src=fd00::/16'],
    [{ nd_target: { value: 5n }, icmpv6_type: { value: 135n } }, 'icmp6,icmpv6_type=135,nd_target=::5'],
    [{ eth_dst: { value: 1n << 40n, mask: 1n << 40n } }, 'eth_dst=01:00:00:00:00:00/01:00:00:00:00:00'],
    [{ eth_type: { value: 0x8035n } }, 'rarp'],
    [{ eth_type: { value: 0x88ccn } }, 'eth_type=0x88cc'],
    [{ eth_type: { value: 0x0800n }, ip_proto: { value: 132n } }, 'ip,ip_proto=132'],
    [{ ct_state: { value: 0x22n, mask: 0x2an } }, 'ct_state=+est-rpl+trk'],
    [{ ip_frag: { value: 1n, mask: 1n }, eth_type: { value: 0x0800n } }, 'ip,ip_frag=yes'],
    [{ reg0: { value: 4n, mask: 4n }, tun_id: { value: 10_000n } }, 'tun_id=0x2710,reg0=0x4/0x4'],
  ])('%j reads %s', (match, text) => {
    expect(formatMatch(match)).toBe(text);
  });
});

describe('an action', () => {
  it.each<[Action, string]>([
    [{ type: 'output', port: 'in_port' }, 'in_port'],
    [{ type: 'output', port: 9 }, 'output:9'],
    [{ type: 'controller', userdata: 'DHCP', maxLength: 0xffff }, 'controller(userdata=44.48.43.50)'],
    [{ type: 'controller', userdata: '', maxLength: 128, meter: 3 }, 'controller(max_len=128,meter_id=3)'],
    [
      {
        type: 'move',
        from: { field: 'metadata', offset: 0, width: 32 },
        to: { field: 'tun_id', offset: 0, width: 32 },
      },
      'move:metadata[0..31]->tun_id[0..31]',
    ],
    [{ type: 'push', from: { field: 'eth_dst', offset: 0, width: 48 } }, 'push:eth_dst[]'],
    [{ type: 'pop', to: { field: 'in_port', offset: 0, width: 16 } }, 'pop:in_port_oxm[0..15]'],
    [
      { type: 'check_pkt_larger', length: 1464, to: { field: 'reg0', offset: 3, width: 1 } },
      'check_pkt_larger(1464)->reg0[3]',
    ],
    [{ type: 'push_vlan', ethertype: 0x8100 }, 'push_vlan:0x8100'],
    [{ type: 'group', group: 5 }, 'group:5'],
  ])('%j reads %s', (action, text) => {
    expect(formatAction(action)).toBe(text);
  });
});

describe('groups and meters', () => {
  it('read as ovs-ofctl takes them', () => {
    const bucket = (port: number) => ({
      actions: [
        { type: 'set_field' as const, field: 'reg2' as const, value: BigInt(port) },
        { type: 'resubmit' as const, table: 11 },
      ],
    });
    expect(formatGroup({ id: 5, type: 'all', buckets: [bucket(1), bucket(2)] })).toBe(
      'group_id=5,type=all,bucket=actions=set_field:0x1->reg2,resubmit(,11),bucket=actions=set_field:0x2->reg2,resubmit(,11)',
    );
    expect(formatMeter({ id: 1, rate: 10, burst: 20 })).toBe(
      'meter=1,pktps,burst,stats,bands=type=drop,rate=10,burst_size=20',
    );
  });
});
