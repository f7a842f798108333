import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { CommandFailed, createLab, type Lab, ovsOfctl, run } from '@weir/lab';
import { type Deployment, startDeployment } from '@weir/lab/deployment';
import { newFolder } from './demo-process';
import { buildPrograms, ROOT } from './programs';

jest.setTimeout(60_000);

interface Blamed {
  readonly owner: { readonly kind: string; readonly id: string } | null;
  readonly created: { readonly type: string; readonly actor_name: string; readonly request_id: string } | null;
  readonly hosts: readonly {
    readonly site: string;
    readonly host: string | null;
    readonly unknown: string | null;
    readonly flows: number;
    readonly facts: readonly {
      readonly kind: string;
      readonly decided_by: string;
      readonly event: { readonly type: string; readonly actor_name: string; readonly request_id: string } | null;
    }[];
  }[];
}

describe('a flow on a host', () => {
  const directory = newFolder();
  let lab: Lab;
  let weir: Deployment;
  let request = '';
  let port = '';

  async function blame(...args: readonly string[]): Promise<{ status: number | undefined; stdout: string }> {
    const env = { OS_CLIENT_CONFIG_FILE: weir.cloudsFile };
    const argv = [join(ROOT, 'apps', 'cli', 'bin', 'weir.js'), 'blame', ...args];
    try {
      return { status: 0, ...(await run(process.execPath, argv, { env, timeoutMs: 30_000 })) };
    } catch (error) {
      if (!(error instanceof CommandFailed)) throw error;
      return { status: error.exitCode, stdout: error.stdout };
    }
  }

  beforeAll(async () => {
    const programs = await buildPrograms();
    const hosts = ['rome-1', 'rome-2'];
    lab = await createLab({ directory, sites: [{ name: 'rome', subnet: '198.51.100.0/24', hosts }] });
    const sites = [{ name: 'rome', dataCenter: 'Rome', zones: { 'rome-a': ['rome-1'], 'rome-b': ['rome-2'] } }];
    weir = await startDeployment({ programs, directory, lab, sites, port: 0 });
    const network = await weir.tenant.createNetwork('blue');
    await weir.tenant.createSubnet(network, '10.1.1.0/24');
    // Made by the tenant's own user; the rest by whoever the deployment is.
    const made = await weir.request<{ port: { id: string } }>(
      'POST',
      '/network/v2.0/ports',
      { port: { network_id: network.id, name: 'mine' } },
      'weir-demo',
    );
    port = made.port.id;
    const server = {
      ...{ name: 'one', flavorRef: '1', imageRef: '5a1f0000-0000-4000-8000-000000000001' },
      ...{ networks: [{ port }], availability_zone: 'Rome:rome-a' },
    };
    const { server: one } = await weir.request<{ server: { id: string } }>('POST', '/compute/v2.1/servers', { server });
    await weir.tenant.waitForStatus([one.id], 'ACTIVE');
    await weir.waitForSettled();
    const { events } = await weir.request<{ events: { type: string; request_id: string }[] }>(
      'GET',
      `/weir/v1/events?kind=port&id=${port}`,
    );
    request = events.find(({ type }) => type === 'PortCreated')?.request_id ?? '';
  });

  afterAll(async () => {
    await lab.destroy();
    await weir.stop();
    rmSync(directory, { recursive: true });
  });

  /** As an operator sees it in `ovs-ofctl dump-flows`: the cookie of a flow with the port's MAC. */
  async function cookieOfPort(): Promise<string> {
    const { port: found } = await weir.request<{ port: { mac_address: string } }>('GET', `/network/v2.0/ports/${port}`);
    const flows = (await ovsOfctl(lab.host('rome-1'), ['dump-flows', 'table=1'])).split('\n');
    const flow = flows.find((line) => line.includes(found.mac_address));
    return /cookie=(0x[0-9a-f]+)/.exec(flow ?? '')?.[1] ?? '';
  }

  it('leads to the user who created its port', async () => {
    const cookie = await cookieOfPort();
    const { stdout, status } = await blame(cookie, '-o', 'json');
    expect(status).toBe(0);
    const found = JSON.parse(stdout) as Blamed;
    expect(found.owner).toEqual({ kind: 'port', id: port });
    expect(found.created).toMatchObject({ type: 'PortCreated', actor_name: 'demo', request_id: request });
    const own = found.hosts.find(({ host }) => host === 'rome-1');
    expect(own).toMatchObject({ site: 'rome', unknown: null });
    const facts = new Map(own?.facts.map((fact) => [fact.kind, fact]));
    expect([...facts.keys()].sort()).toEqual(['binding', 'network', 'port', 'server', 'subnet']);
    expect(facts.get('server')).toMatchObject({ decided_by: 'top', event: { type: 'ServerRequested' } });
    expect(facts.get('subnet')).toMatchObject({
      decided_by: 'top',
      event: { request_id: expect.stringMatching(/^req-/) },
    });
    // Where a server is, its site decides.
    expect(facts.get('binding')).toMatchObject({ decided_by: 'rome', event: null });
  });

  it('is told as a sentence, at one host, by its decimal cookie too', async () => {
    const cookie = String(BigInt(await cookieOfPort()));
    const { stdout } = await blame(cookie, '--site', 'rome', '--host', 'rome-1');
    expect(stdout).toContain(`are there for port ${port}.`);
    expect(stdout).toContain('Made by demo at ');
    expect(stdout).toContain('rome-1');
    expect(stdout).not.toContain('rome-2');
  });

  it('is nobody’s when no host has it, and silent hosts are named', async () => {
    await weir.process('host-rome-2').kill('SIGKILL');
    const { stdout, status } = await blame('0x7000000000001', '-o', 'json');
    expect(status).toBe(1);
    const found = JSON.parse(stdout) as Blamed;
    expect(found.owner).toBeNull();
    expect(found.hosts.find(({ host }) => host === 'rome-1')).toMatchObject({ unknown: null, flows: 0 });
    expect(found.hosts.find(({ host }) => host === 'rome-2')?.unknown).toEqual(expect.any(String));
  });
});
