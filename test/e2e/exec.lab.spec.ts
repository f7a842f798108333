import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CommandFailed, createLab, type Lab, run } from '@weir/lab';
import { type Deployment, type Named, startDeployment } from '@weir/lab/deployment';
import { newFolder } from './demo-process';
import { buildPrograms, ROOT } from './programs';

jest.setTimeout(60_000);

const MIB = 1024 * 1024;

interface Ended {
  readonly status: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

describe('a command inside an instance', () => {
  const directory = newFolder();
  let lab: Lab;
  let weir: Deployment;
  let server: Named;

  /** `npx --no weir exec` as a user types it. */
  async function exec(args: readonly string[], name = server.name): Promise<Ended> {
    const env = { OS_CLIENT_CONFIG_FILE: weir.cloudsFile };
    try {
      const argv = [join(ROOT, 'apps', 'cli', 'bin', 'weir.js'), 'exec', name, ...args];
      return { status: 0, ...(await run(process.execPath, argv, { env, timeoutMs: 45_000 })) };
    } catch (error) {
      if (!(error instanceof CommandFailed)) throw error;
      return { status: error.exitCode, stdout: error.stdout, stderr: error.stderr };
    }
  }
  const sh = (script: string) => exec(['--', 'sh', '-c', script]);

  beforeAll(async () => {
    const programs = await buildPrograms();
    lab = await createLab({ directory, sites: [{ name: 'rome', subnet: '198.51.100.0/24', hosts: ['rome-1'] }] });
    const sites = [{ name: 'rome', dataCenter: 'Rome', zones: { 'rome-a': ['rome-1'] } }];
    weir = await startDeployment({ programs, directory, lab, sites, port: 0 });
    const network = await weir.tenant.createNetwork('blue');
    await weir.tenant.createSubnet(network, '10.1.1.0/24');
    server = await weir.tenant.createServer({ name: 'one', networks: [network.id] });
    await weir.tenant.waitForStatus([server.id], 'ACTIVE');
  });

  afterAll(async () => {
    // The lab goes also when Weir did not come up.
    await lab.destroy();
    await weir.stop();
    rmSync(directory, { recursive: true });
  });

  it('gives its output, by name or by id', async () => {
    expect(await exec(['--', 'echo', 'a  b'])).toEqual({ status: 0, stdout: 'a  b\n', stderr: '' });
    expect(await exec(['--', 'hostname'], server.id)).toMatchObject({ status: 0 });
    expect(await sh('echo out; echo err >&2')).toEqual({ status: 0, stdout: 'out\n', stderr: 'err\n' });
  });

  it('gives its own exit code', async () => {
    expect(await sh('exit 7')).toMatchObject({ status: 7 });
    expect((await exec(['--', 'no-such-command'])).status).toBe(127);
  });

  it('is ended on its deadline with 124, and all that it started', async () => {
    const ended = await exec(['--timeout', '1', '--', 'sh', '-c', 'echo begun; sleep 4217 & sleep 4217']);
    expect(ended).toMatchObject({ status: 124, stdout: 'begun\n' });
    expect(ended.stderr).toContain('ended after 1 s');
    const { stdout } = await run('ps', ['-eo', 'args=']);
    expect(stdout).not.toContain('sleep 4217');
  });

  it('gives at most 1 MiB of output, and says so', async () => {
    const ended = await sh('head -c 3000000 /dev/zero | tr "\\0" x');
    expect(ended.stdout).toHaveLength(MIB);
    expect(ended.stderr).toContain('cut after 1 MiB');
    expect(ended.status).toBe(0);
  });

  it('is refused for a server that is not there', async () => {
    expect(await exec(['--', 'true'], 'two')).toMatchObject({ status: 1, stderr: "weir: There is no server 'two'.\n" });
  });

  it('has the address of its port, and no other network', async () => {
    const [instance] = await weir.tenant.instances();
    const shown = await weir.wait(
      async () => {
        const { stdout } = await sh('ip -4 addr; ip link');
        return stdout.includes(`${instance?.ip ?? ''}/24`) ? stdout : undefined;
      },
      { what: 'the lease' },
    );
    expect(shown).toContain(instance?.mac);
    expect([...shown.matchAll(/^\d+: ([^:@]+)/gm)].map(([, name]) => name)).not.toContain('br-phy');
  });

  it('sees none of the hypervisor’s processes', async () => {
    const { stdout } = await sh('cat /proc/[0-9]*/cmdline | tr "\\0" " "');
    expect(stdout).not.toMatch(/ovs-vswitchd|main\.js|jest/);
    const { pid = 0 } = weir.process('host-rome-1');
    expect((await sh(`kill -0 ${pid}`)).status).not.toBe(0);
  });

  it('sees none of the files that hold state and secrets', async () => {
    const secrets = [
      join(directory, 'state', 'bottom-rome', 'host-token'),
      join(directory, 'state', 'bottom-rome', 'key'),
      join(directory, 'state', 'host-rome-1'),
      weir.cloudsFile,
      lab.host('rome-1').ovsdb,
      lab.host('rome-1').openflow,
      '/run/netns',
    ];
    const script = 'for path; do ls -dA "$path" && find "$path"; done';
    const { stdout } = await exec(['--', 'sh', '-c', script, 'sh', '/usr/bin/env', ...secrets]);
    expect(stdout).toBe('/usr/bin/env\n/usr/bin/env\n');
    const token = readFileSync(join(directory, 'state', 'bottom-rome', 'host-token'), 'utf8').trim();
    expect((await sh('env; cat /proc/self/environ /proc/self/mountinfo')).stdout).not.toContain(token);
  });

  it('has no more power than its network needs', async () => {
    const NET_ADMIN_AND_NET_RAW = '0000000000003000';
    const { stdout } = await sh('grep Cap /proc/self/status');
    expect(stdout).toContain(`CapBnd:\t${NET_ADMIN_AND_NET_RAW}`);
    expect(stdout).toContain(`CapEff:\t${NET_ADMIN_AND_NET_RAW}`);
    expect((await sh('mount -t tmpfs none /mnt')).status).not.toBe(0);
    expect((await sh('echo 1 > /proc/sys/kernel/panic')).status).not.toBe(0);
  });
});
