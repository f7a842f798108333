import { spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CommandFailed, run, waitFor } from '@weir/lab';
import { ApiClient, Tenant } from '@weir/lab/deployment';
import { RunningDemo, STEPS } from './demo-process';
import { buildPrograms, ROOT } from './programs';

jest.setTimeout(120_000);

const PROGRAM = join(ROOT, 'apps', 'demo', 'dist', 'main.js');
const NOBODY = 65_534;
const AS_NOBODY = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
const LOOK = `require('node:fs').accessSync(${JSON.stringify(PROGRAM)})`;

/** Where the clone is for its owner's eyes alone, its owner plays. */
function rights(): readonly string[] {
  const canRead = () => spawnSync('setpriv', [...AS_NOBODY, process.execPath, '-e', LOOK]).status === 0;
  return process.getuid?.() === 0 && canRead() ? AS_NOBODY : [];
}

/** On a machine with nothing but Node: no command is found, better-sqlite3 cannot be loaded, and the user has no rights. */
class SimulatedDemo extends RunningDemo {
  constructor(folder: string, ...flags: readonly string[]) {
    const user = rights();
    if (user.length > 0) chownSync(folder, NOBODY, NOBODY);
    const clean = ['env', '-i', `HOME=${folder}`, 'PATH=/nonexistent'];
    const node = [process.execPath, '--require', join(__dirname, 'without-sqlite.cjs'), PROGRAM];
    super(folder, [...user, ...clean, ...node, '--simulated', ...flags]);
  }

  get leftovers(): readonly string[] {
    return readdirSync(join(this.folder, '.weir', 'demo')).filter((name) => name !== 'logs');
  }
}

const newFolder = () => mkdtempSync(join(tmpdir(), 'weir simulated '));

beforeAll(async () => {
  await buildPrograms();
});

describe('the simulated demo, played once with nothing but Node', () => {
  const folder = newFolder();
  afterAll(() => rmSync(folder, { recursive: true }));

  it('holds in every step of the same story, and leaves nothing but its logs', async () => {
    const demo = new SimulatedDemo(folder, '--once', '--json');
    const status = await demo.end();
    const { ok, steps } = demo.outcome;
    expect(steps.filter((step) => !step.ok)).toEqual([]);
    expect(steps.map(({ name }) => name)).toEqual(STEPS);
    expect({ ok, status }).toEqual({ ok: true, status: 0 });
    const said = (name: string) => steps.find((step) => step.name === name)?.detail;
    expect(said('Ping every pair')).toMatch(/^30 of 30 pairs; /);
    expect(said('Kill the Tokyo Bottom and a Host under traffic')).toMatch(/^0 lost; /);
    expect(demo.output).toContain('Simulated: hosts, switches and instances are objects in this one process');
    expect(demo.leftovers).toEqual([]);
  });
});

describe('the simulated demo, empty', () => {
  const folder = newFolder();
  let demo: SimulatedDemo;
  let tenant: Tenant;
  const lab = () => JSON.parse(readFileSync(join(folder, '.weir/demo/lab.json'), 'utf8')) as { api: string };

  /** As a user types it, in the demo's folder. */
  async function exec(server: string, ...command: readonly string[]) {
    const args = [join(ROOT, 'apps', 'cli', 'bin', 'weir.js'), 'exec', server, '--', ...command];
    const env = { OS_CLIENT_CONFIG_FILE: join(folder, '.weir/demo/clouds.yaml') };
    try {
      return { status: 0, ...(await run(process.execPath, args, { env, timeoutMs: 45_000 })) };
    } catch (error) {
      if (!(error instanceof CommandFailed)) throw error;
      return { status: error.exitCode, stdout: error.stdout, stderr: error.stderr };
    }
  }

  beforeAll(async () => {
    demo = new SimulatedDemo(folder, '--empty');
    await demo.untilUp();
    const client = new ApiClient(lab().api, join(folder, '.weir/demo/clouds.yaml'));
    tenant = new Tenant(client, (condition, options) => waitFor(condition, options));
  });

  afterAll(async () => {
    await demo.end('SIGKILL');
    rmSync(folder, { recursive: true });
  });

  it('boots servers whose guests take leases and answer each other over both sites', async () => {
    const network = await tenant.createNetwork('blue');
    await tenant.createSubnet(network, '10.1.1.0/24');
    const zones = ['Paris:paris-b', 'Tokyo'];
    const servers = await Promise.all(
      zones.map((zone, index) => tenant.createServer({ name: `s${index}`, networks: [network.id], zone })),
    );
    const ids = servers.map(({ id }) => id);
    await tenant.waitForStatus(ids, 'ACTIVE');
    const [here, there] = await Promise.all(ids.map((id) => tenant.server(id)));
    const target = there?.addresses[0]?.ip ?? '';
    const shown = await waitFor(
      async () => {
        const { stdout } = await exec('s0', 'ip', '-4', 'addr', 'show', 'dev', 'eth0');
        return stdout.includes(`inet ${here?.addresses[0]?.ip ?? '?'}/24`) && stdout;
      },
      { what: 'the lease of s0', deadlineMs: 20_000 },
    );
    expect(shown).toContain(`link/ether ${here?.addresses[0]?.mac ?? '?'}`);
    const pinged = await waitFor(
      async () => {
        const { status, stdout } = await exec('s0', 'ping', '-c', '1', '-W', '1', target);
        return status === 0 && stdout;
      },
      { what: 'the lease of s1', deadlineMs: 20_000 },
    );
    expect(pinged).toContain(`64 bytes from ${target}: icmp_seq=1 ttl=64`);
    expect(await exec('s0', 'ping', '-c', '1', '-W', '1', '10.1.1.251')).toMatchObject({ status: 1 });
    expect(await exec('s0', 'curl', target)).toEqual({
      status: 127,
      stdout: '',
      stderr: 'curl: not in a simulated instance\n',
    });
  });

  it('is refused a second time in the same folder', async () => {
    const second = new SimulatedDemo(folder, '--once');
    expect(await second.end()).toBe(1);
    expect(second.output).toContain('A demo runs in this folder already; end it with Ctrl-C first');
    expect(existsSync(join(folder, '.weir/demo/clouds.yaml'))).toBe(true);
  });

  it('is cleaned up after a crash by the next one, which Ctrl-C ends', async () => {
    await demo.end('SIGKILL');
    expect(demo.leftovers).toContain('clouds.yaml');
    demo = new SimulatedDemo(folder, '--empty');
    await demo.untilUp();
    expect(await demo.end('SIGINT')).toBe(0);
    expect(demo.leftovers).toEqual([]);
  });
});
