import { join } from 'node:path';
import Database from 'better-sqlite3';
import { verifySqliteFile } from '@weir/event-store/sqlite';
import { buildCommandLine, weir } from './command-line';
import { forge } from './forged-log';
import { TopWorld } from './top-world';

jest.setTimeout(60_000);

async function done(world: TopWorld, path: string, body: unknown = {}) {
  const begun = await world.post(path, body, 'admin');
  expect(begun.status).toBe(202);
  let work = begun.body['maintenance'];
  await world.until(async () => {
    work = (await world.get(`/weir/v1/maintenance/${work.id}`, 'admin')).body['maintenance'];
    return work.state !== 'running';
  }, 'the work to end');
  return work;
}

describe('the log of a Top with a site', () => {
  const world = new TopWorld();
  let fake: Awaited<ReturnType<TopWorld['site']>>['fake'];
  const events = () => join(world.state, 'events.db');
  const site = async () => (await world.get('/weir/v1/sites', 'admin')).body['sites'][0];
  const settled = () =>
    world.until(async () => {
      const { stored, published } = await site();
      return stored === published;
    }, 'the site to have everything');
  /** Once the site is there again. */
  const compared = async () => {
    let result: any;
    await world.until(async () => {
      ({ result } = await done(world, '/weir/v1/events/verify'));
      return result.sites[0].compared;
    }, 'the site to be asked');
    return result;
  };
  beforeAll(async () => {
    await buildCommandLine();
    await world.start();
    ({ fake } = await world.site('paris', 'Paris', { 'paris-a': { vcpus: 8, ramMb: 16_384, diskGb: 100 } }));
    for (const name of ['one', 'two', 'three']) {
      await world.network(name);
      const position = await world.seal();
      await world.until(() => fake.seals.at(-1)?.position === position, 'the site to be told of the seal');
    }
  });
  afterAll(async () => {
    await world.stop();
  });

  it('is sound, and compared with the seals that the site holds', async () => {
    const { state, result } = await done(world, '/weir/v1/events/verify');
    expect(state).toBe('finished');
    expect(result).toMatchObject({ sound: true, first_wrong: null, problems: [], truncated: false });
    expect(result.sites).toEqual([
      expect.objectContaining({ name: 'paris', compared: true, reason: null, seals: 3, contradictions: 0 }),
    ]);
    expect(result.sites[0].last).toBe(fake.seals.at(-1)?.position);
  });

  it('is sound whatever is written while it is read', async () => {
    const names = Array.from({ length: 20 }, (_, n) => `meanwhile-${n}`);
    const [work] = await Promise.all([
      done(world, '/weir/v1/events/verify'),
      ...names.map((name) => world.network(name, undefined, 'admin')),
    ]);
    expect(work.result).toMatchObject({ sound: true, problems: [] });
  });

  it('is proved on the command line by the exit code', async () => {
    const { code, stdout } = await weir(world, 'admin', 'events', 'verify');
    expect(stdout).toMatch(/^The log is sound up to position \d+\.\nCompared with paris, up to position \d+\.\n$/);
    expect(code).toBe(0);
  });

  it('names a site that does not answer as not compared', async () => {
    await fake.stop();
    const { result } = await done(world, '/weir/v1/events/verify');
    expect(result).toMatchObject({ sound: true, sites: [{ name: 'paris', compared: false }] });
    expect(result.sites[0].reason).not.toBe('');
    fake.start();
  });

  it('is for admins to verify, and to rebuild from', async () => {
    for (const path of ['/weir/v1/events/verify', '/weir/v1/read-models/rebuild', '/weir/v1/read-models/check'])
      expect((await world.post(path, {})).status).toBe(403);
    expect((await world.get('/weir/v1/read-models')).status).toBe(403);
    expect((await world.get('/weir/v1/maintenance')).status).toBe(403);
    expect((await world.get('/weir/v1/blame/1')).status).toBe(403);
  });

  it('gives its read models again, which are the live ones', async () => {
    const { body } = await world.get('/weir/v1/read-models', 'admin');
    const names = body['read_models'].map((model: { name: string }) => model.name);
    expect(names).toContain('networks');
    const [networks] = body['read_models'].filter((model: { name: string }) => model.name === 'networks');
    expect(networks).toMatchObject({ tables: expect.arrayContaining(['rm_networks']), horizon: 0 });
    expect(networks.rows).toBeGreaterThanOrEqual(3);

    expect((await done(world, '/weir/v1/read-models/rebuild')).result).toEqual({ rebuilt: names });
    expect((await done(world, '/weir/v1/read-models/check', { names: ['networks', 'networks'] })).result).toEqual({
      equal: true,
      checked: ['networks'],
      difference: null,
    });
    expect((await world.post('/weir/v1/read-models/rebuild', { names: ['cats'] }, 'admin')).status).toBe(400);
  });

  it('tells the first row that is not what the log says, and a rebuild puts it right', async () => {
    await world.stopTop();
    const database = new Database(events());
    database.prepare("update rm_networks set name = 'forged' where name = 'two'").run();
    database.close();
    await world.start();
    const { code, stdout } = await weir(world, 'admin', 'rebuild', '--check', '-o', 'json');
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      equal: false,
      table: 'rm_networks',
      live: { row: { name: 'forged' } },
      rebuilt: { row: { name: 'two' } },
    });
    const rebuilt = await weir(world, 'admin', 'rebuild', 'networks', '-o', 'value');
    expect([rebuilt.code, rebuilt.stdout]).toEqual([0, 'networks true\n']);
    expect((await done(world, '/weir/v1/read-models/check')).result.equal).toBe(true);
    const { body } = await world.get('/network/v2.0/networks?name=two');
    expect(body['networks']).toHaveLength(1);
  });

  it('that was rewritten with all its digests and seals is sound from inside, and noticed through the site', async () => {
    await world.network('unsealed');
    await settled();
    await world.stopTop();
    const [first] = fake.seals;
    forge(events(), (event) =>
      event.type === 'NetworkCreated' ? { ...event, data: event.data.replace('"one"', '"eno"') } : event,
    );
    const inside = await weir(world, 'admin', 'events', 'verify', '--file', events());
    expect([inside.code, inside.stdout]).toEqual([0, 'The log is sound.\n']);
    await world.start();
    const found = await compared();
    expect(found).toMatchObject({ sound: false, first_wrong: first?.position });
    expect(found.problems.map((problem: { problem: string }) => problem.problem)).toEqual([
      'anchor',
      'anchor',
      'anchor',
    ]);
    expect(found.problems[0].sites).toEqual(['paris']);
    const { code, stdout } = await weir(world, 'admin', 'events', 'verify');
    expect(code).toBe(1);
    expect(stdout).toContain(`the first wrong position is ${first?.position}`);

    // Whoever rewrites the log can make the rows anew, too.
    await done(world, '/weir/v1/read-models/rebuild');
    await world.network('four');
    const position = await world.seal();
    await world.until(() => fake.seals.at(-1)?.position === position, 'the site to be told of the next seal');
    expect(fake.seals.at(-1)?.contradicts).toBe(true);
  });
  it('that was cut before its last seal is sound from inside, and noticed through the site', async () => {
    await settled();
    await world.stopTop();
    const last = fake.seals.at(-1)?.position ?? 0;
    forge(events(), (event) => (event.position < last ? event : undefined));
    for await (const problem of verifySqliteFile(events())) throw new Error(problem.detail);
    await world.start();
    const found = await compared();
    expect(found.sound).toBe(false);
    expect(found.problems).toContainEqual(
      expect.objectContaining({ position: last, problem: 'anchor', sites: ['paris'] }),
    );
    await done(world, '/weir/v1/read-models/rebuild');
  });
  it('that an operator decided about is proved by the seals that came after', async () => {
    await world.until(async () => {
      const { status } = await world.post('/weir/v1/sites/discard', {}, 'admin');
      return status === 200;
    }, 'the operator to be heard');
    await world.network('five');
    const position = await world.seal();
    await world.until(() => fake.seals.at(-1)?.position === position, 'the site to be told of the next seal');
    const found = await compared();
    expect(found).toMatchObject({ sound: true, problems: [], sites: [{ last: position }] });
    expect(found.sites[0].superseded).toBeGreaterThan(0);
  });
});
