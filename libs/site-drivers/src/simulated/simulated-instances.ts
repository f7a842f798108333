import type { ServerId } from '@weir/kernel';
import { type MemoryInstance, MemoryInstances, type MemoryInstancesOptions } from '@weir/local-controller/memory';

export interface SimulatedInstancesOptions extends MemoryInstancesOptions {
  /** The interfaces of one that runs may be others than before. */
  readonly changed?: (instance: MemoryInstance) => void;
  /** One that is here is about to go for good. */
  readonly removing?: (instance: MemoryInstance) => void;
}

/** A hypervisor that can be looked into. */
export class SimulatedInstances extends MemoryInstances {
  private readonly servers = new Set<ServerId>();

  constructor(private readonly watched: SimulatedInstancesOptions = {}) {
    super(watched);
  }

  /** What is here, running or not. */
  all(): readonly MemoryInstance[] {
    return [...this.servers].map((server) => this.get(server)).filter((instance) => instance !== undefined);
  }

  override async ensure(...given: Parameters<MemoryInstances['ensure']>): Promise<void> {
    await super.ensure(...given);
    this.servers.add(given[0].id);
  }

  override async start(server: ServerId): Promise<void> {
    await super.start(server);
    this.tell(server);
  }

  override async detach(server: ServerId, device: string): Promise<void> {
    await super.detach(server, device);
    this.tell(server);
  }

  override async remove(server: ServerId): Promise<void> {
    const instance = this.get(server);
    if (instance) this.watched.removing?.(instance);
    await super.remove(server);
    this.servers.delete(server);
  }

  private tell(server: ServerId): void {
    const instance = this.get(server);
    if (instance?.running === true) this.watched.changed?.(instance);
  }
}
