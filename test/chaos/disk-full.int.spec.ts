import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '@weir/cascade/contract';
import { waitFor } from '@weir/lab';
import Database from 'better-sqlite3';
import { ApiRefused, type Method } from '@weir/lab/deployment';
import { contradictions } from './contradictions';
import { scaled } from './scale';
import { SmallDisk } from './small-disk';
import { TopProcess } from './top-process';
import { TopTenancy } from './top-tenancy';
import { Writers } from './writers';

const RUNS = scaled({ sample: 1, whole: 30 });
const MEGABYTES = [8, 4, 16];
const WRITERS = 4;
const ROOM = { vcpus: 400, ramMb: 400_000, diskGb: 4000 };
const INSUFFICIENT_STORAGE = 507;
/** Refused for lack of room, before it is held to be full. */
const ENOUGH_REFUSED = 20;
/** Longer than the silence after which a site is unreachable. */
const HELD_MS = 6_000;
const DEADLINE_MS = 60_000;

jest.setTimeout(180_000);

// A file system of a few megabytes needs a mount, and a mount root.
const asRoot = process.getuid?.() === 0 ? describe : describe.skip;

asRoot('R6: a Top whose disk is full', () => {
  let folder: string;
  let disk: SmallDisk | undefined;
  let top: TopProcess;
  let tenancy: TopTenancy;
  let writers: Writers;

  beforeAll(() => TopProcess.build(), 60_000);
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'weir-disk-full-'));
    mkdirSync(join(folder, 'disk'));
  });
  afterEach(async () => {
    await writers.stop();
    await tenancy.end();
    await top.end();
    await disk?.end();
    rmSync(folder, { recursive: true });
  });

  /** A Top with a site under writers, on a disk of so many megabytes. */
  async function begin(megabytes: number, seed: number): Promise<SmallDisk> {
    const small = await SmallDisk.mount(join(folder, 'disk'), megabytes);
    disk = small;
    top = new TopProcess(small.folder, { prefix: small.prefix, clouds: join(folder, 'clouds.yaml') });
    tenancy = new TopTenancy(top);
    await top.start();
    const zone = await tenancy.addSite(ROOM);
    const grounds = [await tenancy.ground('wide', '10.99.0.0/16')];
    const up = () => (top.isRunning ? Promise.resolve() : sleep(50));
    writers = new Writers(top.api, seededRandom(seed), grounds, zone, up, [INSUFFICIENT_STORAGE]);
    writers.start(WRITERS);
    await acknowledged(10);
    return small;
  }

  async function acknowledged(more: number): Promise<void> {
    const enough = writers.acknowledged + more;
    await waitFor(() => writers.acknowledged >= enough, { what: 'writes that succeed', deadlineMs: DEADLINE_MS });
  }

  async function refused(): Promise<void> {
    const enough = writers.tolerated + ENOUGH_REFUSED;
    await waitFor(() => writers.tolerated >= enough, { what: 'writes that find no room', deadlineMs: DEADLINE_MS });
  }

  async function answer(method: Method, path: string, body?: unknown): Promise<unknown> {
    try {
      return await top.api.request(method, path, body);
    } catch (error) {
      if (error instanceof ApiRefused) return { status: error.status, body: error.body };
      throw error;
    }
  }

  /** After everything, with the Top at its end. */
  async function expectSound(small: SmallDisk): Promise<void> {
    await writers.stop();
    expect(writers.unexpected).toEqual([]);
    await waitFor(() => tenancy.isNothingDeleting(), { what: 'deleted servers to go', deadlineMs: DEADLINE_MS });
    await waitFor(() => tenancy.isSettled(), { what: 'the site to have all', deadlineMs: DEADLINE_MS });
    expect(await writers.lost()).toEqual([]);
    await top.end();
    const copy = join(folder, 'copy');
    cpSync(join(small.contents, 'state'), copy, { recursive: true });
    expect(await contradictions(copy)).toEqual([]);
    expect(closings(copy)).toEqual([]);
  }

  it.each(Array.from({ length: RUNS }, (_, run) => [MEGABYTES[run % MEGABYTES.length] ?? 8, run + 1]))(
    'answers 507 and goes on by itself when there is room (%i MiB, run %i)',
    async (megabytes, seed) => {
      const small = await begin(megabytes, seed);
      small.fill();
      await refused();

      const message = 'The disk of the event store is full.';
      expect(await answer('POST', '/network/v2.0/networks', { network: { name: 'n' } })).toEqual({
        status: INSUFFICIENT_STORAGE,
        body: { NeutronError: { type: 'StoreFull', message, detail: '' } },
      });
      const server = { name: 's', flavorRef: '1', imageRef: '5a1f0000-0000-4000-8000-000000000001', networks: 'none' };
      expect(await answer('POST', '/compute/v2.1/servers', { server })).toEqual({
        status: INSUFFICIENT_STORAGE,
        body: { computeFault: { code: INSUFFICIENT_STORAGE, message } },
      });
      const site = { name: 'tokyo', data_center: 'Tokyo', driver: 'ovs', tunnel: { type: 'vxlan', mtu: 1500 } };
      expect(await answer('POST', '/weir/v1/sites', { site: { ...site, availability_zones: ['b'] } })).toEqual({
        status: INSUFFICIENT_STORAGE,
        body: { error: { code: INSUFFICIENT_STORAGE, type: 'StoreFull', message } },
      });

      const ports = await top.api.request<{ ports: unknown[] }>('GET', '/network/v2.0/ports');
      expect(ports.ports.length).toBeGreaterThan(0);
      const { length: edges } = await reachabilityEvents();
      await sleep(HELD_MS);
      expect(await tenancy.shown()).toMatchObject({ reachability: 'reachable' });
      expect(top.isRunning).toBe(true);

      small.free();
      await acknowledged(20);
      expect(top.isRunning).toBe(true);
      expect(await reachabilityEvents()).toHaveLength(edges);
      await expectSound(small);
    },
  );

  it('that is killed then starts when there is room, with all that it had acknowledged', async () => {
    const small = await begin(8, 99);
    small.fill();
    await refused();
    await top.kill();
    top.begin();
    // It ends where its log has no room, and waits where only the facts of its sites have none.
    await waitFor(() => /disk.* is full/.test(top.output), { what: 'the Top to notice', deadlineMs: DEADLINE_MS });
    small.free();
    await top.listening().catch(() => top.start());
    await acknowledged(20);
    await expectSound(small);
  });

  async function reachabilityEvents(): Promise<readonly unknown[]> {
    const path = `/weir/v1/events?kind=site&id=${tenancy.siteId}`;
    const { events } = await top.api.request<{ events: { type: string }[] }>('GET', path);
    return events.filter(({ type }) => ['SiteReachable', 'SiteUnreachable'].includes(type));
  }
});

/** Networks and subnets whose deletion was begun and neither carried out nor taken back. */
function closings(state: string): readonly unknown[] {
  const db = new Database(join(state, 'events.db'));
  const live = 'where closing = 1 and valid_to is null';
  const found = db.prepare(`select id from rm_networks ${live} union select id from rm_subnets ${live}`).all();
  db.close();
  return found;
}
