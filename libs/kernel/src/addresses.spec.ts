import fc from 'fast-check';
import {
  type Cidr,
  cidrAddress,
  cidrContains,
  cidrRange,
  cidrsOverlap,
  type Ip,
  ipFromBigInt,
  ipToBigInt,
  ipv4FromNumber,
  ipv4ToNumber,
  macFromBytes,
  macFromNumber,
  macToBytes,
  macToNumber,
  parseCidr,
  parseIp,
  parseMac,
} from './index';

const ipv4 = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255)).map((bytes) => bytes.join('.') as Ip);

describe('an IP address', () => {
  it.each(['10.1.1.1', '0.0.0.0', '255.255.255.255', 'fd00::1', '::'])('reads %s', (text) =>
    expect(parseIp(text)).toBe(text),
  );
  it.each(['10.1.1', '10.1.1.256', '010.1.1.1', '10.1.1.1 ', '1', '0x0a010101', 'fe80::1%eth0', '', 'fd00::g'])(
    'refuses %p',
    (text) => expect(() => parseIp(text)).toThrow('not a valid IP'),
  );
  it('has one canonical form', () => expect(parseIp('FD00:0:0::0001')).toBe('fd00::1'));
  it('is the same after a way through a number', () =>
    fc.assert(
      fc.property(ipv4, (ip) => {
        expect(ipFromBigInt(ipToBigInt(ip), 4)).toBe(ip);
        expect(ipv4FromNumber(ipv4ToNumber(ip))).toBe(ip);
      }),
    ));
});

describe('a prefix', () => {
  it.each(['10.1.1.0/24', '0.0.0.0/0', '10.1.1.1/32', 'fd00::/64'])('reads %s', (text) =>
    expect(parseCidr(text)).toBe(text),
  );
  it.each(['10.1.1.0', '10.1.1.0/33', '10.1.1.0/-1', '10.1.1.0/24/24', 'x/24', '10.1.1.0/ 24'])('refuses %p', (text) =>
    expect(() => parseCidr(text)).toThrow('not a valid IP subnet'),
  );
  it('refuses host bits and says what was probably meant', () =>
    expect(() => parseCidr('10.1.1.7/24')).toThrow("did you mean '10.1.1.0/24'"));
  it('holds its first and last address and no other network’s', () => {
    const cidr = parseCidr('10.1.1.0/24');
    expect([
      cidrContains(cidr, '10.1.1.0' as Ip),
      cidrContains(cidr, '10.1.1.255' as Ip),
      cidrContains(cidr, '10.1.2.0' as Ip),
      cidrContains(cidr, 'fd00::1' as Ip),
    ]).toEqual([true, true, false, false]);
    expect(cidrAddress(cidr, 1)).toBe('10.1.1.1');
  });
  it('overlaps another exactly when they share an address', () =>
    fc.assert(
      fc.property(ipv4, fc.integer({ min: 8, max: 32 }), ipv4, fc.integer({ min: 8, max: 32 }), (a, x, b, y) => {
        const net = (ip: Ip, bits: number) =>
          `${ipv4FromNumber(bits === 0 ? 0 : (ipv4ToNumber(ip) & (0xffffffff << (32 - bits))) >>> 0)}/${bits}` as Cidr;
        const [left, right] = [parseCidr(net(a, x)), parseCidr(net(b, y))];
        const shared =
          cidrContains(left, ipFromBigInt(cidrRange(right).first, 4)) ||
          cidrContains(right, ipFromBigInt(cidrRange(left).first, 4));
        expect(cidrsOverlap(left, right)).toBe(shared);
      }),
    ));
});

describe('a MAC address', () => {
  it('reads upper case as lower', () => expect(parseMac('FA:16:3E:00:00:01')).toBe('fa:16:3e:00:00:01'));
  it.each(['fa:16:3e:00:00', 'fa-16-3e-00-00-01', 'fa:16:3e:00:00:0g', ''])('refuses %p', (text) =>
    expect(() => parseMac(text)).toThrow('not a valid MAC'),
  );
  it('refuses multicast and zero addresses', () => {
    expect(() => parseMac('01:00:5e:00:00:01')).toThrow('multicast');
    expect(() => parseMac('00:00:00:00:00:00')).toThrow('cannot have');
  });
  it('is the same after a way through bytes and a number', () => {
    const mac = parseMac('fa:16:3e:12:34:56');
    expect(macFromBytes(macToBytes(mac))).toBe(mac);
    expect(macFromNumber(macToNumber(mac))).toBe(mac);
  });
});
