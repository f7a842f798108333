import { inspect } from 'node:util';
import { MemoryFactStore } from '@weir/cascade/memory';
import { type DomainEvent, encodeEvent } from '@weir/domain';
import { type RecordedEvent } from '@weir/event-store';
import { MemoryEventStore } from '@weir/event-store/memory';
import { type Id, type Ip, type Mac, silentLogger, unavailable, WeirError } from '@weir/kernel';
import { cidr, idOf, ip, mac, seededRandom } from '@weir/testing/domain';
import { VirtualTime } from '@weir/testing/time';
import type { FactChange } from '@weir/topology';
import fc from 'fast-check';
import { Previews } from './preview';
import { SitePublication } from './publication';

type Logged = DomainEvent & { readonly stream: string };
const on = (stream: string, event: DomainEvent): Logged => ({ stream, ...event });
const SITES = ['paris', 'tokyo'] as const;
const siteId = (n: number) => idOf('site', n + 1);

function networkCreated(n: number): Logged {
  return on(`network-${idOf('network', n)}`, {
    type: 'NetworkCreated',
    data: {
      ...{ name: `net${n}`, description: '', adminStateUp: true, portSecurityEnabled: true, mtu: 1450 },
      ...{ projectId: idOf('project'), segment: { type: 'vxlan', key: 10_000 + n }, availabilityZoneHints: [] },
    },
  });
}

function subnetAdded(n: number): Logged {
  return on(`network-${idOf('network', n)}`, {
    type: 'SubnetAdded',
    data: {
      ...{ subnetId: idOf('subnet', n), projectId: idOf('project'), name: '', description: '' },
      ...{ cidr: cidr(`10.1.${n}.0/24`), gatewayIp: ip(`10.1.${n}.1`), allocationPools: [], enableDhcp: true },
      ...{ dnsNameservers: [], hostRoutes: [], serverIp: ip(`10.1.${n}.1`), serverMac: mac(`fa:16:3e:00:00:0${n}`) },
    },
  });
}

function serverRequested(n: number, site: number): Logged {
  return on(`server-${idOf('server', n)}`, {
    type: 'ServerRequested',
    data: {
      ...{ projectId: idOf('project'), userId: idOf('user'), name: 'web', imageId: 'weir-instance' },
      ...{ flavor: { id: '1', name: 'weir.tiny', vcpus: 1, ramMb: 128, diskGb: 1 }, siteId: siteId(site), zone: 'a' },
      ...{ availabilityZone: 'paris:a', metadata: {} },
      ports: [{ portId: idOf('port', n), networkId: idOf('network', n % 3), own: true }],
    },
  });
}

function portCreated(n: number, network: number): Logged {
  return on(`port-${idOf('port', n)}`, {
    type: 'PortCreated',
    data: {
      ...{ name: '', description: '', adminStateUp: true, portSecurityEnabled: true },
      ...{ networkId: idOf('network', network), projectId: idOf('project'), mac: `fa:16:3e:00:01:0${n}` as Mac },
      fixedIps: [{ subnetId: idOf('subnet', network), ip: `10.1.${network}.${10 + n}` as Ip }],
      ...{ deviceId: idOf('server', n), deviceOwner: 'compute:paris:a' },
    },
  });
}

const few = fc.nat(3);
const network = fc.nat(2);
/** Events in whatever order, also where no command would have led to them. */
const anyEvent: fc.Arbitrary<Logged> = fc.oneof(
  network.map(networkCreated),
  network.map((n) => on(`network-${idOf('network', n)}`, { type: 'NetworkUpdated', data: { name: 'other' } })),
  network.map((n) => on(`network-${idOf('network', n)}`, { type: 'NetworkDeleted', data: {} })),
  network.map(subnetAdded),
  network.map((n) =>
    on(`network-${idOf('network', n)}`, { type: 'SubnetRemoved', data: { subnetId: idOf('subnet', n) } }),
  ),
  fc.constant(
    on(`router-${idOf('router')}`, {
      type: 'RouterCreated',
      data: {
        ...{ name: 'r', description: '', adminStateUp: true, routes: [], projectId: idOf('project') },
        ...{ distributed: true, availabilityZoneHints: [] },
      },
    }),
  ),
  network.map((n) =>
    on(`router-${idOf('router')}`, {
      type: 'RouterInterfaceAdded',
      data: {
        ...{ portId: idOf('port', 90 + n), networkId: idOf('network', n), subnetId: idOf('subnet', n) },
        ...{ cidr: cidr(`10.1.${n}.0/24`), ip: ip(`10.1.${n}.1`), mac: mac(`fa:16:3e:00:00:0${n}`) },
      },
    }),
  ),
  network.map((n) =>
    on(`router-${idOf('router')}`, {
      type: 'RouterInterfaceRemoved',
      data: { portId: idOf('port', 90 + n), networkId: idOf('network', n), subnetId: idOf('subnet', n) },
    }),
  ),
  fc.tuple(few, fc.nat(1)).map(([n, site]) => serverRequested(n, site)),
  fc.tuple(few, network).map(([n, where]) => portCreated(n, where)),
  few.map((n) => on(`port-${idOf('port', n)}`, { type: 'PortUpdated', data: { adminStateUp: n % 2 === 0 } })),
  few.map((n) =>
    on(`port-${idOf('port', n)}`, {
      type: 'PortBound',
      data: { siteId: siteId(n % 2), host: `h${n}`, endpoint: ip(`198.51.100.${n}`) },
    }),
  ),
  few.map((n) => on(`port-${idOf('port', n)}`, { type: 'PortDeleting', data: {} })),
  few.map((n) => on(`port-${idOf('port', n)}`, { type: 'PortDeleted', data: {} })),
  few.map((n) => on(`server-${idOf('server', n)}`, { type: 'ServerDeleting', data: {} })),
  few.map((n) => on(`server-${idOf('server', n)}`, { type: 'ServerDeleted', data: {} })),
);

type Ask = (site: string, changes: readonly FactChange[]) => Promise<unknown>;
const NOBODY: Ask = (site) => Promise.reject(unavailable(`${site} is not connected.`));

/** A Top's publication over a log in memory. */
class World {
  readonly time = new VirtualTime();
  readonly store = new MemoryEventStore();
  readonly facts = new MemoryFactStore({ generation: 1 });
  readonly asked: string[] = [];
  ask = NOBODY;
  readonly publication = new SitePublication(
    this.store,
    this.facts,
    silentLogger,
    this.time,
    () => undefined,
    () => Promise.resolve(),
    (error) => {
      throw error;
    },
  );
  readonly previews = new Previews({
    head: () => this.store.head(),
    publication: this.publication,
    publisher: {
      query: (site, kind, body, timeoutMs) => {
        const name = this.nameOf(site);
        this.asked.push(`${kind} ${name} ${timeoutMs}`);
        return this.ask(name, (body as { readonly changes: readonly FactChange[] }).changes);
      },
    },
    clock: this.time,
    timers: this.time,
    nameOf: (site) => this.nameOf(site),
  });
  private readonly random = seededRandom(3);
  private readonly revisions = new Map<string, number>();

  async append(events: readonly Logged[]): Promise<readonly RecordedEvent[]> {
    const metadata = { correlation: 'r', causation: 'r', actor: 'a', time: '2026-01-01T00:00:00.000Z' };
    const recorded: RecordedEvent[] = [];
    for (const { stream, ...event } of events) {
      const expected = this.revisions.get(stream) ?? -1;
      this.revisions.set(stream, expected + 1);
      const encoded = { id: this.random.uuid(), ...encodeEvent(event), metadata };
      recorded.push(...(await this.store.append({ writes: [{ stream, expected, events: [encoded] }] })).events);
    }
    await this.publication.reached(await this.store.head());
    return recorded;
  }

  /** What a site that is up to date is told after a position. */
  told(position: number): Readonly<Record<string, readonly FactChange[]>> {
    const lines = SITES.map((name, n) => [name, this.facts.after(siteId(n), position, Infinity)] as const);
    return Object.fromEntries(
      lines
        .filter(([, facts]) => facts.length > 0)
        .map(([name, facts]) => [
          name,
          facts.map(({ kind, id, ...line }) =>
            line.type === 'delete' ? { op: 'delete', kind, id } : { op: 'upsert', kind, id, body: line.body },
          ) as unknown as FactChange[],
        ]),
    );
  }

  private nameOf(site: string): string {
    return SITES[SITES.findIndex((_, n) => siteId(n) === site)] ?? site;
  }
}

const port = (id: number): Id<'port'> => idOf('port', id);

/** A network that both sites are in, with a server at each. */
const BLUE = [0, 1].flatMap((n) => [serverRequested(n * 3, n), portCreated(n * 3, 0)]);
const spanned = [networkCreated(0), subnetAdded(0), ...BLUE];

describe('a preview at the Top', () => {
  it('tells what the sites are then told, and is as if it had not been asked for', async () => {
    const histories = fc.tuple(fc.array(anyEvent, { maxLength: 30 }), fc.array(anyEvent, { maxLength: 6 }));
    await fc.assert(
      fc.asyncProperty(histories, async ([before, events]) => {
        const [world, twin] = [new World(), new World()];
        for (const one of [world, twin]) {
          await one.publication.start();
          await one.append(before);
        }
        const head = await world.store.head();
        const preview = await world.previews.of(events);
        // Its deadline, which stays in the list of timers.
        await twin.previews.of([]);
        const whole = ({ publication }: World) => inspect(publication, { depth: 12, maxArrayLength: Infinity });
        expect(whole(world)).toBe(whole(twin));
        for (const one of [world, twin]) await one.append(events);
        expect(world.told(head)).toEqual(preview.facts);
        expect(twin.told(head)).toEqual(preview.facts);
        for (const one of [world, twin]) one.publication.stop();
      }),
      { numRuns: 40 },
    );
  }, 30_000);

  describe('of a server in a network at two sites', () => {
    let world: World;
    beforeEach(async () => {
      world = new World();
      await world.publication.start();
      await world.append(spanned);
    });
    afterEach(() => world.publication.stop());
    const server = [serverRequested(2, 0), portCreated(2, 0)];
    const answer = (given: object = {}) => ({ hosts: {}, placements: {}, bindings: [], ...given });

    it('asks all sites at once, and names those that do not answer', async () => {
      const preview = await world.previews.of(server);
      expect(world.asked).toEqual(['preview paris 1500', 'preview tokyo 1500']);
      expect(preview.flows).toEqual({
        paris: { unknown: 'paris is not connected.' },
        tokyo: { unknown: 'tokyo is not connected.' },
      });
      expect(preview.withoutBindingsOf).toEqual(['paris', 'tokyo']);
    });

    it('tells the others where a site would put its port, and asks them again', async () => {
      const questions: unknown[] = [];
      world.ask = (site, changes) => {
        questions.push([site, changes.map(({ op, kind }) => `${op} ${kind}`)]);
        const bindings = [{ port: port(2), host: 'paris-1', endpoint: '198.51.100.1' }];
        return Promise.resolve(site === 'paris' ? answer({ bindings }) : answer());
      };
      const preview = await world.previews.of(server);
      expect(questions).toEqual([
        ['paris', ['upsert server', 'upsert port']],
        ['tokyo', ['upsert port']],
        ['tokyo', ['upsert port', 'upsert binding']],
      ]);
      expect(Object.keys(preview.facts)).toEqual(['paris', 'tokyo']);
      expect(preview.bindings).toEqual({
        tokyo: [
          {
            ...{ op: 'upsert', kind: 'binding', id: port(2) },
            body: { port: port(2), host: 'paris-1', endpoint: '198.51.100.1' },
          },
        ],
      });
      expect(preview.withoutBindingsOf).toEqual([]);
    });

    it('leaves a second round what the first has not taken, of one budget', async () => {
      const bindings = [{ port: port(2), host: 'paris-1', endpoint: '198.51.100.1' }];
      world.ask = async (site) => {
        if (site === 'tokyo') return answer();
        await world.time.sleep(1399.5);
        return answer({ bindings });
      };
      const preview = world.previews.of(server);
      await world.time.advance(1400);
      await preview;
      expect(world.asked).toEqual(['preview paris 1500', 'preview tokyo 1500', 'preview tokyo 600']);
    });

    it.each([
      ['another form than agreed', () => Promise.resolve({ hosts: [] }), 'in another form than agreed'],
      [
        'an answer too large',
        () => Promise.reject(new WeirError('too-large', 'The answer is too large.')),
        'too large',
      ],
    ])('takes %s for no answer', async (_, ask, reason) => {
      world.ask = ask;
      const { flows } = await world.previews.of(server);
      expect(flows['paris']).toEqual({ unknown: expect.stringContaining(reason) as string });
    });

    it('does not hide a fault of its own', async () => {
      world.ask = () => Promise.reject(new TypeError('a bug'));
      await expect(world.previews.of(server)).rejects.toThrow('a bug');
    });
  });

  it('is refused while what the sites are told is behind the log', async () => {
    const world = new World();
    const preview = world.previews.of([]);
    const refused = expect(preview).resolves.toMatchObject({ facts: {} });
    await refused;
    await world.store.append({
      writes: [
        {
          ...{ stream: `network-${idOf('network', 0)}`, expected: -1 },
          events: [
            {
              ...{ id: idOf('event'), ...encodeEvent(networkCreated(0)) },
              metadata: { correlation: 'r', causation: 'r', actor: 'a', time: '2026-01-01T00:00:00.000Z' },
            },
          ],
        },
      ],
    });
    const waiting = () => /waiting: .*/.exec(inspect(world.publication, { depth: 0 }))?.[0];
    const nobody = waiting();
    const late = expect(world.previews.of([])).rejects.toThrow('behind the log');
    await world.time.advance(1000);
    expect(waiting()).not.toBe(nobody);
    await world.time.advance(2000);
    await late;
    expect(waiting()).toBe(nobody);
  });
});
