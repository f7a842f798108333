import {
  type FactLine,
  joinPublisher,
  type Journal,
  makeKey,
  type SliceChange,
  type SliceMark,
  type Transport,
} from '@weir/cascade';
import { httpTransport } from '@weir/cascade/http';
import { memoryJournal, memoryLink, MemorySlice } from '@weir/cascade/memory';
import { type Clock, type Ip, type ServerId, silentLogger, systemRandom, type Timers } from '@weir/kernel';
import { STATE_HOLDING as HOST_STATE_HOLDING } from '@weir/local-controller';
import { MemoryControllerState, MemoryInstances, MemorySwitch } from '@weir/local-controller/memory';
import { MemorySwitchDatabase } from '@weir/ovsdb/memory';
import { Bottom } from '../../apps/bottom/src/bottom';
import { MemorySiteRecords } from '../../apps/bottom/src/memory-records';
import { STATE_HOLDING } from '../../apps/bottom/src/site';
import { Host } from '../../apps/host/src/host';
import type { ErringPublisher } from './erring-publisher';
import { FakeHost } from './fake-host';

/** One that follows a publisher over HTTP, with everything below it. */
export interface Level {
  follow(publisher: ErringPublisher): Promise<void>;
  /** Its process ends and starts again; what it has stored stays. */
  restart(): Promise<void>;
  /** Every deletion that it ever carried out or passed on, as `<kind>/<id>`. */
  readonly deletions: readonly string[];
  /** What stands behind the facts: no misbehaviour of a publisher may change it. */
  readonly footprint: readonly string[];
  /** Whether a fact was carried out or passed on. */
  knows(kind: string, id: string): boolean;
  /** Whether all of its servers run. */
  readonly complete: boolean;
  stop(): Promise<void>;
}

/** A site's Bottom with one host. */
export class BottomLevel implements Level {
  private readonly parts;
  private readonly slice = new MemorySlice({ stateHolding: STATE_HOLDING });
  private readonly records = new MemorySiteRecords();
  private readonly journal: Journal;
  private readonly key = makeKey(systemRandom);
  private transport: Transport | undefined;
  private bottom: Bottom | undefined;
  private host: FakeHost | undefined;
  private name = '';

  constructor(private readonly time: Clock & Timers) {
    this.parts = { clock: time, timers: time, random: systemRandom, logger: silentLogger };
    this.journal = memoryJournal(time, systemRandom);
  }

  async follow(publisher: ErringPublisher): Promise<void> {
    const { token, name } = publisher.invitation;
    this.transport = httpTransport({ url: publisher.url });
    this.name = (await joinPublisher({ transport: this.transport, token, name, key: this.key })).id;
    this.start();
    const transport = memoryLink(() => this.bottom?.publisher, this.parts);
    this.host = await FakeHost.join('h1', 'a', { transport, token: 'host-token' }, this.time);
  }

  async restart(): Promise<void> {
    await this.bottom?.stop();
    this.start();
  }

  get deletions(): readonly string[] {
    return this.host?.deletions ?? [];
  }

  get footprint(): readonly string[] {
    return [...(this.host?.running ?? [])];
  }

  knows(kind: string, id: string): boolean {
    return this.host?.slice.get(kind, id) !== undefined;
  }

  get complete(): boolean {
    return this.host?.running.size === 1;
  }

  async stop(): Promise<void> {
    await this.host?.stop();
    await this.bottom?.stop();
    this.transport?.close();
    this.records.close();
  }

  private start(): void {
    const { slice, journal, records, transport, key, name, parts } = this;
    if (!transport) throw new Error('It follows nobody.');
    this.bottom = new Bottom({ slice, journal, records, hostToken: 'host-token', recovering: false, ...parts });
    this.bottom.follow({ transport, key, name });
  }
}

class RecordingSlice extends MemorySlice {
  readonly deletions: string[] = [];

  override apply(facts: readonly FactLine[], mark: SliceMark): SliceChange {
    const change = super.apply(facts, mark);
    for (const { type, kind, id } of change.changed) if (type === 'delete') this.deletions.push(`${kind}/${id}`);
    return change;
  }
}

/** A Host over a switch and a hypervisor in memory, which outlive it. */
export class HostLevel implements Level {
  private readonly slice = new RecordingSlice({ stateHolding: HOST_STATE_HOLDING });
  private readonly state = new MemoryControllerState();
  private readonly database = new MemorySwitchDatabase();
  private readonly bridge = new MemorySwitch();
  private readonly instances = new MemoryInstances({ plugged: (device) => this.database.addDevice(device) });
  private readonly key = makeKey(systemRandom);
  private transport: Transport | undefined;
  private token = '';
  private joined = false;
  private host: Host | undefined;

  constructor(private readonly time: Clock & Timers) {}

  async follow(publisher: ErringPublisher): Promise<void> {
    this.transport = httpTransport({ url: publisher.url });
    this.token = publisher.invitation.token;
    await this.start();
  }

  async restart(): Promise<void> {
    await this.host?.stop();
    await this.start();
  }

  get deletions(): readonly string[] {
    return this.slice.deletions;
  }

  get footprint(): readonly string[] {
    const ports = this.database.ports().map(({ name, ofport }) => `${name} is port ${ofport ?? 'none'}`);
    return [...ports.sort(), `${this.bridge.flows.length} flows`];
  }

  knows(kind: string, id: string): boolean {
    return this.slice.get(kind, id) !== undefined;
  }

  get complete(): boolean {
    const [server] = this.slice.facts().filter(({ kind }) => kind === 'server');
    return server !== undefined && this.instances.get(server.id as ServerId)?.running === true;
  }

  async stop(): Promise<void> {
    await this.host?.stop();
    this.transport?.close();
  }

  private async start(): Promise<void> {
    const { slice, state, database, instances, transport, token, key, time } = this;
    if (!transport) throw new Error('It follows nobody.');
    const totals = { vcpus: 8, ramMb: 16_384, diskGb: 100 };
    this.host = new Host({
      host: { name: 'h1', zone: 'a', ...totals, hypervisor: 'namespace', endpoint: '198.51.100.1' as Ip },
      bridge: { name: 'br-int', datapathType: 'netdev' },
      ...{ slice, state, database, instances, transport, token, key },
      connect: () => this.bridge.connect(),
      hasJoined: this.joined,
      joined: () => (this.joined = true),
      ...{ clock: time, timers: time, random: systemRandom, logger: silentLogger },
    });
    await this.host.start();
  }
}
