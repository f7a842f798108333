import type { Ip, PortId, ServerId } from '@weir/kernel';
import type { Link } from '@weir/cascade/memory';
import type { RecordedEvent } from '@weir/event-store';
import { SimulatedUnderlay } from '@weir/site-drivers/simulated';
import { BottomProcess } from './bottom-process';
import type { Spoilt } from './bugs';
import { Faults } from './faults';
import { between, Ground } from './ground';
import { HostProcess } from './host-process';
import { Operator } from './operator';
import { Oracle } from './oracle';
import type { Site } from './site';
import { Tenants } from './tenants';
import { TopProcess } from './top-process';
import { wire } from './wire';

export interface Outcome {
  readonly seed: number;
  /** What was wrong; none in a sound world. */
  readonly violations: readonly string[];
  readonly story: string;
  readonly hash: string;
  readonly events: number;
}

const DATA_CENTERS = [
  { name: 'paris', net: '198.51.100' },
  { name: 'tokyo', net: '203.0.113' },
] as const;
/** Longer than any pause, retry or silence of ours. */
const SETTLE_MS = 90_000;
/** Until nothing that is only told once a second is under way any more. */
const STILL_MS = 2_500;
/** Longer than a post is waited for, and the pause after it. */
const SECOND_LOOK_MS = 15_000;

class NeverSettled extends Error {
  constructor(standing: string) {
    super(`The world did not settle: ${standing}`);
  }
}

/** A world that is lived through from its seed: the same seed gives the same history. */
export async function live(seed: number, spoilt?: Spoilt, isUntamed = false): Promise<Outcome> {
  const world = new World(new Ground(seed, spoilt, isUntamed));
  return world.live();
}

class World {
  private readonly underlay = new SimulatedUnderlay();
  private readonly sites: Site[] = [];
  private readonly links: { readonly name: string; readonly link: Link }[] = [];
  private readonly deliveries: { readonly port: PortId; readonly frame: Uint8Array }[] = [];
  /** Servers that users, or their failure, have given up. */
  private readonly mayGo = new Set<string>();
  private readonly top: TopProcess;

  constructor(private readonly ground: Ground) {
    this.top = new TopProcess(ground, (events) => {
      for (const event of events) this.recorded(event);
    });
  }

  async live(): Promise<Outcome> {
    const { ground } = this;
    try {
      await this.pass();
    } catch (error) {
      // A stack is not the same in each run, and tells nothing of what the world waits for in vain.
      ground.violated(
        error instanceof NeverSettled || !(error instanceof Error) ? String(error) : (error.stack ?? error.message),
      );
    }
    for (const { bottom, hosts } of this.sites) for (const process of [bottom, ...hosts]) process.kill();
    this.top.kill();
    for (const { bottom } of this.sites) bottom.records.close();
    const { seed, violations, trace } = ground;
    return { seed, violations, story: trace.story(), hash: trace.hash(), events: this.top.disk.log.events.length };
  }

  private async pass(): Promise<void> {
    const { ground, top, sites } = this;
    const random = ground.random('world');
    await this.build(1 + random.integer(2), 1 + random.integer(2));
    const zones = sites.map(({ name }) => `${name}:a`);
    const tenants = new Tenants(ground, top, zones);
    const hosts = sites.flatMap((site) => site.hosts);
    const faults = new Faults(ground, {
      top,
      bottoms: sites.map(({ bottom }) => bottom),
      hosts,
      links: this.links,
      isDeleting: () => top.isDeleting(),
      setBack: (position) => tenants.ledger.setBack(position),
    });
    new Operator(
      ground,
      top,
      sites.map(({ bottom }) => bottom),
    );
    const oracle = new Oracle(ground, { top, sites, tenants, deliveries: this.deliveries });
    faults.calm();
    await this.settle(tenants);
    for (let storms = between(random, 1, 3); storms > 0 && ground.violations.length === 0; storms--) {
      const lasts = between(random, 3_000, 12_000);
      for (let n = between(random, 8, 25); n > 0; n--) ground.timers.after(random.integer(lasts), () => tenants.act());
      for (let n = between(random, 0, 6); n > 0; n--) ground.timers.after(random.integer(lasts), () => faults.strike());
      ground.trace.tell('world', 'a storm begins');
      await ground.time.advance(lasts);
      faults.calm();
      await this.settle(tenants);
      await this.hold(tenants, () => oracle.judge());
    }
    if (ground.violations.length > 0) return;
    ground.trace.tell('world', 'everything is to go');
    for (let rounds = 0; rounds < 8 && tenants.endAll(); rounds++) await this.settle(tenants);
    await this.hold(tenants, () => oracle.judgeEmpty());
  }

  /** What is settled may still be on its way upwards in a post that nobody answers: only what stays wrong is wrong. */
  private async hold(tenants: Tenants, judge: () => readonly string[]): Promise<void> {
    if (judge().length === 0) return;
    this.ground.trace.tell('world', 'is looked at once more');
    await this.ground.time.advance(SECOND_LOOK_MS);
    await this.settle(tenants);
    for (const wrong of judge()) this.ground.violated(wrong);
  }

  private async build(siteCount: number, hostCount: number): Promise<void> {
    const { ground, top } = this;
    top.start();
    await ground.time.until(() => top.running !== undefined);
    for (const { name, net } of DATA_CENTERS.slice(0, siteCount)) {
      const origin = { requestId: 'req-world', actor: 'operator', projectId: undefined };
      const tunnel = { type: 'vxlan', mtu: 1500 } as const;
      const body = { name, data_center: name, availability_zones: ['a'], driver: 'ovs', tunnel } as const;
      const core = top.running?.core;
      if (!core) throw new Error('The Top is not up.');
      const added = await this.answered(core.sites.add(origin, { ...body, availability_zones: ['a'] }));
      const uplink = this.line(`${name}–top`, () => top.serving());
      const bottom = new BottomProcess(ground, name, { token: added.joinToken, uplink });
      ground.trace.name(added.site.id, name);
      const hosts = Array.from({ length: hostCount }, (_, index) =>
        this.host(`${name.charAt(0)}${index + 1}`, `${net}.${11 + index}` as Ip, bottom),
      );
      this.sites.push({ id: added.site.id, name, bottom, hosts });
    }
  }

  private host(name: string, endpoint: Ip, bottom: BottomProcess): HostProcess {
    return new HostProcess(this.ground, {
      description: { name, zone: 'a', vcpus: 4, ramMb: 4096, diskGb: 100, hypervisor: 'namespace', endpoint },
      underlay: this.underlay,
      uplink: this.line(`${name}–${bottom.name}`, () => bottom.serving()),
      token: bottom.hostToken,
      delivered: (port, frame) => void this.deliveries.push({ port, frame }),
      removing: (server) => {
        if (!this.mayGo.has(server))
          this.ground.violated(`${name} takes server ${server} away, and nobody asked for that`);
      },
    });
  }

  private line(name: string, serving: Parameters<typeof wire>[0]): Link {
    const { ground } = this;
    const link = wire(serving, { clock: ground.clock, timers: ground.timers, random: ground.random(`line ${name}`) });
    this.links.push({ name, link });
    return link;
  }

  /** Until every level has made true, and has said so, what the log says, and nothing moves any more. */
  private async settle(tenants: Tenants): Promise<void> {
    const { time } = this.ground;
    const deadline = time.monotonic() + SETTLE_MS;
    for (;;) {
      try {
        await time.until(() => tenants.waiting === 0 && this.isSettled(), deadline - time.monotonic());
      } catch {
        throw new NeverSettled(this.standing());
      }
      const before = this.position();
      await time.advance(STILL_MS);
      if (tenants.waiting === 0 && this.isSettled() && this.position() === before) break;
    }
    this.ground.trace.tell('world', 'has settled');
  }

  private isSettled(): boolean {
    const core = this.top.running?.core;
    if (!core) return false;
    const { length } = this.top.disk.log.events;
    if (core.facts.head().position !== length) return false;
    return this.sites.every(({ id, bottom, hosts }) => {
      const { connected, reachability, settled } = core.publisher.status(id);
      const publisher = bottom.running?.bottom.publisher;
      if (!connected || reachability !== 'reachable' || settled !== length || !publisher) return false;
      const head = bottom.journal.head().position;
      return hosts.every(({ name }) => {
        const status = publisher.status(name);
        return status.connected && status.reachability === 'reachable' && status.settled === head;
      });
    });
  }

  private position(): string {
    return [this.top.disk.log.events.length, ...this.sites.map(({ bottom }) => bottom.journal.head().position)].join();
  }

  private standing(): string {
    const core = this.top.running?.core;
    const sites = this.sites.map(({ id, name, bottom, hosts }) => {
      const publisher = bottom.running?.bottom.publisher;
      const each = hosts.map(
        (host) =>
          `${host.name} ${JSON.stringify(publisher?.status(host.name))} of ${bottom.journal.head().position}, ${JSON.stringify(host.running?.host.controller.status())}`,
      );
      return `${name} ${JSON.stringify(core?.publisher.status(id))}, ${JSON.stringify(bottom.running?.bottom.site.status())}, ${each.join(', ')}`;
    });
    return `the log is at ${this.top.disk.log.events.length}, published at ${core?.facts.head().position ?? 'nothing'}; ${sites.join('; ')}`;
  }

  private async answered<T>(promise: Promise<T>): Promise<T> {
    let isDone = false;
    const done = () => (isDone = true);
    promise.then(done, done);
    await this.ground.time.until(() => isDone);
    return promise;
  }

  /** Tells it, and holds what is true now against it. */
  private recorded({ position, stream, type, data }: RecordedEvent): void {
    const { trace } = this.ground;
    const id = /-([0-9a-f]{8}-.{27})$/.exec(stream)?.[1] ?? '';
    const named = type === 'SubnetAdded' || type === 'SubnetUpdated' ? (data['subnetId'] as string) : id;
    if (typeof data['name'] === 'string' && data['name'] !== '') trace.name(named, data['name']);
    trace.tell('log', `${position} ${type} ${stream}`);
    const server = id as ServerId;
    if (type === 'ServerDeleting' || (type === 'ServerFailed' && data['capacityFreed'] === true))
      this.mayGo.add(server);
    if (type === 'FactsDiscarded')
      for (const { kind, id: discarded } of data['facts'] as unknown as readonly { kind: string; id: string }[])
        if (kind === 'server') this.mayGo.add(discarded);
    if (type === 'ServerDeleted') {
      for (const host of this.sites.flatMap(({ hosts }) => hosts))
        if (host.hardware.instances.get(server))
          this.ground.violated(
            `server ${server} is called deleted, its addresses are free, and ${host.name} still holds it`,
          );
    }
  }
}
