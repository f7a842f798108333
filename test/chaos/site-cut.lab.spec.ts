import { once } from 'node:events';
import { statSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemRandom } from '@weir/kernel';
import { ovsVsctl } from '@weir/lab';
import type { Instance, Named } from '@weir/lab/deployment';
import { type Cut, CuttableProxy } from './cuttable-proxy';
import { LabWorld } from './lab-world';
import { scaled } from './scale';

const CUTS = scaled({ sample: 2, whole: 100 });
const CUT_MS = 10_000;
/** The Bottom of Paris is killed at random before this, and stays away so long. */
const LOST_WITHIN_MS = 3_000;
const LOST_MS = 1_500;
const BACK_DEADLINE_MS = 30_000;
/** Of what the Top had heard when the line was cut, the last may be under way inside it. */
const UNDER_WAY_MS = 2_000;

jest.setTimeout(60_000 + CUTS * 90_000);

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

describe('a site that is cut off from the Top', () => {
  let world: LabWorld;
  let proxy: CuttableProxy;
  let count = 0;

  beforeAll(async () => {
    const port = await freePort();
    proxy = await CuttableProxy.to(port);
    world = await LabWorld.start({ port, tops: { tokyo: `http://127.0.0.1:${proxy.port}` } });
    await world.boot({ 'kept-tokyo': ['Tokyo', 'blue'], 'kept-paris': ['Paris', 'blue'] });
  });
  afterAll(async () => {
    await world.stop();
    await proxy.close();
  });

  const create = (zone: string): Promise<Named> => world.create(`server-${count++}`, zone, 'blue');
  const remove = ({ id }: Named) => world.weir.request('DELETE', `/compute/v2.1/servers/${id}`);
  const instances = () => world.weir.tenant.instances();
  const site = () => world.weir.site('tokyo');

  /** What of an instance a deletion would take, or a second creation would make anew. */
  async function standing({ host, netns, port, name }: Instance): Promise<string> {
    const found = ['--bare', '--columns=ofport,_uuid', 'find', 'interface', `external_ids:iface-id=${port}`];
    const row = (await ovsVsctl(world.lab.host(host), found)).split('\n').join(' ').trim();
    return `${name} on ${host}: namespace ${statSync(`/run/netns/${netns}`).ino}, interface ${row}`;
  }
  const allStanding = (which: readonly Instance[]) => Promise.all(which.map(standing));

  /** A tenant's network comes and goes: nothing of it is Tokyo's. */
  async function passingNetwork(): Promise<void> {
    const network = await world.weir.tenant.createNetwork('passing');
    await world.weir.tenant.createSubnet(network, '10.7.0.0/24');
    await world.weir.request('DELETE', `/network/v2.0/networks/${network.id}`);
  }

  async function loseParis(): Promise<void> {
    const bottom = world.weir.process('bottom-paris');
    await sleep(systemRandom.integer(LOST_WITHIN_MS));
    await bottom.kill();
    await sleep(LOST_MS);
    await bottom.start();
  }

  it.each(
    Array.from({ length: CUTS }, (_, index): [number, Cut] => [index + 1, index % 2 === 0 ? 'silent' : 'refused']),
  )('loses nothing but what its tenants delete, and then has all they asked for (cut %i, %s)', async (_, how) => {
    const doomed = await Promise.all(['Tokyo', 'Paris'].map(create));
    await world.weir.tenant.waitForStatus(
      doomed.map(({ id }) => id),
      'ACTIVE',
    );
    await world.weir.waitForSettled();
    const before = await instances();
    const kept = before.filter(({ server }) => doomed.every(({ id }) => id !== server));
    const inTokyo = before.filter(({ host }) => host.startsWith('tokyo'));
    const [keptBefore, tokyoBefore] = [await allStanding(kept), await allStanding(inTokyo)];

    const cutAt = Date.now();
    const healed = sleep(CUT_MS);
    await proxy.cut(how);
    const wanted = [await create('Tokyo'), await create('Paris')];
    await Promise.all([...doomed.map(remove), passingNetwork(), loseParis()]);
    const cutOff = await world.weir.wait(
      async () => {
        const found = await site();
        return found.reachability === 'unreachable' ? found : undefined;
      },
      { what: 'Tokyo to be unreachable', deadlineMs: CUT_MS },
    );
    expect(Date.parse(cutOff.reachability_since)).toBeLessThan(cutAt + UNDER_WAY_MS);
    await expect(create('Tokyo:tokyo-a')).rejects.toMatchObject({
      status: 409,
      message: expect.stringContaining(cutOff.reachability_since) as string,
    });
    wanted.push(await create('Paris'));
    await healed;
    expect(await allStanding(inTokyo)).toEqual(tokyoBefore);

    await proxy.heal();
    await world.weir.wait(async () => (await site()).reachability === 'reachable', {
      what: 'Tokyo to be reachable',
      deadlineMs: BACK_DEADLINE_MS,
    });
    await world.weir.tenant.waitForStatus(
      wanted.map(({ id }) => id),
      'ACTIVE',
      BACK_DEADLINE_MS,
    );
    await world.weir.waitForSettled(['paris', 'tokyo'], BACK_DEADLINE_MS);
    expect(await allStanding(kept)).toEqual(keptBefore);
    const there = (await instances()).map(({ server }) => server).sort();
    expect(there).toEqual([...kept.map(({ server }) => server), ...wanted.map(({ id }) => id)].sort());
    expect(await world.orphans()).toEqual([]);
    // The next cut begins with as many.
    await Promise.all(wanted.map(({ id }) => world.weir.tenant.deleteServer(id)));
  });

  it('has behind it a Top that does not contradict itself', async () => {
    expect(await world.contradictions()).toEqual([]);
  });
});
