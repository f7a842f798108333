import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '@weir/lab';
import { ApiRefused, type Deployment, parisAndTokyo, startDeployment } from '@weir/lab/deployment';
import { newFolder } from './demo-process';
import { buildPrograms, ROOT } from './programs';

jest.setTimeout(60_000);

const sites = parisAndTokyo();
/** Of processes that name the folder on their command line. */
async function processesOf(directory: string): Promise<string[]> {
  const { stdout } = await run('ps', ['-eo', 'stat=,args=']);
  return stdout.split('\n').filter((line) => !line.startsWith('Z') && line.includes(join(directory, 'state')));
}

describe('a deployment without hosts', () => {
  const directory = newFolder();
  let deployment: Deployment;

  beforeAll(async () => {
    deployment = await startDeployment({ programs: await buildPrograms(), directory, sites, port: 0 });
  });

  afterAll(async () => {
    await deployment.stop();
    expect(readdirSync(directory)).toEqual(['logs']);
    expect(await processesOf(directory)).toEqual([]);
    rmSync(directory, { recursive: true });
  });

  it('has a Top and a Bottom for each site, and sites that have joined', async () => {
    expect(deployment.names).toEqual(['top', 'bottom-paris', 'bottom-tokyo']);
    for (const { name } of sites) {
      expect(await deployment.site(name)).toMatchObject({ lifecycle: 'joining', reachability: 'reachable' });
    }
  });

  it('answers as whoever is asked for, and passes refusals on', async () => {
    const { sites: listed } = await deployment.request<{ sites: unknown[] }>('GET', '/weir/v1/sites');
    expect(listed).toHaveLength(2);
    const asTenant = deployment.request('GET', '/weir/v1/sites', undefined, 'weir-demo');
    await expect(asTenant).rejects.toThrow(ApiRefused);
    await expect(asTenant).rejects.toMatchObject({ status: 403 });
  });

  it('settles behind each intent', async () => {
    const network = await deployment.tenant.createNetwork('blue');
    await deployment.tenant.createSubnet(network, '10.1.1.0/24');
    await deployment.waitForSettled();
    const { published, settled } = await deployment.site('paris');
    expect(settled).toBe(published);
    const behind = (await deployment.metrics()).find(
      ({ name, labels }) => name === 'weir_site_settled' && labels['site'] === 'paris',
    );
    expect(behind?.value).toBe(settled);
  });

  it('starts what was killed where it was', async () => {
    const { api } = deployment;
    const names = ['top', 'bottom-paris'];
    const pids = names.map((name) => deployment.process(name).pid);
    await Promise.all(names.map((name) => deployment.process(name).kill()));
    expect(names.map((name) => deployment.process(name).pid)).toEqual([undefined, undefined]);
    await Promise.all(names.map((name) => deployment.process(name).start()));
    await deployment.wait(() => deployment.site('paris'), { what: 'the Top to answer again', deadlineMs: 20_000 });
    await deployment.waitForSettled();
    expect(deployment.api).toBe(api);
    for (const [index, name] of names.entries()) expect(deployment.process(name).pid).not.toBe(pids[index]);
  });

  it('says which process ended by itself, and what it said last', async () => {
    const { pid } = deployment.process('bottom-tokyo');
    process.kill(pid ?? 0, 'SIGKILL');
    const never = deployment.wait(() => false, { what: 'nothing', deadlineMs: 20_000 });
    await expect(never).rejects.toThrow(/^bottom-tokyo ended by itself \(SIGKILL\); .*bottom-tokyo\.log ends with:/);
    await deployment.process('bottom-tokyo').start();
  });

  it('names its processes where asked for another', () => {
    expect(() => deployment.process('bottom-rome')).toThrow("no process 'bottom-rome'; it has top, bottom-paris");
  });
});

describe('a deployment whose maker crashed', () => {
  const directory = newFolder();
  afterAll(() => rmSync(directory, { recursive: true }));

  it('is cleaned up by the next one in its folder', async () => {
    const programs = await buildPrograms();
    const options = JSON.stringify({ programs, directory, port: 0 });
    const script = `require('@weir/lab/deployment').startDeployment(${options}).then(() => console.log('up'));`;
    const maker = spawn(process.execPath, ['-e', script], { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
    await once(maker.stdout, 'data');
    await expect(startDeployment({ programs, directory })).rejects.toThrow('in use');
    maker.kill('SIGKILL');
    await once(maker, 'exit');
    const left = await processesOf(directory);
    expect(left).toHaveLength(1);
    const next = await startDeployment({ programs, directory, port: 0 });
    expect(await processesOf(directory)).toHaveLength(1);
    expect(readFileSync(join(next.logs, 'top.log'), 'utf8').match(/"listening"/g)).toHaveLength(2);
    await next.stop();
  });
});
