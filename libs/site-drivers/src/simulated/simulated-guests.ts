import { type Clock, notFound, type PortId, type Random, type ServerId, type Timers } from '@weir/kernel';
import { hostnameOf } from '@weir/local-controller';
import type { MemoryInstance } from '@weir/local-controller/memory';
import { SimulatedGuest } from './guest';
import { SimulatedHost, type SimulatedHostOptions } from './simulated-host';

export interface SimulatedGuestsOptions extends Pick<SimulatedHostOptions, 'endpoint' | 'database' | 'underlay'> {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
}

/** A simulated host with something that lives in each of its instances. */
export class SimulatedGuests {
  readonly host: SimulatedHost;
  private readonly byServer = new Map<ServerId, SimulatedGuest>();
  private readonly byPort = new Map<PortId, SimulatedGuest>();

  constructor(private readonly options: SimulatedGuestsOptions) {
    const { endpoint, database, underlay } = options;
    this.host = new SimulatedHost({
      ...{ endpoint, database, underlay },
      // In a turn of its own, as from a device: an answer is no part of the question's way through the switch.
      delivered: (port, frame) => queueMicrotask(() => this.byPort.get(port)?.receive(port, frame)),
      changed: (instance) => this.plug(instance),
      removing: ({ server }) => this.end(server),
    });
    this.host.instances.answer = (server, command, asked) => this.guest(server).exec(command, asked);
  }

  /** Throws `not-found` for a server that does not run here. */
  guest(server: ServerId): SimulatedGuest {
    const found = this.byServer.get(server);
    if (!found) throw notFound(`Server ${server} does not run on this host.`);
    return found;
  }

  private plug({ server, name, interfaces }: MemoryInstance): void {
    const { clock, timers, random } = this.options;
    const hostname = hostnameOf(name) ?? `server-${server.slice(0, 8)}`;
    const send = (port: PortId, frame: Uint8Array) => this.host.send(port, frame);
    const guest = this.byServer.get(server) ?? new SimulatedGuest({ hostname, send, clock, timers, random });
    this.byServer.set(server, guest);
    this.forget(guest);
    for (const { port } of interfaces) this.byPort.set(port, guest);
    guest.plug(interfaces);
  }

  private end(server: ServerId): void {
    const guest = this.byServer.get(server);
    if (!guest) return;
    guest.stop();
    this.byServer.delete(server);
    this.forget(guest);
  }

  private forget(guest: SimulatedGuest): void {
    for (const [port, owner] of this.byPort) if (owner === guest) this.byPort.delete(port);
  }
}
