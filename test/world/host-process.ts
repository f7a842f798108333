import { makeKey, Slice, type Standing } from '@weir/cascade';
import type { Link } from '@weir/cascade/memory';
import type { Ip, PortId, ServerId } from '@weir/kernel';
import { type HostDescription, STATE_HOLDING } from '@weir/local-controller';
import { MemoryControllerState } from '@weir/local-controller/memory';
import type { Switch } from '@weir/openflow';
import { MemorySwitchDatabase } from '@weir/ovsdb/memory';
import { SimulatedHost, type SimulatedUnderlay } from '@weir/site-drivers/simulated';
import { Host } from '../../apps/host/src/host';
import { SliceDisk } from './disk';
import type { Ground } from './ground';
import type { Mortal } from './mortal';

export const BRIDGE = { name: 'br-int', datapathType: 'netdev' } as const;

interface Running {
  readonly life: Mortal;
  readonly host: Host;
}

export interface HostPlace {
  readonly description: HostDescription;
  readonly underlay: SimulatedUnderlay;
  readonly uplink: Link;
  readonly token: string;
  readonly delivered: (port: PortId, frame: Uint8Array) => void;
  readonly removing: (server: ServerId) => void;
}

/** A hypervisor: its Host, its disk, and the hardware below. */
export class HostProcess {
  readonly name: string;
  readonly endpoint: Ip;
  readonly disk = new SliceDisk();
  readonly slice = new Slice(this.disk, { stateHolding: STATE_HOLDING });
  readonly hardware: SimulatedHost;
  state = new MemoryControllerState();
  running: Running | undefined;
  private readonly key: string;
  private hasJoined = false;
  /** Of the copy that its disk was set back to. */
  private setBackTo: Standing | undefined;

  constructor(
    private readonly ground: Ground,
    readonly place: HostPlace,
  ) {
    const { description, underlay, delivered, removing } = place;
    this.name = description.name;
    this.endpoint = description.endpoint;
    this.key = makeKey(ground.random(`key of ${this.name}`));
    this.hardware = new SimulatedHost({
      endpoint: this.endpoint,
      database: new MemorySwitchDatabase(),
      underlay,
      delivered,
      removing: ({ server }) => removing(server),
      started: ({ server }) => ground.trace.tell(this.name, `runs server ${server}`),
      keepsCommits: true,
    });
  }

  get isUp(): boolean {
    return this.running !== undefined;
  }

  start(): void {
    const { ground, name, key, hasJoined, place } = this;
    const { clock, trace, spoilt } = ground;
    const life = ground.life(name);
    const random = ground.random(`${name} ${clock.monotonic()}`);
    trace.tell(name, 'starts');
    const host = new Host({
      host: place.description,
      bridge: BRIDGE,
      slice: life.port(spoilt.slice?.(this.slice) ?? this.slice),
      state: life.port(this.state),
      database: life.port(this.hardware.database),
      connect: () => this.connect(life),
      instances: life.port(this.hardware.instances),
      transport: spoilt.transport?.(place.uplink) ?? place.uplink,
      token: place.token,
      key,
      hasJoined,
      joined: () => (this.hasJoined = true),
      clock,
      timers: life.timers,
      random,
      logger: trace.logger(name),
    });
    this.running = { life, host };
    host.start().catch((error: unknown) => {
      if (life.alive) ground.violated(`${name} cannot run: ${error instanceof Error ? error.message : String(error)}`);
    });
  }

  kill(): void {
    this.running?.life.kill();
    this.running = undefined;
    this.place.uplink.breakConnections();
  }

  /** All that it knew, but for its key. */
  lose(): void {
    this.disk.lose();
    this.state = new MemoryControllerState();
  }

  /** Answers how to set its disk back to what it holds now. */
  copy(): () => void {
    const [setBack, kept, standing] = [this.disk.copy(), this.state.read(), this.disk.standing()];
    return () => {
      setBack();
      this.state = new MemoryControllerState();
      if (kept) this.state.write(kept);
      this.setBackTo = standing;
    };
  }

  /** Its disk was set back, and its Bottom has yet to tell it everything. */
  get isBehind(): boolean {
    const standing = this.disk.standing();
    return this.setBackTo !== undefined && (standing === this.setBackTo || standing.starting);
  }

  private async connect(life: Mortal): Promise<Switch> {
    const connection = await this.hardware.switch.connect();
    // The kernel closes the sockets of a process that died.
    life.death.catch(() => void connection.close());
    return life.port(connection);
  }
}
