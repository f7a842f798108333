import { expectAllAnswered, kindOf, matrix, type Placed } from './traffic';

const placed = (name: string, site: string, host: string, subnet: string): Placed => ({
  name,
  site,
  host,
  subnet,
  server: name,
  port: name,
  netns: `weir-${name}`,
  interface: 'eth0',
  ip: `10.0.0.${name.length}`,
  mac: 'fa:16:3e:00:00:01',
});
const web = placed('web', 'paris', 'paris-1', 'blue');
const base = placed('base', 'paris', 'paris-2', 'green');
const far = placed('far-1', 'tokyo', 'tokyo-1', 'blue');
const answered = (from: Placed, to: Placed, rtt: number) => ({ from, to, sent: 3, received: 3, rtt });

describe('the pings of every pair', () => {
  it('are sorted by where the two stand', () => {
    expect(kindOf(web, web)).toBe('same host, same subnet');
    expect(kindOf(web, base)).toBe('other host, routed');
    expect(kindOf(web, far)).toBe('other site, same subnet');
  });

  it('are shown as a matrix', () => {
    const pairs = [answered(web, base, 0.25), { from: base, to: web, sent: 3, received: 2, rtt: 0.5 }];
    expect(matrix([web, base], pairs)).toEqual([
      'ms    address   host     web   base',
      'web   10.0.0.3  paris-1  ·     0.25',
      'base  10.0.0.4  paris-2  lost     ·',
    ]);
  });

  it('are summed up by kind when all are answered', () => {
    const pairs = [answered(web, base, 0.2), answered(base, web, 0.4), answered(web, far, 1)];
    expect(expectAllAnswered(pairs)).toBe('3 of 3 pairs; other host, routed 0.30 ms; other site, same subnet 1.00 ms');
  });

  it.each([2, 0])('do not hold where %d of 3 come back', (received) => {
    const lost = { from: web, to: far, sent: 3, received, rtt: undefined };
    expect(() => expectAllAnswered([answered(web, base, 1), lost])).toThrow(
      `1 of 2 pairs lost pings; web to far-1 (other site, same subnet) got ${received} of 3 answers.`,
    );
  });

  it('do not hold where none could be sent', () => {
    expect(() => expectAllAnswered([{ from: web, to: far, sent: 0, received: 0, rtt: undefined }])).toThrow(
      'got 0 of 3',
    );
  });
});
