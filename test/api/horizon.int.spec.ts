import { VirtualTime } from '@weir/testing/time';
import { TopWorld } from './top-world';

const DAY_MS = 24 * 60 * 60 * 1000;

describe('a read of a time before the horizon', () => {
  // Sockets and threads are real: between two timers they get a real turn.
  const time = new VirtualTime({ turn: () => new Promise((resolve) => setTimeout(resolve, 1)) });
  const world = new TopWorld(time);
  beforeAll(async () => {
    await world.start();
  });
  afterAll(async () => {
    await world.stop();
  });

  it('answers from the log what it answered from the rows that were pruned', async () => {
    const { id } = await world.network('blue', '10.1.1.0/24');
    const position = (await world.get('/network/v2.0/networks?as_of=now')).headers.get('x-weir-as-of') ?? '';
    await time.advance(DAY_MS);
    world.forgetTokens();
    for (const name of ['red', 'green']) await world.put(`/network/v2.0/networks/${id}`, { network: { name } });
    const paths = ['/network/v2.0/networks', `/network/v2.0/networks/${id}`, '/network/v2.0/subnets'];
    const then = () => Promise.all(paths.map(async (path) => (await world.get(`${path}?as_of=${position}`)).body));
    const history = async () => (await world.get(`/weir/v1/history?kind=network&id=${id}`)).body;
    const diff = async () => (await world.get(`/weir/v1/diff?then=${position}&kind=network`)).body['differences'];
    const [before, historyBefore, diffBefore] = [await then(), await history(), await diff()];
    expect(before[1]).toMatchObject({ network: { name: 'blue' } });
    expect(diffBefore).toMatchObject([{ fields: [{ field: 'name', before: 'blue', after: 'green' }] }]);

    const horizon = async () => {
      world.forgetTokens();
      return (await world.get('/weir/v1/read-models', 'admin')).body['read_models'][0].horizon as number;
    };
    expect(await horizon()).toBe(0);
    await time.advance(89 * DAY_MS);
    expect(await horizon()).toBeLessThanOrEqual(Number(position));
    await time.advance(3 * DAY_MS);
    await world.until(async () => (await horizon()) > Number(position), 'old row versions to be pruned');

    expect(await then()).toEqual(before);
    expect(await history()).toEqual(historyBefore);
    expect(await diff()).toEqual(diffBefore);
    expect((await world.get(`/network/v2.0/networks/${id}`)).body['network'].name).toBe('green');
  });
});
