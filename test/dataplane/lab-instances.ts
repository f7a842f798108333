import type { Cancel, ServerId } from '@weir/kernel';
import { invalid } from '@weir/kernel';
import type { Lab, LabHost, LabInstance } from '@weir/lab';
import type { InstanceInterface, Instances, InstanceState } from '@weir/local-controller';
import type { ServerFact } from '@weir/topology';

export interface InstanceWatcher {
  added(name: string, instance: LabInstance): Promise<void>;
  /** Before it goes. */
  removing(name: string): Promise<void>;
}

/** The hypervisor of one of the lab's hosts: an instance is a plain namespace in which nothing runs, called by its server's name. */
export class LabInstances implements Instances {
  private readonly names = new Map<ServerId, string>();

  constructor(
    private readonly lab: Lab,
    private readonly host: LabHost,
    private readonly watcher: InstanceWatcher,
  ) {}

  list(): Promise<readonly InstanceState[]> {
    return Promise.resolve([...this.names.keys()].map((server) => ({ server, running: true })));
  }

  async ensure({ id, name }: ServerFact, interfaces: readonly InstanceInterface[]): Promise<void> {
    const [first, ...more] = interfaces;
    if (first === undefined || more.length > 0) throw invalid(`Instance ${name} does not have one interface.`);
    if (this.names.has(id)) return;
    const instance = await this.lab.addInstance({ host: this.host, name, mac: first.mac, portId: first.port });
    this.names.set(id, name);
    await this.watcher.added(name, instance);
  }

  start(): Promise<void> {
    return Promise.resolve();
  }

  detach(server: ServerId): Promise<void> {
    return this.remove(server);
  }

  async remove(server: ServerId): Promise<void> {
    const name = this.names.get(server);
    if (name === undefined) return;
    await this.watcher.removing(name);
    await this.lab.removeInstance(name);
    this.names.delete(server);
  }

  exec(): Promise<never> {
    return Promise.reject(invalid('Nothing runs in these instances.'));
  }

  onEnded(): Cancel {
    return () => undefined;
  }
}
