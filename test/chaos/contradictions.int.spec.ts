import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { TopWorld } from '../api/top-world';
import { contradictions } from './contradictions';

jest.setTimeout(30_000);

describe('what a Top has stored', () => {
  const folder = mkdtempSync(join(tmpdir(), 'weir-chaos-'));
  const world = new TopWorld();
  const healthy = join(folder, 'healthy');

  beforeAll(async () => {
    await world.start();
    const { id } = await world.site('paris', 'Paris', { a: { vcpus: 8, ramMb: 16_384, diskGb: 100 } });
    const blue = await world.network('blue', '10.1.1.0/24');
    const router = await world.post('/network/v2.0/routers', { router: { name: 'r' } });
    const path = `/network/v2.0/routers/${(router.body['router'] as { id: string }).id}/add_router_interface`;
    await world.put(path, { subnet_id: blue.subnet });
    await world.post('/network/v2.0/ports', { port: { network_id: blue.id } });
    await world.server('one', { networks: [{ uuid: blue.id }] });
    const two = await world.server('two', { networks: [{ uuid: blue.id }] });
    await world.delete(`/compute/v2.1/servers/${(two.body['server'] as { id: string }).id}`);
    await world.until(async () => {
      const { site } = (await world.get(`/weir/v1/sites/${id}`, 'admin')).body as {
        site: { settled: number; published: number };
      };
      return site.settled === site.published;
    }, 'the site to settle');
    await world.stopTop();
    cpSync(world.state, healthy, { recursive: true });
  });
  afterAll(async () => {
    await world.stop();
    rmSync(folder, { recursive: true });
  });

  /** What is found after somebody has been at one of its files. */
  async function after(file: string, sql: string): Promise<readonly string[]> {
    const state = mkdtempSync(join(folder, 'spoilt-'));
    cpSync(healthy, state, { recursive: true });
    const database = new Database(join(state, file));
    expect(database.prepare(sql).run().changes).toBeGreaterThan(0);
    database.close();
    return contradictions(state);
  }

  it('does not contradict itself', async () => {
    expect(await contradictions(healthy)).toEqual([]);
  });

  it('is found out by an event with another content', async () => {
    const found = await after(
      'events.db',
      `update events set data = replace(data, 'blue', 'blew') where type = 'NetworkCreated'`,
    );
    expect(found).toEqual([expect.stringMatching(/^event \d+: digest$/)]);
  });

  it('is found out by an event that is gone', async () => {
    const found = await after('events.db', `delete from events where type = 'ServerDeleting'`);
    expect(found).toEqual([expect.stringMatching(/^event \d+: missing$/)]);
  });

  it('is found out by a row that no replay gives', async () => {
    const found = await after('events.db', `update rm_networks set mtu = 9000 where valid_to is null`);
    expect(found).toEqual([
      expect.stringContaining('row that no replay gives: {'),
      expect.stringContaining('row that only a replay gives: {'),
      expect.stringContaining('row that no rebuild gives: {'),
    ]);
  });

  it('is found out by an old version of a row that is gone', async () => {
    const found = await after('events.db', `delete from rm_servers where valid_to is not null`);
    expect(found[0]).toContain('row that only a replay gives: {');
  });

  it('is found out by a fact that a site should have', async () => {
    const found = await after('facts.db', `delete from fact where kind = 'subnet'`);
    expect(found).toEqual([expect.stringMatching(/^fact of site .* that only a replay gives: .*10\.1\.1\.0\/24/)]);
  });

  it('is found out by facts of another log', async () => {
    const found = await after('facts.db', `update publisher set digest = 'another'`);
    expect(found).toEqual([expect.stringContaining('which is another event in the log')]);
  });
});
