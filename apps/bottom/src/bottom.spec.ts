import { silentLogger, type Clock, type Ip, type Logger, type Mac } from '@weir/kernel';
import {
  Follower,
  joinPublisher,
  Journal,
  makeKey,
  Publisher,
  type FactsHandle,
  type FactsHandlers,
  type Observation,
  type PublishedChange,
  type SliceMark,
  type Transport,
  type FactLine,
} from '@weir/cascade';
import { RecordingEvents, RecordingSink, seededRandom } from '@weir/cascade/contract';
import { Link, MemoryFactStore, memoryJournal, memoryLink, MemoryMembership, MemorySlice } from '@weir/cascade/memory';
import type { FactBody, FactKind } from '@weir/topology';
import { VirtualTime } from '@weir/testing/time';
import { Bottom } from './bottom';
import { MemorySiteRecords } from './memory-records';
import type { HostConfig } from './records';
import { hasToLearn } from './recovery';
import { STATE_HOLDING } from './site';

const KINDS = ['network', 'subnet', 'router', 'router-interface', 'port', 'server', 'site'] as const;
const uuid = (kind: (typeof KINDS)[number], n: number) =>
  `00000000-0000-4000-8000-${KINDS.indexOf(kind)}${String(n).padStart(11, '0')}`;
const id = (kind: (typeof KINDS)[number], n: number) => uuid(kind, n) as never;
const SITE = uuid('site', 1);

type Change = Omit<PublishedChange, 'follower'>;
const up = <K extends FactKind>(kind: K, which: string, body: FactBody<K>): Change => ({
  op: 'upsert',
  kind,
  id: which,
  body,
});
const remove = (kind: Exclude<FactKind, 'departure'>, n: number): Change => ({
  op: 'delete',
  kind,
  id: uuid(kind === 'binding' ? 'port' : kind, n),
});
const network = (n: number): Change =>
  up('network', uuid('network', n), {
    id: id('network', n),
    project: 'blue',
    name: `net${n}`,
    mtu: 1450,
    segment: { type: 'vxlan', key: 10_000 + n },
  });
const port = (n: number, on: number, server = n): Change =>
  up('port', uuid('port', n), {
    id: id('port', n),
    network: id('network', on),
    project: 'blue',
    name: '',
    mac: 'fa:16:3e:00:00:01' as Mac,
    fixedIps: [],
    adminStateUp: true,
    portSecurity: true,
    server: id('server', server),
  });
const server = (n: number, given: Partial<FactBody<'server'>> = {}): Change =>
  up('server', uuid('server', n), {
    id: id('server', n),
    project: 'blue',
    name: `server${n}`,
    site: SITE as never,
    zone: 'a',
    vcpus: 1,
    ramMb: 128,
    diskGb: 1,
    image: 'weir-instance',
    ports: [id('port', n)],
    power: 'on',
    ...given,
  });
const binding = (n: number, host: string): Change =>
  up('binding', uuid('port', n), { port: id('port', n), host, endpoint: '203.0.113.9' as Ip });

/** What a Host does, without a switch: it runs what it is told, stops what is deleted, and says so. */
class FakeHost extends RecordingSink {
  readonly running = new Set<string>();
  readonly deletes: string[] = [];
  follower: Follower | undefined;
  /** What it answers of a server that it was told to run. */
  outcome: object = { status: 'active' };
  stops = true;

  constructor(
    readonly name: string,
    readonly link: Link,
    readonly key: string,
    private readonly clock: Clock,
    config: Partial<HostConfig> = {},
  ) {
    super(new MemorySlice());
    const { length } = name;
    this.say('host', name, 0, {
      zone: 'a',
      vcpus: 8,
      ramMb: 16_384,
      diskGb: 100,
      hypervisor: 'namespace',
      endpoint: `198.51.100.${name.charCodeAt(length - 1) - 38}`,
      ...config,
    });
    this.answer = (kind, body) => ({ host: name, kind, body });
  }

  say(kind: string, which: string, position: number, value: object): void {
    this.observe({ kind, id: which, position, value, at: new Date(this.clock.now()).toISOString() });
    this.follower?.reportSoon();
  }

  override async apply(facts: readonly FactLine[], mark: SliceMark): Promise<void> {
    const known = this.effects.length;
    await super.apply(facts, mark);
    for (const { line } of this.effects.slice(known)) {
      if (line.type === 'delete') this.deletes.push(`${line.kind}/${line.id}`);
      if (line.kind !== 'server') continue;
      if (line.type === 'upsert') this.run(line.id, line.position);
      else if (this.stops) this.stop(line.id, line.position);
    }
  }

  run(which: string, position: number): void {
    this.running.add(which);
    this.say('server', which, position, this.outcome);
  }

  stop(which: string, position: number): void {
    this.running.delete(which);
    this.say('server', which, position, { status: 'gone' });
  }

  has(kind: string, which: string): boolean {
    return this.slice.get(kind, which) !== undefined;
  }
}

/** A Top that publishes to one site, the site's Bottom, and its Hosts. */
class World {
  readonly time = new VirtualTime();
  readonly random = seededRandom(7);
  readonly topEvents = new RecordingEvents();
  readonly warnings: string[] = [];
  readonly hosts: FakeHost[] = [];
  readonly logger: Logger = {
    ...silentLogger,
    warn: (message) => void this.warnings.push(message),
    error: (message) => void this.warnings.push(message),
  };
  topStore = new MemoryFactStore({ generation: 1 });
  top: Publisher;
  readonly topLink: Link;
  records = new MemorySiteRecords();
  slice = new MemorySlice({ stateHolding: STATE_HOLDING });
  journal: Journal;
  bottom: Bottom | undefined;
  private readonly membership = new MemoryMembership(() => this.topStore.generation);
  private readonly key = makeKey(this.random);

  constructor() {
    this.top = this.startTop();
    this.topLink = memoryLink(() => this.top, this.parts);
    this.journal = memoryJournal(this.time, this.random);
  }

  get parts() {
    const { time, random, logger } = this;
    return { clock: time, timers: time, random, logger };
  }

  startTop(store = this.topStore): Publisher {
    this.topStore = store;
    const { membership, topEvents } = this;
    this.top = new Publisher({ name: 'top', facts: store, membership, events: topEvents, ...this.parts });
    return this.top;
  }

  /** A site that has joined, with a host per name. */
  async start(...names: readonly string[]): Promise<this> {
    this.membership.invite('token', SITE);
    await this.settle(joinPublisher({ transport: this.topLink, token: 'token', name: 'bottom', key: this.key }));
    await this.startBottom();
    for (const name of names) await this.addHost(name);
    return this;
  }

  async startBottom(given: { recovering?: boolean; transport?: Transport } = {}): Promise<Bottom> {
    const { recovering = false, transport = this.topLink } = given;
    const { slice, journal, records } = this;
    const bottom = new Bottom({ slice, journal, records, hostToken: 'host-token', recovering, ...this.parts });
    this.bottom = bottom;
    bottom.follow({ transport, key: this.key, name: SITE });
    await this.time.advance(0);
    return bottom;
  }

  async stopBottom(): Promise<void> {
    await this.running.stop();
    this.bottom = undefined;
  }

  get running(): Bottom {
    if (!this.bottom) throw new Error('The Bottom is down.');
    return this.bottom;
  }

  async addHost(name: string, config: Partial<HostConfig> = {}, key = makeKey(this.random)): Promise<FakeHost> {
    const link = memoryLink(() => this.bottom?.publisher, this.parts);
    const host = new FakeHost(name, link, key, this.time, config);
    await this.join(name, key);
    this.hosts.push(host);
    this.startHost(host);
    await this.until(() => this.last('host', name) !== undefined);
    return host;
  }

  async join(name: string, key: string, token = 'host-token'): Promise<unknown> {
    const transport = memoryLink(() => this.bottom?.publisher, this.parts);
    return this.settle(joinPublisher({ transport, token, name, key }));
  }

  startHost(host: FakeHost): void {
    const { name, link, key } = host;
    host.follower = new Follower({ name, transport: link, key, sink: host, ...this.parts });
    host.follower.start();
  }

  host(name: string): FakeHost {
    const host = this.hosts.find((one) => one.name === name);
    if (!host) throw new Error(`There is no host ${name}.`);
    return host;
  }

  /** The Top's log goes on. */
  commit(...changes: readonly Change[]): number {
    const position = this.topStore.head().position + 3;
    const digest = `${this.topStore.generation}-${position}`;
    this.topStore.commit({ position, digest, changes: changes.map((change) => ({ ...change, follower: SITE })) });
    this.top.changed();
    return position;
  }

  /** What the Top heard last of a thing. */
  last(kind: string, which: string): Observation | undefined {
    for (const { observations } of this.topEvents.reports.toReversed()) {
      const found = observations.find((one) => one.kind === kind && one.id === which);
      if (found) return found;
    }
    return undefined;
  }

  value(kind: string, which: string): Readonly<Record<string, unknown>> | undefined {
    return this.last(kind, which)?.value as Readonly<Record<string, unknown>> | undefined;
  }

  until(condition: () => boolean): Promise<void> {
    return this.time.until(condition);
  }

  /** Until the Top has heard that everything is programmed. */
  async quiet(): Promise<void> {
    await this.until(() => this.topEvents.reports.at(-1)?.settled === this.topStore.head().position);
    await this.time.advance(1100);
  }

  async settle<T>(promise: Promise<T>): Promise<T> {
    let done = false;
    void promise.then(
      () => (done = true),
      () => (done = true),
    );
    await this.until(() => done);
    return promise;
  }

  async dispose(): Promise<void> {
    for (const host of this.hosts) await host.follower?.stop();
    await this.bottom?.stop();
    this.top.close();
    this.records.close();
  }
}

describe('a Bottom', () => {
  let world: World;
  beforeEach(() => {
    world = new World();
  });
  afterEach(async () => {
    await world.dispose();
  });

  const SERVER = uuid('server', 1);
  const PORT = uuid('port', 1);
  const isActive = (n: number) => () => world.value('server', uuid('server', n))?.status === 'active';
  const head = () => world.journal.store.head().position;
  const placeOf = (n: number) => world.running.site.hostOf(uuid('server', n));
  const deletes = () => world.hosts.flatMap((host) => host.deletes);
  const departure = (of: 'server' | 'port', n: number, by = n): Change =>
    up('departure', uuid(of, n), { id: uuid(of, n), of, server: id('server', by) });

  describe('with a server', () => {
    it('places it, tells its host alone of it, and says upwards where its port is and that it runs', async () => {
      await world.start('h1', 'h2');
      const position = world.commit(network(1), server(1), port(1, 1));
      await world.until(isActive(1));
      expect(world.host('h1').has('server', SERVER)).toBe(true);
      expect(world.host('h1').slice.get('binding', PORT)?.body).toEqual({
        port: PORT,
        host: 'h1',
        endpoint: '198.51.100.11',
      });
      expect(world.host('h2').facts()).toEqual([]);
      expect(world.last('server', SERVER)).toMatchObject({ position, value: { status: 'active', host: 'h1' } });
      expect(world.last('binding', PORT)).toMatchObject({ position, value: { host: 'h1', endpoint: '198.51.100.11' } });
    });

    it('spreads servers over hosts, and tells each host what it needs of the others', async () => {
      await world.start('h1', 'h2');
      world.commit(network(1), ...[1, 2].flatMap((n) => [server(n), port(n, 1)]));
      await world.quiet();
      expect([placeOf(1), placeOf(2)]).toEqual(['h1', 'h2']);
      expect(world.host('h1').has('server', uuid('server', 2))).toBe(false);
      expect(world.host('h1').slice.get('binding', uuid('port', 2))?.body).toMatchObject({ host: 'h2' });
    });

    it('keeps it until its host has seen it gone, and then says so with the position of the tombstone', async () => {
      await world.start('h1');
      world.host('h1').stops = false;
      world.commit(network(1), server(1), port(1, 1));
      await world.until(isActive(1));
      const position = world.commit(remove('server', 1));
      await world.quiet();
      expect(world.host('h1').deletes).toEqual([`server/${SERVER}`]);
      expect(world.host('h1').has('network', uuid('network', 1))).toBe(true);
      expect(world.value('server', SERVER)?.status).toBe('active');
      world.host('h1').stop(SERVER, head());
      await world.until(() => world.value('server', SERVER)?.status === 'gone');
      expect(world.last('server', SERVER)?.position).toBe(position);
      world.commit(remove('port', 1), remove('network', 1));
      await world.quiet();
      expect(world.host('h1').facts()).toEqual([]);
      expect(world.running.site.room('h1')?.free).toEqual(world.running.site.room('h1')?.totals);
    });

    it('that no host ever had, is gone at once', async () => {
      await world.start();
      world.commit(server(1));
      const position = world.commit(remove('server', 1));
      await world.until(() => world.value('server', SERVER)?.status === 'gone');
      expect(world.last('server', SERVER)?.position).toBe(position);
    });

    it('passes on what its host says went wrong', async () => {
      await world.start('h1');
      world.host('h1').outcome = { status: 'error', fault: { host: 'h1', message: 'no namespace' } };
      world.commit(network(1), server(1), port(1, 1));
      await world.until(() => world.value('server', SERVER)?.status === 'error');
      expect(world.value('server', SERVER)).toEqual({
        status: 'error',
        host: 'h1',
        fault: { host: 'h1', message: 'no namespace' },
      });
    });

    it('passes on what its host sees of its ports, and forgets it with them', async () => {
      await world.start('h1');
      world.commit(network(1), server(1), port(1, 1));
      await world.until(isActive(1));
      world.host('h1').say('port', PORT, head(), { status: 'active' });
      await world.until(() => world.value('port', PORT)?.status === 'active');
      const position = world.commit(remove('port', 1), server(1, { ports: [] }));
      await world.quiet();
      world.host('h1').say('port', PORT, head(), { status: 'gone' });
      await world.until(() => world.value('port', PORT)?.status === 'gone');
      expect(world.last('port', PORT)?.position).toBeGreaterThanOrEqual(position);
    });
  });

  describe('with ports of other sites', () => {
    it('gives their bindings to every host that shares the network, and to no other', async () => {
      await world.start('h1', 'h2');
      world.commit(network(1), network(2), server(1), port(1, 1), port(9, 1, 9), binding(9, 'tokyo-1'));
      await world.quiet();
      expect(world.host('h1').slice.get('binding', uuid('port', 9))?.body).toMatchObject({ host: 'tokyo-1' });
      expect(world.host('h2').facts()).toEqual([]);
    });

    it('believes itself where its own ports are, whatever the Top tells', async () => {
      await world.start('h1');
      world.commit(network(1), binding(1, 'elsewhere'), server(1), port(1, 1));
      await world.quiet();
      world.commit(binding(1, 'elsewhere still'));
      await world.quiet();
      expect(world.host('h1').slice.get('binding', PORT)?.body).toMatchObject({ host: 'h1' });
    });

    it('costs the hosts the same for a further port, whether 10 or 300 are there', async () => {
      await world.start('h1', 'h2', 'h3');
      const lines = () => world.hosts.map(({ name }) => world.running.publisher.messages(name));
      const cost = async (n: number) => {
        const before = lines();
        world.commit(port(n, 1, n), binding(n, 'tokyo-1'));
        await world.quiet();
        return lines().map((counts, i) =>
          Object.fromEntries(Object.entries(counts).map(([kind, count]) => [kind, count - (before[i]?.[kind] ?? 0)])),
        );
      };
      world.commit(network(1), ...[1, 2].flatMap((n) => [server(n), port(n, 1)]));
      world.commit(...Array.from({ length: 10 }, (_, n) => port(100 + n, 1)));
      await world.quiet();
      const few = await cost(500);
      world.commit(...Array.from({ length: 290 }, (_, n) => port(1000 + n, 1)));
      await world.quiet();
      expect(await cost(501)).toEqual(few);
      expect(world.running.publisher.messages('h3')).toEqual({});
    });
  });

  describe('and its room', () => {
    it('reports what the hosts of a zone have together', async () => {
      await world.start('h1', 'h2');
      await world.addHost('h3', { zone: 'b', vcpus: 4 });
      await world.until(() => world.value('capacity', 'b') !== undefined);
      expect(world.value('capacity', 'a')).toEqual({ vcpus: 16, ramMb: 32_768, diskGb: 200 });
      expect(world.value('capacity', 'b')).toEqual({ vcpus: 4, ramMb: 16_384, diskGb: 100 });
    });

    it('keeps a server building while all is taken, and places it when a host has room again', async () => {
      await world.start('h1');
      world.commit(network(1), server(1, { vcpus: 8 }), port(1, 1));
      await world.until(isActive(1));
      world.commit(server(2), port(2, 1));
      await world.quiet();
      expect(world.value('server', uuid('server', 2))).toEqual({ status: 'building' });
      world.commit(remove('server', 1));
      await world.until(isActive(2));
    });

    it('names the fault of a server that no host could ever hold, and takes it if one comes that can', async () => {
      await world.start('h1');
      world.commit(network(1), server(1, { vcpus: 9 }), port(1, 1));
      await world.until(() => world.value('server', SERVER)?.status === 'error');
      expect(world.value('server', SERVER)).toEqual({
        status: 'error',
        fault: { host: SITE, message: "No host of zone 'a' can hold 9 vCPU, 128 MB of RAM and 1 GB of disk." },
      });
      await world.quiet();
      await world.addHost('h2', { vcpus: 16 });
      await world.until(isActive(1));
    });

    it('waits for the first host of a zone, and is not settled before', async () => {
      await world.start();
      const position = world.commit(network(1), server(1), port(1, 1));
      await world.time.advance(3000);
      expect(world.value('server', SERVER)).toBeUndefined();
      expect(world.topEvents.reports.at(-1)?.settled).toBe(position - 1);
      await world.addHost('h1');
      await world.until(isActive(1));
      await world.quiet();
    });
  });

  describe('with a silent host', () => {
    it('names it, is settled without it, and leaves what it runs where it is', async () => {
      await world.start('h1', 'h2');
      world.commit(network(1), server(1), port(1, 1));
      await world.until(isActive(1));
      world.host('h1').link.cut();
      await world.until(() => world.value('host', 'h1')?.unreachableSince !== undefined);
      world.commit(server(2), port(2, 1), port(9, 1, 9));
      await world.quiet();
      expect([placeOf(1), placeOf(2)]).toEqual(['h1', 'h2']);
      expect(world.value('server', SERVER)?.status).toBe('active');
      world.host('h1').link.heal();
      await world.until(() => world.host('h1').has('port', uuid('port', 9)));
      await world.until(() => world.value('host', 'h1')?.unreachableSince === undefined);
      expect(deletes()).toEqual([]);
    });

    it('keeps a server building that only this host may hold', async () => {
      await world.start('h1');
      world.host('h1').link.cut();
      await world.until(() => world.value('host', 'h1')?.unreachableSince !== undefined);
      world.commit(network(1), server(1), port(1, 1));
      await world.quiet();
      expect(world.value('server', SERVER)).toEqual({ status: 'building' });
      world.host('h1').link.heal();
      await world.until(isActive(1));
    });

    it('does not call its servers gone, until it comes back and does', async () => {
      await world.start('h1', 'h2');
      world.commit(network(1), server(1), port(1, 1));
      await world.until(isActive(1));
      world.host('h1').link.cut();
      await world.until(() => world.value('host', 'h1')?.unreachableSince !== undefined);
      world.commit(remove('server', 1));
      await world.quiet();
      await world.time.advance(60_000);
      expect(world.value('server', SERVER)?.status).toBe('active');
      world.host('h1').link.heal();
      await world.until(() => world.value('server', SERVER)?.status === 'gone');
      expect(world.host('h1').running.size).toBe(0);
    });
  });

  describe('that is told of a departure', () => {
    it('says at once that what is nowhere is gone, until it is not told any more', async () => {
      await world.start('h1');
      const position = world.commit(departure('server', 1), departure('port', 2));
      await world.quiet();
      expect(world.last('server', SERVER)).toMatchObject({ position, value: { status: 'gone' } });
      expect(world.last('port', uuid('port', 2))).toMatchObject({ position, value: { status: 'gone' } });
      world.commit(
        ...(['server', 'port'] as const).map((of, n) => ({
          ...remove('network', 1),
          kind: 'departure',
          id: uuid(of, n + 1),
        })),
      );
      await world.quiet();
      expect(world.records.gone()).toEqual([]);
    });

    it('tells the host of a port that departs alone, and the Top what that host says', async () => {
      await world.start('h1', 'h2');
      world.commit(network(1), server(1), port(1, 1));
      await world.until(isActive(1));
      world.commit(remove('port', 1), departure('port', 1));
      await world.quiet();
      expect(world.host('h1').has('departure', PORT)).toBe(true);
      expect(world.host('h2').facts()).toEqual([]);
      expect(world.value('port', PORT)?.status).not.toBe('gone');
      world.host('h1').say('port', PORT, 1, { status: 'gone' });
      await world.until(() => world.value('port', PORT)?.status === 'gone');
    });

    it('has a server removed of which it lost everything but what is told', async () => {
      await world.start('h1');
      world.commit(network(1), server(1), port(1, 1));
      await world.until(isActive(1));
      world.host('h1').stops = false;
      world.commit(remove('server', 1), departure('server', 1));
      await world.until(() => world.topEvents.reports.at(-1)?.cursor.position === world.topStore.head().position);
      await world.stopBottom();
      world.records.close();
      world.records = new MemorySiteRecords();
      world.slice = new MemorySlice({ stateHolding: STATE_HOLDING });
      world.journal = memoryJournal(world.time, world.random);
      world.host('h1').stops = true;
      await world.startBottom({ recovering: true });
      await world.join('h1', world.host('h1').key);
      await world.until(() => world.value('server', SERVER)?.status === 'gone');
      expect(world.host('h1').running.size).toBe(0);
    });

    it('calls no port gone that a host may have while it learns what they run', async () => {
      await world.start('h1');
      const host = world.host('h1');
      world.commit(network(1), server(1), port(1, 1));
      await world.quiet();
      await world.stopBottom();
      world.records.close();
      world.records = new MemorySiteRecords();
      world.slice = new MemorySlice({ stateHolding: STATE_HOLDING });
      await world.time.advance(1000);
      world.journal = memoryJournal(world.time, world.random);
      await world.startBottom({ recovering: true });
      await world.until(() => world.slice.get('port', PORT) !== undefined);
      const { length } = world.topEvents.reports;
      world.commit(remove('port', 1), server(1, { ports: [] }), departure('port', 1));
      await world.join('h1', host.key);
      await world.until(() => host.slice.get('departure', PORT) !== undefined);
      await world.time.advance(15_000);
      const told = world.topEvents.reports.slice(length).flatMap(({ observations }) => observations);
      expect(told.filter(({ kind, id: which }) => kind === 'port' && which === PORT)).toEqual([]);
      host.say('port', PORT, 1, { status: 'gone' });
      await world.until(() => world.value('port', PORT)?.status === 'gone');
    });
  });

  describe('that restarts', () => {
    it('publishes nothing where nothing changed, under the generation it had', async () => {
      await world.start('h1', 'h2');
      world.commit(network(1), ...[1, 2, 3].flatMap((n) => [server(n), port(n, 1)]));
      await world.quiet();
      const before = { head: head(), generation: world.journal.store.generation, places: [1, 2, 3].map(placeOf) };
      await world.stopBottom();
      await world.startBottom();
      await world.time.advance(3000);
      await world.quiet();
      expect({ head: head(), generation: world.journal.store.generation, places: [1, 2, 3].map(placeOf) }).toEqual(
        before,
      );
      expect(deletes()).toEqual([]);
    });

    it('takes over what changed meanwhile, and moves nothing that it had placed', async () => {
      await world.start('h1', 'h2');
      world.commit(network(1), ...[1, 2].flatMap((n) => [server(n), port(n, 1)]));
      await world.quiet();
      await world.stopBottom();
      world.commit(remove('server', 1), server(3), port(3, 1));
      await world.startBottom();
      await world.until(isActive(3));
      await world.until(() => world.value('server', SERVER)?.status === 'gone');
      expect(placeOf(2)).toBe('h2');
      expect(deletes().filter((key) => key.startsWith('server/'))).toEqual([`server/${SERVER}`]);
    });

    it('tells again what is gone when the Top may not have heard it', async () => {
      await world.start('h1');
      world.commit(network(1), server(1), port(1, 1));
      await world.until(isActive(1));
      world.commit(remove('server', 1));
      await world.until(() => world.running.site.hostOf(SERVER) === undefined);
      await world.stopBottom();
      world.topEvents.reports.length = 0;
      await world.startBottom();
      await world.until(() => world.value('server', SERVER)?.status === 'gone');
      await world.stopBottom();
      world.time.jump(25 * 60 * 60 * 1000);
      world.topEvents.reports.length = 0;
      await world.startBottom();
      await world.until(() => world.value('server', SERVER)?.status === 'gone');
    });

    it('names hosts that were there and do not come back', async () => {
      await world.start('h1');
      await world.stopBottom();
      world.host('h1').link.cut();
      await world.startBottom();
      await world.until(() => world.value('host', 'h1')?.unreachableSince !== undefined);
    });

    it('without its records learns from its hosts what they run, and runs nothing twice', async () => {
      await world.start('h1', 'h2');
      world.commit(network(1), ...[1, 2, 3].flatMap((n) => [server(n), port(n, 1)]));
      await world.quiet();
      const places = [1, 2, 3].map(placeOf);
      await world.stopBottom();
      world.commit(remove('server', 3));
      world.records.close();
      world.records = new MemorySiteRecords();
      world.slice = new MemorySlice({ stateHolding: STATE_HOLDING });
      await world.time.advance(1000);
      world.journal = memoryJournal(world.time, world.random);
      await world.startBottom({ recovering: true });
      // Backwards: the host that was chosen first comes last.
      for (const { name, key } of world.hosts.toReversed()) await world.join(name, key);
      await world.until(() => world.value('server', uuid('server', 3))?.status === 'gone');
      await world.quiet();
      expect([placeOf(1), placeOf(2), placeOf(3)]).toEqual([places[0], places[1], undefined]);
      expect(world.hosts.map(({ running }) => running.size)).toEqual([1, 1]);
    });
  });

  describe('that lost its records', () => {
    /** It knows nothing any more, and its Top is away. */
    const startWithNothing = async () => {
      await world.stopBottom();
      world.topLink.cut();
      world.records.close();
      world.records = new MemorySiteRecords();
      world.slice = new MemorySlice({ stateHolding: STATE_HOLDING });
      await world.time.advance(1000);
      world.journal = memoryJournal(world.time, world.random);
      await world.startBottom({ recovering: true });
    };

    it('and was killed again before its hosts had told it what they run places nothing', async () => {
      await world.start('h1', 'h2');
      world.commit(network(1), server(1), port(1, 1));
      await world.quiet();
      await startWithNothing();
      await world.stopBottom();
      await world.startBottom();
      world.topLink.heal();
      await world.time.advance(2000);
      for (const { name, key } of world.hosts.toReversed()) await world.join(name, key);
      await world.quiet();
      expect(placeOf(1)).toBe('h1');
      expect(world.hosts.map(({ running }) => running.size)).toEqual([1, 0]);
    });

    it('leaves a server where a host said that it runs before the Top was back', async () => {
      await world.start('h1', 'h2');
      world.commit(network(1), ...[1, 2].flatMap((n) => [server(n), port(n, 1)]));
      await world.quiet();
      await startWithNothing();
      for (const { name, key } of world.hosts.toReversed()) await world.join(name, key);
      await world.time.advance(12_000);
      world.commit(remove('server', 2));
      world.topLink.heal();
      await world.until(() => world.value('server', uuid('server', 2))?.status === 'gone');
      await world.quiet();
      expect([placeOf(1), placeOf(2)]).toEqual(['h1', undefined]);
      expect(world.hosts.map(({ running }) => running.size)).toEqual([1, 0]);
    });

    /** A port is deleted alone, before any host has said whether it runs the server. */
    const deletePort = async () => {
      world.topLink.heal();
      await world.until(() => world.slice.get('server', SERVER) !== undefined);
      const position = world.commit(remove('port', 1), departure('port', 1));
      await world.until(() => world.topEvents.reports.at(-1)?.cursor.position === position);
    };

    it('has a port that departs alone removed by the host that turns out to run its server', async () => {
      await world.start('h1');
      world.commit(network(1), server(1), port(1, 1));
      await world.until(isActive(1));
      await startWithNothing();
      await deletePort();
      await world.join('h1', world.host('h1').key);
      await world.until(() => world.host('h1').has('departure', PORT));
      expect(world.value('port', PORT)?.status).not.toBe('gone');
      world.host('h1').say('port', PORT, 1, { status: 'gone' });
      await world.until(() => world.value('port', PORT)?.status === 'gone');
    });

    it('calls a port that departs alone gone once its hosts had time to say that they run its server', async () => {
      await world.start();
      world.commit(network(1), server(1), port(1, 1));
      await startWithNothing();
      await deletePort();
      await world.time.advance(1100);
      expect(world.value('port', PORT)?.status).not.toBe('gone');
      await world.until(() => world.value('port', PORT)?.status === 'gone');
    });
  });

  describe('that is an older copy', () => {
    it('learns from its hosts first what they run, and runs nothing twice', async () => {
      const store = new MemoryFactStore({ generation: world.time.now() });
      world.journal = new Journal(store, world.time, world.random);
      await world.start('h1', 'h2');
      world.commit(network(1), server(1), port(1, 1));
      await world.quiet();
      const [records, journal] = [world.records.copy(), store.copy()];
      const slice = new MemorySlice({ stateHolding: STATE_HOLDING });
      const { generation, ...cursor } = world.slice.cursor();
      slice.newGeneration(generation);
      const facts = world.slice.facts().map((fact) => ({ type: 'upsert' as const, ...fact }));
      slice.apply(facts, { ...cursor, generation, caughtUp: true });
      world.commit(...[2, 3].flatMap((n) => [server(n), port(n, 1)]));
      await world.quiet();
      world.commit(remove('server', 2), remove('port', 2));
      await world.until(() => world.value('server', uuid('server', 2))?.status === 'gone');
      world.commit(server(4), port(4, 1));
      await world.quiet();
      const places = [1, 3, 4].map(placeOf);
      expect(places).toEqual(['h1', 'h1', 'h2']);

      await world.stopBottom();
      Object.assign(world, { records, slice, journal: new Journal(journal, world.time, world.random) });
      // The Top speaks first.
      for (const { link } of world.hosts) link.cut();
      await world.startBottom();
      await world.until(() => slice.facts().some(({ id }) => id === uuid('server', 3)));
      for (const { link } of world.hosts) link.heal();
      await world.quiet();
      expect([1, 3, 4].map(placeOf)).toEqual(places);
      expect(world.hosts.map(({ running }) => running.size)).toEqual([2, 1]);
    });
  });

  describe('that is a copy from before it was told anything', () => {
    it('learns from its hosts first what they run, and runs nothing twice', async () => {
      const store = new MemoryFactStore({ generation: world.time.now() });
      const [records, journal] = [world.records.copy(), store.copy()];
      world.journal = new Journal(store, world.time, world.random);
      await world.start('h1', 'h2');
      world.commit(network(1), server(1), port(1, 1));
      await world.quiet();
      expect(placeOf(1)).toBe('h1');

      await world.stopBottom();
      const slice = new MemorySlice({ stateHolding: STATE_HOLDING });
      Object.assign(world, { records, slice, journal: new Journal(journal, world.time, world.random) });
      await world.startBottom({ recovering: hasToLearn({ hasJoined: true, slice }) });
      // Backwards, and the one that runs it a while later.
      await world.join('h2', world.host('h2').key);
      await world.time.advance(3000);
      await world.join('h1', world.host('h1').key);
      await world.quiet();
      expect(placeOf(1)).toBe('h1');
      expect(world.hosts.map(({ running }) => running.size)).toEqual([1, 0]);
    });
  });

  describe('that is an older copy, while its Top is away', () => {
    /** A copy made while servers 1 and 2 ran, of which 2 is deleted since. */
    const startOlderCopy = async () => {
      const store = new MemoryFactStore({ generation: world.time.now() });
      world.journal = new Journal(store, world.time, world.random);
      await world.start('h1');
      world.commit(network(1), ...[1, 2].flatMap((n) => [server(n), port(n, 1)]));
      await world.quiet();
      const [records, journal] = [world.records.copy(), store.copy()];
      const slice = new MemorySlice({ stateHolding: STATE_HOLDING });
      const { generation, ...cursor } = world.slice.cursor();
      slice.newGeneration(generation);
      const facts = world.slice.facts().map((fact) => ({ type: 'upsert' as const, ...fact }));
      slice.apply(facts, { ...cursor, generation, caughtUp: true });
      world.commit(remove('server', 2), remove('port', 2));
      await world.until(() => world.value('server', uuid('server', 2))?.status === 'gone');
      await world.quiet();
      await world.stopBottom();
      world.topLink.cut();
      Object.assign(world, { records, slice, journal: new Journal(journal, world.time, world.random) });
      // What a Host runs, it says again to a publisher that it starts over with.
      const host = world.host('h1');
      host.say('server', SERVER, 0, { status: 'active' });
      await world.startBottom();
      await world.until(() => host.cursor().generation === world.journal.store.generation);
    };

    it('tells its host of what that runs, and of nothing that is gone from it', async () => {
      await startOlderCopy();
      const host = world.host('h1');
      await world.until(() => host.has('server', SERVER) && host.slice.orphans().length === 0);
      await world.time.advance(60_000);
      expect([...host.running]).toEqual([SERVER]);

      world.topLink.heal();
      await world.until(() => world.slice.get('server', uuid('server', 2)) === undefined);
      await world.quiet();
      expect([...host.running]).toEqual([SERVER]);
      expect(host.deletes).not.toContain(`server/${SERVER}`);
      expect(world.running.site.room('h1')?.free.vcpus).toBe(7);
    });

    it('tells its host of what the Top still wants, though nobody runs it', async () => {
      await startOlderCopy();
      world.commit(server(2), port(2, 1));
      world.topLink.heal();
      await world.until(() => world.host('h1').running.has(uuid('server', 2)));
      await world.quiet();
    });

    it('and is killed meanwhile tells its host of nothing more, and takes nothing away', async () => {
      await startOlderCopy();
      const host = world.host('h1');
      await world.until(() => host.has('server', SERVER));
      await world.stopBottom();
      await world.startBottom();
      await world.time.advance(60_000);
      expect([...host.running]).toEqual([SERVER]);
      expect(host.deletes).not.toContain(`server/${SERVER}`);
    });
  });

  describe('whose journal is an older copy', () => {
    it('begins a new one, publishes whole, and takes nothing from its hosts', async () => {
      await world.start('h1');
      world.commit(network(1), server(1), port(1, 1));
      await world.quiet();
      const { generation } = world.journal.store;
      await world.stopBottom();
      const copy = new MemoryFactStore({ generation });
      copy.commit({ position: 1, digest: 'older', changes: [] });
      world.journal = new Journal(copy, world.time, world.random);
      await world.startBottom();
      await world.until(() => copy.generation > generation);
      await world.until(() => world.host('h1').cursor().generation === copy.generation);
      await world.quiet();
      expect(world.host('h1').has('server', SERVER)).toBe(true);
      expect(world.host('h1').slice.orphans()).toEqual([]);
      expect(deletes()).toEqual([]);
    });

    it('tells of the servers on their way out again', async () => {
      await world.start('h1');
      world.host('h1').stops = false;
      world.commit(network(1), server(1), port(1, 1));
      await world.until(isActive(1));
      world.commit(remove('server', 1));
      await world.quiet();
      world.host('h1').stops = true;
      world.running.site.diverged('h1', { generation: world.journal.store.generation, position: 999 });
      await world.until(() => world.value('server', SERVER)?.status === 'gone');
    });

    it('tells a host that lost its state of the servers on their way out again', async () => {
      await world.start('h1');
      const host = world.host('h1');
      host.stops = false;
      world.commit(network(1), server(1), port(1, 1));
      await world.until(isActive(1));
      world.commit(remove('server', 1));
      await world.quiet();
      await host.follower?.stop();
      const { name, key } = host;
      const again = new FakeHost(
        name,
        memoryLink(() => world.bottom?.publisher, world.parts),
        key,
        world.time,
      );
      world.hosts.splice(0, 1, again);
      world.startHost(again);
      await world.until(() => world.value('server', SERVER)?.status === 'gone');
    });
  });

  describe('whose Top starts over', () => {
    it('with the same facts, publishes nothing', async () => {
      await world.start('h1');
      world.commit(network(1), server(1), port(1, 1), port(9, 1, 9));
      await world.quiet();
      const before = head();
      world.top.close();
      world.startTop(new MemoryFactStore({ generation: 2 }));
      world.commit(network(1), server(1), port(1, 1), port(9, 1, 9));
      await world.until(() => world.slice.cursor().generation === 2);
      await world.quiet();
      expect(head()).toBe(before);
    });

    it('with nothing, leaves alone what runs, and names it', async () => {
      await world.start('h1', 'h2');
      world.commit(network(1), server(1), port(1, 1), port(9, 1, 9), binding(9, 'tokyo-1'), network(2));
      await world.quiet();
      world.top.close();
      world.startTop(new MemoryFactStore({ generation: 2 }));
      world.commit(network(7));
      await world.until(() => world.slice.cursor().generation === 2);
      await world.quiet();
      // What only forwards follows the facts; what holds state stays.
      expect(deletes().sort()).toEqual([`binding/${uuid('port', 9)}`, `port/${uuid('port', 9)}`]);
      expect(
        world
          .host('h1')
          .facts()
          .map(({ kind }) => kind)
          .sort(),
      ).toEqual(['binding', 'network', 'port', 'server']);
      expect(world.running.site.status().orphans).toEqual([SERVER]);
      // A restart neither forgets them nor takes them away.
      const before = head();
      await world.stopBottom();
      await world.startBottom();
      await world.time.advance(3000);
      expect(head()).toBe(before);
      // An explicit deletion is one.
      world.commit(server(1), network(1), port(1, 1));
      world.commit(remove('server', 1));
      await world.until(() => world.value('server', SERVER)?.status === 'gone');
    });
  });

  describe('when its Top errs', () => {
    /** Answers the first `spoilt` calls for facts in its own way. */
    class ErringTop implements Transport {
      calls = 0;
      constructor(
        private readonly inner: Transport,
        private readonly spoil: (handlers: FactsHandlers) => FactsHandle,
      ) {}
      openFacts(...[request, handlers]: Parameters<Transport['openFacts']>): FactsHandle {
        return this.calls++ < 3 ? this.spoil(handlers) : this.inner.openFacts(request, handlers);
      }
      post(...given: Parameters<Transport['post']>): ReturnType<Transport['post']> {
        return this.inner.post(...given);
      }
      close(): void {
        this.inner.close();
      }
    }
    const nothing = { pause: () => undefined, resume: () => undefined, close: () => undefined };
    const refuses = (status: number, body: unknown) => (handlers: FactsHandlers) => {
      queueMicrotask(() => handlers.onEnd({ reason: 'refused', status, body }));
      return nothing;
    };
    const writes =
      (...lines: readonly string[]) =>
      (handlers: FactsHandlers) => {
        queueMicrotask(() => {
          for (const line of lines) handlers.onChunk(line);
          handlers.onEnd({ reason: 'ended' });
        });
        return nothing;
      };
    const hello = `${JSON.stringify({ type: 'hello', protocol: 1, publisher: 'top', generation: 1 })}\n`;
    const mark = (more: object) =>
      `${JSON.stringify({ type: 'mark', position: 3, previous: 3, count: 0, digest: '1-3', ...more })}\n`;
    const erased = `${JSON.stringify({ type: 'delete', kind: 'server', id: SERVER, position: 6 })}\n`;

    it.each<[string, (handlers: FactsHandlers) => FactsHandle]>([
      ['an unknown key (401)', refuses(401, {})],
      ['a forbidden key (403)', refuses(403, {})],
      ['another digest (409)', refuses(409, { reason: 'digest', generation: 1, position: 3 })],
      ['an older generation (409)', refuses(409, { reason: 'generation', generation: 0, position: 3 })],
      ['an order to start over (409)', refuses(409, { reason: 'generation', generation: 1, position: 3 })],
      ['its own failure (500)', refuses(500, 'oops')],
      ['silence', () => nothing],
      ['an end without a word', writes()],
      ['an empty slice', writes(hello, mark({ caughtUp: true }))],
      ['an empty slice from the start', writes(hello, mark({ previous: 0, caughtUp: true }))],
      ['half a page', writes(hello, erased)],
      ['half a line', writes(hello, erased.slice(0, 40))],
      ['a page that lacks a line', writes(hello, erased, mark({ position: 6, count: 2, digest: '1-6' }))],
      [
        'renamed fields',
        writes(hello, erased.replace('"id"', '"uuid"'), mark({ position: 6, count: 1, digest: '1-6' })),
      ],
      ['something else', writes('<html>')],
    ])('by %s, plans no deletion and goes on afterwards', async (_, spoil) => {
      await world.start('h1');
      world.commit(network(1), server(1), port(1, 1));
      await world.quiet();
      const before = world.host('h1').facts();
      await world.stopBottom();
      const transport = new ErringTop(world.topLink, spoil);
      await world.startBottom({ transport });
      await world.until(() => transport.calls >= 3);
      expect(world.host('h1').facts()).toEqual(before);
      world.commit(port(2, 1, 9));
      await world.until(() => world.host('h1').has('port', uuid('port', 2)));
      expect(deletes()).toEqual([]);
      expect(world.host('h1').running).toEqual(new Set([SERVER]));
    });

    it('by a fact with renamed fields, keeps what it had of it', async () => {
      await world.start('h1');
      world.commit(network(1), server(1), port(1, 1));
      await world.quiet();
      const before = head();
      world.commit({ op: 'upsert', kind: 'server', id: SERVER, body: { id: SERVER, title: 'renamed' } });
      await world.quiet();
      await world.stopBottom();
      await world.startBottom();
      await world.quiet();
      expect(head()).toBe(before);
      expect(world.warnings).toContain('A fact is malformed and is passed over');
    });

    it('or is ahead of it, keeps facts of an unknown kind and reports them', async () => {
      await world.start('h1');
      world.commit({ op: 'upsert', kind: 'firewall', id: 'f1', body: {} }, network(1), server(1), port(1, 1));
      await world.until(isActive(1));
      expect(world.slice.get('firewall', 'f1')).toBeDefined();
      expect(world.running.site.status().unknownKinds).toEqual(['firewall']);
    });
  });

  describe('and who wants to be its host', () => {
    it('takes a name once, and the same host as often as it asks', async () => {
      await world.start('h1');
      await expect(world.join('h1', world.host('h1').key)).resolves.toMatchObject({ id: 'h1' });
      await expect(world.join('h1', makeKey(world.random))).rejects.toMatchObject({ reason: 'forbidden' });
      await expect(world.join('h2', world.host('h1').key)).rejects.toMatchObject({ reason: 'forbidden' });
      world.records.removeHost('h1');
      await world.stopBottom();
      await world.startBottom();
      await expect(world.join('h1', makeKey(world.random))).resolves.toMatchObject({ id: 'h1' });
    });

    it('refuses another token, and a name that is none', async () => {
      await world.start();
      await expect(world.join('h1', makeKey(world.random), 'guess')).rejects.toMatchObject({ reason: 'forbidden' });
      await expect(world.join('../h1', makeKey(world.random))).rejects.toMatchObject({ reason: 'invalid' });
    });

    it('names an instance that nobody asked for, and leaves it alone', async () => {
      await world.start('h1');
      world.host('h1').say('server', uuid('server', 77), 1, { status: 'active' });
      await world.until(() => world.running.site.status().orphans.length > 0);
      expect(world.running.site.status().orphans).toEqual([uuid('server', 77)]);
      expect(world.last('server', uuid('server', 77))).toBeUndefined();
      expect(deletes()).toEqual([]);
    });

    it('places anew what was on a host that the operator removed', async () => {
      await world.start('h1', 'h2');
      world.commit(network(1), server(1), port(1, 1));
      await world.until(isActive(1));
      await world.stopBottom();
      await world.host('h1').follower?.stop();
      world.records.removeHost('h1');
      world.journal.store.remove('h1');
      await world.startBottom();
      await world.until(() => world.value('server', SERVER)?.host === 'h2');
      expect(world.value('capacity', 'a')).toEqual({ vcpus: 8, ramMb: 16_384, diskGb: 100 });
    });
  });

  describe('asked by the Top', () => {
    const ask = (kind: string, body: unknown) => world.settle(world.top.query(SITE, kind, body, 1000));

    it('has a command run on the server’s host', async () => {
      await world.start('h1');
      world.commit(network(1), server(1), port(1, 1));
      await world.until(isActive(1));
      const body = { server: SERVER, command: ['ip', 'addr'], timeoutMs: 1000 };
      await expect(ask('exec', body)).resolves.toEqual({ host: 'h1', kind: 'exec', body });
    });

    it('says why it cannot', async () => {
      await world.start('h1');
      await expect(ask('exec', { server: SERVER, command: ['true'] })).rejects.toMatchObject({ reason: 'not-found' });
      await expect(ask('exec', { server: 'x', command: [] })).rejects.toMatchObject({ reason: 'invalid' });
      await expect(ask('dance', {})).rejects.toMatchObject({
        reason: 'invalid',
        message: "A Bottom does not answer questions of kind 'dance'.",
      });
    });

    it('lists its hosts with what is free, and no secret', async () => {
      await world.start('h1');
      world.commit(network(1), server(1), port(1, 1));
      await world.until(isActive(1));
      const answer = await ask('hosts', {});
      expect(answer).toMatchObject({
        hosts: [
          { name: 'h1', reachability: 'reachable', connected: true, zone: 'a', free: { vcpus: 7, ramMb: 16_256 } },
        ],
      });
      expect(JSON.stringify(answer)).not.toContain(world.records.hosts()[0]?.keyHash ?? '');
    });
  });
});
