import fc from 'fast-check';
import { BROADCAST_MAC, type Cidr, type Ip, parseCidr, parseIp, parseMac } from '@weir/kernel';
import {
  decodeDhcp,
  decodeFrame,
  type DhcpLease,
  type DhcpMessage,
  DhcpMessageType,
  DhcpOption,
  dhcpReply,
  dhcpReplyFrame,
  encodeDhcp,
  encodeFrame,
  type Frame,
  ipv4,
  type Ipv4Packet,
  MalformedPacket,
  udp,
} from './index';

/** More in the chaos runs. */
const FUZZ_RUNS = Number(process.env['WEIR_FUZZ_RUNS'] ?? 5000);

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));

const CLIENT = parseMac('fa:16:3e:00:00:0a');
const SERVER = parseMac('fa:16:3e:00:00:01');
const ZERO = parseIp('0.0.0.0');
const ADDRESS = parseIp('10.1.1.10');
const OTHER = parseIp('10.1.1.99');
const LEASE: DhcpLease = {
  clientMac: CLIENT,
  address: ADDRESS,
  prefix: 24,
  serverAddress: parseIp('10.1.1.1'),
  router: parseIp('10.1.1.1'),
  dns: [parseIp('192.0.2.53'), parseIp('192.0.2.54')],
  mtu: 1450,
  hostRoutes: [],
};
const { discover, offer, request, decline, ack, nak, release, inform } = DhcpMessageType;

function fromClient(type: number, fields: Partial<DhcpMessage> = {}, ...options: [number, Uint8Array][]): DhcpMessage {
  return {
    op: 'request',
    htype: 1,
    hlen: 6,
    hops: 0,
    xid: 0xcafe0001,
    secs: 3,
    broadcast: false,
    ciaddr: ZERO,
    yiaddr: ZERO,
    siaddr: ZERO,
    giaddr: ZERO,
    chaddr: hex('fa163e00000a00000000000000000000'),
    sname: '',
    file: '',
    options: new Map([[DhcpOption.messageType, Uint8Array.of(type)], ...options]),
    ...fields,
  };
}

const requested = (ip: Ip): [number, Uint8Array] => [DhcpOption.requestedAddress, hex(ipHex(ip))];
const serverId = (ip: Ip): [number, Uint8Array] => [DhcpOption.serverIdentifier, hex(ipHex(ip))];

function ipHex(ip: Ip): string {
  return Buffer.from(ip.split('.').map(Number)).toString('hex');
}

function typeOf(message: DhcpMessage | undefined): number | undefined {
  return message?.options.get(DhcpOption.messageType)?.[0];
}

function optionsOf(message: DhcpMessage | undefined): [number, string][] {
  return [...(message?.options ?? [])].map(([code, value]) => [code, Buffer.from(value).toString('hex')]);
}

describe('a DHCP server with one lease', () => {
  it('offers the lease, mask before router, with half and seven eighths of its time', () => {
    const reply = dhcpReply(fromClient(discover), LEASE);
    expect(reply).toMatchObject({
      op: 'reply',
      xid: 0xcafe0001,
      ciaddr: '0.0.0.0',
      yiaddr: '10.1.1.10',
      giaddr: '0.0.0.0',
      chaddr: fromClient(discover).chaddr,
    });
    expect(optionsOf(reply)).toEqual([
      [53, '02'],
      [54, '0a010101'],
      [51, '00015180'],
      [58, '0000a8c0'],
      [59, '00012750'],
      [1, 'ffffff00'],
      [3, '0a010101'],
      [6, 'c0000235c0000236'],
      [26, '05aa'],
    ]);
  });

  it('leaves out what the subnet does not have', () => {
    const { router, ...lease } = LEASE;
    expect(router).toBeDefined();
    const codes = optionsOf(dhcpReply(fromClient(discover), { ...lease, dns: [] })).map(([code]) => code);
    expect(codes).toEqual([53, 54, 51, 58, 59, 1, 26]);
  });

  it('tells names when given, and never an IPv6 resolver', () => {
    const reply = dhcpReply(fromClient(discover), {
      ...LEASE,
      dns: [parseIp('2001:db8::53')],
      hostname: 'web-1',
      domainName: 'weir.example',
    });
    expect(reply?.options.get(DhcpOption.hostName)).toEqual(Uint8Array.from(Buffer.from('web-1')));
    expect(reply?.options.get(DhcpOption.domainName)).toEqual(Uint8Array.from(Buffer.from('weir.example')));
    expect(reply?.options.has(DhcpOption.domainNameServer)).toBe(false);
  });

  const routed = (...hostRoutes: [string, string][]): string | undefined => {
    const routes = hostRoutes.map(([destination, nexthop]) => ({
      destination: parseCidr(destination),
      nexthop: parseIp(nexthop),
    }));
    return Object.fromEntries(optionsOf(dhcpReply(fromClient(discover), { ...LEASE, hostRoutes: routes })))[121];
  };

  it('sends host routes together with the default route', () => {
    expect(routed(['192.168.0.0/16', '10.1.1.2'], ['10.9.8.0/23', '10.1.1.3'])).toBe(
      '00' + '0a010101' + '10' + 'c0a8' + '0a010102' + '17' + '0a0908' + '0a010103',
    );
  });

  it('sends a host route that is the default instead of the router', () => {
    expect(routed(['0.0.0.0/0', '10.1.1.254'])).toBe('00' + '0a0101fe');
  });

  it('sends no classless routes without host routes, nor those of IPv6', () => {
    expect(routed()).toBeUndefined();
    expect(routed(['fd00::/64', 'fd00::1'])).toBeUndefined();
  });

  it.each<[string, DhcpMessage, number | undefined]>([
    [
      'acknowledges the offer that the client took',
      fromClient(request, {}, requested(ADDRESS), serverId(LEASE.serverAddress)),
      ack,
    ],
    [
      'refuses another address, selecting',
      fromClient(request, {}, requested(OTHER), serverId(LEASE.serverAddress)),
      nak,
    ],
    [
      'is silent when another server was chosen',
      fromClient(request, {}, requested(ADDRESS), serverId(OTHER)),
      undefined,
    ],
    ['acknowledges after a reboot', fromClient(request, {}, requested(ADDRESS)), ack],
    ['refuses another address after a reboot', fromClient(request, {}, requested(OTHER)), nak],
    ['acknowledges a renewal', fromClient(request, { ciaddr: ADDRESS }), ack],
    ['refuses to renew another address', fromClient(request, { ciaddr: OTHER }), nak],
    ['refuses when option 50 and ciaddr disagree', fromClient(request, { ciaddr: OTHER }, requested(ADDRESS)), nak],
    ['is silent about a request for no address', fromClient(request), undefined],
    ['is silent about a requested address of 3 bytes', fromClient(request, {}, [50, hex('0a0101')]), undefined],
    [
      'is silent about a server id of 3 bytes',
      fromClient(request, {}, requested(ADDRESS), [54, hex('0a0101')]),
      undefined,
    ],
    ['informs', fromClient(inform, { ciaddr: OTHER }), ack],
    ['is silent about an inform without an address', fromClient(inform), undefined],
    ['is silent about a decline', fromClient(decline, {}, requested(ADDRESS)), undefined],
    ['is silent about a release', fromClient(release, { ciaddr: ADDRESS }), undefined],
    ['is silent about an offer', fromClient(offer), undefined],
    ['is silent about an unknown type', fromClient(99), undefined],
    ['is silent without a type', { ...fromClient(discover), options: new Map() }, undefined],
    [
      'is silent about a type of two bytes',
      { ...fromClient(discover), options: new Map([[53, hex('0101')]]) },
      undefined,
    ],
    ['is silent about a reply', fromClient(discover, { op: 'reply' }), undefined],
    ['is silent about hlen 7', fromClient(discover, { hlen: 7 }), undefined],
    ['is silent about hlen 0', fromClient(discover, { hlen: 0 }), undefined],
    ['is silent about another hardware', fromClient(discover, { htype: 6 }), undefined],
    ['is silent about a relayed message', fromClient(discover, { giaddr: OTHER }), undefined],
    [
      'is silent about another MAC',
      fromClient(discover, { chaddr: hex('fa163e00000b00000000000000000000') }),
      undefined,
    ],
  ])('%s', (_what, message, expected) => {
    expect(typeOf(dhcpReply(message, LEASE))).toBe(expected);
  });

  it('gives an address and a time with an ACK to a renewal', () => {
    const reply = dhcpReply(fromClient(request, { ciaddr: ADDRESS }), { ...LEASE, leaseSeconds: 120 });
    expect(reply).toMatchObject({ ciaddr: '10.1.1.10', yiaddr: '10.1.1.10' });
    expect(Object.fromEntries(optionsOf(reply))).toMatchObject({ 51: '00000078', 58: '0000003c', 59: '00000069' });
  });

  it('gives neither with an ACK to an inform', () => {
    const reply = dhcpReply(fromClient(inform, { ciaddr: OTHER }), LEASE);
    expect(reply).toMatchObject({ ciaddr: '10.1.1.99', yiaddr: '0.0.0.0' });
    expect(optionsOf(reply).map(([code]) => code)).toEqual([53, 54, 1, 3, 6, 26]);
  });

  it('says with a NAK only who says so', () => {
    const reply = dhcpReply(fromClient(request, { ciaddr: OTHER }), LEASE);
    expect(reply).toMatchObject({ ciaddr: '0.0.0.0', yiaddr: '0.0.0.0' });
    expect(optionsOf(reply)).toEqual([
      [53, '06'],
      [54, '0a010101'],
    ]);
  });

  it('returns the client identifier (RFC 6842)', () => {
    const identifier: [number, Uint8Array] = [DhcpOption.clientIdentifier, hex('01fa163e00000a')];
    expect(dhcpReply(fromClient(discover, {}, identifier), LEASE)?.options.get(61)).toEqual(identifier[1]);
  });

  it.each([
    [0, '00000000'],
    [1, '80000000'],
    [20, 'fffff000'],
    [31, 'fffffffe'],
    [32, 'ffffffff'],
  ])('writes the mask of a /%s', (prefix, mask) => {
    const reply = dhcpReply(fromClient(discover), { ...LEASE, prefix, hostRoutes: [] });
    expect(Object.fromEntries(optionsOf(reply))[1]).toBe(mask);
  });
});

describe('the frame that answers a DHCP request', () => {
  function sent(message: DhcpMessage, packet: Partial<Ipv4Packet> = {}, frame: Partial<Frame> = {}): Frame {
    return {
      destination: BROADCAST_MAC,
      source: CLIENT,
      payload: ipv4({
        source: ZERO,
        destination: parseIp('255.255.255.255'),
        payload: udp(68, 67, encodeDhcp(message)),
        ...packet,
      }),
      ...frame,
    };
  }

  it('goes to the client at its new address, and reads back the same', () => {
    const reply = dhcpReplyFrame(sent(fromClient(discover)), LEASE, SERVER);
    expect(reply).toMatchObject({
      destination: CLIENT,
      source: SERVER,
      payload: {
        source: '10.1.1.1',
        destination: '10.1.1.10',
        ttl: 64,
        payload: { sourcePort: 67, destinationPort: 68 },
      },
    });
    const back = decodeFrame(encodeFrame(reply as Frame));
    expect(back).toEqual(reply);
    if (back.payload.kind !== 'ipv4' || back.payload.payload.kind !== 'udp') throw new Error('not UDP');
    expect(back.payload.payload.payload).toHaveLength(300);
    expect(decodeDhcp(back.payload.payload.payload)).toEqual(dhcpReply(fromClient(discover), LEASE));
  });

  it('goes to the broadcast address, yet to the client alone, when the client asks for it or is refused', () => {
    const everybody = { destination: CLIENT, payload: { destination: '255.255.255.255' } };
    expect(dhcpReplyFrame(sent(fromClient(discover, { broadcast: true })), LEASE, SERVER)).toMatchObject(everybody);
    expect(dhcpReplyFrame(sent(fromClient(request, {}, requested(OTHER))), LEASE, SERVER)).toMatchObject(everybody);
    const renewal = fromClient(request, { ciaddr: OTHER, broadcast: false });
    expect(dhcpReplyFrame(sent(renewal), LEASE, SERVER)).toMatchObject(everybody);
  });

  it('goes to the address that a renewing client has, which asked the server directly', () => {
    const renewal = sent(fromClient(request, { ciaddr: ADDRESS, broadcast: true }), {
      source: ADDRESS,
      destination: LEASE.serverAddress,
    });
    expect(dhcpReplyFrame(renewal, LEASE, SERVER)).toMatchObject({ payload: { destination: '10.1.1.10' } });
  });

  const payload = udp(68, 67, encodeDhcp(fromClient(discover)));
  it.each<[string, Frame]>([
    ['another source MAC', sent(fromClient(discover), {}, { source: SERVER })],
    ['another destination', sent(fromClient(discover), { destination: OTHER })],
    ['another source port', sent(fromClient(discover), { payload: { ...payload, sourcePort: 67 } })],
    ['another destination port', sent(fromClient(discover), { payload: { ...payload, destinationPort: 53 } })],
    [
      'a fragment',
      sent(fromClient(discover), { moreFragments: true, payload: { kind: 'raw', protocol: 17, bytes: hex('') } }),
    ],
    ['no IP', sent(fromClient(discover), {}, { payload: { kind: 'raw', etherType: 0x88cc, bytes: hex('') } })],
  ])('does not exist for %s', (_what, frame) => {
    expect(dhcpReplyFrame(frame, LEASE, SERVER)).toBeUndefined();
  });

  it('does not exist for what is not DHCP, which is named malformed', () => {
    expect(() =>
      dhcpReplyFrame(sent(fromClient(discover), { payload: udp(68, 67, hex('00')) }), LEASE, SERVER),
    ).toThrow(MalformedPacket);
  });

  it('whatever a client sends, is for that client and its lease, or malformed', () => {
    const ips = fc.constantFrom(ZERO, ADDRESS, OTHER);
    const options = fc.array(
      fc.tuple(fc.constantFrom(12, 50, 53, 54, 55, 57, 61, 82), fc.uint8Array({ maxLength: 6 })),
      { maxLength: 5 },
    );
    const flip = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 6 });
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 9 }),
        ips,
        ips,
        options,
        flip,
        fc.nat(),
        (type, ciaddr, giaddr, extra, flips, cut) => {
          const bytes = encodeDhcp(fromClient(type, { ciaddr, giaddr }, ...extra));
          for (const [at, value] of flips) bytes[at % bytes.length] = value;
          const frame = sent(fromClient(discover), {
            payload: udp(68, 67, bytes.subarray(0, bytes.length - (cut % 60))),
          });
          let reply: Frame | undefined;
          try {
            reply = dhcpReplyFrame(decodeFrame(encodeFrame(frame)), LEASE, SERVER);
          } catch (error) {
            expect(error).toBeInstanceOf(MalformedPacket);
            return;
          }
          if (reply === undefined) return;
          expect(reply).toMatchObject({ destination: CLIENT, source: SERVER, payload: { source: '10.1.1.1' } });
          if (reply.payload.kind !== 'ipv4' || reply.payload.payload.kind !== 'udp') throw new Error('not UDP');
          expect(['0.0.0.0', '10.1.1.10']).toContain(decodeDhcp(reply.payload.payload.payload).yiaddr);
        },
      ),
      { numRuns: FUZZ_RUNS },
    );
  });

  it('for 20 host routes still fits the 576 bytes that every client takes', () => {
    const hostRoutes = Array.from({ length: 20 }, (_none, i) => ({
      destination: `203.0.113.${i}/32` as Cidr,
      nexthop: parseIp('10.1.1.2'),
    }));
    const lease = { ...LEASE, hostRoutes, hostname: 'a-name-of-a-server', domainName: 'openstacklocal.example' };
    const reply = dhcpReplyFrame(sent(fromClient(discover)), lease, SERVER);
    expect(encodeFrame(reply as Frame).length - 14).toBeLessThanOrEqual(576);
  });
});
