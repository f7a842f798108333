import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseCidr, parseIp, parseMac } from '@weir/kernel';
import { type Capture, capture, inject } from '@weir/lab';
import { decodeFrame, type DhcpLease, dhcpReplyFrame, encodeFrame } from './index';

jest.setTimeout(30_000);

const run = promisify(execFile);
const CLIENT = `weir-dhcp-c-${process.pid}`;
const SERVER = `weir-dhcp-s-${process.pid}`;
const SERVER_MAC = parseMac('fa:16:3e:00:00:01');
const LEASE: DhcpLease = {
  clientMac: parseMac('fa:16:3e:00:00:0a'),
  address: parseIp('10.1.1.10'),
  prefix: 24,
  serverAddress: parseIp('10.1.1.1'),
  router: parseIp('10.1.1.1'),
  dns: [parseIp('192.0.2.53'), parseIp('192.0.2.54')],
  mtu: 1450,
  hostRoutes: [{ destination: parseCidr('192.168.0.0/16'), nexthop: parseIp('10.1.1.2') }],
  domainName: 'weir.example',
  hostname: 'web-1',
};

describe('busybox udhcpc', () => {
  let folder: string;
  let wire: Capture | undefined;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'weir-dhcp-'));
    await run('ip', ['netns', 'add', CLIENT]);
    await run('ip', ['netns', 'add', SERVER]);
    const peer = ['peer', 'name', 'eth0', 'netns', SERVER];
    await run('ip', ['-n', CLIENT, 'link', 'add', 'eth0', 'address', LEASE.clientMac, 'type', 'veth', ...peer]);
    for (const netns of [CLIENT, SERVER]) await run('ip', ['-n', netns, 'link', 'set', 'eth0', 'up']);
  });
  afterEach(async () => {
    await wire?.stop();
    for (const netns of [CLIENT, SERVER]) await run('ip', ['netns', 'del', netns]).catch(() => undefined);
    await rm(folder, { recursive: true, force: true });
  });

  /** Runs the client until it has a lease or gives up; answers what it told its script. */
  async function askForLease(lease: DhcpLease, attempts = 4): Promise<{ bound: Record<string, string>; log: string }> {
    const script = join(folder, 'script');
    const told = join(folder, 'told');
    await writeFile(script, `#!/bin/sh\n[ "$1" = bound ] && env > ${told}\nexit 0\n`);
    await chmod(script, 0o755);
    const server = await capture(SERVER, 'eth0', ({ direction }) => direction === 'in');
    wire = server;
    let answered = 0;
    let asking = true;
    const words = [
      'udhcpc',
      '-f',
      '-q',
      '-n',
      '-t',
      String(attempts),
      '-T',
      '1',
      '-i',
      'eth0',
      '-O',
      'staticroutes',
      '-s',
      script,
    ];
    const client = run('ip', ['netns', 'exec', CLIENT, 'busybox', ...words]).then(
      ({ stderr }) => stderr,
      (error: unknown) => String((error as { stderr?: string }).stderr),
    );
    const ended = client.finally(() => (asking = false));
    while (asking) {
      for (const frame of server.frames.slice(answered)) {
        answered++;
        const reply = dhcpReplyFrame(decodeFrame(frame.bytes), lease, SERVER_MAC);
        if (reply) await inject(SERVER, 'eth0', [Buffer.from(encodeFrame(reply))]);
      }
      await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 10))]);
    }
    const lines = (await readFile(told, 'utf8').catch(() => '')).trim().split('\n');
    return {
      bound: Object.fromEntries(lines.map((line) => line.split(/=(.*)/s))) as Record<string, string>,
      log: await ended,
    };
  }

  it('takes the lease, with everything in it', async () => {
    const { bound } = await askForLease(LEASE);
    expect(bound).toMatchObject({
      ip: '10.1.1.10',
      mask: '24',
      subnet: '255.255.255.0',
      serverid: '10.1.1.1',
      router: '10.1.1.1',
      dns: '192.0.2.53 192.0.2.54',
      mtu: '1450',
      lease: '86400',
      domain: 'weir.example',
      staticroutes: '0.0.0.0/0 10.1.1.1 192.168.0.0/16 10.1.1.2',
    });
  });

  it('gets nothing on a port whose MAC is another', async () => {
    const { bound, log } = await askForLease({ ...LEASE, clientMac: parseMac('fa:16:3e:00:00:0b') }, 1);
    expect(bound['ip']).toBeUndefined();
    expect(log).toContain('no lease, failing');
  });
});
