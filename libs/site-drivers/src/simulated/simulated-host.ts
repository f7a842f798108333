import type { Ip, PortId } from '@weir/kernel';
import type { LocalControllerOptions } from '@weir/local-controller';
import { MemorySwitch, type MemorySwitchOptions } from '@weir/local-controller/memory';
import { SimulatedInstances, type SimulatedInstancesOptions } from './simulated-instances';
import type { SimulatedUnderlay, TunnelEnd } from './underlay';

type Database = LocalControllerOptions['database'];

/** A switch's database in which devices can be plugged. */
export interface SimulatedDatabase extends Database {
  addDevice(name: string): void;
}

export interface SimulatedHostOptions
  extends Pick<SimulatedInstancesOptions, 'started' | 'changed' | 'removing'>, MemorySwitchOptions {
  readonly endpoint: Ip;
  readonly database: SimulatedDatabase;
  readonly underlay: SimulatedUnderlay;
  /** A frame reaches an instance by this port. */
  readonly delivered: (port: PortId, frame: Uint8Array) => void;
}

/**
 * The hardware below one Host, simulated: a switch that runs flows on frames, its database, and a hypervisor. It outlives the processes
 * that use it; frames travel at once.
 */
export class SimulatedHost implements TunnelEnd {
  readonly endpoint: Ip;
  readonly database: SimulatedDatabase;
  readonly switch: MemorySwitch;
  readonly instances: SimulatedInstances;

  constructor(options: SimulatedHostOptions) {
    const { endpoint, database, underlay, delivered, started, changed, removing } = options;
    this.endpoint = endpoint;
    this.database = database;
    this.switch = new MemorySwitch(options);
    this.instances = new SimulatedInstances({
      plugged: (device) => database.addDevice(device),
      ...(started && { started }),
      ...(changed && { changed }),
      ...(removing && { removing }),
    });
    database.onPortsChanged((ports) => {
      for (const { ofport, type } of ports) if (ofport !== undefined) this.switch.addPort(ofport, type === 'vxlan');
    });
    this.switch.onOutput = (output) => {
      if (output.tunnel) return underlay.carry(endpoint, output);
      const port = database.ports().find(({ ofport }) => ofport === output.port)?.externalIds['iface-id'];
      if (port !== undefined) delivered(port as PortId, output.frame);
    };
    underlay.attach(this);
  }

  /** What an instance says by its port; nothing where the switch has no such port. */
  send(port: PortId, frame: Uint8Array): void {
    const inPort = this.database.ports().find(({ externalIds }) => externalIds['iface-id'] === port)?.ofport;
    if (inPort !== undefined) this.switch.receive({ inPort, frame });
  }

  receive(id: number, src: Ip, frame: Uint8Array): void {
    const inPort = this.database.ports().find(({ type }) => type === 'vxlan')?.ofport;
    if (inPort !== undefined) this.switch.receive({ inPort, frame, tunnel: { id, src } });
  }
}
