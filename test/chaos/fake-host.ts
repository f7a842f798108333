import { type FactLine, Follower, joinPublisher, makeKey, type SliceMark, type Transport } from '@weir/cascade';
import { RecordingSink } from '@weir/cascade/contract';
import { MemorySlice } from '@weir/cascade/memory';
import { type Clock, silentLogger, systemRandom, type Timers } from '@weir/kernel';

/** A Host without a switch: it runs what it is told to, stops what is deleted, and says so. */
export class FakeHost extends RecordingSink {
  /** Ids of servers. */
  readonly running = new Set<string>();
  private readonly follower: Follower;

  private constructor(
    readonly name: string,
    zone: string,
    transport: Transport,
    key: string,
    private readonly time: Clock & Timers,
  ) {
    super(new MemorySlice({ stateHolding: ['server', 'port', 'network', 'subnet'] }));
    const parts = { clock: time, timers: time, random: systemRandom, logger: silentLogger };
    this.follower = new Follower({ name, transport, key, sink: this, ...parts });
    const totals = { vcpus: 8, ramMb: 16_384, diskGb: 100 };
    this.say('host', name, 0, { zone, ...totals, hypervisor: 'namespace', endpoint: '198.51.100.1' });
  }

  /** Joins and follows. */
  static async join(
    name: string,
    zone: string,
    bottom: { readonly transport: Transport; readonly token: string },
    time: Clock & Timers,
  ): Promise<FakeHost> {
    const { transport, token } = bottom;
    const key = makeKey(systemRandom);
    await joinPublisher({ transport, token, name, key });
    const host = new FakeHost(name, zone, transport, key, time);
    host.follower.start();
    return host;
  }

  stop(): Promise<void> {
    return this.follower.stop();
  }

  /** Every deletion that it was ever told of, as `<kind>/<id>`. */
  get deletions(): readonly string[] {
    return this.effects.flatMap(({ line }) => (line.type === 'delete' ? [`${line.kind}/${line.id}`] : []));
  }

  override async apply(facts: readonly FactLine[], mark: SliceMark): Promise<void> {
    const known = this.effects.length;
    await super.apply(facts, mark);
    for (const { line } of this.effects.slice(known)) {
      if (line.kind !== 'server') continue;
      if (line.type === 'upsert') this.running.add(line.id);
      else this.running.delete(line.id);
      this.say('server', line.id, line.position, { status: line.type === 'upsert' ? 'active' : 'gone' });
    }
    this.follower.reportSoon();
  }

  private say(kind: string, id: string, position: number, value: object): void {
    this.observe({ kind, id, position, value, at: new Date(this.time.now()).toISOString() });
  }
}
