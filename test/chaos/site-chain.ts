import { Journal, joinPublisher, makeKey, Publisher } from '@weir/cascade';
import { RecordingEvents, seededRandom } from '@weir/cascade/contract';
import {
  type Link,
  type LinkFaults,
  MemoryFactStore,
  memoryLink,
  MemoryMembership,
  MemorySlice,
} from '@weir/cascade/memory';
import { canonicalJson, type Ip, silentLogger } from '@weir/kernel';
import { STATE_HOLDING as HOST_STATE_HOLDING } from '@weir/local-controller';
import { MemoryControllerState } from '@weir/local-controller/memory';
import { SimulatedHost, SimulatedUnderlay } from '@weir/site-drivers/simulated';
import type { FlowChange } from '@weir/openflow';
import { MemorySwitchDatabase } from '@weir/ovsdb/memory';
import { VirtualTime } from '@weir/testing/time';
import { Bottom } from '../../apps/bottom/src/bottom';
import { MemorySiteRecords } from '../../apps/bottom/src/memory-records';
import { STATE_HOLDING } from '../../apps/bottom/src/site';
import { Host } from '../../apps/host/src/host';
import type { Change } from './facts';

const SITE = 'site';
const TOKEN = 'token';
const HOST_TOKEN = 'host-token';
const HOST = { name: 'h1', zone: 'a', vcpus: 64, ramMb: 65_536, diskGb: 1000, hypervisor: 'namespace' } as const;
/** Virtual. Where two of five lines are spoilt, a batch of ten comes through once in hundreds of tries. */
const SETTLE_MS = 4 * 3_600_000;

/** A publisher as a Top's, a Bottom and a Host over a switch in memory, in virtual time; the lines between them can be spoilt. */
export class SiteChain {
  readonly time = new VirtualTime();
  private readonly hardware: SimulatedHost;
  private readonly facts = new MemoryFactStore({ generation: 1 });
  private readonly parts;
  private readonly publisher: Publisher;
  private readonly hostSlice = new MemorySlice({ stateHolding: HOST_STATE_HOLDING });
  private readonly bottom: Bottom;
  private readonly journal: MemoryFactStore;
  private readonly links: readonly [top: Link, bottom: Link];
  private readonly events = new RecordingEvents();
  private readonly membership = new MemoryMembership(() => 1);
  private readonly host: Host;

  constructor(seed: number) {
    const { time, facts, membership } = this;
    const random = seededRandom(seed);
    this.parts = { clock: time, timers: time, random, logger: silentLogger };
    const { parts } = this;
    this.publisher = new Publisher({ name: 'top', facts, membership, events: this.events, ...parts });
    membership.invite(TOKEN, SITE);
    this.journal = new MemoryFactStore({ generation: time.now() });
    const slice = new MemorySlice({ stateHolding: STATE_HOLDING });
    const records = new MemorySiteRecords();
    this.bottom = new Bottom({
      ...{ slice, journal: new Journal(this.journal, time, random), records, hostToken: HOST_TOKEN, recovering: false },
      ...parts,
    });
    this.links = [
      memoryLink(() => this.publisher, { ...parts, random: seededRandom(seed + 1) }),
      memoryLink(() => this.bottom.publisher, { ...parts, random: seededRandom(seed + 2) }),
    ];
    const database = new MemorySwitchDatabase();
    const endpoint = '198.51.100.1' as Ip;
    const nothing = () => undefined;
    const underlay = new SimulatedUnderlay();
    this.hardware = new SimulatedHost({
      endpoint,
      database,
      underlay,
      delivered: nothing,
      removing: nothing,
      started: nothing,
      keepsCommits: true,
    });
    this.host = new Host({
      host: { ...HOST, endpoint },
      bridge: { name: 'br-int', datapathType: 'netdev' },
      ...{ slice: this.hostSlice, state: new MemoryControllerState(), database },
      instances: this.hardware.instances,
      ...{ transport: this.links[1], token: HOST_TOKEN, key: makeKey(random) },
      connect: () => this.hardware.switch.connect(),
      hasJoined: false,
      joined: () => undefined,
      ...parts,
    });
  }

  async start(): Promise<void> {
    const [transport] = this.links;
    const key = makeKey(this.parts.random);
    const { id: name } = await this.passing(joinPublisher({ transport, token: TOKEN, name: SITE, key }));
    this.bottom.follow({ transport, key, name });
    await this.passing(this.host.start());
    await this.settled();
  }

  spoil(faults: LinkFaults): void {
    for (const link of this.links) link.faults = faults;
  }

  commit(changes: readonly Change[]): void {
    const position = this.facts.head().position + 1;
    const digest = `event ${position}`;
    this.facts.commit({ position, digest, changes: changes.map((change) => ({ follower: SITE, ...change })) });
    this.publisher.changed();
  }

  /** Until everybody has, and has made true, what there is. */
  async settled(): Promise<void> {
    const top = () => this.publisher.status(SITE);
    const bottom = () => this.bottom.publisher.status(HOST.name);
    const isSettled = () =>
      top().settled === this.facts.head().position &&
      bottom().settled === this.journal.head().position &&
      [top(), bottom()].every(({ reachability }) => reachability === 'reachable');
    await this.time.until(isSettled, SETTLE_MS).catch((cause: unknown) => {
      const heads = [this.facts.head().position, this.journal.head().position];
      throw new Error(
        `It did not settle: ${canonicalJson([heads, top(), bottom(), this.bottom.site.status(), this.host.controller.status()])}`,
        { cause },
      );
    });
  }

  /** Flows, groups, meters and facts of the host, in an order of their own. */
  state(): readonly string[] {
    const { flows, groupList, meterList } = this.hardware.switch;
    const facts = this.hostSlice.facts().map(({ kind, id, body }) => ({ kind, id, body }));
    const groups = groupList.map(({ type, buckets }) => ({ type, buckets }));
    return [
      ...flows.map(({ flow }) => flow),
      ...groups,
      ...meterList.map(({ rate, burst }) => ({ rate, burst })),
      ...facts,
    ]
      .map(textOf)
      .sort();
  }

  /** Whenever the site was called reachable or not. */
  get edges(): RecordingEvents['edges'] {
    return this.events.edges;
  }

  /** Whether both levels below hear the one above. */
  get isHeard(): boolean {
    return (
      this.bottom.publisher.status(HOST.name).reachability === 'reachable' && this.publisher.status(SITE).connected
    );
  }

  /** What the switch was told so far. */
  get told(): { readonly bundles: number; readonly flowMods: number } {
    const { commits } = this.hardware.switch;
    return { bundles: commits.length, flowMods: commits.reduce((sum, change) => sum + sizeOf(change), 0) };
  }

  async stop(): Promise<void> {
    await this.passing(this.host.stop());
    await this.passing(this.bottom.stop());
    this.publisher.close();
  }

  /** What a promise comes to, while time passes. */
  private async passing<T>(promise: Promise<T>): Promise<T> {
    let isDone = false;
    const done = () => (isDone = true);
    promise.then(done, done);
    await this.time.until(() => isDone);
    return promise;
  }
}

function sizeOf(change: FlowChange): number {
  return Object.values(change as unknown as Readonly<Record<string, readonly unknown[]>>).reduce(
    (sum, rows) => sum + rows.length,
    0,
  );
}

/** Numbers that a host gives as it meets things, and its switch: another order gives others, which mean the same. */
const OWN_NUMBERS = new Set(['reg1', 'reg2', 'metadata', 'in_port', 'output', 'port', 'group', 'zone', 'meter']);

/** A row without the numbers that are the host's own. */
function textOf(row: object): string {
  const told = JSON.stringify(row, function (this: Readonly<Record<string, unknown>>, key, value: unknown) {
    if (OWN_NUMBERS.has(key) || (key === 'value' && OWN_NUMBERS.has(String(this['field'])))) return typeof value;
    return typeof value === 'bigint' ? `${value}n` : value;
  });
  return canonicalJson(JSON.parse(told));
}
