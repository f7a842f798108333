import { joinPublisher, type Journal, makeKey, type Transport } from '@weir/cascade';
import { httpTransport } from '@weir/cascade/http';
import { memoryJournal, memoryLink, MemorySlice } from '@weir/cascade/memory';
import { type Clock, silentLogger, systemRandom, type Timers } from '@weir/kernel';
import { Bottom } from '../../apps/bottom/src/bottom';
import { SiteRecords } from '../../apps/bottom/src/records';
import { STATE_HOLDING } from '../../apps/bottom/src/site';
import type { ErringPublisher } from './erring-publisher';
import { FakeHost } from './fake-host';

/** One that follows a publisher over HTTP, with everything below it. */
export interface Level {
  follow(publisher: ErringPublisher): Promise<void>;
  /** Its process ends and starts again; what it has stored stays. */
  restart(): Promise<void>;
  /** Every deletion that it ever carried out or passed on, as `<kind>/<id>`. */
  readonly deletions: readonly string[];
  /** Ids of the servers that run. */
  readonly running: readonly string[];
  /** Whether a fact was carried out or passed on. */
  knows(kind: string, id: string): boolean;
  stop(): Promise<void>;
}

/** A site's Bottom with one host. */
export class BottomLevel implements Level {
  private readonly parts;
  private readonly slice = new MemorySlice({ stateHolding: STATE_HOLDING });
  private readonly records = new SiteRecords(':memory:');
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

  get running(): readonly string[] {
    return [...(this.host?.running ?? [])];
  }

  knows(kind: string, id: string): boolean {
    return this.host?.slice.get(kind, id) !== undefined;
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
