import { existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { run, waitFor } from '@weir/lab';
import { DemoProcess, newFolder, STEPS } from './demo-process';
import { buildPrograms, ROOT } from './programs';

jest.setTimeout(120_000);

beforeAll(async () => {
  await buildPrograms();
});

describe('the demo, played once', () => {
  const folder = newFolder();
  afterAll(() => rmSync(folder, { recursive: true }));

  it('holds in every step, and leaves nothing but its logs', async () => {
    const demo = new DemoProcess(folder, '--once', '--json');
    const status = await demo.end();
    const { ok, steps } = demo.outcome;
    expect(steps.filter((step) => !step.ok)).toEqual([]);
    expect(steps.map(({ name }) => name)).toEqual(STEPS);
    expect({ ok, status }).toEqual({ ok: true, status: 0 });
    expect(demo.namespaces.size).toBeGreaterThanOrEqual(4 + 6);
    expect(await demo.leftovers()).toEqual([]);
    expect(existsSync(join(folder, '.weir/demo/logs/top.log'))).toBe(true);
  });
});

/** The README's first steps, word for word, for a demo elsewhere than in the clone. */
function firstSteps(folder: string): string {
  const [, rest = ''] = readFileSync(join(ROOT, 'README.md'), 'utf8').split('## First steps');
  const steps = /```sh\n(.*?)```/s.exec(rest)?.[1] ?? '';
  return `set -e\n${steps.replace('$PWD/.weir', `${folder}/.weir`)}`;
}

describe('the demo, empty', () => {
  const folder = newFolder();
  let demo: DemoProcess;
  const openstack = async (...args: readonly string[]): Promise<unknown> => {
    const env = { OS_CLIENT_CONFIG_FILE: demo.clouds, OS_CLOUD: 'weir' };
    return JSON.parse((await run('/usr/bin/openstack', [...args, '-f', 'json'], { env, timeoutMs: 30_000 })).stdout);
  };

  beforeAll(async () => {
    demo = new DemoProcess(folder, '--empty');
    await demo.untilUp();
  });

  afterAll(async () => {
    await demo.end('SIGKILL');
    rmSync(folder, { recursive: true });
  });

  it('says how it is reached, and keeps passwords to its owner', () => {
    expect(demo.output).toContain('export OS_CLIENT_CONFIG_FILE=.weir/demo/clouds.yaml');
    expect(demo.output).toContain(`${demo.lab.api}/docs`);
    expect(statSync(demo.clouds).mode & 0o777).toBe(0o600);
    expect(demo.lab.hosts.map(({ name }) => name)).toEqual(['paris-1', 'paris-2', 'tokyo-1', 'tokyo-2']);
    expect(demo.lab.instances).toEqual([]);
  });

  it('is refused a second time in the same folder, in one sentence', async () => {
    const second = new DemoProcess(folder, '--once');
    expect(await second.end()).toBe(1);
    expect(second.output).toMatch(
      /^A demo runs in this folder already; end it with Ctrl-C first: [^\n]* process \d+ [^\n]*\n$/,
    );
    expect(demo.lab.hosts).toHaveLength(4);
  });

  it('says in one sentence which flag it does not know', async () => {
    const wrong = new DemoProcess(folder, '--fast');
    expect(await wrong.end()).toBe(2);
    expect(wrong.output).toBe(
      "The demo does not know '--fast': its flags are --once, --json, --empty, --simulated, --help.\n",
    );
  });

  it('lets the first steps of the README be done as they are written', async () => {
    const { stdout } = await run('sh', ['-c', firstSteps(folder)], { timeoutMs: 100_000 });
    for (const shown of ['weir.tiny', 'weir-instance', 'Paris:paris-a', 'Tokyo:tokyo-a'])
      expect(stdout).toContain(shown);
    expect(stdout).toMatch(/inet 10\.1\.1\.\d+\/24/);
    expect(stdout).toMatch(/3 packets transmitted, 3 (packets )?received, 0% packet loss/);
    expect(stdout).toContain('ServerRequested');
  });

  it('shows and removes servers with the openstack command, and lab.json follows', async () => {
    const created = (await openstack(
      ...['server', 'create', '--flavor', 'weir.tiny', '--image', 'weir-instance'],
      ...['--network', 'green', '--availability-zone', 'Paris:paris-b', '--wait', 'three'],
    )) as { id: string; status: string };
    expect(created.status).toBe('ACTIVE');
    const instance = await waitFor(() => demo.lab.instances[0], { what: 'lab.json to name the instance' });
    expect(instance).toMatchObject({
      server: created.id,
      host: 'paris-2',
      netns: `weir-${created.id}`,
      interface: 'eth0',
    });
    expect(await openstack('server', 'list')).toMatchObject([{ ID: created.id, Name: 'three', Status: 'ACTIVE' }]);
    const env = { OS_CLIENT_CONFIG_FILE: demo.clouds, OS_CLOUD: 'weir' };
    await run('/usr/bin/openstack', ['server', 'delete', '--wait', 'three'], { env, timeoutMs: 30_000 });
    expect(await openstack('server', 'list')).toEqual([]);
    await waitFor(() => demo.lab.instances.length === 0, { what: 'lab.json to name none' });
  });

  it('is cleaned up after a crash by the next one, which SIGTERM ends in order', async () => {
    await demo.end('SIGKILL');
    expect(await demo.leftovers()).not.toEqual([]);
    const crashed = demo;
    demo = new DemoProcess(folder, '--empty');
    await demo.untilUp();
    expect((await crashed.leftovers()).filter((name) => crashed.namespaces.has(name))).toEqual([]);
    expect(await demo.end('SIGTERM')).toBe(0);
    expect(await demo.leftovers()).toEqual([]);
  });
});
