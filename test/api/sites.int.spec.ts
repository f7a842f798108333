import { TopWorld } from './top-world';

const ROOM = { vcpus: 8, ramMb: 16_384, diskGb: 100 };
const KEY = Buffer.alloc(32, 7).toString('base64url');

describe('a site', () => {
  const world = new TopWorld();
  beforeAll(async () => {
    await world.start();
  });
  afterAll(async () => {
    await world.stop();
  });

  async function added(name: string): Promise<{ id: string; token: string }> {
    const site = { name, data_center: name, availability_zones: ['a'], driver: 'ovs' };
    const answer = await world.post('/weir/v1/sites', { site }, 'admin');
    return { id: answer.body['site'].id as string, token: answer.body['join_token'] as string };
  }
  const join = (token: string, key = KEY) =>
    world.send(undefined, 'POST', '/cascade/v1/join', { token, name: 'x', key });
  async function follow(key: string, query: string): Promise<{ status: number; body: string }> {
    const abort = new AbortController();
    const response = await fetch(`${world.address}/cascade/v1/facts?${query}`, {
      headers: { authorization: `Bearer ${key}` },
      signal: abort.signal,
    });
    const first = await response.body?.getReader().read();
    abort.abort();
    return { status: response.status, body: Buffer.from(first?.value ?? []).toString() };
  }

  it('joins once: the same token with the same key is the same answer until its first facts, anything else is refused', async () => {
    const { id, token } = await added('lima');
    const first = await join(token);
    expect([first.status, first.body]).toEqual([200, { id, generation: 1 }]);
    expect((await join(token)).body).toEqual(first.body);
    expect((await join(token, Buffer.alloc(32, 8).toString('base64url'))).status).toBe(403);
    expect((await follow(KEY, 'generation=1&after=0&digest=')).status).toBe(200);
    await world.until(async () => (await join(token)).status === 403, 'the token to be used up');
    expect((await join('unknown')).status).toBe(403);
  });

  it('is refused with a wrong secret, a wrong generation or a digest that the log does not have', async () => {
    const key = Buffer.alloc(32, 9).toString('base64url');
    const { token } = await added('quito');
    await join(token, key);
    expect((await follow(Buffer.alloc(32, 1).toString('base64url'), 'generation=1&after=0&digest=')).status).toBe(401);
    for (const [query, reason] of [
      ['generation=7&after=0&digest=', 'generation'],
      ['generation=8&after=1&digest=somebody-elses', 'digest'],
      ['generation=9&after=100000&digest=x', 'digest'],
    ] as const) {
      const { status, body } = await follow(key, query);
      expect([status, (JSON.parse(body) as { reason: string }).reason]).toEqual([409, reason]);
      // Whoever shows what the log does not know puts the Top into quarantine.
      expect((await world.post('/weir/v1/sites/discard', { force: true }, 'admin')).status).toBe(200);
    }
    expect((await follow(key, 'generation=1&after=-1&digest=')).status).toBe(400);
    expect((await follow(key, 'generation=1&after=1e99&digest=')).status).toBe(400);
    expect((await follow(key, `generation=${2 ** 52 + 1}&after=0&digest=`)).status).toBe(400);
  });

  it('gets the facts of its span and of no other, and shows them', async () => {
    const { id, fake } = await world.site('kyiv', 'Kyiv', { 'kyiv-a': ROOM });
    const other = await world.site('bern', 'Bern', { 'bern-a': ROOM });
    const network = await world.network('blue', '10.1.1.0/24');
    const elsewhere = await world.network('red', '10.2.1.0/24');
    await world.server('here', { networks: [{ uuid: network.id }], availability_zone: 'Kyiv' });
    await world.server('there', { networks: [{ uuid: elsewhere.id }], availability_zone: 'Bern' });
    await world.until(
      () => fake.facts('server').length === 1 && other.fake.facts('server').length === 1,
      'both sites to be told',
    );
    expect(fake.facts('network').map((fact) => fact.id)).toEqual([network.id]);
    expect(other.fake.facts('network').map((fact) => fact.id)).toEqual([elsewhere.id]);
    const shown = (await world.get(`/weir/v1/sites/${id}/facts`, 'admin')).body['facts'] as {
      kind: string;
      id: string;
    }[];
    expect(shown.map((fact) => `${fact.kind}/${fact.id}`).sort()).toEqual(
      ['network', 'subnet', 'port', 'server']
        .flatMap((kind) => fake.facts(kind).map((fact) => `${kind}/${fact.id}`))
        .sort(),
    );
    expect((await world.get(`/network/v2.0/networks/${network.id}`)).body['network'].availability_zones).toEqual([
      'Kyiv:kyiv-a',
    ]);
    expect((await world.delete(`/weir/v1/sites/${id}`, 'admin')).status).toBe(409);
  });

  it('that went silent does not slow a list', async () => {
    const { fake } = await world.site('cairo', 'Cairo', { 'cairo-a': ROOM });
    await fake.stop();
    const answers = await Promise.all(Array.from({ length: 20 }, () => world.get('/compute/v2.1/servers/detail')));
    expect(answers.every((answer) => answer.status === 200)).toBe(true);
  });

  it('keeps everything over a restart of the Top, and so does its site', async () => {
    const { id, fake } = await world.site('perth', 'Perth', { 'perth-a': ROOM });
    const network = await world.network('over', '10.3.1.0/24');
    const created = await world.server('over', { networks: [{ uuid: network.id }], availability_zone: 'Perth' });
    const path = `/compute/v2.1/servers/${created.body['server'].id as string}`;
    await world.until(async () => (await world.get(path)).body['server'].status === 'ACTIVE', 'ACTIVE');
    const before = [(await world.get(path)).body, (await world.get('/network/v2.0/ports')).body, fake.facts('port')];
    await world.stopTop();
    await world.start();
    await world.until(
      async () => (await world.get(`/weir/v1/sites/${id}`, 'admin')).body['site'].reachability === 'reachable',
      'the site to be back',
    );
    expect([(await world.get(path)).body, (await world.get('/network/v2.0/ports')).body, fake.facts('port')]).toEqual(
      before,
    );
    await world.delete(path);
    await world.until(async () => (await world.get(path)).status === 404, 'the server to be gone');
  }, 30_000);

  it('runs a command inside an instance and answers what it said', async () => {
    const { fake } = await world.site('seoul', 'Seoul', { 'seoul-a': ROOM });
    const created = await world.server('busy', { networks: 'none', availability_zone: 'Seoul' });
    const id = created.body['server'].id as string;
    await world.until(
      async () => (await world.get(`/compute/v2.1/servers/${id}`)).body['server'].status === 'ACTIVE',
      'ACTIVE',
    );
    const answer = await world.post(`/weir/v1/servers/${id}/exec`, { command: ['true'] });
    expect(JSON.parse(Buffer.from(answer.body['stdout'] as string, 'base64').toString())).toEqual({
      server: id,
      command: ['true'],
      timeoutMs: 30_000,
    });
    expect((await world.post(`/weir/v1/servers/${id}/exec`, { command: [] })).status).toBe(400);
    await fake.stop();
    expect((await world.post(`/weir/v1/servers/${id}/exec`, { command: ['true'] })).status).toBe(503);
  });
});
