import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Transport } from '@weir/cascade';
import { httpTransport } from '@weir/cascade/http';
import { waitFor } from '@weir/lab';
import { FakeSite } from '../api/fake-site';
import { contradictions } from './contradictions';
import { scaled } from './scale';
import { TopProcess } from './top-process';

const ROUNDS = scaled({ sample: 1, whole: 10 });
const TENANT = 'weir-demo';
const NETWORKS = '/network/v2.0/networks';
const ROOM = { vcpus: 8, ramMb: 16_384, diskGb: 100 };
const IMAGE = '5a1f0000-0000-4000-8000-000000000001';

interface Quarantine {
  readonly active: boolean;
  readonly generation: number;
  readonly divergences: readonly { readonly site_id: string | null }[];
}

jest.setTimeout(ROUNDS * 120_000);

describe('R16: two Tops that both believe they lead', () => {
  let folder: string;
  let first: TopProcess;
  let second: TopProcess;

  beforeAll(() => TopProcess.build(), 60_000);
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'weir-chaos-'));
    first = new TopProcess(folder);
  });
  afterEach(async () => {
    await Promise.all([first.end(), second.end()]);
    rmSync(folder, { recursive: true });
  });

  const create = (top: TopProcess, name: string) => top.api.request('POST', NETWORKS, { network: { name } }, TENANT);
  const namesAt = async (top: TopProcess) => {
    const { networks } = await top.api.request<{ networks: { name: string }[] }>('GET', NETWORKS, undefined, TENANT);
    return networks.map(({ name }) => name);
  };

  it.each(Array.from({ length: ROUNDS }, (_, round) => round + 1))(
    'over one state folder: the one that comes second to write ends and says why, and nothing acknowledged is lost (round %i)',
    async () => {
      second = new TopProcess(folder);
      await first.start();
      await second.start();
      const acknowledged: string[] = [];
      const attempt = (top: TopProcess, name: string) =>
        create(top, name).then(
          () => acknowledged.push(name),
          () => undefined,
        );
      for (let n = 0; first.isRunning && second.isRunning && n < 1000; n++)
        await Promise.all([attempt(first, `first-${n}`), attempt(second, `second-${n}`)]);
      await waitFor(() => !first.isRunning || !second.isRunning, { what: 'one of them to end' });
      const [winner, loser] = first.isRunning ? [first, second] : [second, first];
      expect(winner.isRunning).toBe(true);
      expect(loser.output).toContain('Another process writes to this event store');

      await create(winner, 'afterwards');
      expect(await namesAt(winner)).toEqual(expect.arrayContaining([...acknowledged, 'afterwards']));
      await winner.end();
      expect(await contradictions(winner.state)).toEqual([]);
    },
  );

  it('over copies of one state: a site stays with the one that it followed, and with the higher generation from then on', async () => {
    await first.start();
    let led: TopProcess = first;
    const ways = new Map<string, Transport>();
    const way = (): Transport => {
      const { address } = led.api;
      const known = ways.get(address) ?? httpTransport({ url: address });
      ways.set(address, known);
      return known;
    };
    const transport: Transport = {
      openFacts: (...asked) => way().openFacts(...asked),
      post: (...asked) => way().post(...asked),
      close: () => ways.forEach((one) => one.close()),
    };
    const body = { name: 'paris', data_center: 'Paris', availability_zones: ['a'], driver: 'ovs' };
    const added = await first.api.request<{ site: { id: string }; join_token: string }>('POST', '/weir/v1/sites', {
      site: body,
    });
    const site = await FakeSite.join(first.api.address, 'paris', added.join_token, { a: ROOM }, { transport });
    const shown = (top: TopProcess) =>
      top.api.request<{ site: { lifecycle: string } }>('GET', `/weir/v1/sites/${added.site.id}`);
    await waitFor(async () => (await shown(first)).site.lifecycle === 'active', { what: 'the site to be active' });
    await site.stop();
    await first.kill('SIGTERM');

    const other = join(folder, 'other');
    mkdirSync(other);
    cpSync(first.state, join(other, 'state'), { recursive: true });
    second = new TopProcess(other);
    await first.start();
    await second.start();
    const quarantine = async (top: TopProcess) =>
      (await top.api.request<{ quarantine: Quarantine }>('GET', '/weir/v1/quarantine')).quarantine;
    const server = (top: TopProcess, name: string) =>
      top.api.request(
        'POST',
        '/compute/v2.1/servers',
        { server: { name, flavorRef: '1', imageRef: IMAGE, networks: 'none', availability_zone: 'Paris' } },
        TENANT,
      );
    const servers = () => site.facts('server').map(({ body: fact }) => fact['name']);
    const follow = async (top: TopProcess) => {
      await site.stop();
      led = top;
      site.start();
    };

    try {
      await follow(first);
      await waitFor(async () => (await server(first, 'of-first')) !== undefined, { what: 'a server of the first' });
      await waitFor(() => servers().includes('of-first'), { what: 'the site to be told' });
      // Written on both, from the same position on.
      await create(second, 'written-on');
      const held = site.holds();
      await follow(second);
      await waitFor(async () => (await quarantine(second)).active, { what: 'the second to be in quarantine' });
      expect((await quarantine(second)).divergences).toMatchObject([{ site_id: added.site.id }]);
      await expect(create(second, 'refused')).rejects.toThrow('quarantine');
      expect(site.holds()).toEqual(held);

      await follow(first);
      await waitFor(async () => (await server(first, 'more')) !== undefined, { what: 'a server of the first' });
      await waitFor(() => servers().includes('more'), { what: 'the site to follow the first' });
      expect((await quarantine(first)).active).toBe(false);

      // An operator lets the second win: it speaks as a higher generation, and the first never again.
      await follow(second);
      const path = `/weir/v1/sites/${added.site.id}/discard`;
      const decided = () => second.api.request('POST', path, { force: false }).catch(() => undefined);
      await waitFor(async () => (await decided()) !== undefined, { what: 'the operator to discard' });
      await waitFor(() => servers().length === 0, { what: 'the site to do as the second says' });
      const { generation } = await quarantine(second);
      expect(generation).toBe(2);
      await follow(first);
      await waitFor(async () => (await quarantine(first)).active, { what: 'the first to be in quarantine' });
      await expect(create(first, 'refused')).rejects.toThrow('quarantine');
      expect(site.holds().cursor.generation).toBe(generation);
      expect(servers()).toEqual([]);
    } finally {
      await site.stop();
      transport.close();
    }
  });
});
