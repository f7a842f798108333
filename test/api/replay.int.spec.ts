import fc from 'fast-check';
import { eventsForTenants } from '@weir/domain';
import { scaled } from '../chaos/scale';
import { TopWorld } from './top-world';

const RUNS = scaled({ sample: 40, whole: 2000 });

jest.setTimeout(RUNS * 3000);
const NETWORK = '/network/v2.0';

/** A write of one of a few things that all runs share; `n` picks which. */
interface Step {
  readonly kind: (typeof KINDS)[number];
  readonly n: number;
}
const KINDS = [
  ...(['port', 'port', 'port', 'unport', 'rename', 'subnet', 'unsubnet', 'network', 'unnetwork'] as const),
  ...(['interface', 'uninterface', 'server', 'unserver', 'metadata'] as const),
];
const step: fc.Arbitrary<Step> = fc.record({ kind: fc.constantFrom(...KINDS), n: fc.nat(7) });

interface Write {
  readonly method: 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
}

describe('a replay', () => {
  const world = new TopWorld();
  let router: string;
  beforeAll(async () => {
    await world.start();
    await world.site('paris', 'Paris', { 'paris-a': { vcpus: 12, ramMb: 65_536, diskGb: 1000 } });
    router = (await world.post(`${NETWORK}/routers`, { router: { name: 'gate' } })).body['router'].id as string;
    for (const n of [0, 1, 2]) await world.network(`n${n}`, `10.${n}.0.0/29`);
  });
  afterAll(async () => {
    await world.stop();
  });

  /** The step as a request, by what there is now. */
  async function writeOf({ kind, n }: Step): Promise<Write | undefined> {
    const listed = async (path: string) => Object.values((await world.get(path)).body)[0] as { id: string }[];
    const one = (all: readonly { id: string }[]) => (all.length === 0 ? undefined : all[n % all.length]?.id);
    const networks = await listed(`${NETWORK}/networks`);
    const network = one(networks);
    const subnet = async () => one(await listed(`${NETWORK}/subnets`));
    const port = async () => one(await listed(`${NETWORK}/ports?device_owner=`));
    const server = async () => one(await listed('/compute/v2.1/servers'));
    const of = (path: string, id: string | undefined, method: Write['method'], body?: unknown): Write | undefined =>
      id === undefined ? undefined : { method, path: `${path}/${id}`, body };
    const asked = { name: `s${n}`, flavorRef: '1', imageRef: '5a1f0000-0000-4000-8000-000000000001' };
    const cidr = `10.${100 + n}.0.0/28`;
    switch (kind) {
      case 'port':
        return { method: 'POST', path: `${NETWORK}/ports`, body: { port: { network_id: network } } };
      case 'unport':
        return of(`${NETWORK}/ports`, await port(), 'DELETE');
      case 'rename':
        return of(`${NETWORK}/networks`, network, 'PUT', { network: { name: `r${n}` } });
      case 'subnet':
        return {
          method: 'POST',
          path: `${NETWORK}/subnets`,
          body: { subnet: { network_id: network, cidr, ip_version: 4 } },
        };
      case 'unsubnet':
        return of(`${NETWORK}/subnets`, await subnet(), 'DELETE');
      case 'network':
        return { method: 'POST', path: `${NETWORK}/networks`, body: { network: { name: `n${n}` } } };
      case 'unnetwork':
        return networks.length > 2 ? of(`${NETWORK}/networks`, network, 'DELETE') : undefined;
      case 'interface':
        return {
          method: 'PUT',
          path: `${NETWORK}/routers/${router}/add_router_interface`,
          body: { subnet_id: await subnet() },
        };
      case 'uninterface':
        return {
          method: 'PUT',
          path: `${NETWORK}/routers/${router}/remove_router_interface`,
          body: { subnet_id: await subnet() },
        };
      case 'server':
        return {
          method: 'POST',
          path: '/compute/v2.1/servers',
          body: { server: { ...asked, networks: [{ uuid: network }] } },
        };
      case 'unserver':
        return of('/compute/v2.1/servers', await server(), 'DELETE');
      case 'metadata':
        return of('/compute/v2.1/servers', await server().then((id) => id && `${id}/metadata`), 'PUT', {
          metadata: { n: String(n) },
        });
    }
  }

  const send = ({ method, path, body }: Write, who: 'demo' | 'admin', headers?: Record<string, string>) =>
    world.send(who, method, path, body, headers);

  async function eventsAfter(position: number) {
    const all: any[] = [];
    for (;;) {
      const from = all.at(-1)?.position ?? position;
      const { events } = (await world.get(`/weir/v1/events?after=${from}&limit=1000`, 'admin')).body;
      if (events.length === 0) return all;
      all.push(...events);
    }
  }

  it('is exactly what was rehearsed, or 409 and nothing, whatever others write in between', async () => {
    const outcomes = { carriedOut: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 3 }),
        step,
        fc.array(fc.record({ step, who: fc.constantFrom('demo' as const, 'admin' as const) }), { maxLength: 4 }),
        fc.boolean(),
        async (before, rehearsed, between, same) => {
          for (const one of before) await sendIfAny(one, 'demo');
          const write = await writeOf(rehearsed);
          if (!write) return;
          const dry = await send({ ...write, path: `${write.path}?dry_run=true` }, 'demo');
          if (dry.status !== 200) return;
          const { events, events_left_out: leftOut, replay, answer, position } = dry.body['dry_run'];
          for (const { step: one, who } of between) await sendIfAny(one, who);
          if (same) await send(write, 'admin');

          const real = await send(write, 'demo', { 'x-weir-replay': replay });
          const ids = new Set(events.map((event: { id: string }) => event.id));
          const appended = await eventsAfter(position);
          const own = appended.filter((event) => ids.has(event.id));
          const requestId = real.headers.get('x-openstack-request-id');
          const correlated = appended.filter((event) => event.request_id === requestId);
          if (real.status === 409) {
            outcomes.refused++;
            expect([own, correlated]).toEqual([[], []]);
          } else {
            outcomes.carriedOut++;
            expect(real.status).toBe(answer.status);
            const shown = eventsForTenants(correlated);
            expect([shown.events.map(bare), shown.leftOut]).toEqual([events.map(bare), leftOut]);
            const again = await send(write, 'demo', { 'x-weir-replay': replay });
            expect(again.status).toBe(answer.status);
            const later = await eventsAfter(position);
            expect(later.filter((event) => event.request_id === requestId)).toEqual(correlated);
          }
        },
      ),
      { numRuns: RUNS },
    );
    // Neither is what always happens.
    expect(outcomes.carriedOut).toBeGreaterThan(RUNS / 10);
    expect(outcomes.refused).toBeGreaterThan(0);
  });

  async function sendIfAny(one: Step, who: 'demo' | 'admin'): Promise<void> {
    const write = await writeOf(one);
    if (write) await send(write, who);
  }
});

function bare({ stream, revision, id, type, schema_version, time, data }: Record<string, unknown>) {
  return { stream, revision, id, type, schema_version, time, data };
}
