import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  capture,
  createLab,
  destroyLeftovers,
  destroyLeftoversUnder,
  type Lab,
  ovsAppctl,
  ovsOfctl,
  ovsVsctl,
  ping,
  run,
  startUdpProbe,
  waitFor,
} from '.';

jest.setTimeout(30_000);

/** What a machine shows of labs: namespaces, processes, links to their folders. */
async function traces(id: string): Promise<string[]> {
  const namespaces = readdirSync('/run/netns').filter((name) => name.includes(id));
  const shortcuts = readdirSync('/run').filter((name) => name.includes(`weir-${id}`));
  const { stdout } = await run('ps', ['-eo', 'stat=,args=']);
  // Kernel threads stand in brackets; a short id may be part of such a name.
  const living = stdout.split('\n').filter((line) => !line.startsWith('Z') && !/\[[^\]]*\]$/.test(line));
  const processes = living.filter((line) => line.includes(id));
  return [...namespaces, ...shortcuts, ...processes];
}

describe('a lab of two sites', () => {
  let lab: Lab;
  let addresses: string[];

  beforeAll(async () => {
    lab = await createLab();
    addresses = lab.hosts.map((host) => host.underlay);
  });

  afterAll(async () => {
    await lab.destroy();
    expect(existsSync(lab.directory)).toBe(false);
    expect(await traces(lab.id)).toEqual([]);
  });

  it('has two hosts in Paris and two in Tokyo', () => {
    expect(lab.hosts.map(({ name, site, underlay }) => [name, site, underlay])).toEqual([
      ['paris-1', 'paris', '198.51.100.1'],
      ['paris-2', 'paris', '198.51.100.2'],
      ['tokyo-1', 'tokyo', '203.0.113.1'],
      ['tokyo-2', 'tokyo', '203.0.113.2'],
    ]);
  });

  it('gives every host a switch of its own, without br-int, that answers outside its namespace', async () => {
    for (const host of lab.hosts) {
      expect((await ovsVsctl(host, ['list-br'])).trim()).toBe('br-phy');
      expect(await ovsAppctl(host, ['dpif/show'])).toContain('netdev@');
      expect(host.openflow.length).toBeLessThan(108);
    }
  });

  it('carries pings between all hosts, through the router between the sites', async () => {
    for (const host of lab.hosts) {
      const reports = await Promise.all(addresses.map((address) => ping(host.netns, address, { count: 1 })));
      expect(reports.map((report) => report.received)).toEqual([1, 1, 1, 1]);
    }
    const [first, , third] = lab.hosts;
    const { stdout } = await run('ip', ['route', 'get', third?.underlay ?? ''], { netns: first?.netns ?? '' });
    expect(stdout).toContain('via 198.51.100.254');
  });

  it('delivers every packet once, though kernel and switch both hear it', async () => {
    const [from, to] = [lab.host('paris-1'), lab.host('tokyo-1')].map(({ netns, underlay }) => ({
      netns,
      address: underlay,
    }));
    if (from === undefined || to === undefined) throw new Error('The lab has two hosts.');
    const probe = await startUdpProbe({ from, to });
    expect(await ping(to.netns, from.address, { count: 5, intervalMs: 20 })).toMatchObject({
      received: 5,
      duplicates: 0,
    });
    expect(await probe.stop()).toMatchObject({ missing: [], duplicates: 0 });
  });

  it('hides the host from a port of its bridges', async () => {
    const portId = '0192f7a1-1b2c-7def-8000-000000000002';
    const host = lab.host('paris-1');
    const guest = await lab.addInstance({ host, name: 'guest', mac: 'fa:16:3e:00:00:02', portId });
    const { netns, hostInterface } = guest;
    await run('ip', ['-n', netns, 'addr', 'add', '198.51.100.77/24', 'dev', 'eth0']);
    await ping(netns, host.underlay, { count: 1, timeoutMs: 300 });
    const asked = await run('ip', ['-n', netns, 'neigh', 'show', 'to', host.underlay]);
    expect(asked.stdout).not.toContain('lladdr');
    // Nor does it hear one who knows the MAC of the port's other end.
    const link = await run('ip', ['-n', host.netns, '-json', 'link', 'show', 'dev', hostInterface]);
    const [{ address } = { address: '' }] = JSON.parse(link.stdout) as { address: string }[];
    await run('ip', ['-n', netns, 'neigh', 'replace', host.underlay, 'lladdr', address, 'dev', 'eth0']);
    const to = { netns: host.netns, address: host.underlay };
    const probe = await startUdpProbe({ from: { netns, address: '198.51.100.77' }, to });
    expect((await ping(netns, host.underlay, { count: 5, timeoutMs: 100 })).received).toBe(0);
    expect(await probe.stop()).toMatchObject({ received: 0, sendErrors: 0 });
    await lab.removeInstance('guest');
  });

  it('cuts a host off, and heals it', async () => {
    const { netns } = lab.host('paris-1');
    await lab.cut('paris-2');
    expect((await ping(netns, '198.51.100.2', { count: 2, timeoutMs: 200 })).received).toBe(0);
    expect((await ping(netns, '203.0.113.1', { count: 1 })).received).toBe(1);
    await lab.heal('paris-2');
    await waitFor(async () => (await ping(netns, '198.51.100.2', { count: 1 })).received, {
      what: 'paris-2 to be back',
    });
  });

  it('cuts a site off, whose hosts still reach one another, and heals it', async () => {
    const { netns } = lab.host('paris-1');
    await lab.cut('tokyo');
    expect((await ping(netns, '203.0.113.1', { count: 2, timeoutMs: 200 })).received).toBe(0);
    expect((await ping(lab.host('tokyo-2').netns, '203.0.113.1', { count: 1 })).received).toBe(1);
    await lab.heal('tokyo');
    await waitFor(async () => (await ping(netns, '203.0.113.1', { count: 1 })).received, { what: 'Tokyo to be back' });
  });

  it('refuses to cut what it does not have', async () => {
    await expect(lab.cut('berlin')).rejects.toThrow("The lab has no site or host 'berlin'.");
  });

  it('brings the underlay back when a killed ovs-vswitchd is started', async () => {
    const host = lab.host('paris-1');
    await lab.killVswitchd(host);
    await expect(ovsAppctl(host, ['version'])).rejects.toThrow('ovs-appctl');
    expect((await ping(lab.host('paris-2').netns, host.underlay, { count: 1, timeoutMs: 200 })).received).toBe(0);
    await lab.startVswitchd(host);
    const neighbours = await ovsAppctl(host, ['tnl/neigh/show']);
    for (const address of ['198.51.100.2 ', '198.51.100.254 ']) expect(neighbours).toContain(address);
    expect((await ping(host.netns, '203.0.113.2', { count: 1 })).received).toBe(1);
  });

  it('keeps the database when a killed ovsdb-server is started', async () => {
    const host = lab.host('tokyo-1');
    await lab.killOvsdbServer(host);
    await expect(ovsVsctl(host, ['--timeout=1', 'list-br'])).rejects.toThrow('ovs-vsctl');
    await lab.startOvsdbServer(host);
    expect((await ovsVsctl(host, ['list-br'])).trim()).toBe('br-phy');
    expect((await ping(host.netns, '198.51.100.1', { count: 1 })).received).toBe(1);
  });

  it('carries only what fits into the MTU of the underlay', async () => {
    const big = ['-c', '1', '-W', '0.3', '-M', 'do', '-s', '1400', '203.0.113.1'];
    const { netns } = lab.host('paris-1');
    await run('ping', big, { netns });
    await lab.setUnderlayMtu(1400);
    await expect(run('ping', big, { netns })).rejects.toThrow('status 1');
    await lab.setUnderlayMtu(1500);
    await run('ping', big, { netns });
  });

  it('adds an instance without an address, and removes it with its link', async () => {
    const portId = '0192f7a0-1b2c-7def-8000-000000000001';
    const instance = await lab.addInstance({ host: 'paris-1', name: 'web', mac: 'fa:16:3e:00:00:01', portId });
    expect(instance.hostInterface).toBe('w0192f7a01b2');
    const inside = (await run('ip', ['-json', 'addr', 'show', 'dev', 'eth0'], { netns: instance.netns })).stdout;
    expect(JSON.parse(inside)).toMatchObject([{ address: 'fa:16:3e:00:00:01', operstate: 'UP', addr_info: [] }]);
    await lab.removeInstance('web');
    const { stdout } = await run('ip', ['link', 'show'], { netns: lab.host('paris-1').netns });
    expect(stdout).not.toContain(instance.hostInterface);
    expect(existsSync(`/run/netns/${instance.netns}`)).toBe(false);
  });

  it('carries the first packet of a tunnel between the sites, and loses none of a probe through it', async () => {
    const ends = [
      { host: lab.host('paris-2'), remote: '203.0.113.2', address: '10.1.1.1' },
      { host: lab.host('tokyo-2'), remote: '198.51.100.2', address: '10.1.1.2' },
    ];
    const instances = await Promise.all(
      ends.map(async ({ host, remote, address }, index) => {
        const mac = `fa:16:3e:00:01:0${index + 1}`;
        const instance = await lab.addInstance({
          host,
          name: `end-${index}`,
          mac,
          portId: `0000000${index}-0000-7000-8000-000000000000`,
        });
        const bridge = [
          'add-br',
          'br-int',
          '--',
          'set',
          'bridge',
          'br-int',
          'datapath_type=netdev',
          'fail_mode=secure',
        ];
        const tunnel = [
          'add-port',
          'br-int',
          'vx',
          '--',
          'set',
          'interface',
          'vx',
          'type=vxlan',
          `options:remote_ip=${remote}`,
        ];
        await ovsVsctl(host, [...bridge, '--', ...tunnel, '--', 'add-port', 'br-int', instance.hostInterface]);
        await ovsOfctl(host, ['add-flow', 'actions=NORMAL']);
        const commands = `addr add ${address}/24 dev eth0\nlink set eth0 mtu 1450\n`;
        await run('ip', ['-n', instance.netns, '-batch', '-'], { input: commands });
        return { netns: instance.netns, address };
      }),
    );
    const [from, to] = instances as [{ netns: string; address: string }, { netns: string; address: string }];
    expect((await ping(from.netns, to.address, { count: 1, timeoutMs: 500 })).received).toBe(1);
    const refusals = await capture(
      lab.host('tokyo-2').netns,
      'eth0',
      ({ bytes }) => bytes.readUInt16BE(12) === 0x0800 && bytes[23] === 1,
    );
    const probe = await startUdpProbe({ from, to });
    await ping(to.netns, from.address, { count: 10, intervalMs: 50 });
    const report = await probe.stop();
    expect(report).toMatchObject({ missing: [], duplicates: 0, received: report.sent });
    // The kernel has no VXLAN port of its own, and must not say so to the other side.
    expect(await refusals.stop()).toEqual([]);
  });

  it('stands beside another lab', async () => {
    const other = await createLab({
      sites: [{ name: 'rome', subnet: '198.51.100.0/24', hosts: ['rome-1', 'rome-2'] }],
    });
    try {
      expect((await ping(other.host('rome-1').netns, '198.51.100.2', { count: 1 })).received).toBe(1);
      expect((await ping(lab.host('paris-1').netns, '198.51.100.2', { count: 1 })).received).toBe(1);
    } finally {
      await other.destroy();
    }
    expect(await traces(other.id)).toEqual([]);
  });

  it('keeps its folder to itself', async () => {
    await expect(createLab({ directory: lab.directory })).rejects.toThrow(/is in use by process \d+/);
    await expect(destroyLeftovers(lab.directory)).rejects.toMatchObject({ reason: 'conflict' });
    expect((await ping(lab.host('paris-1').netns, '203.0.113.1', { count: 1 })).received).toBe(1);
  });
});

describe('a lab in a folder with a long name and spaces', () => {
  it('gives its sockets short paths, and removes them', async () => {
    const root = mkdtempSync(join(tmpdir(), 'weir lab '));
    try {
      const directory = join(root, 'a clone of a project in a folder whose name somebody has made very long indeed');
      const lab = await createLab({ directory, sites: [{ name: 'oslo', subnet: '192.0.2.0/24', hosts: ['oslo-1'] }] });
      const host = lab.host('oslo-1');
      expect(host.ovsdb).toBe(`/run/weir-${lab.id}/oslo-1/db.sock`);
      expect((await ovsVsctl(host, ['list-br'])).trim()).toBe('br-phy');
      await lab.destroy();
      expect(readdirSync(root)).toEqual([]);
      expect(await traces(lab.id)).toEqual([]);
    } finally {
      rmSync(root, { recursive: true });
    }
  });
});

describe('a lab that is destroyed', () => {
  it('ends the processes that were given to it, and may be destroyed again', async () => {
    const lab = await createLab({ sites: [{ name: 'oslo', subnet: '192.0.2.0/24', hosts: ['oslo-1'] }] });
    const child = spawn('sleep', ['600']);
    lab.track(child.pid ?? 0);
    await Promise.all([once(child, 'exit'), lab.destroy()]);
    expect(child.signalCode).toBe('SIGKILL');
    await lab.destroy();
    expect(await traces(lab.id)).toEqual([]);
  });
});

describe('a lab that cannot be built', () => {
  const sites = [{ name: 'rome', subnet: '198.51.100.0/24', hosts: ['rome-1'] }];
  const id = randomBytes(3).toString('hex');
  const directory = join('.weir', 'labs', id);

  it('leaves nothing', async () => {
    mkdirSync(join(directory, 'rome-1', 'conf.db'), { recursive: true });
    await expect(createLab({ id, directory, sites })).rejects.toThrow('conf.db');
    expect(existsSync(directory)).toBe(false);
    expect(await traces(id)).toEqual([]);
  });

  it('leaves the namespaces of others alone', async () => {
    await run('ip', ['netns', 'add', `weir-${id}-rome-1`]);
    try {
      await expect(createLab({ id, directory, sites })).rejects.toThrow(
        `The namespace weir-${id}-rome-1 is there already`,
      );
      expect(await traces(id)).toEqual([`weir-${id}-rome-1`]);
      expect(existsSync(directory)).toBe(false);
    } finally {
      await run('ip', ['netns', 'del', `weir-${id}-rome-1`]);
    }
  });
});

describe('a lab whose maker was killed', () => {
  it('is cleaned up by whoever comes next, instances and processes inside included', async () => {
    const root = mkdtempSync(join(tmpdir(), 'weir-lab-'));
    const directory = join(root, 'crashed');
    try {
      const conditions = '--conditions=weir-source';
      const maker = spawn(process.execPath, [conditions, join(__dirname, '../fixtures/make-lab.cjs'), directory]);
      const [chunk] = (await once(maker.stdout, 'data')) as [Buffer];
      const id = chunk.toString().trim();
      // As a Host does it: a namespace that carries no lab id, with a process in it.
      await run('ip', ['netns', 'add', `weir-server-of-${id}`]);
      await run('ip', [
        'link',
        'add',
        'w1',
        'netns',
        `weir-${id}-paris-1`,
        'type',
        'veth',
        'peer',
        'name',
        'eth0',
        'netns',
        `weir-server-of-${id}`,
      ]);
      const inside = spawn('nsenter', [`--net=/run/netns/weir-server-of-${id}`, 'sleep', '600']);
      await waitFor(() => readFileSync(`/proc/${inside.pid ?? 0}/comm`, 'utf8') === 'sleep\n', {
        what: 'a process inside',
      });
      await expect(destroyLeftovers(directory)).rejects.toMatchObject({ reason: 'conflict' });

      maker.kill('SIGKILL');
      await once(maker, 'exit');
      expect((await traces(id)).length).toBeGreaterThan(6);
      expect(await destroyLeftoversUnder(root)).toEqual([directory]);
      expect(await traces(id)).toEqual([]);
      expect(readdirSync(root)).toEqual([]);
      if (inside.exitCode === null && inside.signalCode === null) await once(inside, 'exit');
      expect(inside.signalCode).toBe('SIGKILL');
      expect(await destroyLeftovers(directory)).toBe(false);
    } finally {
      rmSync(root, { recursive: true });
    }
  });
});
