import { eventsForTenants } from '@weir/domain';
import { TopWorld } from './top-world';
import { type Write, WriteRoutes } from './write-routes';

/** Routes that change nothing of what is desired, or that no log can take back: each has a reason. */
const NO_INTENTS = [
  'post /identity/v3/auth/tokens', // makes a token
  'post /weir/v1/events/verify', // reads
  'post /weir/v1/read-models/check', // reads
  'post /weir/v1/read-models/rebuild', // makes what there is anew
  'post /weir/v1/servers/{id}/exec', // acts in an instance
  // What these would come to is `GET /weir/v1/sites/{id}/differences`.
  'post /weir/v1/sites/adopt',
  'post /weir/v1/sites/discard',
  'post /weir/v1/sites/{id}/adopt',
  'post /weir/v1/sites/{id}/discard',
];

jest.setTimeout(30_000);

describe('a dry run', () => {
  const world = new TopWorld();
  const routes = new WriteRoutes(world);
  beforeAll(async () => {
    await world.start();
    await routes.prepare();
  });
  afterAll(async () => {
    await world.stop();
  });

  const send = ({ method, path, body, who }: Write, headers?: Record<string, string>) =>
    world.send(who ?? 'demo', method, path, body, headers);
  const rehearse = (write: Write) => send({ ...write, path: `${write.path}?dry_run=true` });
  const byRequests = async (after: number) =>
    (await routes.events(after)).filter((event) => event.request_id.startsWith('req-'));

  it('is on every route that changes what is desired, and refused on every other', async () => {
    const { body } = await world.get('/docs-json');
    const [intents, others]: [string[], string[]] = [[], []];
    for (const [path, methods] of Object.entries(body['paths'] as Record<string, Record<string, any>>)) {
      for (const [method, { parameters = [] }] of Object.entries(methods)) {
        const isIntent = parameters.some((one: { name: string }) => one.name === 'dry_run');
        if (isIntent) intents.push(`${method} ${path}`);
        else if (method !== 'get') others.push(`${method} ${path}`);
        if (isIntent) continue;
        const some = path.replaceAll(/\{\w+\}/g, '00000000-0000-4000-8000-000000000000');
        const refused = await world.send('admin', method.toUpperCase(), `${some}?dry_run=true`);
        expect([path, refused.status]).toEqual([path, 400]);
      }
    }
    expect(others.sort()).toEqual(NO_INTENTS);
    expect([...new Set(routes.all().map((write) => write.route))].sort()).toEqual(intents.sort());
  });

  it('says of every write what it would come to and stores nothing; the replay is exactly that, once', async () => {
    for (const write of routes.all()) {
      const before = await routes.head();
      const dry = await rehearse(write);
      expect([write.route, dry.status]).toEqual([write.route, 200]);
      const { events, events_left_out: leftOut, answer, replay, position, facts, flows } = dry.body['dry_run'];
      expect([write.route, Number(events.length) + Number(leftOut)]).toEqual([write.route, write.events.length]);
      expect(position).toBeGreaterThanOrEqual(before);
      expect([write.route, Object.keys(facts)]).toEqual([write.route, write.sites ?? []]);
      expect(Object.keys(flows)).toEqual(Object.keys(facts));
      expect([write.route, await byRequests(before)]).toEqual([write.route, []]);
      // How the operator carries it out is not for tenants.
      if (write.who !== 'admin')
        expect(JSON.stringify([events, facts, flows])).not.toMatch(
          /"(segment|site|siteId|host|endpoint)"|"(capacity|segment)-|fake-1/,
        );

      for (const time of ['the first time', 'again']) {
        const real = await send(write, { 'x-weir-replay': replay });
        expect([write.route, time, real.status]).toEqual([write.route, time, answer.status]);
        if (real.status !== 204) expect(stable(real.body)).toEqual(stable(answer.body));
        const appended = await byRequests(before);
        expect([write.route, appended.map(({ type }) => type)]).toEqual([write.route, write.events]);
        const shown = write.who === 'admin' ? { events: appended, leftOut: 0 } : eventsForTenants(appended);
        expect([write.route, shown.events.map(bare), shown.leftOut]).toEqual([write.route, events.map(bare), leftOut]);
        for (const event of appended) expect(event.request_id).toBe(real.headers.get('x-openstack-request-id'));
      }
      await write.settled?.();
    }
  });

  it('answers what the request would be answered', async () => {
    const { network } = routes.ids;
    const missing = `/network/v2.0/networks/${'0'.repeat(8)}-0000-4000-8000-000000000000`;
    const refused: readonly Write[] = [
      { method: 'POST', path: '/network/v2.0/networks', body: { network: { colour: 'red' } } },
      { method: 'DELETE', path: missing },
      { method: 'DELETE', path: `/network/v2.0/networks/${network}` },
      {
        method: 'POST',
        path: '/network/v2.0/subnets',
        body: { subnet: { network_id: network, cidr: '10.1.1.0/25', ip_version: 4 } },
      },
      { method: 'POST', path: '/weir/v1/sites', body: { site: {} } },
    ].map((one) => ({ ...one, route: '', events: [] }) as Write);
    for (const write of refused) {
      const before = await routes.head();
      const [dry, real] = [await rehearse(write), await send(write)];
      expect(dry.status).toBeGreaterThanOrEqual(400);
      expect([dry.status, dry.body]).toEqual([real.status, real.body]);
      const left = (await byRequests(before)).map((event) => event.type);
      // A network with ports is closed and opened again by the real one.
      expect(left.length === 0 || left.join() === 'NetworkClosing,NetworkReopened').toBe(true);
    }
  });

  it('refuses what it cannot mean', async () => {
    const network = { network: { name: 'n' } };
    const path = '/network/v2.0/networks';
    expect((await world.post(`${path}?dry_run=perhaps`, network)).status).toBe(400);
    expect((await world.send('demo', 'POST', `${path}?dry_run=true`, network, { 'x-weir-replay': 'x' })).status).toBe(
      400,
    );
    // Misspelt, or contradicting itself, it must not be the real thing.
    const before = await routes.head();
    for (const query of ['dry-run=true', 'dryRun=true', 'DRY_RUN=true', 'dry_run=true&dry_run=false'])
      expect([query, (await world.post(`${path}?${query}`, network)).status]).toEqual([query, 400]);
    expect(await byRequests(before)).toEqual([]);
    const real = await world.post(`${path}?dry_run=false`, network);
    expect(real.status).toBe(201);
    expect((await world.get(`${path}/${real.body['network'].id as string}`)).status).toBe(200);
  });

  it('takes a replay for nothing but the same request of the same user', async () => {
    const path = '/network/v2.0/networks';
    const dry = await world.post(`${path}?dry_run=true`, { network: { name: 'mine' } });
    const replay = dry.body['dry_run'].replay as string;
    const before = await routes.head();
    const sent = (who: 'demo' | 'admin', name: string, token: string) =>
      world.send(who, 'POST', path, { network: { name } }, { 'x-weir-replay': token });
    const flipped = replay.slice(0, -9) + (replay.at(-9) === 'A' ? 'B' : 'A') + replay.slice(-8);
    for (const answer of [
      await sent('admin', 'mine', replay),
      await sent('demo', 'yours', replay),
      await sent('demo', 'mine', flipped),
      await sent('demo', 'mine', replay.slice(0, 60)),
      await sent('demo', 'mine', 'nonsense'),
    ]) {
      expect(answer.status).toBe(400);
      expect(answer.body['NeutronError'].message).toContain('X-Weir-Replay');
    }
    expect(await byRequests(before)).toEqual([]);
    expect((await sent('demo', 'mine', replay)).status).toBe(201);
  });

  it('names what has moved since', async () => {
    const { network } = routes.ids;
    const path = `/network/v2.0/networks/${network}`;
    const dry = await world.put(`${path}?dry_run=true`, { network: { name: 'a' } });
    await world.put(path, { network: { description: 'other' } });
    const before = await routes.head();
    const late = await world.send(
      'demo',
      'PUT',
      path,
      { network: { name: 'a' } },
      { 'x-weir-replay': dry.body['dry_run'].replay },
    );
    expect(late.status).toBe(409);
    expect(late.body['NeutronError'].message).toContain(`network-${network} has changed`);
    expect(await byRequests(before)).toEqual([]);
  });

  it('names to tenants no zone whose capacity others took since', async () => {
    const path = '/compute/v2.1/servers';
    const image = '5a1f0000-0000-4000-8000-000000000001';
    const body = {
      server: { name: 'c', flavorRef: '1', imageRef: image, availability_zone: 'Wide', networks: 'none' },
    };
    const rehearsed = async (who: 'demo' | 'admin') =>
      (await world.send(who, 'POST', `${path}?dry_run=true`, body)).body['dry_run'].replay as string;
    const tokens = { demo: await rehearsed('demo'), admin: await rehearsed('admin') };
    await world.server('other', { availability_zone: 'Wide', networks: 'none' }, 'admin');
    const messageTo = async (who: 'demo' | 'admin') => {
      const late = await world.send(who, 'POST', path, body, { 'x-weir-replay': tokens[who] });
      expect(late.status).toBe(409);
      return late.body['conflictingRequest'].message as string;
    };
    expect(await messageTo('demo')).toContain('rehearsed: capacity has changed since.');
    expect(await messageTo('admin')).toMatch(/rehearsed: capacity-[0-9a-f-]{36}-wide-a has changed since\./);
  });

  it('deletes no network by replay that got a port meanwhile', async () => {
    const { id } = await world.network('closing', '10.9.0.0/24');
    const path = `/network/v2.0/networks/${id}`;
    const dry = await world.delete(`${path}?dry_run=true`);
    const port = await world.post('/network/v2.0/ports', { port: { network_id: id } });
    const before = await routes.head();
    const late = await world.send('demo', 'DELETE', path, undefined, { 'x-weir-replay': dry.body['dry_run'].replay });
    expect(late.status).toBe(409);
    expect(await byRequests(before)).toEqual([]);
    await world.delete(`/network/v2.0/ports/${port.body['port'].id as string}`);
    const again = await world.send('demo', 'DELETE', path, undefined, { 'x-weir-replay': dry.body['dry_run'].replay });
    expect(again.status).toBe(204);
  });

  it('gives a replay that a header can hold, or says why not', async () => {
    const networks = [await world.network('vast', '10.128.0.0/12'), await world.network('huge', '10.144.0.0/12')];
    const path = '/compute/v2.1/servers';
    const hundred = (on: { id: string }[]) => ({
      server: {
        ...{ name: 'm', flavorRef: '1', imageRef: '5a1f0000-0000-4000-8000-000000000001', availability_zone: 'Wide' },
        ...{ min_count: 100, networks: on.map(({ id }) => ({ uuid: id })) },
      },
    });
    const tooMuch = await world.post(`${path}?dry_run=true`, hundred(networks));
    expect([tooMuch.status, tooMuch.body['dry_run']?.replay]).toEqual([200, null]);
    expect(tooMuch.body['dry_run'].replay_reason).toContain('header');
    // One of each server's eight is of capacity.
    const { events, events_left_out: leftOut } = tooMuch.body['dry_run'];
    expect([events.length, leftOut]).toEqual([700, 100]);

    const just = hundred(networks.slice(0, 1));
    const { replay } = (await world.post(`${path}?dry_run=true`, just)).body['dry_run'];
    expect((await world.send('demo', 'POST', path, just, { 'x-weir-replay': replay })).status).toBe(202);
  });
});

function bare({ stream, revision, id, type, schema_version, time, data }: Record<string, unknown>) {
  return { stream, revision, id, type, schema_version, time, data };
}

/** Without what sites say meanwhile. */
function stable(body: unknown): unknown {
  return JSON.parse(JSON.stringify(body), (key, value: unknown) =>
    ['status', 'availability_zones', 'published'].includes(key) ? undefined : value,
  );
}
