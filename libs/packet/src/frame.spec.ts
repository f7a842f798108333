import fc from 'fast-check';
import { BROADCAST_MAC, type Ip, ipFromBytes, type Mac, macFromBytes, parseIp, parseMac } from '@weir/kernel';
import {
  ARP_REPLY,
  ARP_REQUEST,
  type ArpPacket,
  decodeFrame,
  decodeVxlan,
  encodeFrame,
  encodeVxlan,
  type Frame,
  type IcmpMessage,
  type Icmpv6Message,
  ipv4,
  ipv6,
  MalformedPacket,
  RARP_REQUEST,
  tcp,
  type TcpSegment,
  udp,
  type UdpDatagram,
} from './index';

/** More in the chaos runs. */
const FUZZ_RUNS = Number(process.env['WEIR_FUZZ_RUNS'] ?? 5000);

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));
const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

const MAC_A = parseMac('fa:16:3e:00:00:0a');
const MAC_B = parseMac('fa:16:3e:00:00:0b');
const IP_A = parseIp('10.1.1.10');
const IP_B = parseIp('10.1.1.11');
const IP6_A = parseIp('fd00::a');
const IP6_B = parseIp('fd00::b');
const PING_DATA = hex('0001020304050607');

/** Captured between two Linux hosts (checksum offload off). */
const CAPTURED: readonly (readonly [what: string, bytes: string, frame: Frame])[] = [
  [
    'an ARP request',
    'fffffffffffffa163e00000a08060001080006040001fa163e00000a0a01010a0000000000000a01010b',
    {
      destination: BROADCAST_MAC,
      source: MAC_A,
      payload: {
        kind: 'arp',
        operation: ARP_REQUEST,
        senderMac: MAC_A,
        senderIp: IP_A,
        targetMac: '00:00:00:00:00:00' as Mac,
        targetIp: IP_B,
      },
    },
  ],
  [
    'an ARP reply',
    'fa163e00000afa163e00000b08060001080006040002fa163e00000b0a01010bfa163e00000a0a01010a',
    {
      destination: MAC_A,
      source: MAC_B,
      payload: {
        kind: 'arp',
        operation: ARP_REPLY,
        senderMac: MAC_B,
        senderIp: IP_B,
        targetMac: MAC_A,
        targetIp: IP_A,
      },
    },
  ],
  [
    'a ping',
    'fa163e00000bfa163e00000a080045000024789840004001ac2a0a01010a0a01010b0800c3ff27ef00010001020304050607',
    {
      destination: MAC_B,
      source: MAC_A,
      payload: ipv4({
        source: IP_A,
        destination: IP_B,
        identification: 0x7898,
        payload: { kind: 'icmp', type: 'echo-request', identifier: 0x27ef, sequence: 1, data: PING_DATA },
      }),
    },
  ],
  [
    'the answer to a ping',
    'fa163e00000afa163e00000b080045000024faba000040016a080a01010b0a01010a0000cbff27ef00010001020304050607',
    {
      destination: MAC_A,
      source: MAC_B,
      payload: ipv4({
        source: IP_B,
        destination: IP_A,
        identification: 0xfaba,
        dontFragment: false,
        payload: { kind: 'icmp', type: 'echo-reply', identifier: 0x27ef, sequence: 1, data: PING_DATA },
      }),
    },
  ],
  [
    'a UDP datagram',
    'fa163e00000bfa163e00000a08004500001ece4f4000401156690a01010a0a01010bc7b20009000ab99e6869',
    {
      destination: MAC_B,
      source: MAC_A,
      payload: ipv4({
        source: IP_A,
        destination: IP_B,
        identification: 0xce4f,
        payload: udp(51122, 9, hex('6869')),
      }),
    },
  ],
  [
    'port unreachable',
    'fa163e00000afa163e00000b080045c0003afac50000400169270a01010b0a01010a0303132f000000004500001ece4f4000401156690a01010a0a01010bc7b20009000ab99e6869',
    {
      destination: MAC_A,
      source: MAC_B,
      payload: ipv4({
        source: IP_B,
        destination: IP_A,
        tos: 0xc0,
        identification: 0xfac5,
        dontFragment: false,
        payload: {
          kind: 'icmp',
          type: 'unreachable',
          code: 3,
          mtu: 0,
          original: hex('4500001ece4f4000401156690a01010a0a01010bc7b20009000ab99e6869'),
        },
      }),
    },
  ],
  [
    'a TCP SYN with options',
    'fa163e00000bfa163e00000a08004500003c174c400040060d5a0a01010a0a01010bd62c00501c43766800000000a002faf0bb090000020405b40402080ae2d82feb000000000103030a',
    {
      destination: MAC_B,
      source: MAC_A,
      payload: ipv4({
        source: IP_A,
        destination: IP_B,
        identification: 0x174c,
        payload: tcp({
          sourcePort: 54828,
          destinationPort: 80,
          sequence: 0x1c437668,
          flags: { syn: true },
          window: 64240,
          options: hex('020405b40402080ae2d82feb000000000103030a'),
        }),
      }),
    },
  ],
  [
    'a TCP reset',
    'fa163e00000afa163e00000b08004500002800004000400624ba0a01010b0a01010a0050d62c000000001c4376695014000030910000',
    {
      destination: MAC_A,
      source: MAC_B,
      payload: ipv4({
        source: IP_B,
        destination: IP_A,
        payload: tcp({
          sourcePort: 80,
          destinationPort: 54828,
          acknowledgment: 0x1c437669,
          flags: { rst: true, ack: true },
          window: 0,
        }),
      }),
    },
  ],
  [
    'a router solicitation',
    '333300000002fa163e00000a86dd6000000000103afffe80000000000000f8163efffe00000aff02000000000000000000000000000285000eec000000000101fa163e00000a',
    {
      destination: '33:33:00:00:00:02' as Mac,
      source: MAC_A,
      payload: ipv6({
        source: parseIp('fe80::f816:3eff:fe00:a'),
        destination: parseIp('ff02::2'),
        hopLimit: 255,
        payload: { kind: 'icmpv6', type: 'router-solicitation', sourceMac: MAC_A },
      }),
    },
  ],
  [
    'a neighbor solicitation',
    '3333ff00000bfa163e00000a86dd6000000000203afffd00000000000000000000000000000aff0200000000000000000001ff00000b8700475c00000000fd00000000000000000000000000000b0101fa163e00000a',
    {
      destination: '33:33:ff:00:00:0b' as Mac,
      source: MAC_A,
      payload: ipv6({
        source: IP6_A,
        destination: parseIp('ff02::1:ff00:b'),
        hopLimit: 255,
        payload: { kind: 'icmpv6', type: 'neighbor-solicitation', target: IP6_B, sourceMac: MAC_A },
      }),
    },
  ],
  [
    'a neighbor advertisement',
    'fa163e00000afa163e00000b86dd6000000000203afffd00000000000000000000000000000bfd00000000000000000000000000000a8800e65e60000000fd00000000000000000000000000000b0201fa163e00000b',
    {
      destination: MAC_A,
      source: MAC_B,
      payload: ipv6({
        source: IP6_B,
        destination: IP6_A,
        hopLimit: 255,
        payload: {
          kind: 'icmpv6',
          type: 'neighbor-advertisement',
          target: IP6_B,
          router: false,
          solicited: true,
          override: true,
          targetMac: MAC_B,
        },
      }),
    },
  ],
  [
    'a neighbor advertisement without an address',
    'fa163e00000bfa163e00000a86dd6000000000183afffd00000000000000000000000000000afe80000000000000f8163efffe00000b880009f440000000fd00000000000000000000000000000a',
    {
      destination: MAC_B,
      source: MAC_A,
      payload: ipv6({
        source: IP6_A,
        destination: parseIp('fe80::f816:3eff:fe00:b'),
        hopLimit: 255,
        payload: {
          kind: 'icmpv6',
          type: 'neighbor-advertisement',
          target: IP6_A,
          router: false,
          solicited: true,
          override: false,
        },
      }),
    },
  ],
  [
    'a ping over IPv6',
    'fa163e00000bfa163e00000a86dd600988e800103a40fd00000000000000000000000000000afd00000000000000000000000000000b8000519d27f000010001020304050607',
    {
      destination: MAC_B,
      source: MAC_A,
      payload: ipv6({
        source: IP6_A,
        destination: IP6_B,
        flowLabel: 0x988e8,
        payload: { kind: 'icmpv6', type: 'echo-request', identifier: 0x27f0, sequence: 1, data: PING_DATA },
      }),
    },
  ],
  [
    'an IPv6 packet with an extension header',
    '333300000016fa163e00000a86dd6000000000240001fe80000000000000f8163efffe00000aff0200000000000000000000000000163a000502000001008f003bde0000000104000000ff0200000000000000000001ff00000a',
    {
      destination: '33:33:00:00:00:16' as Mac,
      source: MAC_A,
      payload: ipv6({
        source: parseIp('fe80::f816:3eff:fe00:a'),
        destination: parseIp('ff02::16'),
        hopLimit: 1,
        payload: {
          kind: 'raw',
          protocol: 0,
          bytes: hex('3a000502000001008f003bde0000000104000000ff0200000000000000000001ff00000a'),
        },
      }),
    },
  ],
];

describe('a captured frame', () => {
  it.each(CAPTURED)('of %s is decoded layer by layer', (_what, bytes, frame) => {
    expect(decodeFrame(hex(bytes))).toEqual(frame);
  });

  it.each(CAPTURED)('of %s is encoded to the same bytes', (_what, bytes, frame) => {
    expect(toHex(encodeFrame(frame))).toBe(bytes);
  });

  it('of VXLAN shows the tunnelled frame', () => {
    const outer = decodeFrame(
      hex(
        'fa163e00000bfa163e00000a08004500006a626300004011020a0a01010a0a01010b8ae912b50056033308000000002711003333000000021a7f2ae994f286dd6000000000103afffe80000000000000187f2afffee994f2ff0200000000000000000000000000028500ca780000000001011a7f2ae994f2',
      ),
    );
    if (outer.payload.kind !== 'ipv4' || outer.payload.payload.kind !== 'udp') throw new Error('not UDP');
    const { payload, destinationPort } = outer.payload.payload;
    const { vni, frame } = decodeVxlan(payload);
    expect({ destinationPort, vni }).toEqual({ destinationPort: 4789, vni: 10001 });
    expect(decodeFrame(frame).payload).toMatchObject({
      kind: 'ipv6',
      payload: { type: 'router-solicitation', sourceMac: '1a:7f:2a:e9:94:f2' },
    });
    expect(encodeVxlan({ vni, frame })).toEqual(payload);
  });
});

describe('a frame', () => {
  const ping = hex(CAPTURED[2]?.[1] ?? '');
  const datagram = hex(CAPTURED[4]?.[1] ?? '');

  it('with an 802.1Q tag shows the tag and what is inside', () => {
    const tagged = hex('fa163e00000bfa163e00000a8100707b' + toHex(ping.subarray(12)));
    const frame = decodeFrame(tagged);
    expect(frame.vlan).toEqual({ id: 123, priority: 3, dropEligible: true });
    expect(frame.payload).toEqual(decodeFrame(ping).payload);
    expect(encodeFrame(frame)).toEqual(tagged);
  });

  it('of a migrated machine (RARP) is decoded', () => {
    const announcement: Frame = {
      destination: BROADCAST_MAC,
      source: MAC_A,
      payload: {
        kind: 'rarp',
        operation: RARP_REQUEST,
        senderMac: MAC_A,
        senderIp: parseIp('0.0.0.0'),
        targetMac: MAC_A,
        targetIp: parseIp('0.0.0.0'),
      },
    };
    const bytes = 'fffffffffffffa163e00000a80350001080006040003fa163e00000a00000000fa163e00000a00000000';
    expect(toHex(encodeFrame(announcement))).toBe(bytes);
    expect(decodeFrame(hex(bytes))).toEqual(announcement);
  });

  it('loses the padding that Ethernet adds', () => {
    const padded = new Uint8Array(60);
    padded.set(datagram);
    expect(decodeFrame(padded)).toEqual(decodeFrame(datagram));
  });

  it('from a Buffer is equal to one from plain bytes', () => {
    expect(decodeFrame(Buffer.from(datagram))).toEqual(decodeFrame(datagram));
  });

  it('keeps IPv4 options and reads behind them', () => {
    const packet = ipv4({
      source: IP_A,
      destination: IP_B,
      options: hex('94040000'),
      payload: udp(1, 2, hex('00')),
    });
    expect(decodeFrame(encodeFrame({ destination: MAC_B, source: MAC_A, payload: packet })).payload).toEqual(packet);
  });

  it('of a fragment keeps its payload as bytes, the first one too', () => {
    for (const fragment of [{ moreFragments: true }, { fragmentOffset: 1480 }]) {
      const packet = ipv4({
        source: IP_A,
        destination: IP_B,
        ...fragment,
        payload: { kind: 'raw', protocol: 17, bytes: datagram.subarray(34) },
      });
      expect(decodeFrame(encodeFrame({ destination: MAC_B, source: MAC_A, payload: packet })).payload).toEqual(packet);
    }
  });

  it.each([
    ['an IPv4 header checksum', ping, 24, { kind: 'raw', etherType: 0x0800 }],
    ['an ICMP checksum', ping, 36, { kind: 'ipv4', payload: { kind: 'raw', protocol: 1 } }],
    ['a UDP checksum', datagram, 40, { kind: 'ipv4', payload: { kind: 'raw', protocol: 17 } }],
    ['a TCP checksum', hex(CAPTURED[6]?.[1] ?? ''), 50, { kind: 'ipv4', payload: { kind: 'raw', protocol: 6 } }],
    ['an ICMPv6 checksum', hex(CAPTURED[9]?.[1] ?? ''), 56, { kind: 'ipv6', payload: { kind: 'raw', protocol: 58 } }],
  ])('with %s that is wrong keeps that layer as bytes', (_what, good, offset, expected) => {
    const bytes = good.slice();
    bytes[offset] = (bytes[offset] ?? 0) ^ 0x55;
    expect(decodeFrame(bytes).payload).toMatchObject(expected);
  });

  it('sends a UDP checksum of zero in its other form, and none where none is wanted', () => {
    const frameWith = (payload: UdpDatagram): Uint8Array =>
      encodeFrame({
        destination: MAC_B,
        source: MAC_A,
        payload: ipv4({ source: IP_A, destination: IP_B, payload }),
      });
    const sumOf = (bytes: Uint8Array): string => toHex(bytes.subarray(40, 42));
    const sum = sumOf(frameWith(udp(1, 2, hex('0000'))));
    const zero = frameWith(udp(1, 2, hex(sum)));
    expect(sumOf(zero)).toBe('ffff');
    expect(decodeFrame(zero).payload).toMatchObject({ payload: { kind: 'udp' } });
    const unchecked: UdpDatagram = { ...udp(1, 2, hex('0000')), unchecked: true };
    expect(sumOf(frameWith(unchecked))).toBe('0000');
  });

  it('shorter than an Ethernet header is malformed', () => {
    expect(() => decodeFrame(ping.subarray(0, 13))).toThrow(MalformedPacket);
    expect(() => decodeFrame(ping.subarray(0, 13))).toThrow('The Ethernet frame is truncated: 13 bytes.');
  });

  it('is refused when a length does not fit', () => {
    const big = new Uint8Array(0x10000);
    const frame = (payload: Frame['payload']): Frame => ({ destination: MAC_B, source: MAC_A, payload });
    expect(() => encodeFrame(frame(ipv4({ source: IP_A, destination: IP_B, payload: udp(1, 2, big) })))).toThrow(
      MalformedPacket,
    );
    expect(() => encodeFrame(frame(ipv4({ source: IP_A, destination: IP6_B, payload: udp(1, 2, hex('')) })))).toThrow(
      'fd00::b is not an IPv4 address.',
    );
    expect(() => encodeVxlan({ vni: 0x1000000, frame: hex('') })).toThrow(MalformedPacket);
  });
});

describe('any frame', () => {
  const u = (bits: number): fc.Arbitrary<number> => fc.integer({ min: 0, max: 2 ** bits - 1 });
  const bytes = (max: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength: max });
  const fixed = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });
  const mac: fc.Arbitrary<Mac> = fixed(6).map((value) => macFromBytes(value));
  const ip4: fc.Arbitrary<Ip> = fixed(4).map(ipFromBytes);
  const ip6: fc.Arbitrary<Ip> = fixed(16).map(ipFromBytes);
  const words = (max: number): fc.Arbitrary<Uint8Array> =>
    fc.integer({ min: 0, max }).chain((count) => fixed(count * 4));

  const datagrams: fc.Arbitrary<UdpDatagram> = fc
    .record({ sourcePort: u(16), destinationPort: u(16), payload: bytes(60), unchecked: fc.boolean() })
    .map(({ unchecked, ...rest }) => ({ kind: 'udp', ...rest, ...(unchecked && { unchecked }) }));
  const segments: fc.Arbitrary<TcpSegment> = fc.record({
    kind: fc.constant('tcp'),
    sourcePort: u(16),
    destinationPort: u(16),
    sequence: u(32),
    acknowledgment: u(32),
    flags: fc.record({
      fin: fc.boolean(),
      syn: fc.boolean(),
      rst: fc.boolean(),
      psh: fc.boolean(),
      ack: fc.boolean(),
      urg: fc.boolean(),
      ece: fc.boolean(),
      cwr: fc.boolean(),
    }),
    window: u(16),
    urgentPointer: u(16),
    options: words(10),
    payload: bytes(60),
  });
  const icmp: fc.Arbitrary<IcmpMessage> = fc.oneof(
    fc.record({
      kind: fc.constant('icmp'),
      type: fc.constantFrom('echo-request', 'echo-reply'),
      identifier: u(16),
      sequence: u(16),
      data: bytes(60),
    }),
    fc.record({
      kind: fc.constant('icmp'),
      type: fc.constant('unreachable'),
      code: u(8),
      mtu: u(16),
      original: bytes(60),
    }),
    fc.record({ kind: fc.constant('icmp'), type: fc.constant('time-exceeded'), code: u(8), original: bytes(60) }),
    fc.record({
      kind: fc.constant('icmp'),
      type: fc.constant('other'),
      number: fc.integer({ min: 12, max: 255 }),
      code: u(8),
      body: fixed(8),
    }),
  );
  const optionalMac = fc.option(mac, { nil: undefined });
  const icmpv6: fc.Arbitrary<Icmpv6Message> = fc.oneof(
    fc
      .record({ target: ip6, sourceMac: optionalMac })
      .map(
        ({ target, sourceMac }) =>
          ({ kind: 'icmpv6', type: 'neighbor-solicitation', target, ...(sourceMac && { sourceMac }) }) as const,
      ),
    fc
      .record({
        target: ip6,
        router: fc.boolean(),
        solicited: fc.boolean(),
        override: fc.boolean(),
        targetMac: optionalMac,
      })
      .map(
        ({ targetMac, ...rest }) =>
          ({ kind: 'icmpv6', type: 'neighbor-advertisement', ...rest, ...(targetMac && { targetMac }) }) as const,
      ),
    fc
      .record({
        hopLimit: u(8),
        managed: fc.boolean(),
        otherConfig: fc.boolean(),
        lifetimeSeconds: u(16),
        reachableMs: u(32),
        retransmitMs: u(32),
        sourceMac: optionalMac,
        mtu: fc.option(u(32), { nil: undefined }),
        prefixes: fc.array(
          fc.record({
            prefix: ip6,
            length: u(7),
            onLink: fc.boolean(),
            autonomous: fc.boolean(),
            validSeconds: u(32),
            preferredSeconds: u(32),
          }),
          { maxLength: 3 },
        ),
      })
      .map(
        ({ sourceMac, mtu, ...rest }) =>
          ({
            kind: 'icmpv6',
            type: 'router-advertisement',
            ...rest,
            ...(sourceMac && { sourceMac }),
            ...(mtu !== undefined && { mtu }),
          }) as const,
      ),
    fc.record({
      kind: fc.constant('icmpv6'),
      type: fc.constantFrom('echo-request', 'echo-reply'),
      identifier: u(16),
      sequence: u(16),
      data: bytes(60),
    }),
    fc.record({
      kind: fc.constant('icmpv6'),
      type: fc.constant('other'),
      number: fc.integer({ min: 0, max: 127 }),
      code: u(8),
      body: bytes(60),
    }),
  );
  const rawIp = fc.record({ kind: fc.constant('raw'), protocol: fc.constantFrom(2, 47, 132, 255), bytes: bytes(60) });
  const arp: fc.Arbitrary<ArpPacket> = fc.record({
    kind: fc.constantFrom('arp', 'rarp'),
    operation: u(16),
    senderMac: mac,
    senderIp: ip4,
    targetMac: mac,
    targetIp: ip4,
  });
  const packets4 = fc.record({
    kind: fc.constant('ipv4'),
    source: ip4,
    destination: ip4,
    tos: u(8),
    ttl: u(8),
    identification: u(16),
    dontFragment: fc.boolean(),
    moreFragments: fc.constant(false),
    fragmentOffset: fc.constant(0),
    options: words(10),
    payload: fc.oneof(datagrams, segments, icmp, rawIp),
  });
  const fragments4 = fc.record({
    kind: fc.constant('ipv4'),
    source: ip4,
    destination: ip4,
    tos: u(8),
    ttl: u(8),
    identification: u(16),
    dontFragment: fc.constant(false),
    moreFragments: fc.constant(true),
    fragmentOffset: u(13).map((units) => units * 8),
    options: words(10),
    payload: fc.record({ kind: fc.constant('raw'), protocol: u(8), bytes: bytes(60) }),
  });
  const packets6 = fc.record({
    kind: fc.constant('ipv6'),
    source: ip6,
    destination: ip6,
    trafficClass: u(8),
    flowLabel: u(20),
    hopLimit: u(8),
    payload: fc.oneof(datagrams, segments, icmpv6, rawIp),
  });
  const raw = fc.record({
    kind: fc.constant('raw'),
    etherType: fc.constantFrom(0x0040, 0x88a8, 0x88cc, 0xffff),
    bytes: bytes(60),
  });
  const frames: fc.Arbitrary<Frame> = fc
    .record({
      destination: mac,
      source: mac,
      vlan: fc.option(fc.record({ id: u(12), priority: u(3), dropEligible: fc.boolean() }), { nil: undefined }),
      payload: fc.oneof(arp, packets4, fragments4, packets6, raw),
    })
    .map(({ vlan, ...rest }) => ({ ...rest, ...(vlan && { vlan }) }));

  it('is the same after encoding and decoding', () => {
    fc.assert(
      fc.property(frames, (frame) => {
        expect(decodeFrame(encodeFrame(frame))).toEqual(frame);
      }),
      { numRuns: 2000 },
    );
  });

  it('cut off or with flipped bytes is decoded, or is shorter than an Ethernet header', () => {
    fc.assert(
      fc.property(frames, fc.nat(), fc.array(fc.tuple(fc.nat(), u(8)), { maxLength: 4 }), (frame, cut, flips) => {
        const whole = encodeFrame(frame);
        const damaged = whole.slice(0, cut % (whole.length + 1));
        for (const [at, value] of flips) if (damaged.length > 0) damaged[at % damaged.length] = value;
        if (damaged.length < 14) expect(() => decodeFrame(damaged)).toThrow(MalformedPacket);
        else expect(decodeFrame(encodeFrame(decodeFrame(damaged)))).toEqual(decodeFrame(damaged));
      }),
      { numRuns: 2000 },
    );
  });

  it('of random bytes is decoded', () => {
    const starts = [hex('0800'), hex('86dd'), hex('0806'), hex('8035'), hex('8100'), hex('080045'), hex('86dd60')];
    fc.assert(
      fc.property(fixed(12), fc.constantFrom(...starts), bytes(120), (macs, start, rest) => {
        decodeFrame(Uint8Array.of(...macs, ...start, ...rest));
      }),
      { numRuns: FUZZ_RUNS },
    );
  });
});
