import { type Clock, type Logger, type PortId, type ServerId, WeirError } from '@weir/kernel';
import type { FactLine, SliceChange, SliceStore } from '@weir/cascade';
import { PortFailed, type SwitchDatabase } from '@weir/ovsdb';
import type { ObservationKind, ObservationValue, ServerFact } from '@weir/topology';
import { type BridgePorts, PORT_ID, PORT_MAC, PORT_SERVER } from './bridge-ports';
import type { Departing } from './controller-state';
import { changeOf } from './facts';
import type { FlowProgram } from './flow-program';
import { deviceOf, type InstanceInterface, type Instances } from './instances';

export interface ServersOptions {
  /** This host's name. */
  readonly host: string;
  readonly bridge: string;
  readonly database: SwitchDatabase;
  readonly instances: Instances;
  readonly slice: Pick<SliceStore, 'get'>;
  readonly program: FlowProgram;
  readonly ports: BridgePorts;
  readonly departing: readonly Departing[];
  readonly clock: Clock;
  readonly logger: Logger;
  /** Keeps what is departing. */
  readonly save: () => void;
  readonly observe: <K extends ObservationKind>(
    kind: K,
    id: string,
    position: number,
    value: ObservationValue<K>,
  ) => void;
  readonly forget: (kind: ObservationKind, id: string) => void;
  /** The switch or its database is not there: no fault of an instance, which waits. */
  readonly away: (error: unknown) => void;
}

/** Making an instance is mostly waiting for the kernel and the switch. */
const INSTANCES_AT_A_TIME = 4;
const RETRY_MS = 4_000;
const MAX_FAULT = 2_000;

interface Wanted {
  readonly fact: ServerFact;
  readonly position: number;
}

/** `made`: with what; `failed`: named, and tried again. */
type Outcome =
  | { readonly situation: 'made'; readonly signature: string }
  | { readonly situation: 'failed'; readonly retryAt: number };

/** The instances that this host should have, with their ports on the bridge; what is asked for, what is, and what lies between. */
export class Servers {
  private readonly wanted = new Map<ServerId, Wanted>();
  private readonly leaving = new Map<string, Departing>();
  private readonly outcomes = new Map<ServerId, Outcome>();
  private readonly orphanNames = new Map<string, Readonly<Record<string, unknown>>>();
  private stopped = false;

  constructor(private readonly options: ServersOptions) {
    for (const one of options.departing) this.leaving.set(keyOf(one), one);
  }

  get departing(): readonly Departing[] {
    return [...this.leaving.values()];
  }

  get orphans(): readonly string[] {
    return [...this.orphanNames.keys()].sort();
  }

  has(server: string): boolean {
    return this.wanted.has(server as ServerId);
  }

  isMade(server: string): boolean {
    return this.outcomes.get(server as ServerId)?.situation === 'made';
  }

  /** Everything below is made, gone, or named as failed. */
  settledBefore(): number {
    let position = Infinity;
    for (const [server, wanted] of this.wanted) {
      if (!this.outcomes.has(server)) position = Math.min(position, wanted.position);
    }
    for (const one of this.leaving.values()) position = Math.min(position, one.position);
    return position;
  }

  take(line: FactLine): void {
    if (line.kind === 'departure') return this.takeDeparture(line);
    if (line.kind !== 'server') return;
    const server = line.id as ServerId;
    const change = changeOf(line);
    const before = this.wanted.get(server)?.fact;
    if (change?.op === 'upsert' && change.kind === 'server') {
      if (before?.ports.join() !== change.body.ports.join()) this.outcomes.delete(server);
      this.wanted.set(server, { fact: change.body, position: line.position });
    } else if (line.type === 'delete') {
      this.wanted.delete(server);
      this.outcomes.delete(server);
      for (const port of before?.ports ?? []) this.options.forget('port', port);
    }
  }

  /** Also of what was never here: then it is gone. Once it was said, and heard, nothing more is. */
  private takeDeparture(line: FactLine): void {
    const change = changeOf(line);
    const { forget } = this.options;
    if (change?.op === 'upsert' && change.kind === 'departure') {
      const { id, of, server } = change.body;
      const { position } = line;
      if (of === 'server') {
        this.wanted.delete(server);
        this.outcomes.delete(server);
        this.leave({ kind: of, id: server, position });
      } else if (!this.isLeaving(server)) this.leave({ kind: of, id: id as PortId, server, position });
    } else if (line.type === 'delete') {
      forget('server', line.id);
      forget('port', line.id);
    }
  }

  /** Before the facts are taken over: keeps what explicit deletes take away until it is gone; what is only absent is left alone. */
  takeAway({ changed, orphaned }: SliceChange): void {
    const deletes = changed.filter((line) => line.type === 'delete');
    const before = this.leaving.size;
    for (const { kind, id, position } of deletes) {
      if (kind === 'server') this.leave({ kind, id: id as ServerId, position });
    }
    for (const { kind, id, position } of deletes) {
      const server = kind === 'port' ? this.serverHere(id) : undefined;
      // Those of a server go with it.
      if (kind === 'port' && server !== undefined && !this.isLeaving(server))
        this.leave({ kind, id: id as PortId, server, position });
    }
    for (const { kind, id } of orphaned) if (kind === 'server') this.wanted.delete(id as ServerId);
    if (this.leaving.size !== before) this.options.save();
  }

  /** Positions count anew; what is wanted stays so until the caught-up mark. */
  startOver(): void {
    for (const [server, { fact }] of this.wanted) this.wanted.set(server, { fact, position: 0 });
    for (const [key, one] of this.leaving) this.leaving.set(key, { ...one, position: 0 });
  }

  /** It ended by itself. */
  ended(server: ServerId): void {
    this.outcomes.delete(server);
  }

  stop(): void {
    this.stopped = true;
  }

  /** Looks at what is, and makes what differs from what is wanted. Answers whether there is more to do at once. */
  async pass(isComplete: boolean): Promise<boolean> {
    const leaving = this.departing;
    await this.inParallel(leaving, (one) => this.depart(one));
    const present = await this.options.instances.list();
    const running = new Set(present.filter((state) => state.running).map(({ server }) => server));
    const due = [...this.wanted].filter(([server, { fact }]) => this.isDue(server, fact, running));
    await this.inParallel(due, ([server, { fact }]) => this.make(server, fact));
    this.observePorts();
    if (isComplete) this.nameOrphans(present.map(({ server }) => server));
    // A server that was asked for again while it left.
    return leaving.some((one) => one.kind === 'server' && this.wanted.has(one.id) && !this.isLeaving(one.id));
  }

  private isDue(server: ServerId, fact: ServerFact, running: ReadonlySet<ServerId>): boolean {
    const outcome = this.outcomes.get(server);
    if (this.isLeaving(server)) return false;
    if (outcome?.situation === 'failed') return outcome.retryAt <= this.options.clock.monotonic();
    return outcome === undefined || !running.has(server) || outcome.signature !== this.signatureOf(fact);
  }

  private async make(server: ServerId, fact: ServerFact): Promise<void> {
    const { database, bridge, instances, host, program, ports } = this.options;
    const interfaces = this.interfacesOf(fact);
    if (interfaces === undefined) return;
    try {
      await instances.ensure(fact, interfaces);
      await Promise.all(
        interfaces.map(({ device, port, mac }) => {
          const externalIds = { [PORT_ID]: port, [PORT_MAC]: mac, [PORT_SERVER]: server };
          return onSwitch(database.ensurePort({ bridge, name: device, externalIds }));
        }),
      );
      // Also without a change: it answers once what came before is on the switch.
      if (!(await program.submit([], ports.changes()))) return;
      const refusal = this.refusalOf(interfaces);
      if (refusal) throw refusal;
      // Its first DISCOVER finds its flows.
      await instances.start(server);
      if (!this.isWanted(server)) return;
      this.outcomes.set(server, { situation: 'made', signature: this.signatureOf(fact) });
      this.options.observe('server', server, this.positionOf(server), { status: 'active', host });
    } catch (error) {
      this.failed(server, error);
    }
  }

  private failed(server: ServerId, error: unknown): void {
    const { host, clock, logger, observe, away } = this.options;
    if (this.isStopped()) return;
    if (error instanceof SwitchAway) return away(error);
    logger.error('An instance could not be made', { server, error });
    if (!this.isWanted(server)) return;
    this.outcomes.set(server, { situation: 'failed', retryAt: clock.monotonic() + RETRY_MS });
    const message = (error instanceof Error ? error.message : String(error)).slice(0, MAX_FAULT);
    observe('server', server, this.positionOf(server), { status: 'error', host, fault: { host, message } });
  }

  private async depart(one: Departing): Promise<void> {
    const { database, bridge, instances, program, ports, logger, observe, away, save } = this.options;
    const [mark, mine] = one.kind === 'server' ? [PORT_SERVER, one.id] : [PORT_ID, one.id];
    const plugged = ports.own().filter(({ externalIds }) => externalIds[mark] === mine);
    try {
      for (const { name } of plugged) await onSwitch(database.removePort({ bridge, name }));
      await program.submit([], ports.changes());
      if (one.kind === 'server') await instances.remove(one.id);
      else await instances.detach(one.server, deviceOf(one.id));
    } catch (error) {
      if (error instanceof SwitchAway) return away(error);
      logger.error('Something could not be removed; it is tried again', { kind: one.kind, id: one.id, error });
      return;
    }
    this.leaving.delete(keyOf(one));
    save();
    if (one.kind === 'server') {
      this.outcomes.delete(one.id);
      for (const { externalIds } of plugged) {
        const id = externalIds[PORT_ID];
        if (id !== undefined) observe('port', id, one.position, { status: 'gone' });
      }
    }
    if (one.kind === 'port' || !this.wanted.has(one.id)) observe(one.kind, one.id, one.position, { status: 'gone' });
  }

  /** Undefined while facts are missing that will come. */
  private interfacesOf(fact: ServerFact): InstanceInterface[] | undefined {
    const { slice } = this.options.program.compiler;
    const interfaces: InstanceInterface[] = [];
    for (const [index, id] of fact.ports.entries()) {
      const port = slice.get('port', id);
      const network = port && slice.get('network', port.network);
      if (!network) return undefined;
      interfaces.push({ port: id, name: `eth${index}`, device: deviceOf(id), mac: port.mac, mtu: network.mtu });
    }
    return interfaces;
  }

  /** What it was made with: when this differs, it is made once more. */
  private signatureOf(fact: ServerFact): string {
    const { localPorts } = this.options.program.compiler.environment;
    return (this.interfacesOf(fact) ?? [])
      .map(({ port, mac, mtu }) => [port, mac, mtu, localPorts.get(port)?.ofport ?? 'none'].join(' '))
      .join(', ');
  }

  private refusalOf(interfaces: readonly InstanceInterface[]): WeirError | undefined {
    const { compiler } = this.options.program;
    const ports = new Set<unknown>(interfaces.map(({ port }) => port));
    const networks = new Set<unknown>(interfaces.map(({ port }) => compiler.slice.get('port', port)?.network));
    return compiler.refusals().find(({ fields }) => ports.has(fields['port']) || networks.has(fields['network']));
  }

  /** ACTIVE: its instance runs, and its flows are on the switch. */
  private observePorts(): void {
    const { program, slice, observe } = this.options;
    if (!program.inSync) return;
    for (const [server, { fact }] of this.wanted) {
      const outcome = this.outcomes.get(server);
      if (outcome === undefined) continue;
      for (const port of fact.ports) {
        const hasFlows = program.compiler.flowsOf({ kind: 'port', id: port }).length > 0;
        const status = outcome.situation === 'made' && hasFlows ? 'active' : 'down';
        observe('port', port, slice.get('port', port)?.position ?? 0, { status });
      }
    }
  }

  /** What carries our mark and nobody asks for: said once, and left alone. */
  private nameOrphans(present: readonly ServerId[]): void {
    const { host, logger, ports, observe, forget } = this.options;
    const isKnown = (server: ServerId): boolean => this.wanted.has(server) || this.isLeaving(server);
    const found = new Map<string, Readonly<Record<string, unknown>>>();
    for (const server of present) {
      if (isKnown(server)) continue;
      found.set(`server ${server}`, { server });
      observe('server', server, 0, { status: 'active', host });
    }
    for (const { name, externalIds } of ports.own()) {
      const server = externalIds[PORT_SERVER] as ServerId | undefined;
      if (server !== undefined && isKnown(server)) continue;
      found.set(`port ${externalIds[PORT_ID] ?? name}`, { port: externalIds[PORT_ID], device: name, server });
    }
    for (const [name, { server }] of this.orphanNames) {
      if (found.has(name)) continue;
      this.orphanNames.delete(name);
      if (name.startsWith('server') && !isKnown(server as ServerId)) forget('server', String(server));
    }
    for (const [name, fields] of found) {
      if (this.orphanNames.has(name)) continue;
      this.orphanNames.set(name, fields);
      logger.warn('Nobody asks for something that was made here; it is left alone', fields);
    }
  }

  private leave(one: Departing): void {
    this.leaving.set(keyOf(one), one);
    // Nobody's until now: that it is gone must not be forgotten with its name.
    if (one.kind === 'server') this.orphanNames.delete(`server ${one.id}`);
  }

  private isLeaving(server: ServerId): boolean {
    return this.leaving.has(keyOf({ kind: 'server', id: server }));
  }

  private isWanted(server: ServerId): boolean {
    return this.wanted.has(server) && !this.isLeaving(server);
  }

  private positionOf(server: ServerId): number {
    return this.wanted.get(server)?.position ?? 0;
  }

  /** The server of a port that is on this host; ports of other hosts are theirs to call gone. */
  private serverHere(port: string): ServerId | undefined {
    const server = this.options.program.compiler.slice.get('port', port)?.server;
    const isPlugged = this.options.ports.own().some(({ externalIds }) => externalIds[PORT_ID] === port);
    return server !== undefined && (this.wanted.has(server) || isPlugged) ? server : undefined;
  }

  /** In a method, so that the compiler does not take it for what it was before an `await`. */
  private isStopped(): boolean {
    return this.stopped;
  }

  private async inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
    const queue = [...items];
    const lane = async (): Promise<void> => {
      for (let next = queue.shift(); next !== undefined && !this.isStopped(); next = queue.shift()) await work(next);
    };
    await Promise.all(Array.from({ length: Math.min(INSTANCES_AT_A_TIME, queue.length) }, lane));
  }
}

function keyOf(one: Pick<Departing, 'kind' | 'id'>): string {
  return `${one.kind} ${one.id}`;
}

class SwitchAway extends WeirError {
  constructor(cause: WeirError) {
    super('unavailable', cause.message, { cause });
  }
}

/** Tells a switch that is away from a port that it cannot open. */
async function onSwitch<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof WeirError && error.reason === 'unavailable' && !(error instanceof PortFailed))
      throw new SwitchAway(error);
    throw error;
  }
}
