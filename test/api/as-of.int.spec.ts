import { TopWorld } from './top-world';

describe('a read as of the past', () => {
  const world = new TopWorld();
  beforeAll(async () => {
    await world.start();
  });
  afterAll(async () => {
    await world.stop();
  });

  const head = async () =>
    (await world.get('/weir/v1/sites?as_of=' + encodeURIComponent(new Date().toISOString()), 'admin')).headers.get(
      'x-weir-as-of',
    ) ?? '';

  it('shows every resource as it was, and says at which position', async () => {
    const { id: site, fake } = await world.site('paris', 'Paris', {
      'paris-a': { vcpus: 8, ramMb: 16_384, diskGb: 100 },
    });
    const { id: network } = await world.network('blue', '10.1.1.0/24');
    const created = await world.server('one', { networks: [{ uuid: network }], availability_zone: 'Paris' });
    const server = `/compute/v2.1/servers/${created.body['server'].id as string}`;
    await world.until(async () => (await world.get(server)).body['server'].status === 'ACTIVE', 'ACTIVE');
    await world.until(
      async () => (await world.get('/network/v2.0/ports')).body['ports'][0].status === 'ACTIVE',
      'an ACTIVE port',
    );
    await world.until(() => fake.facts('server').length === 1, 'the site to be told');
    const paths = [
      server,
      '/compute/v2.1/servers/detail',
      '/network/v2.0/networks',
      `/network/v2.0/networks/${network}`,
      '/network/v2.0/ports?sort_key=id',
      '/network/v2.0/subnets',
      '/compute/v2.1/os-availability-zone',
    ];
    const live = async (suffix = '') =>
      Promise.all(
        paths.map(async (path) => (await world.get(path + (suffix && (path.includes('?') ? '&' : '?') + suffix))).body),
      );
    const facts = async (suffix = '') =>
      (await world.get(`/weir/v1/sites/${site}/facts${suffix}`, 'admin')).body['facts'] as {
        kind: string;
        id: string;
      }[];
    const [before, factsBefore, position, time] = [await live(), await facts(), await head(), new Date().toISOString()];

    await world.put(`/network/v2.0/networks/${network}`, { network: { name: 'red' } });
    await world.delete(server);
    await world.until(async () => (await world.get(server)).status === 404, 'the server to be gone');
    expect(await live()).not.toEqual(before);

    expect(await live(`as_of=${position}`)).toEqual(before);
    expect(await live(`as_of=${time}`)).toEqual(before);
    const sorted = (lines: { kind: string; id: string }[]) =>
      [...lines].sort((a, b) => `${a.kind}${a.id}`.localeCompare(`${b.kind}${b.id}`));
    expect(sorted(await facts(`?as_of=${position}`))).toEqual(sorted(factsBefore));
    expect((await world.get(`${server}?as_of=${time}`)).headers.get('x-weir-as-of')).toBe(position);
  });

  it('is empty before anything was, and refuses what it cannot mean', async () => {
    expect((await world.get('/network/v2.0/networks?as_of=1')).body['networks']).toEqual([]);
    expect((await world.get('/network/v2.0/networks?as_of=2000-01-01T00:00:00Z')).headers.get('x-weir-as-of')).toBe(
      '0',
    );
    for (const asOf of ['99999999', 'yesterday', '-1', '', '2026-02-30T00:00:00Z', '1&as_of=2'])
      expect((await world.get(`/network/v2.0/networks?as_of=${asOf}`)).status).toBe(400);
    const spaced = await world.get('/network/v2.0/networks?as_of=2026-11-21T10:00:00+01:00');
    expect(spaced.body['NeutronError'].message).toMatch(/^as_of: .* '\+' in a query is written %2B/);
    expect((await world.post('/network/v2.0/networks?as_of=1', { network: {} })).status).toBe(400);
  });

  it('is refused where no history is kept, and claims no past that is not answered', async () => {
    const presentOnly = [
      ...['/metrics', '/livez', '/identity', '/identity/v3', '/identity/v3/users', '/identity/v3/auth/projects'],
      ...['/weir/v1/quarantine', '/weir/v1/maintenance', '/weir/v1/maintenance/x', '/weir/v1/read-models'],
      ...['/weir/v1/sites/x/differences', '/weir/v1/blame/1'],
    ];
    for (const path of presentOnly) {
      const { status, body, headers } = await world.get(`${path}?as_of=1`, 'admin');
      expect([path, status, headers.get('x-weir-as-of')]).toEqual([path, 400, null]);
      expect([path, JSON.stringify(body)]).toEqual([path, expect.stringContaining('no history is kept of this')]);
    }
  });

  it('tells of zones what they were, in Neutron’s words as in Nova’s', async () => {
    const then = await head();
    await world.site('oslo', 'Oslo', { 'oslo-a': { vcpus: 8, ramMb: 16_384, diskGb: 100 } });
    const events = (await world.get(`/weir/v1/events?after=${then}`, 'admin')).body['events'];
    const added = events.find(({ type }: { type: string }) => type === 'SiteAdded').position as number;
    const oslo = async (asOf: number | string) => {
      const nova = (await world.get(`/compute/v2.1/os-availability-zone?as_of=${asOf}`)).body['availabilityZoneInfo'];
      const neutron = (await world.get(`/network/v2.0/availability_zones?as_of=${asOf}`)).body['availability_zones'];
      return [
        nova.filter((zone: any) => zone.zoneName === 'Oslo:oslo-a').map((zone: any) => zone.zoneState.available),
        neutron.filter((zone: any) => zone.name === 'Oslo:oslo-a').map((zone: any) => zone.state),
      ];
    };
    expect(await oslo(then)).toEqual([[], []]);
    expect(await oslo(added)).toEqual([[false], ['unavailable', 'unavailable']]);
    expect(await oslo('now')).toEqual([[true], ['available', 'available']]);
  });

  it('ends the log itself there', async () => {
    const position = Number(await head());
    const read = await world.get(`/weir/v1/events?after=${position - 3}&as_of=${position - 1}`, 'admin');
    expect(read.body['events'].map((event: { position: number }) => event.position)).toEqual([
      position - 2,
      position - 1,
    ]);
  });

  it('obeys today’s policy', async () => {
    const { id } = await world.network('private', undefined, 'admin');
    const position = await head();
    expect((await world.get(`/network/v2.0/networks/${id}?as_of=${position}`)).status).toBe(404);
    expect((await world.get(`/network/v2.0/networks/${id}?as_of=${position}`, 'admin')).status).toBe(200);
  });
});
