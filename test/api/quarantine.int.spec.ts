import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FakeSite } from './fake-site';
import { TopWorld } from './top-world';

const ROOM = { vcpus: 8, ramMb: 16_384, diskGb: 100 };
/** Longer than a follower pauses at first, and than marks come apart. */
const A_WHILE_MS = 2500;

describe('a Top restored from an older copy', () => {
  const world = new TopWorld();
  const copies = mkdtempSync(join(tmpdir(), 'weir-copy-'));
  let paris: { id: string; fake: FakeSite };
  let count = 0;
  beforeAll(async () => {
    await world.start();
    paris = await world.site('paris', 'Paris', { a: ROOM });
  });
  afterAll(async () => {
    await world.stop();
    rmSync(copies, { recursive: true });
  });

  const quarantine = async () => (await world.get('/weir/v1/quarantine', 'admin')).body['quarantine'];
  const names = (kind: string) => paris.fake.facts(kind).map(({ body }) => body['name']);

  /** A server that runs, on a network of its own that a router knows, too. */
  async function running(name: string): Promise<{ server: string; network: string; subnet: string }> {
    const { id: network, subnet } = await world.network(`${name}-net`, `10.${++count}.1.0/24`);
    const router = await world.post('/network/v2.0/routers', { router: { name: `${name}-gate` } });
    const routerId = router.body['router'].id as string;
    await world.put(`/network/v2.0/routers/${routerId}/add_router_interface`, { subnet_id: subnet });
    const created = await world.server(name, { networks: [{ uuid: network }], availability_zone: 'Paris' });
    const server = created.body['server'].id as string;
    await world.until(
      async () => (await world.get(`/compute/v2.1/servers/${server}`)).body['server'].status === 'ACTIVE',
      `${name} to run`,
    );
    return { server, network, subnet };
  }

  async function copied(name: string): Promise<void> {
    await world.stopTop();
    cpSync(world.state, join(copies, name), { recursive: true });
    await world.start();
  }

  /** The site has dialled again, and answers questions. */
  const asked = () =>
    world.until(
      async () => (await world.get(`/weir/v1/sites/${paris.id}/differences`, 'admin')).status === 200,
      'the site to be asked',
    );

  async function restored(name: string): Promise<void> {
    await world.stopTop();
    rmSync(world.state, { recursive: true });
    cpSync(join(copies, name), world.state, { recursive: true });
    await world.start();
    await world.until(async () => (await quarantine()).divergences.length > 0, 'the quarantine');
    await asked();
  }

  const facts = async () => {
    const shown = await world.get(`/weir/v1/sites/${paris.id}/facts`, 'admin');
    return (shown.body['facts'] as { kind: string; id: string }[]).filter(({ kind }) => kind !== 'seal');
  };
  /** Until the site holds what the log wants there. */
  const agreed = () =>
    world.until(async () => {
      const wanted = (await facts()).map(({ kind, id }) => `${kind}/${id}`).sort();
      const held = paris.fake.holds().facts.map(({ kind, id }) => `${kind}/${id}`);
      return (
        !(await quarantine()).active &&
        held
          .filter((key) => !key.startsWith('seal'))
          .sort()
          .join() === wanted.join()
      );
    }, 'the site to hold what the log says');

  it('is noticed also by its own record of what was published, before any site has spoken', async () => {
    await copied('log');
    await running('unseen');
    await paris.fake.stop();
    await world.stopTop();
    // With what SQLite keeps beside it, or nothing of that.
    const ofTheLog = (folder: string) => readdirSync(folder).filter((name) => name.startsWith('events.db'));
    for (const name of ofTheLog(world.state)) rmSync(join(world.state, name));
    for (const name of ofTheLog(join(copies, 'log'))) cpSync(join(copies, 'log', name), join(world.state, name));
    await world.start();
    expect((await quarantine()).divergences).toMatchObject([{ site_id: null, decision: null }]);
    const early = await world.post('/weir/v1/sites/discard', {}, 'admin');
    expect([early.status, JSON.stringify(early.body)]).toEqual([
      409,
      expect.stringContaining("'paris' is not connected"),
    ]);
    paris.fake.start();
    await world.until(async () => (await quarantine()).divergences.length === 2, 'the site to show what it knows');
    await asked();
    expect((await world.post('/weir/v1/sites/discard', {}, 'admin')).status).toBe(200);
    await agreed();
    expect(names('server')).not.toContain('unseen');
  }, 60_000);

  it('is in quarantine: it says so, answers reads, takes nothing and changes nothing below, also when it restarts', async () => {
    const kept = await running('kept');
    await copied('old');
    const lost = await running('lost');
    const before = paris.fake.holds();
    await restored('old');

    const refused = await world.post('/network/v2.0/networks', { network: { name: 'n' } });
    expect([refused.status, JSON.stringify(refused.body)]).toEqual([503, expect.stringContaining('quarantine')]);
    const rehearsed = await world.post('/network/v2.0/networks?dry_run=true', { network: { name: 'n' } });
    expect([rehearsed.status, rehearsed.body]).toEqual([503, refused.body]);
    expect((await world.get(`/compute/v2.1/servers/${kept.server}`)).status).toBe(200);
    expect((await world.get(`/compute/v2.1/servers/${lost.server}`)).status).toBe(404);
    expect((await world.get(`/weir/v1/sites/${paris.id}`, 'admin')).body['site'].divergence).toEqual({
      generation: before.cursor.generation,
      position: before.cursor.position,
      decision: null,
    });
    expect((await world.get('/metrics', undefined)).body['text']).toContain('weir_quarantine 1');

    await world.stopTop();
    await world.start();
    expect(await quarantine()).toMatchObject({ active: true });
    await asked();
    const { differences } = (await world.get(`/weir/v1/sites/${paris.id}/differences`, 'admin')).body;
    expect(differences.only_site).toEqual(
      expect.arrayContaining([
        { kind: 'server', id: lost.server, name: 'lost' },
        { kind: 'network', id: lost.network, name: 'lost-net' },
        { kind: 'router', id: expect.any(String) as string, name: 'lost-gate' },
      ]),
    );
    expect(differences.counts).toEqual({ only_site: differences.only_site.length, only_log: 0, different: 0 });
    await new Promise((resolve) => setTimeout(resolve, A_WHILE_MS));
    expect(paris.fake.holds()).toEqual(before);
  }, 60_000);

  it('discards what the sites know and its log does not: it is deleted there, and life goes on', async () => {
    expect(names('server')).toContain('lost');
    const decided = await world.post('/weir/v1/sites/discard', {}, 'admin');
    expect([decided.status, decided.body['quarantine']]).toEqual([
      200,
      { active: false, generation: 3, divergences: [] },
    ]);
    await agreed();
    expect(names('server')).toEqual(['kept']);
    expect(names('router')).toEqual(['kept-gate']);
    await running('after');
    expect((await world.post('/weir/v1/sites/discard', {}, 'admin')).status).toBe(409);
  }, 60_000);

  it('adopts what only the sites know: same ids, addresses and place, and it can be used and deleted as ever', async () => {
    await copied('before');
    const lost = await running('found');
    const ports = `/network/v2.0/ports?device_id=${lost.server}`;
    const port = (await world.get(ports)).body['ports'][0];
    const before = paris.fake.holds();
    await restored('before');
    expect((await world.get(`/compute/v2.1/servers/${lost.server}`)).status).toBe(404);

    const adopt = () => world.post(`/weir/v1/sites/${paris.id}/adopt`, undefined, 'admin');
    const [one, other] = await Promise.all([adopt(), adopt()]);
    const [decided, late] = one.status === 200 ? [one, other] : [other, one];
    expect([late.status, JSON.stringify(late.body)]).toEqual([
      409,
      expect.stringMatching(/under way|nothing to decide/),
    ]);
    expect([decided.status, decided.body['quarantine'].active]).toEqual([200, false]);
    await agreed();
    const bodies = ({ facts: held }: typeof before) =>
      held.filter(({ kind }) => kind !== 'seal').map(({ kind, id, body }) => `${kind}/${id} ${JSON.stringify(body)}`);
    expect(bodies(paris.fake.holds()).sort()).toEqual(bodies(before).sort());
    await world.until(
      async () => (await world.get(`/compute/v2.1/servers/${lost.server}`)).body['server']?.status === 'ACTIVE',
      'the adopted server to run',
    );
    const adopted = (await world.get(ports)).body['ports'][0];
    const { id, mac_address, fixed_ips, network_id, device_owner } = port;
    expect(adopted).toMatchObject({ id, mac_address, fixed_ips, network_id, device_owner });
    // Its address is taken, and free again when it is gone.
    const again = { port: { network_id: lost.network, fixed_ips: [{ ip_address: fixed_ips[0].ip_address }] } };
    expect((await world.post('/network/v2.0/ports', again)).status).toBe(409);
    await world.delete(`/compute/v2.1/servers/${lost.server}`);
    await world.until(
      async () => (await world.get(`/compute/v2.1/servers/${lost.server}`)).status === 404,
      'the adopted server to be gone',
    );
    expect((await world.post('/network/v2.0/ports', again)).status).toBe(201);
  }, 60_000);

  it('names what its log has given away since, and adopts nothing then', async () => {
    const base = await running('base');
    await copied('early');
    const ip = `10.${count}.1.77`;
    const create = (name: string) =>
      world.server(name, {
        networks: [{ uuid: base.network, fixed_ip: ip }],
        availability_zone: 'Paris',
      });
    const first = await create('first');
    await world.until(() => names('server').includes('first'), 'the first to be told');
    await paris.fake.stop();
    await world.stopTop();
    rmSync(world.state, { recursive: true });
    cpSync(join(copies, 'early'), world.state, { recursive: true });
    await world.start();
    // Written on, before anybody could show what it lacks.
    await world.until(async () => (await create('second')).status === 202, 'the second to be taken');
    paris.fake.start();
    await world.until(async () => (await quarantine()).divergences.length > 0, 'the quarantine');
    await asked();
    const refused = await world.post('/weir/v1/sites/adopt', {}, 'admin');
    expect([refused.status, JSON.stringify(refused.body)]).toEqual([
      409,
      expect.stringMatching(new RegExp(`server ${first.body['server'].id as string}: IP address ${ip} already`)),
    ]);
    expect((await quarantine()).divergences).toMatchObject([{ site_id: paris.id, decision: null }]);
    expect((await world.post('/weir/v1/sites/discard', {}, 'admin')).status).toBe(200);
    await agreed();
    expect(names('server')).toContain('second');
    expect(names('server')).not.toContain('first');
  }, 60_000);
});
