import { TopWorld } from './top-world';

describe('dry runs', () => {
  const world = new TopWorld();
  beforeAll(() => world.start());
  afterAll(() => world.stop());

  it('refuses for now what are too many at once for one project, and takes them when some have ended', async () => {
    const { fake } = await world.site('slow', 'Slow', { a: { vcpus: 4, ramMb: 4096, diskGb: 40 } });
    const ends: (() => void)[] = [];
    fake.answer = () => new Promise<object>((resolve) => ends.push(() => resolve({})));
    const image = '5a1f0000-0000-4000-8000-000000000001';
    const server = { name: 's', flavorRef: '1', imageRef: image, availability_zone: 'Slow', networks: 'none' };
    const dry = () => world.post('/compute/v2.1/servers?dry_run=true', { server });
    const taken = Array.from({ length: 4 }, dry);
    await world.until(() => ends.length === 4, 'the site to be asked four times');
    const refused = await dry();
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
    expect(refused.body['computeFault'].message).toContain('Too many dry runs');
    for (const end of ends) end();
    expect((await Promise.all(taken)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    fake.answer = undefined;
    expect((await dry()).status).toBe(200);
  });
});
