import { type FollowerEvents, type Journal, joinPublisher, makeKey, Publisher } from '@weir/cascade';
import { type Link, memoryJournal, MemoryMembership } from '@weir/cascade/memory';
import {
  BROADCAST_MAC,
  type Ip,
  type Logger,
  silentLogger,
  systemClock,
  systemRandom,
  systemTimers,
} from '@weir/kernel';
import { createLab, inject, type Lab, type LabInstance, ping, type PingReport, run, waitFor } from '@weir/lab';
import { encodeFrame, type Frame, ipv4, udp } from '@weir/packet';
import { hostPlacement, type ObservationValue, type PlacedChange, Span } from '@weir/topology';
import { FabricHost } from './fabric-host';
import { LabInstances } from './lab-instances';
import { type Journey, Wire } from './wire';
import {
  ELSEWHERE,
  type End,
  endOf,
  gatewayOf,
  idOf,
  instanceFacts,
  instanceRemoval,
  networkFacts,
  routerFacts,
  type InstancePlan,
  type NetworkPlan,
  type WorldPlan,
} from './world';

const system = { clock: systemClock, timers: systemTimers, random: systemRandom };
const SETTLED_MS = 15_000;
/** Discard, of which no kernel complains when it is broadcast. */
const CONTROL_PORT = 9;

/** Four hosts in two sites, with the instances of a plan. */
export class Fabric {
  readonly wire = new Wire();
  readonly hosts: readonly FabricHost[];
  readonly publisher: Publisher;
  private readonly metrics = new Map<string, ObservationValue<'metrics'>>();
  private readonly span = new Span(hostPlacement);
  private readonly journal: Journal = memoryJournal(systemClock, systemRandom);
  private readonly membership = new MemoryMembership(() => this.journal.store.generation);
  private readonly networks: Record<string, NetworkPlan> = {};
  private readonly plans = new Map<string, InstancePlan>();
  private readonly instances = new Map<string, LabInstance>();
  private controls = 0;

  private constructor(
    readonly lab: Lab,
    logger: Logger,
  ) {
    this.hosts = lab.hosts.map((host) => {
      const instances = new LabInstances(lab, host, {
        added: async (name, instance) => {
          await this.wire.tapInstance(name, instance, host);
          this.instances.set(name, instance);
        },
        removing: async (name) => {
          this.instances.delete(name);
          await this.wire.untapInstance(name);
        },
      });
      const publisher = (): Publisher => this.publisher;
      const join = (name: string, link: Link): Promise<string> => this.admit(name, link);
      return new FabricHost({ lab: host, instances, publisher, join, logger });
    });
    const { journal, membership } = this;
    const events: FollowerEvents = {
      reported: (host, { observations }) => {
        for (const { kind, value } of observations)
          if (kind === 'metrics') this.metrics.set(host, value as ObservationValue<'metrics'>);
        return Promise.resolve();
      },
      reachability: () => undefined,
      diverged: () => undefined,
    };
    this.publisher = new Publisher({ name: 'bottom', facts: journal.store, membership, events, ...system, logger });
  }

  /** Everything of the plan is programmed, and everything is captured, when this resolves. `prepare` comes before the hosts. */
  static async create(
    plan: WorldPlan,
    { prepare, logger = silentLogger }: { prepare?: (lab: Lab) => Promise<unknown>; logger?: Logger } = {},
  ): Promise<Fabric> {
    const fabric = new Fabric(await createLab(), logger);
    try {
      await prepare?.(fabric.lab);
      await Promise.all(fabric.hosts.map((host) => fabric.wire.tapHost(host.lab)));
      await Promise.all(fabric.hosts.map((host) => host.start()));
      await fabric.add(plan);
    } catch (error) {
      await fabric.destroy();
      throw error;
    }
    return fabric;
  }

  async destroy(): Promise<void> {
    await Promise.all(this.hosts.map((host) => host.destroy()));
    this.publisher.close();
    await this.wire.close();
    await this.lab.destroy();
  }

  host(name: string): FabricHost {
    const host = this.hosts.find((candidate) => candidate.name === name);
    if (!host) throw new RangeError(`No host ${name}.`);
    return host;
  }

  hostOf(instance: string): FabricHost {
    return this.host(this.plan(instance).host);
  }

  /** MAC and address of an instance. */
  end(instance: string): End {
    const { network, place } = this.plan(instance);
    return endOf(this.network(network).cidr, place);
  }

  gateway(network: string): End {
    return gatewayOf(this.network(network));
  }

  netns(instance: string): string {
    const found = this.instances.get(instance);
    if (!found) throw new RangeError(`${instance} is not there.`);
    return found.netns;
  }

  portOf(instance: string): string {
    return idOf('port', instance);
  }

  /** As a Bottom does: each host gets what its span needs. Resolves when all whom it concerns have settled, but for those that cannot. */
  async add(plan: Partial<WorldPlan>, without: readonly string[] = []): Promise<void> {
    Object.assign(this.networks, plan.networks);
    const instances = Object.entries(plan.instances ?? {});
    for (const [name, instance] of instances) this.plans.set(name, instance);
    const changes = [
      ...Object.entries(plan.networks ?? {}).flatMap(([name, network]) => networkFacts(name, network)),
      ...Object.entries(plan.routers ?? {}).flatMap(([name, router]) => routerFacts(name, router, this.networks)),
      ...instances.flatMap(([name, instance]) =>
        instanceFacts(name, instance, this.networks, this.endpointOf(instance)),
      ),
    ];
    await this.tell(this.span.apply(changes), without);
  }

  async remove(...instances: string[]): Promise<void> {
    await this.tell(this.span.apply(instances.flatMap((name) => instanceRemoval(name))));
    for (const name of instances) this.plans.delete(name);
  }

  /** Facts for places of the test's choice, at one position. */
  async tell(changes: readonly PlacedChange[], without: readonly string[] = []): Promise<void> {
    const { position } = this.journal.append(changes.map(({ place, ...change }) => ({ follower: place, ...change })));
    const concerned = [...new Set(changes.map(({ place }) => place))];
    this.publisher.changed(concerned);
    await this.settled(
      concerned.filter((host) => !without.includes(host)),
      position,
    );
  }

  async settled(hosts: readonly string[], position = this.journal.store.head().position): Promise<void> {
    await waitFor(() => hosts.every((host) => this.publisher.status(host).settled >= position), {
      what: `${hosts.join(', ')} to settle at ${position}`,
      deadlineMs: SETTLED_MS,
    });
  }

  /** Fact lines that a host was sent since the start. */
  messages(host: string): number {
    return Object.values(this.publisher.messages(host)).reduce((sum, count) => sum + count, 0);
  }

  /** Fact lines that a host's controller got since its start, as it last reported. */
  received(host: string): number {
    return Object.values(this.metrics.get(host)?.messages ?? {}).reduce((sum, count) => sum + count, 0);
  }

  /** Flows that a host's controller added, changed and removed since its start, as it last reported. */
  flowChanges(host: string): number {
    const metrics = this.metrics.get(host);
    return metrics ? metrics.flowsAdded + metrics.flowsModified + metrics.flowsRemoved : 0;
  }

  /** Sends raw frames from an instance, and waits for nothing. */
  async inject(instance: string, ...frames: Uint8Array[]): Promise<void> {
    await inject(
      this.netns(instance),
      'eth0',
      frames.map((frame) => Buffer.from(frame)),
    );
  }

  /**
   * Sends frames from an instance, and behind them a broadcast that must reach all others in its network, so that what did
   * not arrive was dropped. Answers all that was received and crossed the underlay, without the broadcast.
   */
  async send(from: string, ...frames: Uint8Array[]): Promise<Journey> {
    const others = this.others(from);
    if (others.length === 0)
      throw new RangeError(`${from} is alone in its network: nobody could hear a control packet.`);
    const number = ++this.controls;
    this.wire.clear();
    await this.inject(from, ...frames, this.control(from, number));
    await waitFor(
      () => {
        const heard = this.wire.deliveries().filter(({ frame }) => controlOf(frame) === number);
        return others.every((other) => heard.some(({ to }) => to === other));
      },
      { what: `control packet ${number} from ${from} at ${others.join(', ')}` },
    );
    return this.journey();
  }

  /** What was captured since `clear` or the last `send`. */
  async journey(): Promise<Journey> {
    await this.wire.settle();
    return {
      deliveries: this.wire.deliveries().filter(({ frame }) => controlOf(frame) === undefined),
      crossings: this.wire.crossings().filter(({ frame }) => controlOf(frame) === undefined),
    };
  }

  /** Other instances in the same network. */
  others(instance: string): string[] {
    const { network } = this.plan(instance);
    return [...this.plans]
      .filter(([name, plan]) => name !== instance && plan.network === network && this.instances.has(name))
      .map(([name]) => name);
  }

  /** Pings from the kernel of one instance; while it lasts both have their addresses, and a default route. */
  async ping(from: string, to: string | Ip): Promise<PingReport> {
    const target = this.plans.has(to) ? to : undefined;
    const pair = target === undefined ? [from] : [from, target];
    await Promise.all(pair.map((name) => this.address(name)));
    try {
      return await ping(this.netns(from), target === undefined ? to : this.end(target).ip, {
        count: 2,
        intervalMs: 20,
      });
    } finally {
      await Promise.all(pair.map((name) => this.silence(name)));
    }
  }

  /** Its kernel has no address any more: it answers nothing, and asks after no neighbour. */
  async silence(instance: string): Promise<void> {
    const input = 'addr flush dev eth0\nneigh flush dev eth0\n';
    await run('ip', ['-n', this.netns(instance), '-batch', '-'], { input });
  }

  /** Gives an instance's kernel what DHCP would have. */
  async address(instance: string): Promise<void> {
    const { network } = this.plan(instance);
    const prefix = this.network(network).cidr.split('/')[1] ?? '';
    const input = [
      `addr replace ${this.end(instance).ip}/${prefix} dev eth0`,
      'link set eth0 mtu 1450',
      `route replace default via ${this.gateway(network).ip}`,
      '',
    ].join('\n');
    await run('ip', ['-n', this.netns(instance), '-batch', '-'], { input });
  }

  private async admit(host: string, link: Link): Promise<string> {
    const key = makeKey(systemRandom);
    this.membership.invite(host, host);
    await joinPublisher({ transport: link, token: host, name: host, key });
    return key;
  }

  private plan(instance: string): InstancePlan {
    const plan = this.plans.get(instance);
    if (!plan) throw new RangeError(`No instance ${instance}.`);
    return plan;
  }

  private network(name: string): NetworkPlan {
    const plan = this.networks[name];
    if (!plan) throw new RangeError(`No network ${name}.`);
    return plan;
  }

  private endpointOf({ host }: InstancePlan): Ip {
    return host === 'elsewhere' ? ELSEWHERE : (this.host(host).lab.underlay as Ip);
  }

  private control(from: string, number: number): Uint8Array {
    const { mac, ip } = this.end(from);
    const payload = udp(CONTROL_PORT, CONTROL_PORT, new TextEncoder().encode(`control ${number}`));
    return encodeFrame({
      source: mac,
      destination: BROADCAST_MAC,
      payload: ipv4({ source: ip, destination: '255.255.255.255' as Ip, payload }),
    });
  }
}

/** The number of a control packet; undefined for every other frame. */
function controlOf({ payload }: Frame): number | undefined {
  if (payload.kind !== 'ipv4' || payload.payload.kind !== 'udp' || payload.payload.destinationPort !== CONTROL_PORT)
    return undefined;
  return Number(new TextDecoder().decode(payload.payload.payload).replace('control ', ''));
}
