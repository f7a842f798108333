import { inspect } from 'node:util';
import fc from 'fast-check';
import { canonicalJson, type Cidr, type Ip, type Mac } from '@weir/kernel';
import type { FactBody, FactChange, FactKind, PlacedChange } from './facts';
import { hostPlacement, sitePlacement, Span, type SpanChange, type SpanLevel } from './span';

type Fact = Extract<FactChange, { op: 'upsert' }>;

const KINDS = ['network', 'subnet', 'router', 'router-interface', 'port', 'server', 'binding', 'departure'] as const;

/** The nth id of a kind, a UUID that can be read; it fits wherever an id is asked for. */
const id = (kind: FactKind, n: number) => uuid(kind, n) as never;
const uuid = (kind: FactKind, n: number) =>
  `00000000-0000-4000-8000-${KINDS.indexOf(kind)}${String(n).padStart(11, '0')}`;
const key = (kind: FactKind, n: number) => `${kind} ${uuid(kind, n)}`;

const cidr = (n: number) => `10.0.${n}.0/24` as Cidr;
const ip = (n: number) => `10.0.0.${n}` as Ip;
const mac = 'fa:16:3e:00:00:01' as Mac;

const network = (n: number, project = 'blue', name = `net${n}`): Fact => ({
  op: 'upsert',
  kind: 'network',
  id: id('network', n),
  body: { id: id('network', n), project, name, mtu: 1450, segment: { type: 'vxlan', key: 10_000 + n } },
});
const subnet = (n: number, on: number, name = `subnet${n}`): Fact => ({
  op: 'upsert',
  kind: 'subnet',
  id: id('subnet', n),
  body: {
    id: id('subnet', n),
    network: id('network', on),
    name,
    cidr: cidr(n),
    gatewayIp: ip(1),
    enableDhcp: true,
    dnsNameservers: [],
    hostRoutes: [],
    serverIp: ip(1),
    serverMac: mac,
  },
});
const router = (n: number, name = `router${n}`): Fact => ({
  op: 'upsert',
  kind: 'router',
  id: id('router', n),
  body: { id: id('router', n), project: 'blue', name, adminStateUp: true, routes: [] },
});
const link = (n: number, from: number, to: number, by: number): Fact => ({
  op: 'upsert',
  kind: 'router-interface',
  id: id('router-interface', n),
  body: {
    id: id('router-interface', n),
    router: id('router', from),
    network: id('network', to),
    subnet: id('subnet', by),
    ip: ip(1),
    mac,
  },
});
const port = (n: number, on: number, of: number, name = `port${n}`): Fact => ({
  op: 'upsert',
  kind: 'port',
  id: id('port', n),
  body: {
    id: id('port', n),
    network: id('network', on),
    project: 'blue',
    name,
    mac,
    fixedIps: [],
    adminStateUp: true,
    portSecurity: true,
    server: id('server', of),
  },
});
const server = (n: number, name = `server${n}`): Fact => ({
  op: 'upsert',
  kind: 'server',
  id: id('server', n),
  body: {
    id: id('server', n),
    project: 'blue',
    name,
    site: id('server', 0),
    zone: 'a',
    vcpus: 1,
    ramMb: 128,
    diskGb: 0,
    image: 'weir-instance',
    ports: [],
    power: 'on',
  },
});
const binding = (n: number, host: string): Fact => ({
  op: 'upsert',
  kind: 'binding',
  id: id('port', n),
  body: { port: id('port', n), host, endpoint: ip(9) },
});
/** Of a server, with its id. */
const departure = (n: number): Fact => ({
  op: 'upsert',
  kind: 'departure',
  id: id('departure', n),
  body: { id: id('departure', n), of: 'server', server: id('server', n) },
});
const remove = (kind: FactKind, n: number): SpanChange => ({
  op: 'delete',
  kind,
  id: id(kind === 'binding' ? 'port' : kind, n),
});
const place = (n: number, where: string): SpanChange => ({ op: 'place', server: id('server', n), place: where });
const unplace = (n: number): SpanChange => ({ op: 'unplace', server: id('server', n) });

/** What every place has, summed up from answers. */
class Slices {
  readonly has = new Map<string, Fact['body']>();

  take(changes: readonly PlacedChange[]): this {
    for (const change of changes) {
      const key = `${change.place} ${change.kind} ${change.id}`;
      if (change.op === 'upsert') this.has.set(key, change.body);
      else if (!this.has.delete(key)) throw new Error(`${key} was taken from a place that never had it`);
    }
    return this;
  }

  at(where: string): string[] {
    return [...this.has.keys()].filter((key) => key.startsWith(`${where} `)).map((key) => key.slice(where.length + 1));
  }

  text(): string[] {
    return [...this.has].map(([key, body]) => `${key} ${canonicalJson(body)}`).sort();
  }
}

/** The definition of the span, word by word, without any index: the oracle. */
function spanFromScratch(changes: readonly SpanChange[], level: SpanLevel): string[] {
  const facts = new Map<string, Fact>();
  const placements = new Map<string, string>();
  for (const change of changes) {
    if (change.op === 'upsert') facts.set(`${change.kind} ${change.id}`, change);
    else if (change.op === 'delete') facts.delete(`${change.kind} ${change.id}`);
    else if (change.op === 'place') placements.set(change.server, change.place);
    else placements.delete(change.server);
  }
  const there = (kind: FactKind, which: string) => facts.has(`${kind} ${which}`);
  const all = <K extends FactKind>(kind: K): FactBody<K>[] =>
    [...facts.values()].filter((fact) => fact.kind === kind).map((fact) => fact.body as FactBody<K>);

  const ports = all('port').filter((body) => there('network', body.network));
  const links = all('router-interface').filter(
    (body) => there('network', body.network) && there('router', body.router) && there('subnet', body.subnet),
  );
  const slices = new Slices();
  for (const where of new Set(placements.values())) {
    const networks = new Set<string>(
      ports.filter((body) => placements.get(body.server) === where).map((body) => body.network),
    );
    const routers = new Set<string>();
    for (let size = -1; size !== networks.size + routers.size;) {
      size = networks.size + routers.size;
      for (const body of links) {
        if (networks.has(body.network)) routers.add(body.router);
        if (routers.has(body.router)) networks.add(body.network);
      }
    }
    const give = (kind: FactKind, which: string) => {
      const fact = facts.get(`${kind} ${which}`);
      if (fact) slices.has.set(`${where} ${kind} ${which}`, fact.body);
    };
    for (const which of networks) give('network', which);
    for (const which of routers) give('router', which);
    for (const body of all('subnet')) if (networks.has(body.network)) give('subnet', body.id);
    for (const body of links) if (networks.has(body.network)) give('router-interface', body.id);
    for (const body of all('server')) if (placements.get(body.id) === where) give('server', body.id);
    for (const body of all('departure')) if (placements.get(body.server) === where) give('departure', body.id);
    for (const body of ports) {
      if (!networks.has(body.network)) continue;
      give('port', body.id);
      if (level.bindingAtOwnPlace || placements.get(body.server) !== where) give('binding', body.id);
    }
  }
  return slices.text();
}

/** A network with a subnet and a server on it at each place named. */
function populated(...places: readonly string[]): SpanChange[] {
  return [
    network(1),
    subnet(1, 1),
    ...places.flatMap((where, n) => [server(n), port(n, 1, n), place(n, where), binding(n, `host-of-${where}`)]),
  ];
}

function counts(changes: readonly PlacedChange[]): Record<string, number> {
  const found: Record<string, number> = {};
  for (const change of changes) {
    const key = `${change.op} ${change.kind} ${change.place}`;
    found[key] = (found[key] ?? 0) + 1;
  }
  return found;
}

describe('a span', () => {
  it('holds a network where a port of it is, and nowhere else', () => {
    const span = new Span(sitePlacement);
    const slices = new Slices().take(span.apply([...populated('paris'), network(2), subnet(2, 2)]));
    expect(slices.at('paris').sort()).toEqual(
      [key('network', 1), key('subnet', 1), key('port', 0), key('server', 0)].sort(),
    );
    expect(span.placesOf(id('network', 1))).toEqual(['paris']);
    expect(span.placesOf(id('network', 2))).toEqual([]);
    expect(span.networksAt('paris')).toEqual([id('network', 1)]);
  });

  it('gives a place that joins a network everything on it, once, and tells the others of the newcomer alone', () => {
    const span = new Span(sitePlacement);
    span.apply(populated('paris', 'paris'));
    expect(counts(span.apply([server(7), port(7, 1, 7), place(7, 'tokyo')]))).toEqual({
      'upsert network tokyo': 1,
      'upsert subnet tokyo': 1,
      'upsert port tokyo': 3,
      'upsert binding tokyo': 2,
      'upsert server tokyo': 1,
      'upsert port paris': 1,
    });
  });

  it('deletes everything of a network at a place that leaves it, and gives it back when the place returns', () => {
    const span = new Span(sitePlacement);
    const slices = new Slices().take(span.apply(populated('paris', 'tokyo')));
    slices.take(span.apply([remove('port', 1)]));
    expect(slices.at('tokyo')).toEqual([key('server', 1)]);
    slices.take(span.apply([port(1, 1, 1)]));
    expect(slices.at('tokyo')).toContain(key('network', 1));
    expect(slices.at('tokyo')).toContain(key('port', 0));
  });

  it('reaches through routers, and no further than they reach', () => {
    const span = new Span(sitePlacement);
    const slices = new Slices().take(
      span.apply([...populated('paris'), network(2), subnet(2, 2), network(3), subnet(3, 3), router(1), router(2)]),
    );
    slices.take(span.apply([link(1, 1, 1, 1), link(2, 1, 2, 2), link(3, 2, 2, 2), link(4, 2, 3, 3)]));
    expect(span.networksAt('paris')).toEqual([1, 2, 3].map((n) => id('network', n)));
    slices.take(span.apply([remove('router-interface', 3)]));
    expect(span.networksAt('paris')).toEqual([1, 2].map((n) => id('network', n)));
    expect(slices.at('paris')).toContain(key('router', 1));
    expect(slices.at('paris')).not.toContain(key('router', 2));
  });

  it('keeps two networks together while any path of routers is left', () => {
    const span = new Span(sitePlacement);
    span.apply([...populated('paris'), network(2), subnet(2, 2), router(1), router(2)]);
    span.apply([link(1, 1, 1, 1), link(2, 1, 2, 2), link(3, 2, 1, 1), link(4, 2, 2, 2)]);
    expect(counts(span.apply([remove('router-interface', 2)]))).toEqual({ 'delete router-interface paris': 1 });
    expect(span.placesOf(id('network', 2))).toEqual(['paris']);
    span.apply([remove('router', 2)]);
    expect(span.placesOf(id('network', 2))).toEqual([]);
  });

  it('lets a fact wait for what it names, and counts it', () => {
    const span = new Span(sitePlacement);
    const early = [binding(0, 'h1'), link(1, 1, 1, 1), subnet(1, 1), place(0, 'paris'), port(0, 1, 0), server(0)];
    expect(counts(span.apply(early))).toEqual({ 'upsert server paris': 1 });
    expect(span.waiting()).toBe(4);
    expect(counts(span.apply([network(1)]))).toEqual({
      'upsert network paris': 1,
      'upsert subnet paris': 1,
      'upsert port paris': 1,
    });
    expect(span.waiting()).toBe(1);
    expect(counts(span.apply([router(1)]))).toEqual({ 'upsert router paris': 1, 'upsert router-interface paris': 1 });
    expect(span.waiting()).toBe(0);
  });

  it('at the Top tells every site of a binding but the one that made it', () => {
    const span = new Span(sitePlacement);
    span.apply(populated('paris', 'tokyo', 'oslo'));
    expect(counts(span.apply([binding(1, 'elsewhere')]))).toEqual({
      'upsert binding oslo': 1,
      'upsert binding paris': 1,
    });
  });

  it('at a Bottom tells every host of a binding, its own and those of other sites too', () => {
    const span = new Span(hostPlacement);
    span.apply([...populated('h1', 'h2'), port(9, 1, 9)]);
    expect(counts(span.apply([binding(1, 'h2b'), binding(9, 'far-away')]))).toEqual({
      'upsert binding h1': 2,
      'upsert binding h2': 2,
    });
    expect(span.networksAt('far-away')).toEqual([]);
  });

  it('keeps the networks of a deleted server where it is until it was seen gone', () => {
    const span = new Span(hostPlacement);
    span.apply(populated('h1'));
    expect(counts(span.apply([remove('server', 0)]))).toEqual({ 'delete server h1': 1 });
    expect(counts(span.apply([unplace(0)]))).toEqual({
      'delete binding h1': 1,
      'delete port h1': 1,
      'delete subnet h1': 1,
      'delete network h1': 1,
    });
  });

  it('says nothing of a fact told again, nor of what came and went within one batch', () => {
    const span = new Span(sitePlacement);
    span.apply(populated('paris', 'tokyo'));
    expect(span.apply(populated('paris', 'tokyo'))).toEqual([]);
    expect(span.apply([port(8, 1, 8), remove('port', 8), remove('network', 1), network(1)])).toEqual([]);
  });

  it('answers in order of kind, deletes last and turned round', () => {
    const span = new Span(hostPlacement);
    const kinds = (changes: readonly PlacedChange[]) => changes.map((change) => `${change.op} ${change.kind}`);
    expect(kinds(span.apply(populated('h1').reverse()))).toEqual([
      'upsert network',
      'upsert subnet',
      'upsert port',
      'upsert server',
      'upsert binding',
    ]);
    expect(kinds(span.apply([network(1, 'blue', 'renamed'), remove('server', 0), remove('subnet', 1)]))).toEqual([
      'upsert network',
      'delete server',
      'delete subnet',
    ]);
  });

  it.each([sitePlacement, hostPlacement])(
    'costs the same for a further port, whether 10 or 500 are there (%j)',
    (level) => {
      const cost = (present: number) => {
        const span = new Span(level);
        const before = Array.from({ length: present }, (_, n) => [server(n), port(n, 1, n), place(n, `h${n % 2}`)]);
        span.apply([
          network(1),
          subnet(1, 1),
          network(2),
          subnet(2, 2),
          ...before.flat(),
          port(9001, 2, 9001),
          place(9001, 'h9'),
        ]);
        return counts(span.apply([server(9000), port(9000, 1, 9000), place(9000, 'h0'), binding(9000, 'h0')]));
      };
      expect(cost(10)).toEqual(cost(500));
      expect(Object.keys(cost(10)).filter((key) => key.endsWith('h9'))).toEqual([]);
    },
  );
});

const upTo = (n: number) => fc.integer({ min: 0, max: n });
const names = fc.constantFrom('a', 'b');
const places = fc.constantFrom('h1', 'h2', 'h3');

/** A few of each kind, which name each other whether they are there or not. */
const anyChange: fc.Arbitrary<SpanChange> = fc.oneof(
  fc.tuple(upTo(4), names).map(([n, name]) => network(n, 'blue', name)),
  fc.tuple(upTo(4), upTo(4)).map(([n, on]) => subnet(n, on)),
  fc.tuple(upTo(2), names).map(([n, name]) => router(n, name)),
  fc.tuple(upTo(6), upTo(2), upTo(4), upTo(4)).map(([n, from, to, by]) => link(n, from, to, by)),
  fc.tuple(upTo(6), upTo(4), upTo(4)).map(([n, on, of]) => port(n, on, of)),
  fc.tuple(upTo(4), names).map(([n, name]) => server(n, name)),
  fc.tuple(upTo(6), places).map(([n, host]) => binding(n, host)),
  fc.tuple(upTo(4), places).map(([n, where]) => place(n, where)),
  upTo(4).map(unplace),
  upTo(4).map(departure),
  fc.tuple(fc.constantFrom(...KINDS), upTo(6)).map(([kind, n]) => remove(kind, n)),
);
/** Everything that a span holds, in order. */
const whole = (span: Span) => inspect(span, { depth: Infinity, maxArrayLength: Infinity });
const history = fc.array(fc.array(anyChange, { maxLength: 6 }), { maxLength: 40, size: 'max' });

describe.each([
  ['at the Top', sitePlacement],
  ['at a Bottom', hostPlacement],
])('a span %s', (_, level) => {
  it('summed up over any history equals the span computed from scratch', () => {
    fc.assert(
      fc.property(history, (batches) => {
        const span = new Span(level);
        const slices = new Slices();
        for (const batch of batches) slices.take(span.apply(batch));
        expect(slices.text()).toEqual(spanFromScratch(batches.flat(), level));
      }),
      { numRuns: 400 },
    );
  });

  it('rehearses what would follow, and is then as if it had not', () => {
    fc.assert(
      fc.property(history, fc.array(fc.array(anyChange, { maxLength: 6 }), { maxLength: 5 }), (before, then) => {
        const [span, twin] = [new Span(level), new Span(level)];
        for (const batch of before) {
          span.apply(batch);
          twin.apply(batch);
        }
        const expected = span.rehearse(() => then.map((batch) => span.apply(batch)));
        expect(whole(span)).toBe(whole(twin));
        expect(then.map((batch) => span.apply(batch))).toEqual(expected);
        expect(then.map((batch) => twin.apply(batch))).toEqual(expected);
      }),
      { numRuns: 30 },
    );
  });

  it('is the same for the same facts in any order', () => {
    fc.assert(
      fc.property(history, fc.infiniteStream(fc.nat()), (batches, picks) => {
        const state = new Map<string, SpanChange>();
        for (const change of batches.flat()) {
          const key = 'server' in change ? `placement ${change.server}` : `${change.kind} ${change.id}`;
          if (change.op === 'delete' || change.op === 'unplace') state.delete(key);
          else state.set(key, change);
        }
        const left = [...state.values()];
        const shuffled: SpanChange[] = [];
        while (left.length > 0) shuffled.push(...left.splice((picks.next().value ?? 0) % left.length, 1));
        const span = new Span(level);
        const slices = new Slices();
        for (const change of shuffled) slices.take(span.apply([change]));
        expect(slices.text()).toEqual(new Slices().take(new Span(level).apply([...state.values()])).text());
      }),
      { numRuns: 100 },
    );
  });

  it('never gives a place anything of a project that has no port there', () => {
    const own = (n: number) => (n % 2 === 0 ? 'blue' : 'green');
    const tenants = fc.array(
      fc.oneof(
        upTo(3).map((n) => network(n, own(n))),
        upTo(3).map((n) => subnet(n, n)),
        upTo(1).map((n) => router(n)),
        upTo(3).map((n) => link(n, n % 2, n, n)),
        fc.tuple(upTo(5), upTo(1)).map(([n, pick]) => port(n, pick * 2 + (n % 2), n)),
        upTo(5).map((n) => server(n)),
        upTo(5).map((n) => binding(n, 'h')),
        fc.tuple(upTo(5), fc.constantFrom('1', '2')).map(([n, which]) => place(n, own(n) + which)),
        fc.tuple(fc.constantFrom(...KINDS), upTo(5)).map(([kind, n]) => remove(kind, n)),
      ),
      { maxLength: 80, size: 'max' },
    );
    fc.assert(
      fc.property(tenants, (changes) => {
        for (const change of new Span(level).apply(changes)) {
          const n = Number(change.id.slice(-4));
          expect([change, change.place.slice(0, -1)]).toEqual([change, own(n)]);
        }
      }),
      { numRuns: 200 },
    );
  });
});
