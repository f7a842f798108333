import { buildCommandLine, weir } from './command-line';
import { TopWorld } from './top-world';
import type { LoggedEvent } from './write-routes';

jest.setTimeout(60_000);

interface Difference {
  readonly kind: string;
  readonly id: string;
  readonly change: string;
  readonly project_id: string | null;
  readonly fields: readonly { readonly field: string; readonly before?: unknown; readonly after?: unknown }[];
  readonly by: readonly { readonly type: string; readonly actor_name: string; readonly request_id: string }[];
}

describe('what was, and who did it', () => {
  const world = new TopWorld();
  let then = '';
  let blue = '';
  let subnet = '';
  let gone = '';
  let server = '';
  beforeAll(async () => {
    await buildCommandLine();
    await world.start();
    await world.site('paris', 'Paris', { 'paris-a': { vcpus: 8, ramMb: 16_384, diskGb: 100 } });
    ({ id: blue, subnet } = await world.network('blue', '10.1.1.0/24'));
    ({ id: gone } = await world.network('gone'));
    then = await head();
    await world.put(`/network/v2.0/networks/${blue}`, { network: { name: 'green' } });
    await world.put(`/network/v2.0/subnets/${subnet}`, { subnet: { name: 'first' } });
    await world.delete(`/network/v2.0/networks/${gone}`);
    const created = await world.server('web', { networks: [{ uuid: blue }], availability_zone: 'Paris' });
    server = created.body['server'].id as string;
    await world.until(
      async () => (await world.get(`/compute/v2.1/servers/${server}`)).body['server'].status === 'ACTIVE',
      'ACTIVE',
    );
    await world.network('secret', undefined, 'admin');
  });
  afterAll(async () => {
    await world.stop();
  });

  const head = async () => (await world.get('/weir/v1/sites?as_of=now', 'admin')).headers.get('x-weir-as-of') ?? '';
  const eventsOf = async (kind: string, id: string, who: 'admin' | 'demo', type?: string) => {
    const { events } = (await world.get(`/weir/v1/events?kind=${kind}&id=${id}`, who)).body;
    return (events as LoggedEvent[]).filter((event) => type === undefined || event['type'] === type);
  };
  const diff = async (query: string, who: 'admin' | 'demo' = 'demo') =>
    (await world.get(`/weir/v1/diff?${query}`, who)).body as {
      differences: Difference[];
      next: string | null;
      now: number;
    };
  const whole = async (query: string, limit: number, who: 'admin' | 'demo' = 'demo') => {
    const first = await diff(`${query}&limit=${limit}`, who);
    const all = [...first.differences];
    for (let { next } = first; next !== null;) {
      const page = await diff(`${query}&now=${first.now}&limit=${limit}&marker=${next}`, who);
      expect(page.differences.length).toBeLessThanOrEqual(limit);
      all.push(...page.differences);
      ({ next } = page);
    }
    return all;
  };
  const found = (differences: readonly Difference[], id: string) => differences.find((one) => one.id === id);

  it('tells a resource’s history with who changed what, also after it was deleted', async () => {
    for (const named of [blue, 'green']) {
      const { body } = await world.get(`/weir/v1/history?kind=network&id=${named}`);
      expect(body['id']).toBe(blue);
      expect(body['history'].map((entry: { type: string }) => entry.type)).toEqual([
        'NetworkCreated',
        'SubnetAdded',
        'NetworkUpdated',
        'SubnetUpdated',
      ]);
      expect(body['history'][2]).toMatchObject({
        actor_name: 'demo',
        request_id: expect.stringMatching(/^req-/),
        changes: [{ kind: 'network', change: 'changed', fields: [{ field: 'name', before: 'blue', after: 'green' }] }],
      });
    }
    const { body } = await world.get(`/weir/v1/history?kind=network&id=${gone}`);
    expect(body['history'].at(-1)).toMatchObject({ type: 'NetworkDeleted', changes: [{ change: 'deleted' }] });
  });

  it('ends a history at the asked moment, and gives it in parts', async () => {
    const past = await world.get(`/weir/v1/history?kind=network&id=blue&as_of=${then}`);
    expect(past.body['history'].map((entry: { type: string }) => entry.type)).toEqual([
      'NetworkCreated',
      'SubnetAdded',
    ]);
    const first = (await world.get(`/weir/v1/history?kind=network&id=${blue}&limit=3`)).body;
    const rest = (await world.get(`/weir/v1/history?kind=network&id=${blue}&limit=3&after=${first['next']}`)).body;
    expect([first['history'].length, rest['history'].length, rest['next']]).toEqual([3, 1, null]);
  });

  it('tells a server’s history with its ports, and of hosts to admins only', async () => {
    const types = async (who: 'admin' | 'demo') => {
      const { body } = await world.get(`/weir/v1/history?kind=server&id=${server}`, who);
      return JSON.stringify(body);
    };
    expect(await types('admin')).toContain('fake-1');
    const own = await types('demo');
    expect(own).not.toContain('fake-1');
    expect(own).not.toContain('paris-1');
    expect(own).not.toContain('"paris"');
    expect(own).not.toContain('site-');
    expect(own).toContain('"type":"ServerActive","actor":"operator"');
    expect(own).toContain('mac_address');
  });

  it('shows the events of a resource to its owner without the operator’s part of them', async () => {
    const [bound] = await eventsOf('server', server, 'admin', 'PortBound');
    expect(bound?.data).toMatchObject({ host: 'paris-1' });
    const [own] = await eventsOf('server', server, 'demo', 'PortBound');
    expect(own?.data).toEqual({});
    expect(own).toMatchObject({ position: bound?.position, digest: null, actor: 'operator', request_id: 'operator' });
    const created = await eventsOf('network', blue, 'demo', 'NetworkCreated');
    expect(created).toMatchObject([{ data: { name: 'blue' }, request_id: expect.stringMatching(/^req-/) }]);
    const all = [...created, ...(await eventsOf('server', server, 'demo'))];
    expect(JSON.stringify(all)).not.toMatch(/"(segment|siteId|host|endpoint)"|paris-1|fake-1/);
    const siteId = bound?.data['siteId'] as string;
    expect(JSON.stringify(all)).not.toContain(siteId);
  });

  it('finds the history of a subnet that was deleted with its network’s stream', async () => {
    const { id, subnet: lost } = await world.network('short', '10.9.0.0/24');
    await world.delete(`/network/v2.0/subnets/${lost}`);
    const { body } = await world.get(`/weir/v1/history?kind=subnet&id=${lost}`);
    expect(body['history'].at(-1)).toMatchObject({ type: 'SubnetRemoved' });
    await world.delete(`/network/v2.0/networks/${id}`);
    expect((await world.get(`/weir/v1/history?kind=subnet&id=${lost}`)).status).toBe(200);
  });

  it('tells what was created, changed and deleted between two moments, by whom', async () => {
    const { differences } = await diff(`then=${then}`);
    expect(found(differences, blue)).toMatchObject({
      kind: 'network',
      change: 'changed',
      fields: [{ field: 'name', before: 'blue', after: 'green' }],
      by: [{ type: 'NetworkUpdated', actor_name: 'demo', request_id: expect.stringMatching(/^req-/) }],
    });
    expect(found(differences, subnet)).toMatchObject({ change: 'changed', by: [{ type: 'SubnetUpdated' }] });
    expect(found(differences, gone)).toMatchObject({ change: 'deleted', name: 'gone' });
    expect(found(differences, server)).toMatchObject({ change: 'created', name: 'web' });
    expect((await diff(`then=${await head()}`)).differences).toEqual([]);
  });

  it('is the same in pages of any length', async () => {
    const { differences } = await diff(`then=0&limit=1000`, 'admin');
    const ids = (list: readonly Difference[]) => list.map(({ kind, id, by }) => [kind, id, by.length]);
    for (const limit of [1, 2, 7]) expect(ids(await whole('then=0', limit, 'admin'))).toEqual(ids(differences));
  });

  it('shows each caller what is theirs today', async () => {
    const own = await diff('then=0&limit=1000');
    const all = await diff('then=0&limit=1000', 'admin');
    expect(new Set(own.differences.map(({ kind }) => kind))).not.toContain('site');
    expect(new Set(own.differences.map(({ project_id }) => project_id)).size).toBe(1);
    expect(JSON.stringify(own)).not.toContain('secret');
    expect(JSON.stringify(own)).not.toContain('198.51.100.1');
    expect(JSON.stringify(all)).toContain('secret');
    expect(JSON.stringify(all)).not.toContain('token_hash');
    const project = own.differences[0]?.project_id ?? '';
    const asked = await diff(`then=0&limit=1000&project=${project}`, 'admin');
    expect(asked.differences.map(({ id }) => id)).toEqual(own.differences.map(({ id }) => id));
    const secret = all.differences.find(({ fields }) => fields.some(({ after }) => after === 'secret'))?.id ?? '';
    expect((await world.get(`/weir/v1/history?kind=network&id=${secret}`)).status).toBe(404);
    expect((await world.get(`/weir/v1/history?kind=network&id=secret`)).status).toBe(404);
    expect((await world.get(`/weir/v1/history?kind=network&id=${secret}`, 'admin')).status).toBe(200);
    expect((await world.get('/weir/v1/history?kind=site&id=paris')).status).toBe(404);
  });

  it('is told on the command line to whoever asks', async () => {
    const history = await weir(world, 'demo', 'history', 'network', 'green', '-o', 'value');
    expect(history.code).toBe(0);
    expect(history.stdout).toMatch(/^\d+ \S+ NetworkCreated demo req-\S+ created network blue\n/);
    expect(history.stdout).toMatch(/NetworkUpdated demo req-\S+ changed network green \(name: blue → green\)/);
    const changes = await weir(
      world,
      'admin',
      'diff',
      then,
      '--project',
      'demo',
      '--kind',
      'network',
      'subnet',
      '-o',
      'value',
    );
    expect(changes.code).toBe(0);
    expect(changes.stdout).toMatch(new RegExp(`^changed network green ${blue} name: blue → green demo \\d{4}-`, 'm'));
    expect(changes.stdout).toMatch(new RegExp(`^deleted network gone ${gone}  demo \\d{4}-`, 'm'));
    const nobody = await weir(world, 'demo', 'history', 'network', 'secret');
    expect([nobody.code, nobody.stderr]).toEqual([1, "weir: There is no network 'secret'.\n"]);
  });

  it('reads the log itself on from any position', async () => {
    const { body } = await world.get('/weir/v1/events?limit=2&after=3', 'admin');
    expect(body['events'].map((event: { position: number }) => event.position)).toEqual([4, 5]);
    expect((await world.get('/weir/v1/events?after=5000', 'admin')).body).toEqual({ events: [], next: 5000 });
  });

  it('refuses what it cannot mean', async () => {
    for (const query of [
      '',
      'then=yesterday',
      'then=99999999',
      `then=${then}&now=1`,
      'then=1&kind=cloud',
      'then=1&marker=x',
      'then=1&projct=demo',
    ])
      expect((await world.get(`/weir/v1/diff?${query}`)).status).toBe(400);
    expect((await world.get('/weir/v1/diff?then=1&project=nobody', 'admin')).status).toBe(404);
    for (const query of ['', 'kind=network', 'kind=cloud&id=x', `kind=network&id=${blue}&after=x`])
      expect((await world.get(`/weir/v1/history?${query}`)).status).toBe(400);
    expect((await world.get('/weir/v1/history?kind=network&id=nobody')).status).toBe(404);
  });
});
