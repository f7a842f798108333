import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Answer, TopWorld } from './top-world';

jest.setTimeout(30_000);

const NETWORKS = '/network/v2.0/networks';
const PORTS = '/network/v2.0/ports';

describe('an Idempotency-Key', () => {
  const world = new TopWorld();
  let network: string;
  let keys = 0;
  beforeAll(async () => {
    await world.start();
    network = (await world.network('blue', '10.1.1.0/24')).id;
  });
  afterAll(async () => {
    await world.stop();
  });

  const newKey = () => `key ${keys++}`;
  const keyed = (key: string, method: string, path: string, body?: unknown, who: 'demo' | 'admin' = 'demo') =>
    world.send(who, method, path, body, { 'idempotency-key': key });
  const makePort = (key: string, name = 'p') => keyed(key, 'POST', PORTS, { port: { network_id: network, name } });
  const portsNamed = async (name: string) =>
    (await world.get(`${PORTS}?name=${name}`)).body['ports'] as { id: string }[];
  const isReplayed = ({ headers }: Answer) => headers.get('idempotency-replayed') === 'true';

  it('gives the first answer again, and does nothing twice', async () => {
    const key = newKey();
    const [first, second] = [await makePort(key, 'once'), await makePort(key, 'once')];
    expect([first.status, isReplayed(first)]).toEqual([201, false]);
    expect([second.status, isReplayed(second)]).toEqual([201, true]);
    expect(second.body).toEqual(first.body);
    const id = 'x-openstack-request-id';
    expect(second.headers.get(id)).toBe(first.headers.get(id));
    expect(await portsNamed('once')).toHaveLength(1);

    const remove = newKey();
    const path = `${PORTS}/${first.body['port'].id as string}`;
    for (const again of [false, true]) {
      const deleted = await keyed(remove, 'DELETE', path);
      expect([deleted.status, isReplayed(deleted), deleted.body]).toEqual([204, again, { text: '' }]);
    }
  });

  it('keeps a refusal too, and no answer to a key that cannot be', async () => {
    const { id } = await world.network('full', '10.2.0.0/24');
    const port = (await world.post(PORTS, { port: { network_id: id } })).body['port'].id as string;
    const key = newKey();
    const refused = await keyed(key, 'DELETE', `${NETWORKS}/${id}`);
    expect(refused.status).toBe(409);
    await world.delete(`${PORTS}/${port}`);
    const again = await keyed(key, 'DELETE', `${NETWORKS}/${id}`);
    expect([again.status, isReplayed(again), again.body]).toEqual([409, true, refused.body]);
    expect((await keyed(newKey(), 'DELETE', `${NETWORKS}/${id}`)).status).toBe(204);
    for (const wrong of ['', 'k'.repeat(256), 'schlüssel'])
      expect((await keyed(wrong, 'POST', NETWORKS, { network: {} })).status).toBe(400);
    expect((await keyed('k'.repeat(255), 'POST', NETWORKS, { network: {} })).status).toBe(201);
  });

  it('is refused for another request, in the words of each API', async () => {
    const key = newKey();
    await makePort(key, 'a');
    const other = await makePort(key, 'b');
    expect([other.status, other.body['NeutronError'].type]).toEqual([422, 'IdempotencyKeyReused']);
    const elsewhere = await keyed(key, 'POST', '/compute/v2.1/servers', { server: {} });
    expect([elsewhere.status, elsewhere.body['unprocessableEntity'].code]).toEqual([422, 422]);
    expect(await portsNamed('b')).toEqual([]);
  });

  it('is each user’s own, in each project', async () => {
    const key = newKey();
    const [one, other] = [
      await keyed(key, 'POST', NETWORKS, { network: { name: 'n' } }),
      await keyed(key, 'POST', NETWORKS, { network: { name: 'n' } }, 'admin'),
    ];
    expect([one.status, other.status, isReplayed(other)]).toEqual([201, 201, false]);
    expect(other.body['network'].id).not.toBe(one.body['network'].id);
  });

  it('answers 409 while the first is under way, and that once', async () => {
    const key = newKey();
    const answers = await Promise.all(Array.from({ length: 10 }, () => makePort(key, 'crowd')));
    const waiting = answers.filter(({ status }) => status === 409);
    expect(waiting.length).toBeGreaterThan(0);
    for (const { headers } of waiting) expect(headers.get('retry-after')).toBe('1');
    expect(answers.filter((answer) => answer.status === 201 && !isReplayed(answer))).toHaveLength(1);
    expect(await portsNamed('crowd')).toHaveLength(1);
  });

  it('lets each of many clients that ask again and again be served once', async () => {
    const CLIENTS = 24;
    const { id } = await world.network('busy', '10.3.0.0/24');
    const body = (name: string) => ({ port: { network_id: id, name } });
    const answers = await Promise.all(
      Array.from({ length: CLIENTS }, async (_, client) => {
        const [key, name] = [newKey(), `c${client}`];
        const ask = async (): Promise<Answer> => {
          const answer = await keyed(key, 'POST', PORTS, body(name));
          return answer.headers.has('retry-after') ? ask() : answer;
        };
        const asked = await Promise.all(Array.from({ length: 1 + (client % 3) }, ask));
        return { name, asked };
      }),
    );
    const { ports } = (await world.get(`${PORTS}?network_id=${id}`)).body as { ports: { id: string; name: string }[] };
    const made = ports.filter(({ name }) => name.startsWith('c'));
    expect(made.map(({ name }) => name).sort()).toEqual(answers.map(({ name }) => name).sort());
    for (const { name, asked } of answers) {
      expect(asked.filter((answer) => !isReplayed(answer))).toHaveLength(1);
      const port = made.find((one) => one.name === name);
      for (const answer of asked) expect([answer.status, answer.body['port'].id]).toEqual([201, port?.id]);
    }
  });

  it('means nothing to a dry run, and goes with a replay', async () => {
    const key = newKey();
    const dry = await world.send(
      'demo',
      'POST',
      `${NETWORKS}?dry_run=true`,
      { network: {} },
      { 'idempotency-key': key },
    );
    const headers = { 'idempotency-key': key, 'x-weir-replay': dry.body['dry_run'].replay as string };
    for (const again of [false, true]) {
      const real = await world.send('demo', 'POST', NETWORKS, { network: {} }, headers);
      expect([real.status, isReplayed(real)]).toEqual([201, again]);
      expect(real.body['network'].id).toBe(dry.body['dry_run'].answer.body.network.id);
    }
    expect((await keyed(key, 'POST', NETWORKS, { network: {} })).status).toBe(422);
  });

  it('does no harm where nothing is changed, and is refused where it could not be honoured', async () => {
    expect((await keyed(newKey(), 'GET', NETWORKS)).status).toBe(200);
    const exec = await keyed(newKey(), 'POST', `/weir/v1/servers/${network}/exec`, { command: ['true'] });
    expect([exec.status, exec.body['error'].message]).toEqual([400, expect.stringContaining('Idempotency-Key')]);
  });

  it('keeps a secret sealed, over a restart', async () => {
    const site = { name: 'far', data_center: 'Far', availability_zones: ['a'], driver: 'ovs' };
    const body = { site: { ...site, tunnel: { type: 'vxlan', mtu: 1500 } } };
    const key = newKey();
    const added = await keyed(key, 'POST', '/weir/v1/sites', body, 'admin');
    const token = added.body['join_token'] as string;
    expect(added.status).toBe(201);
    await world.stopTop();
    await world.start();
    const again = await keyed(key, 'POST', '/weir/v1/sites', body, 'admin');
    expect([again.status, isReplayed(again), again.body]).toEqual([201, true, added.body]);
    for (const file of readdirSync(world.state)) {
      expect([file, readFileSync(join(world.state, file)).includes(token)]).toEqual([file, false]);
    }
    expect(statSync(join(world.state, 'requests.key')).mode & 0o777).toBe(0o600);
  });
});
