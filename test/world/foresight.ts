import type { FactStore, PublishedChange } from '@weir/cascade';
import type { Ip } from '@weir/kernel';
import type { FlowChange, FlowStats, Group, Meter } from '@weir/openflow';
import { flowKey, formatFlow, formatGroup, formatMeter } from '@weir/openflow';
import { SimulatedUnderlay } from '@weir/site-drivers/simulated';
import type { FactChange, FlowChanges } from '@weir/topology';
import type { Preview } from '../../apps/top/src/sites/preview';
import { BottomProcess } from './bottom-process';
import { Ground } from './ground';
import { HostProcess } from './host-process';
import type { Site } from './site';
import { type Api, TopProcess } from './top-process';
import { wire } from './wire';

const SITES = [
  { name: 'paris', net: '198.51.100' },
  { name: 'tokyo', net: '203.0.113' },
] as const;

/** Rows as text, by what tells them apart. */
export type Rows = Readonly<Record<'flows' | 'groups' | 'meters', ReadonlyMap<string, string>>>;

export interface Foreseen {
  readonly preview: Preview;
  /** As each site was really told, at the events that were foreseen. */
  readonly facts: Readonly<Record<string, readonly FactChange[]>>;
  /** What each host's switch had before, and had when all was done. */
  readonly before: ReadonlyMap<string, Rows>;
  readonly after: ReadonlyMap<string, Rows>;
  /** What each host's switch was given, bundle by bundle. */
  readonly bundles: ReadonlyMap<string, readonly FlowChange[]>;
  /** Whatever is kept anywhere, before the preview and after it. */
  readonly kept: readonly [string, string];
}

/** Two sites with two hosts each under a Top, in which a request is foreseen, and then carried out as it was. */
export class ForesightWorld {
  /** Whatever was published, by whom and at which position whatever. */
  private readonly published: (PublishedChange & { readonly position: number })[] = [];
  readonly ground = new Ground(1, { facts: (store) => this.recorded(store) });
  readonly top = new TopProcess(this.ground, () => undefined);
  readonly sites: Site[] = [];
  private readonly underlay = new SimulatedUnderlay();

  async start(): Promise<void> {
    const { ground, top } = this;
    top.start();
    await ground.time.until(() => top.running !== undefined);
    for (const { name, net } of SITES) {
      const origin = { requestId: 'req-world', actor: 'operator', projectId: undefined };
      const tunnel = { type: 'vxlan', mtu: 1500 } as const;
      const added = await this.answered(
        this.core.sites.add(origin, { name, data_center: name, availability_zones: ['a'], driver: 'ovs', tunnel }),
      );
      const bottom = new BottomProcess(ground, name, {
        token: added.joinToken,
        uplink: this.line(() => top.serving()),
      });
      const hosts = [1, 2].map((n) => this.host(`${name}-${n}`, `${net}.${10 + n}` as Ip, bottom));
      this.sites.push({ id: added.site.id, name, bottom, hosts });
      for (const process of [bottom, ...hosts]) process.start();
    }
    await this.settled();
  }

  stop(): void {
    for (const { bottom, hosts } of this.sites) for (const process of [bottom, ...hosts]) process.kill();
    this.top.kill();
    for (const { bottom } of this.sites) bottom.records.close();
  }

  get core() {
    return this.running.core;
  }

  get hosts(): readonly HostProcess[] {
    return this.sites.flatMap(({ hosts }) => hosts);
  }

  async preview(work: (api: Api) => Promise<unknown>): Promise<Preview> {
    const rehearsed = await this.answered(this.core.rehearsals.run(() => work(this.running.api)));
    return this.answered(this.core.previews.of(rehearsed.events));
  }

  /** Rehearses the work, previews it, and then appends the very same. */
  async foresee(work: (api: Api) => Promise<unknown>): Promise<Foreseen> {
    const { core, store, api } = this.running;
    const rehearsed = await this.answered(core.rehearsals.run(() => work(api)));
    const keptBefore = this.kept();
    const preview = await this.answered(core.previews.of(rehearsed.events));
    const kept = [keptBefore, this.kept()] as const;

    const before = new Map(this.hosts.map((host) => [host.name, rowsOf(host)]));
    const committed = new Map(this.hosts.map(({ name, hardware }) => [name, hardware.switch.commits.length]));
    const plugged = new Set(this.hosts.flatMap(devicesOf));
    this.published.length = 0;
    for (const append of rehearsed.branch.appends) await this.answered(store.append(append));
    const last = await this.answered(store.head());
    await this.settled();
    const facts = Object.fromEntries(this.sites.map(({ id, name }) => [name, this.factsUntil(id, last)]));
    return {
      preview,
      facts: Object.fromEntries(Object.entries(facts).filter(([, told]) => told.length > 0)),
      before,
      after: new Map(this.hosts.map((host) => [host.name, rowsOf(host, (device) => !plugged.has(device))])),
      bundles: new Map(
        this.hosts.map(({ name, hardware }) => [name, hardware.switch.commits.slice(committed.get(name))]),
      ),
      kept,
    };
  }

  async do<T>(work: (api: Api) => Promise<T>): Promise<T> {
    const done = await this.answered(work(this.running.api));
    await this.settled();
    return done;
  }

  async answered<T>(promise: Promise<T>): Promise<T> {
    let isDone = false;
    const done = () => (isDone = true);
    promise.then(done, done);
    await this.ground.time.until(() => isDone);
    return promise;
  }

  private get running() {
    if (!this.top.running) throw new Error('The Top is not up.');
    return this.top.running;
  }

  /** Until every level has made true, and has said so, what the log says. */
  private async settled(): Promise<void> {
    const position = () => [this.top.disk.log.events.length, ...this.sites.map((site) => headOf(site))].join();
    for (let before = ''; before !== position();) {
      before = position();
      await this.ground.time.until(() => this.isSettled());
      await this.ground.time.advance(2_500);
    }
  }

  private isSettled(): boolean {
    const { length } = this.top.disk.log.events;
    return this.sites.every((site) => {
      const publisher = site.bottom.running?.bottom.publisher;
      return (
        this.core.publisher.status(site.id).settled === length &&
        site.hosts.every(({ name }) => publisher?.status(name).settled === headOf(site))
      );
    });
  }

  /** As a follower that is up to date is told. */
  private factsUntil(site: string, last: number): FactChange[] {
    const told = new Map<string, PublishedChange & { readonly position: number }>();
    for (const change of this.published)
      if (change.follower === site && change.position <= last) told.set(`${change.kind}\n${change.id}`, change);
    return [...told]
      .sort(([a, one], [b, other]) => one.position - other.position || (a < b ? -1 : 1))
      .map(([, { op, kind, id, body }]) => ({ op, kind, id, ...(body && { body }) })) as unknown as FactChange[];
  }

  private recorded<S extends FactStore>(store: S): S {
    return new Proxy(store, {
      get: (of, name) => {
        const value: unknown = Reflect.get(of, name, of);
        if (typeof value !== 'function') return value;
        return (...given: unknown[]): unknown => {
          if (name === 'commit') {
            const { position, changes } = given[0] as Parameters<FactStore['commit']>[0];
            this.published.push(...changes.map((change) => ({ ...change, position })));
          }
          return Reflect.apply(value, of, given);
        };
      },
    });
  }

  /** The log, the journals and all that is stored below, and what the switches were given. */
  private kept(): string {
    return JSON.stringify([
      this.top.disk.log.events.length,
      this.sites.map((site) => [
        headOf(site),
        site.bottom.slice.facts(),
        site.bottom.records.placements(),
        [...site.bottom.records.departing()],
        site.bottom.records.gone(),
      ]),
      this.hosts.map(({ slice, state, hardware }) => [slice.facts(), state.read(), hardware.switch.commits.length]),
    ]);
  }

  private host(name: string, endpoint: Ip, bottom: BottomProcess): HostProcess {
    return new HostProcess(this.ground, {
      description: { name, zone: 'a', vcpus: 4, ramMb: 4096, diskGb: 100, hypervisor: 'namespace', endpoint },
      underlay: this.underlay,
      uplink: this.line(() => bottom.serving()),
      token: bottom.hostToken,
      delivered: () => undefined,
      removing: () => undefined,
    });
  }

  private line(serving: Parameters<typeof wire>[0]) {
    const { clock, timers } = this.ground;
    return wire(serving, { clock, timers, random: this.ground.random('line') });
  }
}

function headOf({ bottom }: Site): number {
  return bottom.journal.head().position;
}

function devicesOf({ hardware }: HostProcess): string[] {
  return hardware.database.ports().map(({ name }) => name);
}

function rowsOf({ hardware }: HostProcess, isNamed: (device: string) => boolean = () => false): Rows {
  const names = new Map(
    hardware.database.ports().flatMap(({ name, ofport }) => (isNamed(name) ? [[String(ofport), name] as const] : [])),
  );
  return rowsAsText(
    hardware.switch.flows.map(({ flow }: FlowStats) => flow),
    hardware.switch.groupList,
    hardware.switch.meterList,
    (port) => names.get(port) ?? port,
  );
}

function rowsAsText(
  flows: readonly FlowStats['flow'][],
  groups: readonly Group[],
  meters: readonly Meter[],
  nameOf: (port: string) => string,
): Rows {
  const text = (row: string) =>
    row.replaceAll(/\b(in_port=|output:)(\d+)/g, (_, before: string, port: string) => before + nameOf(port));
  return {
    flows: new Map(flows.map((flow) => [`${flowKey(flow)} ${flow.cookie}`, text(formatFlow(flow))])),
    groups: new Map(groups.map((group) => [`group_id=${group.id}`, text(formatGroup(group))])),
    meters: new Map(meters.map((meter) => [`meter=${meter.id}`, formatMeter(meter)])),
  };
}

type Difference = Readonly<Record<'added' | 'changed' | 'removed', readonly string[]>>;
export type Differences = Readonly<Record<'flows' | 'groups' | 'meters', Difference>>;

const sorted = ({ added, changed, removed }: Difference): Difference => ({
  ...{ added: [...added].sort(), changed: [...changed].sort(), removed: [...removed].sort() },
});

/** What a preview lists. */
export function listed({ flows, groups, meters }: FlowChanges): Differences {
  return { flows: sorted(flows), groups: sorted(groups), meters: sorted(meters) };
}

/** What differs between two looks at a switch. */
export function differences(before: Rows, after: Rows): Differences {
  const differ = (kind: keyof Rows): Difference => {
    const [old, now] = [before[kind], after[kind]];
    return sorted({
      added: [...now].filter(([key]) => !old.has(key)).map(([, row]) => row),
      changed: [...now].filter(([key, row]) => old.has(key) && old.get(key) !== row).map(([, row]) => row),
      removed: [...old].filter(([key]) => !now.has(key)).map(([key, row]) => (kind === 'flows' ? row : key)),
    });
  };
  return { flows: differ('flows'), groups: differ('groups'), meters: differ('meters') };
}

/** What one bundle says. */
export function saidBy(bundle: FlowChange): Differences {
  const flows = (list: FlowChange['add']) => list.map((flow) => formatFlow(flow));
  const groups = (list: FlowChange['addGroups']) => list.map((group) => formatGroup(group));
  return {
    flows: sorted({ added: flows(bundle.add), changed: flows(bundle.modify), removed: flows(bundle.remove) }),
    groups: sorted({
      added: groups(bundle.addGroups),
      changed: groups(bundle.modifyGroups),
      removed: bundle.removeGroups.map((id) => `group_id=${id}`),
    }),
    meters: sorted({
      added: bundle.addMeters.map(formatMeter),
      changed: [],
      removed: bundle.removeMeters.map((id) => `meter=${id}`),
    }),
  };
}
