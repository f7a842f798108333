import { makeKey } from '@weir/cascade';
import { type Link, memoryLink, MemorySlice } from '@weir/cascade/memory';
import { Host } from '@weir/host';
import type { Ip } from '@weir/kernel';
import { STATE_HOLDING } from '@weir/local-controller';
import { MemoryControllerState } from '@weir/local-controller/memory';
import { HOST_TOTALS } from '@weir/lab/deployment';
import { MemorySwitchDatabase } from '@weir/ovsdb/memory';
import { SimulatedGuests, type SimulatedUnderlay } from '@weir/site-drivers/simulated';
import type { StagedProcess } from '../stage';
import type { BottomProcess } from './bottom-process';
import type { System } from './system';

export interface HostProcessOptions extends System {
  readonly name: string;
  readonly zone: string;
  readonly endpoint: Ip;
  readonly underlay: SimulatedUnderlay;
  readonly bottom: BottomProcess;
}

const BRIDGE = { name: 'br-int', datapathType: 'netdev' } as const;

/** A simulated hypervisor with its Host in this process; the switch, the instances and what the Host keeps outlive its kills. */
export class HostProcess implements StagedProcess {
  readonly database = new MemorySwitchDatabase();
  readonly guests: SimulatedGuests;
  private readonly slice = new MemorySlice({ stateHolding: STATE_HOLDING });
  private readonly state = new MemoryControllerState();
  private readonly uplink: Link;
  private readonly key: string;
  private hasJoined = false;
  private running: Host | undefined;

  constructor(private readonly options: HostProcessOptions) {
    const { endpoint, underlay, bottom, clock, timers, random, logger } = options;
    this.key = makeKey(random);
    this.guests = new SimulatedGuests({ endpoint, underlay, database: this.database, clock, timers, random });
    this.uplink = memoryLink(() => bottom.publisher, { clock, timers, random, logger });
  }

  start(): Promise<void> {
    if (this.running) return Promise.resolve();
    const { name, zone, endpoint, bottom, clock, timers, random, logger } = this.options;
    const { slice, state, key, database, guests, hasJoined } = this;
    const host = new Host({
      host: { name, zone, ...HOST_TOTALS, hypervisor: 'namespace', endpoint },
      bridge: BRIDGE,
      ...{ slice, state, database, key, hasJoined, clock, timers, random, logger },
      connect: () => guests.host.switch.connect(),
      instances: guests.host.instances,
      transport: this.uplink,
      token: bottom.hostToken,
      joined: () => (this.hasJoined = true),
    });
    this.running = host;
    host.start().catch((error: unknown) => logger.error('The Host cannot run', { error }));
    return Promise.resolve();
  }

  async kill(): Promise<void> {
    const { running } = this;
    this.running = undefined;
    await running?.stop();
  }
}
