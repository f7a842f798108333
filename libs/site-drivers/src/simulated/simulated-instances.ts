import type { ServerId } from '@weir/kernel';
import { type MemoryInstance, MemoryInstances, type MemoryInstancesOptions } from '@weir/local-controller/memory';

export interface SimulatedInstancesOptions extends MemoryInstancesOptions {
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

  override async remove(server: ServerId): Promise<void> {
    const instance = this.get(server);
    if (instance) this.watched.removing?.(instance);
    await super.remove(server);
    this.servers.delete(server);
  }
}
