import { TopWorld } from './top-world';

const ROOM = { vcpus: 30, ramMb: 64_000, diskGb: 1000 };

describe('servers', () => {
  const world = new TopWorld();
  beforeAll(async () => {
    await world.start();
  });
  afterAll(async () => {
    await world.stop();
  });

  it('become ACTIVE once their site says so, and are gone once it says so', async () => {
    const { fake } = await world.site('paris', 'Paris', { 'paris-a': ROOM, 'paris-b': ROOM });
    const { id: network } = await world.network('blue', '10.1.1.0/24');
    fake.mute = true;
    const created = await world.server('one', { networks: [{ uuid: network }], availability_zone: 'Paris:paris-a' });
    expect(created.status).toBe(202);
    const path = `/compute/v2.1/servers/${created.body['server'].id as string}`;
    expect((await world.get(path)).body['server']).toMatchObject({
      status: 'BUILD',
      'OS-EXT-AZ:availability_zone': 'Paris:paris-a',
    });
    await world.until(() => fake.ports().length === 1, 'the site to be told');
    fake.speak();
    await world.until(async () => (await world.get(path)).body['server'].status === 'ACTIVE', 'ACTIVE');
    const { server } = (await world.get(path)).body;
    expect(server.addresses.blue).toHaveLength(1);
    const ports = (await world.get(`/network/v2.0/ports?device_id=${server.id as string}`)).body['ports'];
    expect(ports).toMatchObject([{ status: 'ACTIVE', device_owner: 'compute:Paris:paris-a' }]);

    fake.mute = true;
    expect((await world.delete(path)).status).toBe(204);
    expect((await world.get(path)).body['server']['OS-EXT-STS:task_state']).toBe('deleting');
    fake.mute = false;
    await world.until(() => fake.facts('server').length === 0, 'the tombstone to arrive');
    const again = await world.server('two', { networks: [{ uuid: network }], availability_zone: 'Paris:paris-a' });
    expect(again.status).toBe(202);
  });

  it('are found by their host by admins; to tenants a host that is theirs and one that is not make no difference', async () => {
    await world.site('hanoi', 'Hanoi', { 'hanoi-a': ROOM });
    const { id: network } = await world.network('green', '10.2.1.0/24');
    const created = await world.server('hosted', { networks: [{ uuid: network }], availability_zone: 'Hanoi' });
    const server = created.body['server'].id as string;
    await world.until(
      async () => (await world.get(`/compute/v2.1/servers/${server}`)).body['server'].status === 'ACTIVE',
      'ACTIVE',
    );
    const idsOf = (all: { id: string }[]) => all.map(({ id }) => id);
    const servers = async (host: string, who: 'demo' | 'admin') =>
      idsOf((await world.get(`/compute/v2.1/servers?all_tenants=1&host=${host}`, who)).body['servers']);
    const ports = (host: string, who: 'demo' | 'admin') =>
      world.get(`/network/v2.0/ports?network_id=${network}&binding:host_id=${host}`, who);
    expect(await servers('fake-1', 'admin')).toContain(server);
    expect(await servers('elsewhere', 'admin')).toEqual([]);
    expect((await ports('hanoi-1', 'admin')).body['ports']).toMatchObject([{ device_id: server }]);
    expect((await ports('elsewhere', 'admin')).body['ports']).toEqual([]);

    const all = idsOf((await world.get('/compute/v2.1/servers')).body['servers']);
    expect(all).toContain(server);
    for (const host of ['fake-1', 'hanoi-1', 'elsewhere']) {
      expect([host, await servers(host, 'demo')]).toEqual([host, all]);
      expect([host, (await ports(host, 'demo')).status]).toEqual([host, 400]);
    }
    expect((await world.get('/network/v2.0/ports?sort_key=binding:host_id')).status).toBe(400);
  });

  it('takes 60 of 100 creates into room for 60, refuses the others clearly, and gives the room back', async () => {
    const { id: site, fake } = await world.site('tokyo', 'Tokyo', {
      'tokyo-a': { vcpus: 30, ramMb: 100_000, diskGb: 1000 },
      'tokyo-b': { vcpus: 30, ramMb: 100_000, diskGb: 1000 },
    });
    const { id: network } = await world.network('wide', '10.9.0.0/16');
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        world.server(`many-${i}`, { networks: [{ uuid: network }], availability_zone: 'Tokyo' }),
      ),
    );
    const accepted = answers.filter((answer) => answer.status === 202);
    const refused = answers.filter((answer) => answer.status === 409);
    expect([accepted.length, refused.length]).toEqual([60, 40]);
    for (const answer of refused) expect(answer.body['conflictingRequest'].message).toMatch(/No valid host|not enough/);
    const taken = async () =>
      (await world.get(`/weir/v1/sites/${site}`, 'admin')).body['site'].capacity.map(
        (zone: { taken: { vcpus: number } }) => zone.taken.vcpus,
      ) as number[];
    expect(await taken()).toEqual([30, 30]);
    const addresses = new Set(
      (await world.get(`/network/v2.0/ports?network_id=${network}`)).body['ports'].map(
        (port: { fixed_ips: { ip_address: string }[] }) => port.fixed_ips[0]?.ip_address,
      ),
    );
    expect(addresses.size).toBe(60);
    await world.until(() => fake.facts('server').length === 60, 'all servers to reach the site');
    await Promise.all(
      accepted.map((answer) => world.delete(`/compute/v2.1/servers/${answer.body['server'].id as string}`)),
    );
    await world.until(async () => (await taken()).every((vcpus) => vcpus === 0), 'the room to be given back');
    expect((await world.get(`/network/v2.0/ports?network_id=${network}`)).body['ports']).toEqual([]);
  }, 60_000);

  it('leaves nothing behind of a create that cannot be', async () => {
    const { id: network } = await world.network('tiny', '10.3.3.0/29');
    const state = async () => {
      const [ports, servers, sites] = await Promise.all([
        world.get('/network/v2.0/ports'),
        world.get('/compute/v2.1/servers'),
        world.get('/weir/v1/sites', 'admin'),
      ]);
      return [
        ports.body['ports'].length,
        servers.body['servers'].length,
        sites.body['sites'].map((site: { capacity: unknown }) => site.capacity),
      ];
    };
    for (let i = 0; i < 5; i++)
      expect((await world.post('/network/v2.0/ports', { port: { network_id: network } })).status).toBe(201);
    const before = await state();
    const refusals: [Record<string, unknown>, number, string][] = [
      [{ networks: [{ uuid: network }] }, 409, 'No more IP addresses'],
      [{ networks: [{ uuid: network, fixed_ip: '10.3.3.2' }] }, 409, 'already allocated'],
      [{ networks: [{ uuid: network, fixed_ip: '10.99.0.1' }] }, 400, 'not a valid IP'],
      [{ networks: [{ uuid: network, fixed_ip: 'nonsense' }] }, 400, 'not a valid IP address'],
      [{ networks: 'none', flavorRef: '99' }, 400, 'Flavor 99 could not be found'],
      [{ networks: 'none', imageRef: '00000000-0000-4000-8000-000000000000' }, 400, 'Can not find requested image'],
      [{ networks: 'none', availability_zone: 'Paris:nowhere' }, 400, 'is not available'],
      [{ networks: 'none', availability_zone: 'Atlantis' }, 400, 'is not available'],
      [{ networks: [{ uuid: '00000000-0000-4000-8000-000000000000' }] }, 400, 'could not be found'],
      [{ networks: 'none', name: '' }, 400, 'Invalid input for server.name'],
      [{ networks: 'none', colour: 'red' }, 400, "Unrecognized attribute(s) 'colour'"],
      [{ networks: 'none', min_count: 5, max_count: 2 }, 400, 'min_count'],
      [{ networks: 'none', flavorRef: '3', min_count: 90 }, 409, 'No valid host'],
    ];
    for (const [fields, status, text] of refusals) {
      const answer = await world.server('never', fields);
      expect([answer.status, JSON.stringify(answer.body)]).toEqual([status, expect.stringContaining(text)]);
    }
    expect(await state()).toEqual(before);
  });

  it('refuses a site that is unreachable, saying since when; what was accepted before is built when it is back', async () => {
    const { id, fake } = await world.site('oslo', 'Oslo', { 'oslo-a': ROOM });
    fake.mute = true;
    const early = await world.server('early', { networks: 'none', availability_zone: 'Oslo:oslo-a' });
    expect(early.status).toBe(202);
    await fake.stop();
    await world.until(
      async () => (await world.get(`/weir/v1/sites/${id}`, 'admin')).body['site'].reachability === 'unreachable',
      'the silence to be noticed',
    );
    const { site } = (await world.get(`/weir/v1/sites/${id}`, 'admin')).body;
    const refused = await world.server('late', { networks: 'none', availability_zone: 'Oslo:oslo-a' });
    expect([refused.status, refused.body['conflictingRequest'].message]).toEqual([
      409,
      expect.stringContaining(site.reachability_since as string),
    ]);
    expect((await world.server('late', { networks: 'none', availability_zone: 'Oslo' })).status).toBe(409);
    const path = `/compute/v2.1/servers/${early.body['server'].id as string}`;
    expect((await world.get(path)).body['server'].status).toBe('BUILD');
    fake.start();
    await world.until(() => fake.facts('server').length === 1, 'the server to reach the site');
    fake.speak();
    await world.until(async () => (await world.get(path)).body['server'].status === 'ACTIVE', 'ACTIVE');
  }, 30_000);
});
