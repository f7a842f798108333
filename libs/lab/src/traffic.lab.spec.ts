import { randomBytes } from 'node:crypto';
import { capture, inject, ping, run, startUdpProbe, VoidRun } from '.';

jest.setTimeout(30_000);

const frame = (type: string, text: string): Buffer =>
  Buffer.concat([Buffer.from(`020000000002020000000001${type}`, 'hex'), Buffer.from(text.padEnd(46, ' '))]);

describe('traffic tools', () => {
  const [left, right] = ['left', 'right'].map((side) => `weir-${randomBytes(3).toString('hex')}-${side}`) as [
    string,
    string,
  ];
  const mac = '02:00:00:00:00:02';
  const from = { netns: left, address: '192.0.2.1' };
  const to = { netns: right, address: '192.0.2.2' };

  beforeAll(async () => {
    const pair = `link add eth0 netns ${left} type veth peer name eth0 address ${mac} netns ${right}`;
    await run('ip', ['-batch', '-'], { input: `netns add ${left}\nnetns add ${right}\n${pair}\n` });
    for (const { netns, address } of [from, to]) {
      await run('ip', ['-n', netns, '-batch', '-'], { input: `addr add ${address}/24 dev eth0\nlink set eth0 up\n` });
    }
  });

  afterAll(() => run('ip', ['-batch', '-'], { input: `netns del ${left}\nnetns del ${right}\n` }));

  it('tells the number and the times of answers to pings', async () => {
    const report = await ping(left, to.address, { count: 3, intervalMs: 10 });
    expect(report).toMatchObject({ sent: 3, received: 3 });
    expect(report.rtts.every((rtt) => rtt > 0)).toBe(true);
  });

  it('counts pings that nobody answers as lost', async () => {
    expect(await ping(left, '192.0.2.99', { count: 2, timeoutMs: 100 })).toEqual({
      sent: 2,
      received: 0,
      duplicates: 0,
      rtts: [],
    });
  });

  it('sends no ping where there is no route, and refuses an address that is none', async () => {
    expect(await ping(left, '198.51.100.1')).toEqual({ sent: 0, received: 0, duplicates: 0, rtts: [] });
    await expect(ping(left, 'nowhere..')).rejects.toThrow('nowhere');
  });

  it('captures frames of both directions with their bytes', async () => {
    const sender = await capture(left, 'eth0');
    const receiver = await capture(right, 'eth0', ({ bytes }) => bytes.readUInt16BE(12) === 0x88b5);
    const frames = ['one', 'two', 'three'].map((text) => frame('88b5', text));
    await inject(left, 'eth0', [frame('88b6', 'other'), ...frames]);
    const last = await receiver.waitFor(({ bytes }) => bytes.includes('three'), { what: 'the third frame' });
    expect(last.direction).toBe('in');
    expect(Math.abs(Date.now() - last.at)).toBeLessThan(60_000);
    expect((await receiver.stop()).map(({ bytes }) => bytes)).toEqual(frames);
    const sent = (await sender.stop()).filter(({ direction }) => direction === 'out').map(({ bytes }) => bytes);
    expect(sent).toEqual(expect.arrayContaining(frames));
  });

  it('captures a VLAN tag in its place, and every frame that came before it was stopped', async () => {
    const receiver = await capture(right, 'eth0', ({ bytes }) => bytes.readUInt16BE(12) === 0x8100);
    const tagged = Array.from({ length: 200 }, (_, index) => frame('8100207b88b5', `tagged ${index}`));
    await inject(left, 'eth0', tagged);
    expect((await receiver.stop()).map(({ bytes }) => bytes)).toEqual(tagged);
  });

  it('says what it waited for when no such frame comes', async () => {
    const receiver = await capture(right, 'eth0');
    const never = receiver.waitFor(() => false, { what: 'a lease', deadlineMs: 50 });
    await expect(never).rejects.toThrow(`Waited 50 ms in vain for a lease on eth0 of ${right}`);
    await receiver.stop();
  });

  it('names the interface that a capture cannot find', async () => {
    await expect(capture(right, 'eth7')).rejects.toThrow('No such device');
  });

  it('counts every datagram of a probe', async () => {
    const probe = await startUdpProbe({ from, to });
    await ping(right, from.address, { count: 10, intervalMs: 50 });
    const report = await probe.stop();
    expect(report).toMatchObject({ missing: [], duplicates: 0, sendErrors: 0, received: report.sent });
    expect(report.sent).toBeGreaterThan(30);
    expect(report.rate).toBeGreaterThan(95);
  });

  it('names the datagrams of a probe that were lost', async () => {
    const probe = await startUdpProbe({ from, to });
    // A known neighbour: the kernel would keep datagrams for one that it still has to ask for.
    await run('ip', ['-n', left, 'neigh', 'replace', to.address, 'lladdr', mac, 'dev', 'eth0', 'nud', 'permanent']);
    await ping(right, from.address, { count: 5, intervalMs: 20 });
    await run('ip', ['-n', right, 'link', 'set', 'eth0', 'down']);
    await ping(left, to.address, { count: 3, intervalMs: 100, timeoutMs: 100 });
    await run('ip', ['-n', right, 'link', 'set', 'eth0', 'up']);
    await ping(left, to.address, { count: 5, intervalMs: 100, timeoutMs: 100 });
    const report = await probe.stop();
    expect(report.missing.length).toBeGreaterThan(10);
    expect(report.received + report.missing.length).toBe(report.sent);
    expect(report.missing).not.toContain(0);
    expect(report.missing).not.toContain(report.sent - 1);
    expect(report.longestSilenceMs).toBeGreaterThan(100);
  });

  it('calls a probe void whose sender did not reach its rate', async () => {
    const probe = await startUdpProbe({ from, to, pps: 1_000_000 });
    await ping(right, from.address, { count: 2, intervalMs: 100 });
    await expect(probe.stop()).rejects.toThrow(VoidRun);
  });

  it('says why a probe cannot start', async () => {
    await expect(startUdpProbe({ from, to: { netns: right, address: '192.0.2.77' } })).rejects.toThrow(
      'Cannot assign requested address',
    );
    await expect(startUdpProbe({ from: { netns: left, address: '192.0.2.77' }, to })).rejects.toThrow(
      'Cannot assign requested address',
    );
  });
});
