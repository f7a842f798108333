import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { TopProcess } from '../chaos/top-process';

jest.setTimeout(60_000);

const WEIR = join(__dirname, '../../apps/cli/bin/weir.js');

describe('weir --dry-run', () => {
  let folder: string;
  let top: TopProcess;
  beforeAll(async () => {
    await TopProcess.build();
    folder = mkdtempSync(join(tmpdir(), 'weir-cli-'));
    top = new TopProcess(folder);
    await top.start();
  }, 120_000);
  afterAll(async () => {
    await top.end();
    rmSync(folder, { recursive: true });
  });

  const weir = async (...args: string[]) => {
    const env = { ...process.env, OS_CLIENT_CONFIG_FILE: top.clouds };
    return (await promisify(execFile)(process.execPath, [WEIR, ...args], { env })).stdout;
  };
  const sites = async () => JSON.parse(await weir('site', 'list', '-o', 'json')) as readonly unknown[];

  it('tells what adding and removing a site would come to, and --replay does exactly that', async () => {
    const add = ['site', 'add', 'paris', '--data-center', 'Paris', '--zone', 'a'];
    const told = await weir(...add, '--dry-run');
    expect(told).toContain('Nothing was stored.');
    for (const text of ['SiteAdded', 'site-name-paris', 'zone-Paris:a']) expect(told).toContain(text);
    expect(await sites()).toEqual([]);

    const { replay, answer } = JSON.parse(await weir(...add, '--dry-run', '-o', 'json'));
    const added = JSON.parse(await weir(...add, '--replay', replay as string, '-o', 'json'));
    expect(added).toEqual({ ...answer.body.site, published: expect.any(Number), join_token: answer.body.join_token });
    expect(await sites()).toHaveLength(1);

    expect(await weir('site', 'remove', 'paris', '--dry-run')).toContain('SiteRemoved');
    expect(await sites()).toHaveLength(1);
    await weir('site', 'remove', 'paris');
    await expect(weir(...add, '--replay', 'nonsense')).rejects.toThrow('X-Weir-Replay');
    expect(await sites()).toEqual([]);
  });
});
