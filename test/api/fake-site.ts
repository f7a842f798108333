import { Follower, type FollowerSink, joinPublisher, makeKey, type Observation, type Transport } from '@weir/cascade';
import { httpTransport } from '@weir/cascade/http';
import { MemorySlice } from '@weir/cascade/memory';
import { silentLogger, systemClock, systemRandom, systemTimers } from '@weir/kernel';
import {
  HELD_FACTS,
  heldFactsPage,
  type HeldSeal,
  type PortFact,
  SEAL_FACT,
  sealFact,
  type ServerFact,
} from '@weir/topology';
import { contradictionOf } from '../../apps/bottom/src/seals';

export interface ZoneTotals {
  readonly vcpus: number;
  readonly ramMb: number;
  readonly diskGb: number;
}

export interface FakeSiteOptions {
  /** Its way to the Top. */
  readonly transport?: Transport;
  /** Told of what it takes over. */
  readonly applied?: (...batch: Parameters<FollowerSink['apply']>) => void;
}

/** A site as the Top sees one: it follows, tells what it has, and says of every server at once that it runs or is gone. */
export class FakeSite {
  private readonly slice = new MemorySlice();
  private readonly seen = new Map<string, Observation>();
  private readonly follower: Follower;
  /** While true, the site takes facts over and says nothing of servers. */
  mute = false;
  /** As a Bottom keeps them. */
  readonly seals: HeldSeal[] = [];
  /** Where a test says itself what is answered. */
  answer: ((kind: string, body: unknown) => unknown) | undefined;

  private constructor(
    name: string,
    key: string,
    zones: Readonly<Record<string, ZoneTotals>>,
    { transport, applied }: Required<FakeSiteOptions>,
  ) {
    for (const [zone, totals] of Object.entries(zones)) this.see('capacity', zone, 0, totals);
    const sink: FollowerSink = {
      cursor: () => this.slice.cursor(),
      newGeneration: (generation) => Promise.resolve(this.slice.newGeneration(generation)),
      apply: (facts, mark) => {
        applied(facts, mark);
        for (const line of this.slice.apply(facts, mark).changed) {
          if (line.kind === SEAL_FACT.kind && line.type === 'upsert') this.keepSeal(line.body, mark.generation);
          if (line.kind === 'server')
            this.serve(line.type === 'upsert' ? (line.body as ServerFact) : undefined, line.id, line.position);
          if (line.kind === 'port' && line.type === 'upsert')
            this.see('binding', line.id, line.position, { host: `${name}-1`, endpoint: '198.51.100.1' });
          if (line.kind === 'port' && line.type === 'delete')
            this.see('port', line.id, line.position, { status: 'gone' });
        }
        this.follower.reportSoon();
        return Promise.resolve();
      },
      settled: () => this.slice.cursor().position,
      observations: () => [...this.seen.values()],
      query: (kind, body) => Promise.resolve(this.answer?.(kind, body) ?? this.answerTo(kind, body)),
    };
    this.follower = new Follower({
      name,
      transport,
      key,
      sink,
      clock: systemClock,
      timers: systemTimers,
      random: systemRandom,
      logger: silentLogger,
    });
  }

  static async join(
    address: string,
    name: string,
    token: string,
    zones: Readonly<Record<string, ZoneTotals>>,
    { transport = httpTransport({ url: address }), applied = () => undefined }: FakeSiteOptions = {},
  ): Promise<FakeSite> {
    const key = makeKey(systemRandom);
    await joinPublisher({ transport, token, name, key });
    const site = new FakeSite(name, key, zones, { transport, applied });
    site.start();
    return site;
  }

  start(): void {
    this.follower.start();
  }

  async stop(): Promise<void> {
    await this.follower.stop();
  }

  /** Says what it kept to itself. */
  speak(): void {
    this.mute = false;
    for (const fact of this.slice.facts())
      if (fact.kind === 'server') this.serve(fact.body as unknown as ServerFact, fact.id, fact.position);
    this.follower.reportSoon();
  }

  facts(kind: string): readonly { readonly id: string; readonly body: Readonly<Record<string, unknown>> }[] {
    return this.slice.facts().filter((fact) => fact.kind === kind);
  }

  get position(): number {
    return this.slice.cursor().position;
  }

  /** Everything that it holds. */
  held(): ReturnType<MemorySlice['facts']> {
    return this.slice.facts();
  }

  /** Where it stands, and all that it holds. */
  holds() {
    return { cursor: this.slice.cursor(), facts: this.slice.facts() };
  }

  ports(): readonly PortFact[] {
    return this.facts('port').map((fact) => fact.body as unknown as PortFact);
  }

  private answerTo(kind: string, body: unknown): unknown {
    if (kind === 'seals') return { seals: this.seals };
    if (kind === HELD_FACTS) return heldFactsPage(this.slice.facts(), body as Parameters<typeof heldFactsPage>[1]);
    const stdout = Buffer.from(JSON.stringify(body)).toString('base64');
    return { exitCode: 0, timedOut: false, truncated: false, stdout, stderr: '' };
  }

  private keepSeal(body: unknown, generation: number): void {
    const seal = sealFact.parse(body);
    this.seals.push({ ...seal, generation, contradicts: contradictionOf(this.seals, seal) !== undefined });
  }

  private serve(server: ServerFact | undefined, id: string, position: number): void {
    if (this.mute) return;
    this.see('server', id, position, server ? { status: 'active', host: 'fake-1' } : { status: 'gone' });
    for (const port of server?.ports ?? []) this.see('port', port, position, { status: 'active' });
  }

  private see(kind: string, id: string, position: number, value: unknown): void {
    this.seen.set(`${kind}/${id}`, { kind, id, position, value, at: new Date(0).toISOString() });
  }
}
