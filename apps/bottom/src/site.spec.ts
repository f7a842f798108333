import { inspect } from 'node:util';
import fc from 'fast-check';
import { canonicalJson, silentLogger, type Ip, type Mac } from '@weir/kernel';
import { Journal, type FactLine, type PublishedChange } from '@weir/cascade';
import { seededRandom } from '@weir/cascade/contract';
import { MemoryFactStore, MemorySlice } from '@weir/cascade/memory';
import { hostPlacement, Span, type FactBody, type FactChange, type FactKind, type SpanChange } from '@weir/topology';
import { VirtualTime } from '@weir/testing/time';
import { Hosts } from './hosts';
import { MemorySiteRecords } from './memory-records';
import type { HostConfig } from './records';
import { Site, STATE_HOLDING } from './site';

const HOSTS = ['h1', 'h2', 'h3'];
const KINDS = ['network', 'port', 'server'] as const;
const uuid = (kind: (typeof KINDS)[number], n: number) =>
  `00000000-0000-4000-8000-${KINDS.indexOf(kind)}${String(n).padStart(11, '0')}`;
const id = (kind: (typeof KINDS)[number], n: number) => uuid(kind, n) as never;

const bodies = {
  network: (n: number): FactBody<'network'> => ({
    id: id('network', n),
    project: 'blue',
    name: '',
    mtu: 1450,
    segment: { type: 'vxlan', key: 10_000 + n },
  }),
  port: (n: number): FactBody<'port'> => ({
    id: id('port', n),
    network: id('network', n % 3),
    project: 'blue',
    name: '',
    mac: 'fa:16:3e:00:00:01' as Mac,
    fixedIps: [],
    adminStateUp: true,
    portSecurity: true,
    server: id('server', n),
  }),
  server: (n: number): FactBody<'server'> => ({
    id: id('server', n),
    project: 'blue',
    name: '',
    site: id('network', 9),
    zone: n % 4 === 0 ? 'b' : 'a',
    vcpus: 1 + (n % 3),
    ramMb: 128,
    diskGb: 0,
    image: '',
    ports: [id('port', n)],
    power: 'on',
  }),
  binding: (n: number): FactBody<'binding'> => ({
    port: id('port', n),
    host: 'far',
    endpoint: '203.0.113.1' as Ip,
  }),
};
const config = (host: string): HostConfig => ({
  zone: host === 'h3' ? 'b' : 'a',
  vcpus: 4,
  ramMb: 1024,
  diskGb: 0,
  hypervisor: 'namespace',
  endpoint: `198.51.100.${10 + HOSTS.indexOf(host)}` as Ip,
});

class Broken extends Error {}

/** Stores that fail when told to, before or after they have written: what a full disk or a kill does. */
class Failures {
  private left = Infinity;
  private after = false;

  next(calls: number, after: boolean): void {
    this.left = calls;
    this.after = after;
  }

  over<T extends object>(store: T, ...methods: readonly (keyof T)[]): T {
    return new Proxy(store, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        const call = (...given: unknown[]): unknown => Reflect.apply(value, target, given);
        return methods.includes(name as keyof T) ? (...given: unknown[]) => this.run(() => call(...given)) : call;
      },
    });
  }

  private run(write: () => unknown): unknown {
    const fails = --this.left === 0;
    if (fails && !this.after) throw new Broken();
    const answer = write();
    if (fails) throw new Broken();
    return answer;
  }
}

/** A site on failing stores, and everything that it ever published. */
class Rig {
  readonly time = new VirtualTime();
  readonly failures = new Failures();
  readonly published: PublishedChange[] = [];
  readonly tombstones = new Set<string>();
  readonly slice = new MemorySlice({ stateHolding: STATE_HOLDING });
  readonly store = new MemoryFactStore({ generation: 1 });
  readonly records = new MemorySiteRecords();
  private readonly random = seededRandom(1);
  private hosts: Hosts | undefined;
  private site: Site | undefined;
  private position = 0;

  /** Does it, and does it again where it failed: as followers and hosts do. */
  async certainly(what: (site: Site) => void | Promise<void>): Promise<void> {
    for (let tries = 0; tries < 5; tries++) {
      try {
        this.site ??= await this.start();
        await what(this.site);
        return;
      } catch (error) {
        if (!(error instanceof Broken)) throw error;
      }
    }
    throw new Error('It never worked.');
  }

  restart(): void {
    this.site = undefined;
  }

  batch(lines: readonly (FactChange & { readonly op: 'upsert' | 'delete' })[]): Promise<void> {
    const facts: FactLine[] = lines.map((change) => {
      const { kind, id: which } = change;
      const position = ++this.position;
      if (change.op === 'delete') return { type: 'delete', kind, id: which, position };
      return { type: 'upsert', kind, id: which, position, body: change.body };
    });
    for (const { type, kind, id: which } of facts) if (type === 'delete') this.tombstones.add(`${kind}/${which}`);
    const mark = { position: ++this.position, digest: `${this.position}`, generation: 1, caughtUp: false };
    return this.certainly((site) => {
      if (this.slice.cursor().generation === 0) this.slice.newGeneration(1);
      return site.cursor().position < mark.position ? site.apply(facts, mark) : undefined;
    });
  }

  report(host: string, observations: readonly { kind: string; id: string; value: object }[]): Promise<void> {
    const { position, digest } = this.store.head();
    const at = new Date(this.time.now()).toISOString();
    return this.certainly((site) => {
      site.reported(host, {
        cursor: { position, digest },
        settled: position,
        observations: observations.map((one) => ({ ...one, position, at })),
      });
    });
  }

  running(host: string): string[] {
    return this.store
      .live(host)
      .filter(({ kind }) => kind === 'server')
      .map((line) => line.id);
  }

  /** What every host has, and what it should have by the definition of the span. */
  slices(): { readonly are: string[]; readonly should: string[] } {
    const endpoints = new Map(this.records.hosts().map(({ name, said }) => [name, said?.endpoint]));
    const places = new Map<string, string>(this.records.placements().map(({ server, host }) => [server, host]));
    const facts = this.slice.facts();
    const own = new Set<string>(facts.filter(({ kind }) => kind === 'server').map((fact) => fact.id));
    const changes: SpanChange[] = [];
    const told = new Map(facts.filter(({ kind }) => kind === 'binding').map((fact) => [fact.id, fact.body]));
    for (const { kind, id: which, body } of facts) {
      if (kind !== 'binding') changes.push({ op: 'upsert', kind, id: which, body } as unknown as FactChange);
      if (kind !== 'port') continue;
      const { server } = body as FactBody<'port'>;
      const host = places.get(server);
      if (host !== undefined) told.set(which, { port: which, host, endpoint: endpoints.get(host) });
      else if (own.has(server)) told.delete(which);
    }
    for (const [port, body] of told) {
      changes.push({ op: 'upsert', kind: 'binding', id: port, body } as unknown as FactChange);
    }
    for (const [server, place] of places) changes.push({ op: 'place', server: server as never, place });
    const text = (place: string, kind: string, which: string, body: unknown) =>
      `${place} ${kind} ${which} ${canonicalJson(body)}`;
    return {
      are: HOSTS.flatMap((host) =>
        this.store
          .live(host)
          .map((line) => text(host, line.kind, line.id, line.type === 'upsert' ? line.body : undefined)),
      ).sort(),
      should: new Span(hostPlacement)
        .apply(changes)
        .map((change) => text(change.place, change.kind, change.id, change.op === 'upsert' ? change.body : undefined))
        .sort(),
    };
  }

  private async start(): Promise<Site> {
    const { time, failures, random } = this;
    const records = failures.over(
      this.records,
      'putPlacement',
      'putDeparting',
      'putGone',
      'removePlacement',
      'putHost',
    );
    const store = failures.over(this.store, 'commit');
    const journal = new Journal(store, time, random);
    const append = journal.append.bind(journal);
    journal.append = (changes) => {
      this.published.push(...changes);
      return append(changes);
    };
    this.hosts = new Hosts({ records, token: 't', generation: () => 1, clock: time });
    for (const name of HOSTS) await this.hosts.join({ token: 't', name, key: `${name}-key`.padEnd(43, '0') });
    return new Site({
      name: () => 'paris',
      slice: failures.over(this.slice, 'apply'),
      journal,
      records,
      hosts: this.hosts,
      clock: time,
      logger: silentLogger,
      recovering: false,
      outlets: {
        published: () => undefined,
        startedOver: () => undefined,
        observed: () => undefined,
        settled: () => undefined,
      },
    });
  }
}

const small = fc.integer({ min: 0, max: 7 });
const fact = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constantFrom('network', 'port', 'server', 'binding'), small) },
  { weight: 6, arbitrary: fc.tuple(fc.constantFrom('port', 'server'), small) },
);
const change = fc.tuple(fact, fc.integer({ min: 0, max: 3 })).map(([[kind, n], luck]): FactChange => {
  const which = kind === 'network' ? uuid('network', n % 3) : uuid(kind === 'server' ? 'server' : 'port', n);
  if (luck === 0) return { op: 'delete', kind: kind as FactKind, id: which };
  return {
    op: 'upsert',
    kind,
    id: which,
    body: bodies[kind as 'network'](kind === 'network' ? n % 3 : n),
  } as FactChange;
});
const step = fc.oneof(
  { weight: 5, arbitrary: fc.array(change, { minLength: 1, maxLength: 4 }).map((batch) => ({ batch })) },
  { weight: 3, arbitrary: fc.constantFrom(...HOSTS).map((hello) => ({ hello })) },
  { weight: 3, arbitrary: fc.constantFrom(...HOSTS).map((stops) => ({ stops })) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom(...HOSTS), fc.boolean()).map(([turns, to]) => ({ turns, to })) },
  { weight: 1, arbitrary: fc.constant({ restart: true }) },
  { weight: 2, arbitrary: fc.tuple(fc.integer({ min: 1, max: 6 }), fc.boolean()).map((fails) => ({ fails })) },
);

function inOrder(changes: readonly PublishedChange[]): readonly PublishedChange[] {
  const key = ({ follower, kind, id: which }: PublishedChange) => `${follower}\n${kind}\n${which}`;
  return [...changes].sort((one, other) => (key(one) < key(other) ? -1 : 1));
}

describe('a site', () => {
  it('has the right slices after any history of facts, reports, failures and restarts, and never takes or moves a server by itself', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (steps) => {
        const rig = new Rig();
        /** Where the hosts hold something: until the Top deleted it and the host said gone. */
        const held = new Map<string, string>();
        for (const one of steps) {
          if ('batch' in one) await rig.batch(one.batch);
          else if ('hello' in one)
            await rig.report(one.hello, [{ kind: 'host', id: one.hello, value: config(one.hello) }]);
          else if ('turns' in one) {
            await rig.certainly((site) => site.reachability(one.turns, one.to, 0));
          } else if ('stops' in one) {
            const stopped = [...held].filter(
              ([server, host]) => host === one.stops && !rig.running(host).includes(server),
            );
            for (const [server] of stopped) {
              held.delete(server);
              await rig.report(one.stops, [{ kind: 'server', id: server, value: { status: 'gone' } }]);
            }
          } else if ('fails' in one) rig.failures.next(...one.fails);
          else rig.restart();
          for (const host of HOSTS) {
            for (const server of rig.running(host)) {
              expect([server, held.get(server) ?? host]).toEqual([server, host]);
              held.set(server, host);
            }
          }
        }
        rig.failures.next(Infinity, false);
        await rig.certainly((site) => site.reachability('h1', true, 0));
        // Who is to go goes, and leaves nothing behind; a host answers the tombstone also of what it never made.
        const departing = rig.records.departing();
        const placed = rig.records.placements().filter(({ server }) => departing.has(server));
        for (const [server, host] of [...held, ...placed.map(({ server, host }) => [server, host] as const)]) {
          if (rig.running(host).includes(server)) continue;
          await rig.report(host, [{ kind: 'server', id: server, value: { status: 'gone' } }]);
        }
        expect(rig.records.departing().size).toBe(0);
        for (const { server } of rig.records.placements()) expect(rig.slice.get('server', server)).toBeDefined();
        const { are, should } = rig.slices();
        expect(are).toEqual(should);
        for (const { op, kind, id: which } of rig.published) {
          if (op === 'delete' && kind === 'server') expect(rig.tombstones).toContain(`server/${which}`);
        }
        const room = new Map(HOSTS.map((host) => [host, config(host).vcpus]));
        for (const { host, takes } of rig.records.placements()) room.set(host, (room.get(host) ?? 0) - takes.vcpus);
        expect([...room.values()].filter((left) => left < 0)).toEqual([]);
        rig.records.close();
      }),
      { numRuns: 250 },
    );
  });

  it('foresees what facts would lead to, and is then as if nobody had asked', async () => {
    const calm = step.filter((one) => !('fails' in one));
    await fc.assert(
      fc.asyncProperty(fc.array(calm, { maxLength: 25, size: 'max' }), async (steps) => {
        const rig = new Rig();
        for (const host of HOSTS) await rig.certainly((site) => site.reachability(host, true, 0));
        for (const one of steps) {
          if ('hello' in one) await rig.report(one.hello, [{ kind: 'host', id: one.hello, value: config(one.hello) }]);
          else if ('turns' in one) await rig.certainly((site) => site.reachability(one.turns, one.to, 0));
          else if ('restart' in one) rig.restart();
          else if ('batch' in one) {
            const changes = [...new Map(one.batch.map((line) => [`${line.kind}/${line.id}`, line])).values()];
            let plan: ReturnType<Site['preview']> | undefined;
            await rig.certainly((site) => {
              const whole = () => inspect(site, { depth: 8, maxArrayLength: Infinity });
              const before = whole();
              plan = site.preview(changes);
              expect(whole()).toBe(before);
            });
            const placed = new Set(rig.records.placements().map(({ server }) => server));
            rig.published.length = 0;
            await rig.batch(changes);
            const told = [...(plan?.hosts ?? [])].flatMap(([follower, facts]) =>
              facts.map((line) => ({ follower, ...line })),
            );
            expect(inOrder(told)).toEqual(inOrder(rig.published));
            const places = rig.records.placements().filter(({ server }) => !placed.has(server));
            const foreseen = Object.entries(plan?.placements ?? {}).filter(([, where]) => 'host' in where);
            expect(foreseen.sort()).toEqual(places.map(({ server, host }) => [server, { host }]).sort());
          }
        }
        rig.records.close();
      }),
      { numRuns: 60 },
    );
  }, 30_000);
});
