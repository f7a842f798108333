import { BROADCAST_MAC, type Ip, type Mac, parseIp, parseMac } from '@weir/kernel';
import {
  decodeFrame,
  encodeFrame,
  type Frame,
  FRAGMENTATION_NEEDED,
  icmpTimeExceeded,
  icmpUnreachable,
  ipv4,
  type Ipv4Packet,
  ipv6,
  PORT_UNREACHABLE,
  udp,
} from './index';

const CLIENT = parseMac('fa:16:3e:00:00:0a');
const ROUTER = { mac: parseMac('fa:16:3e:00:00:01'), ip: parseIp('10.1.1.1') };

function datagram(packet: Partial<Ipv4Packet> = {}, frame: Partial<Frame> = {}): Frame {
  return {
    destination: ROUTER.mac,
    source: CLIENT,
    payload: ipv4({
      source: parseIp('10.1.1.10'),
      destination: parseIp('10.1.2.20'),
      ttl: 1,
      payload: udp(40000, 33434, new Uint8Array(1000).fill(7)),
      ...packet,
    }),
    ...frame,
  };
}

describe('an ICMP error', () => {
  it('goes back to the sender and quotes the original up to 576 bytes in all', () => {
    const answer = icmpTimeExceeded(datagram(), ROUTER);
    expect(answer).toMatchObject({
      destination: CLIENT,
      source: ROUTER.mac,
      payload: {
        source: '10.1.1.1',
        destination: '10.1.1.10',
        ttl: 64,
        payload: { kind: 'icmp', type: 'time-exceeded', code: 0 },
      },
    });
    const bytes = encodeFrame(answer as Frame);
    expect(bytes).toHaveLength(14 + 576);
    expect(bytes.subarray(14 + 28)).toEqual(encodeFrame(datagram()).subarray(14, 14 + 548));
    expect(decodeFrame(bytes)).toEqual(answer);
  });

  it('keeps the VLAN tag that the original came with', () => {
    const vlan = { id: 7, priority: 0, dropEligible: false };
    expect(icmpUnreachable(datagram({}, { vlan }), PORT_UNREACHABLE, ROUTER)?.vlan).toEqual(vlan);
  });

  it('tells the MTU only where fragmentation is needed', () => {
    expect(icmpUnreachable(datagram(), FRAGMENTATION_NEEDED, ROUTER, 1450)?.payload).toMatchObject({
      payload: { type: 'unreachable', code: 4, mtu: 1450 },
    });
    expect(icmpUnreachable(datagram(), PORT_UNREACHABLE, ROUTER, 1450)?.payload).toMatchObject({
      payload: { type: 'unreachable', code: 3, mtu: 0 },
    });
  });

  it('answers a ping and a first fragment', () => {
    const ping = { kind: 'icmp', type: 'echo-request', identifier: 1, sequence: 1, data: new Uint8Array(8) } as const;
    expect(icmpTimeExceeded(datagram({ payload: ping }), ROUTER)).toBeDefined();
    const first = { moreFragments: true, payload: { kind: 'raw', protocol: 17, bytes: new Uint8Array(64) } } as const;
    expect(icmpTimeExceeded(datagram(first), ROUTER)).toBeDefined();
  });

  const icmpBytes = (type: number): Partial<Ipv4Packet> => ({
    moreFragments: true,
    payload: { kind: 'raw', protocol: 1, bytes: Uint8Array.of(type, 0, 0, 0) },
  });
  const original = new Uint8Array(28);
  it.each<[string, Frame]>([
    ['an unreachable', datagram({ payload: { kind: 'icmp', type: 'unreachable', code: 1, mtu: 0, original } })],
    ['a time exceeded', datagram({ payload: { kind: 'icmp', type: 'time-exceeded', code: 0, original } })],
    ['a redirect', datagram({ payload: { kind: 'icmp', type: 'other', number: 5, code: 0, body: original } })],
    ['a fragment of an ICMP error', datagram(icmpBytes(3))],
    ['an ICMP message without a type', datagram({ payload: { kind: 'raw', protocol: 1, bytes: new Uint8Array() } })],
    ['a broadcast frame', datagram({}, { destination: BROADCAST_MAC })],
    ['a multicast frame', datagram({}, { destination: '01:00:5e:00:00:fb' as Mac })],
    ['a broadcast packet', datagram({ destination: '255.255.255.255' as Ip })],
    ['a multicast packet', datagram({ destination: '224.0.0.251' as Ip })],
    ['a later fragment', datagram({ fragmentOffset: 1480, payload: { kind: 'raw', protocol: 17, bytes: original } })],
    ['a packet from 0.0.0.0', datagram({ source: '0.0.0.0' as Ip })],
    ['a packet from a loopback address', datagram({ source: '127.0.0.1' as Ip })],
    ['a packet from a multicast address', datagram({ source: '239.1.1.1' as Ip })],
    ['a packet from a broadcast address', datagram({ source: '255.255.255.255' as Ip })],
    [
      'an IPv6 packet',
      datagram(
        {},
        {
          payload: ipv6({ source: parseIp('fd00::a'), destination: parseIp('fd00::b'), payload: udp(1, 2, original) }),
        },
      ),
    ],
  ])('is never sent about %s', (_what, frame) => {
    expect(icmpTimeExceeded(frame, ROUTER)).toBeUndefined();
    expect(icmpUnreachable(frame, PORT_UNREACHABLE, ROUTER)).toBeUndefined();
  });
});
