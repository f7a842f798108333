import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { TopWorld } from './top-world';

describe('bad input', () => {
  const world = new TopWorld();
  let network: { id: string; subnet: string };
  beforeAll(async () => {
    await world.start();
    network = await world.network('blue', '10.1.1.0/24');
  });
  afterAll(async () => {
    await world.stop();
  });

  const head = async () => (await world.get('/weir/v1/events?limit=1000', 'admin')).body['next'] as number;

  it.each([
    ['malformed JSON', '/network/v2.0/networks', '{"network":', 400, 'not valid JSON'],
    ['no body', '/network/v2.0/networks', undefined, 400, 'Invalid input'],
    ['a wrong type', '/network/v2.0/networks', { network: { name: 5 } }, 400, 'Invalid input for network.name'],
    [
      'an unknown field',
      '/network/v2.0/networks',
      { network: { name: 'x', colour: 'red' } },
      400,
      "Unrecognized attribute(s) 'colour'",
    ],
    ['a prototype', '/network/v2.0/networks', '{"network":{"__proto__":{"admin":true}}}', 400, '__proto__'],
    ['a name that is too long', '/network/v2.0/networks', { network: { name: 'x'.repeat(256) } }, 400, 'network.name'],
    ['an MTU that no tunnel carries', '/network/v2.0/networks', { network: { mtu: 9000 } }, 400, 'at most 1450'],
    [
      'an unknown zone',
      '/network/v2.0/networks',
      { network: { availability_zone_hints: ['Atlantis'] } },
      404,
      'AvailabilityZone Atlantis',
    ],
    [
      'a body nested too deep',
      '/network/v2.0/networks',
      '['.repeat(100) + ']'.repeat(100),
      400,
      'nested deeper than 64',
    ],
    ['a number out of range', '/network/v2.0/networks', '{"network":{"mtu":1e400}}', 400, 'network.mtu'],
    [
      'host bits in a CIDR',
      '/network/v2.0/subnets',
      { subnet: { network_id: 'NET', cidr: '10.7.0.5/24', ip_version: 4 } },
      400,
      "did you mean '10.7.0.0/24'",
    ],
    [
      'an overlapping subnet',
      '/network/v2.0/subnets',
      { subnet: { network_id: 'NET', cidr: '10.1.0.0/16', ip_version: 4 } },
      400,
      'overlaps with another subnet',
    ],
    [
      'an IPv6 subnet',
      '/network/v2.0/subnets',
      { subnet: { network_id: 'NET', cidr: 'fd00::/64', ip_version: 6 } },
      400,
      'is not supported',
    ],
    [
      'a gateway outside',
      '/network/v2.0/subnets',
      { subnet: { network_id: 'NET', cidr: '10.7.0.0/24', ip_version: 4, gateway_ip: '10.8.0.1' } },
      400,
      'gateway',
    ],
    [
      'a gateway inside the pools',
      '/network/v2.0/subnets',
      {
        subnet: {
          network_id: 'NET',
          cidr: '10.7.0.0/24',
          gateway_ip: '10.7.0.5',
          allocation_pools: [{ start: '10.7.0.2', end: '10.7.0.9' }],
        },
      },
      409,
      'conflicts with allocation pool',
    ],
    [
      'an address outside the subnet',
      '/network/v2.0/ports',
      { port: { network_id: 'NET', fixed_ips: [{ ip_address: '10.9.9.9' }] } },
      400,
      'not a valid IP',
    ],
    [
      'the gateway’s address',
      '/network/v2.0/ports',
      { port: { network_id: 'NET', fixed_ips: [{ ip_address: '10.1.1.1' }] } },
      409,
      'already allocated',
    ],
    [
      'a multicast MAC',
      '/network/v2.0/ports',
      { port: { network_id: 'NET', mac_address: '01:00:5e:00:00:01' } },
      400,
      'multicast',
    ],
    ['a network that is no id', '/network/v2.0/ports', { port: { network_id: '../../etc' } }, 400, 'port.network_id'],
    [
      'a device of one’s own choice',
      '/network/v2.0/ports',
      { port: { network_id: 'NET', device_owner: 'network:router_interface' } },
      400,
      'device owner',
    ],
    [
      'a router that is not distributed',
      '/network/v2.0/routers',
      { router: { distributed: false } },
      400,
      'distributed must be true',
    ],
  ])('%s gets a clear error in the form of its API, and nothing happens', async (_what, path, body, status, text) => {
    const before = await head();
    const sent =
      typeof body === 'string' || body === undefined ? body : JSON.stringify(body).replace('NET', network.id);
    const answer = await world.send('demo', 'POST', path, sent ?? '');
    expect([answer.status, JSON.stringify(answer.body)]).toEqual([status, expect.stringContaining(text)]);
    expect(answer.body['NeutronError']).toMatchObject({
      type: expect.any(String),
      message: expect.any(String),
      detail: '',
    });
    expect(answer.headers.get('x-openstack-request-id')).toMatch(/^req-/);
    expect(await head()).toBe(before);
  });

  it('a body over 1 MiB is refused unread', async () => {
    const answer = await world.send(
      'demo',
      'POST',
      '/network/v2.0/networks',
      JSON.stringify({ network: { name: 'x'.repeat(1024 * 1024) } }),
    );
    expect(answer.status).toBe(413);
    expect(answer.body['NeutronError']).toBeDefined();
  });

  it('a token that is forged, cut or missing is refused in Keystone’s form', async () => {
    const token = await world.token('demo');
    for (const forged of [
      '',
      'x',
      token.slice(0, -1),
      `${token}A`,
      token.replace(/.$/, token.endsWith('A') ? 'B' : 'A'),
      `wt1.00000000.${token.split('.')[2] ?? ''}`,
    ]) {
      const response = await fetch(`${world.address}/network/v2.0/networks`, { headers: { 'x-auth-token': forged } });
      expect([response.status, await response.json()]).toEqual([
        401,
        { error: { code: 401, title: 'Unauthorized', message: expect.any(String) } },
      ]);
    }
  });

  it('a wrong password is refused, for a known and an unknown user alike', async () => {
    for (const name of ['demo', 'nobody']) {
      const auth = {
        identity: { methods: ['password'], password: { user: { name, domain: { id: 'default' }, password: 'wrong' } } },
      };
      const answer = await world.send(undefined, 'POST', '/identity/v3/auth/tokens', { auth });
      expect([answer.status, answer.body['error'].message]).toEqual([
        401,
        'The request you have made requires authentication.',
      ]);
    }
  });

  it('an unknown path is not found, in the form of its API', async () => {
    expect((await world.get('/network/v2.0/flavours')).body['NeutronError']).toBeDefined();
    expect((await world.get('/compute/v2.1/nothing')).body['itemNotFound']).toBeDefined();
    expect((await world.get('/weir/v1/nothing')).body['error']).toMatchObject({ code: 404 });
  });

  it('headers over 32 KiB, or no HTTP at all, are refused in Weir’s form before they are read', async () => {
    const long = await world.send('demo', 'GET', '/network/v2.0/networks', undefined, { 'x-long': 'x'.repeat(33_000) });
    expect([long.status, long.body['error']]).toEqual([
      431,
      { code: 431, type: 'WeirError', message: expect.stringContaining('32 KiB') as string },
    ]);
    const socket = connect(Number(new URL(world.address).port), '127.0.0.1');
    socket.end('nonsense\r\n\r\n');
    const said = await text(socket);
    expect(said).toMatch(/^HTTP\/1.1 400 /);
    expect(said).toContain('{"error":{"code":400,');
    expect((await world.get('/livez', undefined)).status).toBe(200);
  });

  it('a limit that is no number is refused in the words of every list', async () => {
    const messages = [];
    for (const path of ['/weir/v1/sites/any/differences', '/weir/v1/events']) {
      const answer = await world.get(`${path}?limit=abc`, 'admin');
      expect(answer.status).toBe(400);
      messages.push(answer.body['error'].message);
    }
    expect(new Set(messages)).toEqual(new Set(["Bad limit: 'abc' is not a non-negative integer."]));
  });

  it('a site that clashes with another is refused', async () => {
    const site = { name: 'rome', data_center: 'Rome', availability_zones: ['rome-a'], driver: 'ovs' };
    const added = await world.post('/weir/v1/sites', { site }, 'admin');
    expect([added.status, added.body['site'].lifecycle, added.body['site'].tunnel]).toEqual([
      201,
      'added',
      { type: 'vxlan', mtu: 1500 },
    ]);
    for (const [fields, status, text] of [
      [{ name: 'rome', availability_zones: ['rome-b'] }, 409, "already a site named 'rome'"],
      [{ name: 'rome-2' }, 409, "'Rome:rome-a' belongs to another site"],
      [{ name: 'rome 3' }, 400, 'site.name'],
      [{ name: 'rome-4', availability_zones: [] }, 400, 'site.availability_zones'],
      [{ name: 'rome-5', driver: 'carrier-pigeon', availability_zones: ['x'] }, 400, 'site.driver'],
    ] as const) {
      const answer = await world.post('/weir/v1/sites', { site: { ...site, ...fields } }, 'admin');
      expect([answer.status, answer.body['error'].message]).toEqual([status, expect.stringContaining(text)]);
    }
    expect((await world.delete(`/weir/v1/sites/${added.body['site'].id as string}`, 'admin')).status).toBe(204);
    expect((await world.post('/weir/v1/sites', { site }, 'admin')).status).toBe(201);
  });
});
