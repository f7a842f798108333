import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FactLine, Transport } from '@weir/cascade';
import { seededRandom } from '@weir/cascade/contract';
import { httpTransport } from '@weir/cascade/http';
import { views } from '@weir/domain';
import { GUARANTEES, type Watch, type Watched } from '@weir/event-store/contract';
import { openSqliteEventStore } from '@weir/event-store/sqlite';
import { canonicalJson, silentLogger } from '@weir/kernel';
import { waitFor } from '@weir/lab';
import { SiteFold } from '../../apps/top/src/sites/site-fold';
import { TopWorld } from '../api/top-world';
import { CuttableProxy } from './cuttable-proxy';
import { scaled } from './scale';

const RESUMES = scaled({ sample: 25, whole: 500 });
const TENANTS = 4;
/** A connection lives for so long at most, so that cuts meet every line. */
const LONGEST_MS = 120;
/** Of the cuts that reset, one in so many is refused for a while first. */
const REFUSED = 4;
const BATCH = 1000;
const ROOM = { vcpus: 4000, ramMb: 4_000_000, diskGb: 40_000 };

jest.setTimeout(60_000 + RESUMES * 2_000);

describe(`R11: the stream from a Top to a Bottom that is cut ${RESUMES} times`, () => {
  const random = seededRandom(11);
  const world = new TopWorld();
  const watches: { after: number; batches: { items: Watched[]; bookmark: number }[] }[] = [];
  let truth: readonly Watched[];
  let live: string;
  let held: readonly string[] = [];

  beforeAll(async () => {
    await world.start();
    const { siteId, fake, proxy, transport } = await followed();
    let isOver = false;
    const networks = [await world.network('a', '10.1.0.0/16'), await world.network('b', '10.2.0.0/16')];
    const tenants = Array.from({ length: TENANTS }, () => tenant(networks, () => isOver));
    const resumed = (): number => watches.filter(({ batches }) => batches.length > 0).length;
    while (resumed() <= RESUMES) {
      await sleep(random.integer(LONGEST_MS));
      await proxy.cut('refused');
      if (random.integer(REFUSED) === 0) await sleep(random.integer(LONGEST_MS));
      await proxy.heal();
      const before = resumed();
      await waitFor(() => resumed() > before, { what: 'the follower to go on', deadlineMs: 30_000, everyMs: 1 });
    }
    isOver = true;
    await Promise.all(tenants);
    // What the site reports makes facts too: it has all once nothing of its own is on the way upwards.
    await waitFor(async () => (await isQuiet()) && fake.position === (await published(siteId)), {
      what: 'the site to have all',
      deadlineMs: 30_000,
    });
    held = fake.held().map(({ kind, id, position, body }) => canonicalJson({ kind, id, position, body }));
    await fake.stop();
    transport.close();
    await proxy.close();
    await world.stopTop();
    ({ truth, live } = await toldOf(siteId));
  });
  afterAll(() => world.stop());

  it.each(Object.entries(GUARANTEES))('is %s', (_, broken) => {
    expect(broken(watches as Watch[], truth)).toEqual([]);
  });

  it('leaves its follower with what the log says', () => {
    expect(truth.length).toBeGreaterThan(RESUMES);
    expect([...held].sort().join('\n')).toBe(live);
  });

  /** A site behind a proxy, which notes what it takes over by the connection that it came on. */
  async function followed() {
    const proxy = await CuttableProxy.to(Number(new URL(world.address).port));
    const inner = httpTransport({ url: `http://127.0.0.1:${proxy.port}` });
    const transport: Transport = {
      openFacts: (request, handlers) => {
        watches.push({ after: request.after, batches: [] });
        return inner.openFacts(request, handlers);
      },
      post: (...args) => inner.post(...args),
      close: () => inner.close(),
    };
    const applied = (facts: readonly FactLine[], { position }: { readonly position: number }): void => {
      const items = facts.map((fact) => watched(fact.kind, fact.id, fact.position));
      watches.at(-1)?.batches.push({ items, bookmark: position });
    };
    const { id, fake } = await world.site('paris', 'Paris', { a: ROOM }, { transport, applied });
    return { siteId: id, fake, proxy, transport };
  }

  async function published(site: string): Promise<number> {
    const { body } = await world.get(`/weir/v1/sites/${site}`, 'admin');
    return (body as { site: { published: number } }).site.published;
  }

  /** Whether each server is what its user asked for: running, or not there. */
  async function isQuiet(): Promise<boolean> {
    const { body } = await world.get('/compute/v2.1/servers/detail?all_tenants=1', 'admin');
    const { servers } = body as { servers: { status: string; 'OS-EXT-STS:task_state': string | null }[] };
    return servers.every((server) => server.status === 'ACTIVE' && server['OS-EXT-STS:task_state'] === null);
  }

  /** Makes servers, changes their networks and takes them away until it is over. */
  async function tenant(networks: readonly { readonly id: string }[], isOver: () => boolean): Promise<void> {
    const servers: string[] = [];
    while (!isOver()) {
      const network = networks[random.integer(networks.length)]?.id;
      const server = servers[random.integer(Math.max(1, servers.length))];
      const dice = random.integer(4);
      if (server === undefined || dice === 0) {
        const made = await world.server('s', { availability_zone: 'Paris:a', networks: [{ uuid: network }] });
        servers.push((made.body as { server: { id: string } }).server.id);
      } else if (dice === 1) {
        servers.splice(servers.indexOf(server), 1);
        await world.delete(`/compute/v2.1/servers/${server}`);
      } else {
        await world.put(`/network/v2.0/networks/${network}`, { network: { admin_state_up: random.integer(2) === 0 } });
      }
    }
  }

  /** Everything that the site was to be told, in order, and what of it stands in the end; folded from the log. */
  async function toldOf(site: string): Promise<{ readonly truth: readonly Watched[]; readonly live: string }> {
    const file = join(world.state, 'events.db');
    const store = await openSqliteEventStore({ file, views, logger: silentLogger });
    const fold = new SiteFold();
    const told: Watched[] = [];
    const bodies = new Map<string, { readonly text: string; readonly line: string }>();
    for (let after = 0; ;) {
      const events = await store.readAll(after, BATCH);
      for (const event of events) {
        const { position } = event;
        for (const { place, ...change } of fold.apply(event)) {
          const { op, kind, id } = change;
          if (place !== site) continue;
          const key = `${kind}/${id}`;
          const body = 'body' in change && op === 'upsert' ? change.body : undefined;
          const text = body && canonicalJson(body);
          if (text === bodies.get(key)?.text) continue;
          told.push(watched(kind, id, position));
          if (text === undefined) bodies.delete(key);
          else bodies.set(key, { text, line: canonicalJson({ kind, id, position, body }) });
        }
      }
      after = events.at(-1)?.position ?? Infinity;
      if (after === Infinity) break;
    }
    await store.close();
    const lines = [...bodies.values()].map(({ line }) => line);
    return { truth: told, live: lines.sort().join('\n') };
  }
});

function watched(kind: string, id: string, position: number): Watched {
  return { key: `${kind}/${id}`, position, transaction: String(position) };
}
