import { type Cancel, conflict, type ServerId } from '@weir/kernel';
import type { ServerFact } from '@weir/topology';
import type { ExecOptions, ExecResult, InstanceInterface, Instances, InstanceState } from '../instances';

export interface MemoryInstance {
  readonly server: ServerId;
  /** The server's, as its user gave it. */
  readonly name: string;
  readonly interfaces: readonly InstanceInterface[];
  readonly running: boolean;
}

export interface MemoryInstancesOptions {
  /** A device came, for the switch to open. */
  readonly plugged?: (device: string) => void;
  /** An instance runs from now on: what in it asks for a lease may do so. */
  readonly started?: (instance: MemoryInstance) => void;
}

/** A hypervisor in memory. It outlives the controllers that use it, as namespaces do. */
export class MemoryInstances implements Instances {
  private readonly instances = new Map<ServerId, MemoryInstance>();
  private readonly handlers = new Set<(server: ServerId) => void>();
  /** What the next calls about a server reject with. */
  readonly faults = new Map<ServerId, Error>();
  /** Answers commands. */
  answer: (server: ServerId, command: readonly string[], options: ExecOptions) => ExecResult | Promise<ExecResult> =
    () => ({
      exitCode: 0,
      timedOut: false,
      truncated: false,
      stdout: new Uint8Array(),
      stderr: new Uint8Array(),
    });

  constructor(private readonly options: MemoryInstancesOptions = {}) {}

  get(server: ServerId): MemoryInstance | undefined {
    return this.instances.get(server);
  }

  /** It ends by itself; what it was made of stays. */
  end(server: ServerId): void {
    const instance = this.instances.get(server);
    if (!instance) return;
    this.instances.set(server, { ...instance, running: false });
    for (const handler of this.handlers) handler(server);
  }

  async list(): Promise<readonly InstanceState[]> {
    await Promise.resolve();
    return [...this.instances.values()].map(({ server, running }) => ({ server, running }));
  }

  async ensure(server: ServerFact, interfaces: readonly InstanceInterface[]): Promise<void> {
    await this.reach(server.id);
    this.instances.set(server.id, {
      server: server.id,
      name: server.name,
      interfaces,
      running: this.instances.get(server.id)?.running ?? false,
    });
    for (const { device } of interfaces) this.options.plugged?.(device);
  }

  async start(server: ServerId): Promise<void> {
    await this.reach(server);
    const instance = this.instances.get(server);
    if (!instance) throw conflict(`Server ${server} has not been made.`);
    if (instance.running) return;
    const running = { ...instance, running: true };
    this.instances.set(server, running);
    this.options.started?.(running);
  }

  async detach(server: ServerId, device: string): Promise<void> {
    await this.reach(server);
    const instance = this.instances.get(server);
    if (!instance) return;
    const interfaces = instance.interfaces.filter((each) => each.device !== device);
    this.instances.set(server, { ...instance, interfaces });
  }

  async remove(server: ServerId): Promise<void> {
    await this.reach(server);
    this.instances.delete(server);
  }

  async exec(server: ServerId, command: readonly string[], options: ExecOptions): Promise<ExecResult> {
    await this.reach(server);
    if (this.instances.get(server)?.running !== true) throw conflict(`Server ${server} does not run.`);
    return this.answer(server, command, options);
  }

  onEnded(handler: (server: ServerId) => void): Cancel {
    this.handlers.add(handler);
    return () => this.handlers.delete(handler);
  }

  private async reach(server: ServerId): Promise<void> {
    await Promise.resolve();
    const fault = this.faults.get(server);
    if (fault) throw fault;
  }
}
