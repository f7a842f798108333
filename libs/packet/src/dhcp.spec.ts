import fc from 'fast-check';
import { type Ip, ipFromBytes, parseIp } from '@weir/kernel';
import {
  decodeDhcp,
  decodeFrame,
  type DhcpMessage,
  DhcpMessageType,
  DhcpOption,
  encodeDhcp,
  MalformedPacket,
} from './index';

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));
const ascii = (value: string): Uint8Array => Uint8Array.from(Buffer.from(value, 'latin1'));

/** A DISCOVER of busybox udhcpc 1.35, as captured. */
const DISCOVER = hex(
  'fffffffffffffa163e00000a08004500014800000000401179a600000000ffffffff004400430134301201010600bc01f369' +
    '00'.repeat(20) +
    'fa163e00000a' +
    '00'.repeat(10 + 192) +
    '63825363' +
    '3501013902024037070103060c0f1c2a3c0c756468637020312e33352e303d0701fa163e00000aff' +
    '00'.repeat(20),
);

/** More in the chaos runs. */
const FUZZ_RUNS = Number(process.env['WEIR_FUZZ_RUNS'] ?? 5000);

/** A BOOTP header of zeros, `sname` and `file` as given, the cookie, then `options`. */
function message(options: string, fields: { sname?: string; file?: string; head?: string } = {}): Uint8Array {
  const field = (text: string | undefined, length: number): Uint8Array => {
    const bytes = new Uint8Array(length);
    bytes.set(hex(text ?? ''));
    return bytes;
  };
  return Buffer.concat([
    hex(fields.head ?? '01010600' + '00'.repeat(24) + 'fa163e00000a' + '00'.repeat(10)),
    field(fields.sname, 64),
    field(fields.file, 128),
    hex('63825363' + options),
  ]);
}

function options(bytes: Uint8Array): Record<string, string> {
  return Object.fromEntries(
    [...decodeDhcp(bytes).options].map(([code, value]) => [code, Buffer.from(value).toString('hex')]),
  );
}

describe('a DHCP message', () => {
  it('as udhcpc sends it is decoded', () => {
    const frame = decodeFrame(DISCOVER);
    if (frame.payload.kind !== 'ipv4' || frame.payload.payload.kind !== 'udp') throw new Error('not UDP');
    const udp = frame.payload.payload;
    expect([frame.payload.source, frame.payload.destination, udp.sourcePort, udp.destinationPort]).toEqual([
      '0.0.0.0',
      '255.255.255.255',
      68,
      67,
    ]);
    expect(decodeDhcp(udp.payload)).toEqual({
      op: 'request',
      htype: 1,
      hlen: 6,
      hops: 0,
      xid: 0xbc01f369,
      secs: 0,
      broadcast: false,
      ciaddr: '0.0.0.0',
      yiaddr: '0.0.0.0',
      siaddr: '0.0.0.0',
      giaddr: '0.0.0.0',
      chaddr: hex('fa163e00000a00000000000000000000'),
      sname: '',
      file: '',
      options: new Map([
        [DhcpOption.messageType, Uint8Array.of(DhcpMessageType.discover)],
        [57, hex('0240')],
        [55, hex('0103060c0f1c2a')],
        [60, ascii('udhcp 1.35.0')],
        [DhcpOption.clientIdentifier, hex('01fa163e00000a')],
      ]),
    });
  });

  it('is encoded to the bytes of RFC 2131, padded to 300', () => {
    const offer: DhcpMessage = {
      op: 'reply',
      htype: 1,
      hlen: 6,
      hops: 0,
      xid: 0x01020304,
      secs: 5,
      broadcast: true,
      ciaddr: parseIp('0.0.0.0'),
      yiaddr: parseIp('10.1.1.10'),
      siaddr: parseIp('10.1.1.1'),
      giaddr: parseIp('0.0.0.0'),
      chaddr: hex('fa163e00000a00000000000000000000'),
      sname: 'weir',
      file: 'boot',
      options: new Map([[53, Uint8Array.of(2)]]),
    };
    const expected =
      '02010600' +
      '01020304' +
      '00058000' +
      '00000000' +
      '0a01010a' +
      '0a010101' +
      '00000000' +
      'fa163e00000a00000000000000000000' +
      '77656972' +
      '00'.repeat(60) +
      '626f6f74' +
      '00'.repeat(124) +
      '63825363' +
      '350102' +
      'ff' +
      '00'.repeat(56);
    expect(Buffer.from(encodeDhcp(offer)).toString('hex')).toBe(expected);
    expect(encodeDhcp(offer)).toHaveLength(300);
  });

  it('has the parts of an option joined, in the order options, file, sname', () => {
    const bytes = message('340103' + '0c0161' + '0c0162' + 'ff', { file: '0c0163ff', sname: '0c0164ff' });
    expect(options(bytes)).toEqual({ 12: '61626364' });
  });

  it('carries options in file or sname only where option 52 says so', () => {
    const fields = { file: '0c0166ff', sname: '0c0173ff' };
    expect(options(message('340101ff', fields))).toEqual({ 12: '66' });
    expect(options(message('340102ff', fields))).toEqual({ 12: '73' });
    expect(options(message('ff', fields))).toEqual({});
    expect(decodeDhcp(message('340101ff', fields)).file).toBe('');
    expect(decodeDhcp(message('ff', { sname: '77656972' })).sname).toBe('weir');
  });

  it('may be padded anywhere, also with 60,000 bytes, and says nothing after END', () => {
    expect(options(message('0000350101' + '00'.repeat(60_000) + '0c0161ff0c0162'))).toEqual({ 12: '61', 53: '01' });
  });

  it.each([
    ['an option that runs over the end', message('35ff01')],
    ['an option without its length', message('35')],
    ['an option without its value', message('3501')],
    ['no END', message('350101')],
    ['no END among 60,000 pads', message('00'.repeat(60_000))],
    ['no END in an overloaded file', message('340101ff', { file: '00' })],
    ['an option that runs over the end of sname', message('340102ff', { sname: '0cff' })],
    ['an overload that points to itself', message('340101ff', { file: '340101ff' })],
    ['an overload of 0', message('340100ff')],
    ['an overload of 4', message('340104ff')],
    ['two overloads', message('340101340101ff')],
    ['an empty overload', message('3400ff')],
    ['another cookie', message('ff').fill(0, 236, 240)],
    ['op 3', message('ff', { head: '03' + '00'.repeat(43) })],
    ['hlen 17', message('ff', { head: '010111' + '00'.repeat(41) })],
    ['only BOOTP', message('ff').subarray(0, 236)],
    ['nothing', new Uint8Array()],
  ])('with %s is malformed', (_what, bytes) => {
    expect(() => decodeDhcp(bytes)).toThrow(MalformedPacket);
  });

  it('says what is wrong with it', () => {
    expect(() => decodeDhcp(message('35ff01'))).toThrow('The DHCP options field is truncated');
    expect(() => decodeDhcp(message('350101'))).toThrow('The DHCP options field has no END option.');
  });

  it('cut off at any byte is malformed', () => {
    const whole = DISCOVER.subarray(42, 42 + 280);
    for (let length = 0; length < whole.length; length++) {
      expect(() => decodeDhcp(whole.subarray(0, length))).toThrow(MalformedPacket);
    }
    expect(decodeDhcp(whole).xid).toBe(0xbc01f369);
  });
});

describe('any DHCP message', () => {
  const fixed = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });
  const ip: fc.Arbitrary<Ip> = fixed(4).map(ipFromBytes);
  const u = (bits: number): fc.Arbitrary<number> => fc.integer({ min: 0, max: 2 ** bits - 1 });
  const name = (maxLength: number): fc.Arbitrary<string> =>
    fc.array(fc.integer({ min: 1, max: 255 }), { maxLength }).map((codes) => String.fromCharCode(...codes));
  const code = fc.integer({ min: 1, max: 254 }).filter((value) => value !== DhcpOption.overload);
  const messages: fc.Arbitrary<DhcpMessage> = fc.record({
    op: fc.constantFrom('request', 'reply'),
    htype: u(8),
    hlen: fc.integer({ min: 0, max: 16 }),
    hops: u(8),
    xid: u(32),
    secs: u(16),
    broadcast: fc.boolean(),
    ciaddr: ip,
    yiaddr: ip,
    siaddr: ip,
    giaddr: ip,
    chaddr: fixed(16),
    sname: name(64),
    file: name(128),
    options: fc
      .array(fc.tuple(code, fc.uint8Array({ maxLength: 600 })), { maxLength: 8 })
      .map((entries) => new Map(entries)),
  });

  it('is the same after encoding and decoding, long options too', () => {
    fc.assert(
      fc.property(messages, (value) => {
        expect(decodeDhcp(encodeDhcp(value))).toEqual(value);
      }),
      { numRuns: 1000 },
    );
  });

  it('with random options is decoded or malformed, and comes back the same', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 64 }),
        fixed(192),
        fc.constantFrom('', '340101', '340103'),
        (tail, fields, start) => {
          const bytes = message(start, {});
          bytes.set(fields, 44);
          const whole = Uint8Array.of(...bytes, ...tail, 255);
          let value: DhcpMessage;
          try {
            value = decodeDhcp(whole);
          } catch (error) {
            expect(error).toBeInstanceOf(MalformedPacket);
            return;
          }
          expect(decodeDhcp(encodeDhcp(value))).toEqual(value);
        },
      ),
      { numRuns: FUZZ_RUNS },
    );
  });
});
