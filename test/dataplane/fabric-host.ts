import { Follower } from '@weir/cascade';
import { type Link, memoryLink, MemorySlice } from '@weir/cascade/memory';
import { type Ip, type Logger, systemClock, systemRandom, systemTimers } from '@weir/kernel';
import { type LabHost, waitFor } from '@weir/lab';
import { type Instances, LocalController, STATE_HOLDING } from '@weir/local-controller';
import { MemoryControllerState } from '@weir/local-controller/memory';
import { connectOpenFlow, type OpenFlowConnection, type PacketIn } from '@weir/openflow';
import { OvsdbSwitchDatabase } from '@weir/ovsdb';
import type { Publisher } from '@weir/cascade';

export interface FabricHostOptions {
  readonly lab: LabHost;
  readonly instances: Instances;
  readonly publisher: () => Publisher;
  /** Lets it follow; answers its key. */
  readonly join: (host: string, link: Link) => Promise<string>;
  readonly logger: Logger;
}

/** A hypervisor of the lab with a local controller, as a Host process composes it but for disk, HTTP and what runs in instances. */
export class FabricHost {
  readonly lab: LabHost;
  /** Its line to the publisher, while it runs. */
  link: Link | undefined;
  controller: LocalController | undefined;
  /** What the switch led to controllers, heard on a connection of our own. */
  readonly punts: PacketIn[] = [];
  private readonly slice = new MemorySlice({ stateHolding: STATE_HOLDING });
  private readonly state = new MemoryControllerState();
  private readonly system: {
    clock: typeof systemClock;
    timers: typeof systemTimers;
    random: typeof systemRandom;
    logger: Logger;
  };
  private key: string | undefined;
  private observer: OpenFlowConnection | undefined;
  private follower: Follower | undefined;
  private readonly ends: (() => void | Promise<void>)[] = [];

  constructor(private readonly options: FabricHostOptions) {
    this.lab = options.lab;
    this.system = { clock: systemClock, timers: systemTimers, random: systemRandom, logger: options.logger };
  }

  get name(): string {
    return this.lab.name;
  }

  /** Resolves when the controller has its switch. Started again, it goes on with what it stored. */
  async start(): Promise<void> {
    const { lab, instances, publisher, join } = this.options;
    const { system } = this;
    const database = new OvsdbSwitchDatabase({ path: lab.ovsdb, owner: 'weir', ...system });
    this.ends.push(() => database.close());
    await database.synced();
    const link = memoryLink(publisher, system);
    this.link = link;
    this.ends.push(() => link.close());
    this.key ??= await join(lab.name, link);
    const controller: LocalController = new LocalController({
      host: { ...CAPACITY, name: lab.name, endpoint: lab.underlay as Ip },
      bridge: { name: lab.bridge, datapathType: 'netdev' },
      slice: this.slice,
      state: this.state,
      database,
      connect: () => connectOpenFlow({ path: lab.openflow, ...system }),
      instances,
      ...system,
      outlets: { observed: () => this.follower?.reportSoon(), settled: () => this.follower?.settledChanged() },
    });
    const follower = new Follower({ name: lab.name, transport: link, key: this.key, sink: controller, ...system });
    this.follower = follower;
    this.controller = controller;
    this.ends.push(
      () => controller.stop(),
      () => follower.stop(),
    );
    controller.start();
    follower.start();
    await waitFor(() => controller.status().inSync, { what: `${lab.name} to have its switch` });
    this.observer ??= await this.observe();
  }

  /** The process ends: what it made, and our own connection, go on. */
  async stop(): Promise<void> {
    for (const end of this.ends.splice(0).reverse()) await end();
    this.follower = this.controller = this.link = undefined;
  }

  async destroy(): Promise<void> {
    await this.stop();
    await this.observer?.close();
  }

  private async observe(): Promise<OpenFlowConnection> {
    const observer = await connectOpenFlow({ path: this.lab.openflow, ...this.system });
    observer.onClose(() => (this.observer = undefined));
    observer.onPacketIn((packet) => this.punts.push(packet));
    return observer;
  }
}

const CAPACITY = { zone: 'a', vcpus: 8, ramMb: 16_384, diskGb: 100, hypervisor: 'namespace' } as const;
