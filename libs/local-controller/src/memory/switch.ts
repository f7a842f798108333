import {
  ConnectionClosed,
  type CookieMask,
  type FlowChange,
  type FlowStats,
  type Group,
  type Meter,
  type PacketIn,
  type PacketOut,
  type Switch,
  type Unsubscribe,
} from '@weir/openflow';
import { type Arrival, type ModelPort, type Output, type Result, SwitchModel } from '@weir/pipeline/interpreter';

export interface MemorySwitchOptions {
  /** For tests that look at every change: `commits` holds them all, for as long as the switch is there. */
  readonly keepsCommits?: boolean;
}

/** A switch in memory that runs packets, as one that controllers connect to and lose. */
export class MemorySwitch {
  private readonly ports = new Map<number, ModelPort>();
  private model = this.emptyModel();
  private groups = new Map<number, Group>();
  private meters = new Map<number, Meter>();
  private connection: MemoryConnection | undefined;
  /** Where frames leave; tunnels name their peer. */
  onOutput: (output: Output) => void = () => undefined;
  /** What the next commit rejects with. */
  refusal: Error | undefined;
  readonly commits: FlowChange[] = [];

  constructor(private readonly options: MemorySwitchOptions = {}) {}

  /** As a new connection to the management socket; the one before ends. */
  connect(): Promise<Switch> {
    this.connection?.end(undefined);
    this.connection = new MemoryConnection(this);
    return Promise.resolve(this.connection);
  }

  /** A crash: flows, groups and meters are gone, and so is the connection. */
  restart(): void {
    this.model = this.emptyModel();
    this.groups = new Map();
    this.meters = new Map();
    const { connection } = this;
    this.connection = undefined;
    connection?.end(new ConnectionClosed('The switch closed the connection.'));
  }

  addPort(number: number, tunnel = false): void {
    this.ports.set(number, { number, tunnel });
    this.model.addPort({ number, tunnel });
  }

  get flows(): FlowStats[] {
    return this.model.flows.map((flow) => ({ flow, packets: 0n, bytes: 0n, durationSeconds: 0 }));
  }

  get groupList(): Group[] {
    return [...this.groups.values()];
  }

  get meterList(): Meter[] {
    return [...this.meters.values()];
  }

  /** A frame comes in; what it causes is carried out. */
  receive(arrival: Arrival): Result {
    return this.spread(this.model.process(arrival));
  }

  execute({ data, actions, inPort }: PacketOut): Result {
    return this.spread(this.model.execute(data, actions, inPort === 'controller' ? 0 : inPort));
  }

  commit(change: FlowChange): void {
    const { refusal } = this;
    this.refusal = undefined;
    if (refusal) throw refusal;
    this.model.apply(change);
    for (const group of [...change.addGroups, ...change.modifyGroups]) this.groups.set(group.id, group);
    for (const id of change.removeGroups) this.groups.delete(id);
    for (const id of change.removeMeters) this.meters.delete(id);
    for (const meter of change.addMeters) this.meters.set(meter.id, meter);
    if (this.options.keepsCommits) this.commits.push(change);
  }

  private emptyModel(): SwitchModel {
    return new SwitchModel({ flows: [], groups: [], ports: this.ports.values() });
  }

  private spread(result: Result): Result {
    for (const output of result.outputs) this.onOutput(output);
    for (const { frame, table, cookie, inPort, registers, userdata } of result.punts)
      this.connection?.tell({ packet: frame, table, cookie, inPort, metadata: registers, userdata });
    return result;
  }
}

/** Everything ends in a later turn, as over a socket. */
class MemoryConnection implements Switch {
  private readonly packetIns = new Set<(packet: PacketIn) => void>();
  private readonly closings = new Set<(reason?: Error) => void>();
  private closed: { readonly reason: Error | undefined } | undefined;

  constructor(private readonly memory: MemorySwitch) {}

  async commit(change: FlowChange): Promise<void> {
    await this.reach();
    this.memory.commit(change);
  }

  async flows(table?: number, cookie?: CookieMask): Promise<FlowStats[]> {
    await this.reach();
    return this.memory.flows.filter(
      ({ flow }) =>
        (table === undefined || flow.table === table) &&
        (cookie === undefined || (flow.cookie & cookie.mask) === (cookie.value & cookie.mask)),
    );
  }

  async groups(): Promise<Group[]> {
    await this.reach();
    return this.memory.groupList;
  }

  async meters(): Promise<Meter[]> {
    await this.reach();
    return this.memory.meterList;
  }

  packetOut(packet: PacketOut): void {
    if (!this.closed) this.memory.execute(packet);
  }

  onPacketIn(handler: (packet: PacketIn) => void): Unsubscribe {
    this.packetIns.add(handler);
    return () => this.packetIns.delete(handler);
  }

  onClose(handler: (reason?: Error) => void): Unsubscribe {
    if (this.closed) {
      const { reason } = this.closed;
      queueMicrotask(() => handler(reason));
      return () => undefined;
    }
    this.closings.add(handler);
    return () => this.closings.delete(handler);
  }

  close(): Promise<void> {
    this.end(undefined);
    return Promise.resolve();
  }

  tell(packet: PacketIn): void {
    if (!this.closed) for (const handler of this.packetIns) handler(packet);
  }

  end(reason: Error | undefined): void {
    if (this.closed) return;
    this.closed = { reason };
    for (const handler of this.closings) handler(reason);
    this.closings.clear();
  }

  private async reach(): Promise<void> {
    await Promise.resolve();
    if (this.closed) throw new ConnectionClosed('The connection to the switch is closed.', this.closed.reason);
  }
}
