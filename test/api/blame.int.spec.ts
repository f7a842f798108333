import { TopWorld } from './top-world';

describe('the blame for a flow', () => {
  const world = new TopWorld();
  let fake: Awaited<ReturnType<TopWorld['site']>>['fake'];
  let asked: unknown[] = [];
  const zones = { a: { vcpus: 8, ramMb: 16_384, diskGb: 100 } };
  beforeAll(async () => {
    await world.start();
    ({ fake } = await world.site('paris', 'Paris', zones));
    const tokyo = await world.site('tokyo', 'Tokyo', zones);
    tokyo.fake.answer = (kind) => (kind === 'blame' ? { hosts: 'none' } : undefined);
  });
  afterAll(async () => {
    await world.stop();
  });

  it('goes from fact to event, request and user, and names who could not say', async () => {
    const { id } = await world.network('blue');
    const [created] = (await world.get(`/weir/v1/events?kind=network&id=${id}`)).body['events'];
    fake.answer = (kind, body) => {
      if (kind !== 'blame') return undefined;
      asked = [...asked, body];
      return {
        hosts: [
          {
            ...{ host: 'paris-1', answered: true, owner: { kind: 'network', id }, flows: 3 },
            facts: [
              { kind: 'network', id, position: 7, told: created.position },
              { kind: 'binding', id: 'here', position: 8, told: null },
            ],
          },
          { host: 'paris-2', answered: false, reason: 'paris-2 is silent.' },
        ],
      };
    };
    const { body } = await world.get('/weir/v1/blame/0x3000000000abc', 'admin');
    const by = {
      actor_name: 'demo',
      type: 'NetworkCreated',
      request_id: created.request_id,
      position: created.position,
    };
    expect(asked).toEqual([{ cookie: String(0x3000000000abcn) }]);
    expect(body['blame']).toMatchObject({
      cookie: '0x3000000000abc',
      owner: { kind: 'network', id },
      created: by,
    });
    const hosts = [...body['blame'].hosts].sort((a, b) => `${a.site}${a.host}`.localeCompare(`${b.site}${b.host}`));
    expect(hosts).toMatchObject([
      {
        ...{ site: 'paris', host: 'paris-1', unknown: null, flows: 3 },
        facts: [
          { kind: 'network', id, decided_by: 'top', event: by },
          { kind: 'binding', id: 'here', decided_by: 'paris', event: null },
        ],
      },
      { site: 'paris', host: 'paris-2', unknown: 'paris-2 is silent.', facts: [] },
      { site: 'tokyo', host: null, unknown: 'it answered something else', facts: [] },
    ]);
  });

  it('asks only where it is told to', async () => {
    asked = [];
    const { body } = await world.get('/weir/v1/blame/844424930134716?site=paris&host=paris-1', 'admin');
    expect(new Set(body['blame'].hosts.map((host: { site: string }) => host.site))).toEqual(new Set(['paris']));
    expect(asked).toEqual([{ cookie: '844424930134716', host: 'paris-1' }]);
    expect((await world.get('/weir/v1/blame/1?site=rome', 'admin')).status).toBe(404);
  });

  it('refuses what is no cookie, and whoever is no admin', async () => {
    for (const cookie of ['cafe', '0x', '-1', '18446744073709551616', '0x10000000000000000'])
      expect((await world.get(`/weir/v1/blame/${cookie}`, 'admin')).status).toBe(400);
    expect((await world.get('/weir/v1/blame/1')).status).toBe(403);
  });
});
