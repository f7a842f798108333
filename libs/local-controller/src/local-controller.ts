import { z } from 'zod';
import {
  type Cancel,
  type Clock,
  conflict,
  invalid,
  isUuid,
  type Logger,
  type Mac,
  notFound,
  type PortId,
  type ServerId,
  type Timers,
  WeirError,
} from '@weir/kernel';
import type { FactLine, FollowerSink, Observation, SliceChange, SliceStore } from '@weir/cascade';
import type { Switch } from '@weir/openflow';
import { OvsdbClosed, type SwitchDatabase, type SwitchPort, SwitchSilent } from '@weir/ovsdb';
import type { EnvironmentChange } from '@weir/pipeline';
import {
  type FactChange,
  type FactKind,
  factSchemas,
  type ObservationKind,
  type ObservationValue,
  type ServerFact,
} from '@weir/topology';
import type { ControllerState, Departing } from './controller-state';
import { Counters } from './counters';
import { FlowProgram, hasOurFlows } from './flow-program';
import type { HostDescription } from './host';
import { deviceOf, type InstanceInterface, type Instances } from './instances';
import { LastValues } from './last-values';
import { Punts } from './punts';

export interface LocalControllerOptions {
  readonly host: HostDescription;
  /** Ours alone: where another's has this name, nothing is done. */
  readonly bridge: { readonly name: string; readonly datapathType: 'netdev' | 'system' };
  /** Made with STATE_HOLDING. */
  readonly slice: SliceStore;
  readonly state: ControllerState;
  readonly database: SwitchDatabase;
  /** Connects to the bridge, which is there by then. */
  readonly connect: () => Promise<Switch>;
  readonly instances: Instances;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  /** Where the follower is told that there is something to report. */
  readonly outlets: { observed(): void; settled(): void };
}

/** Behind these stands something that facts cannot make again, or what it hangs on: absence alone never takes them away. */
export const STATE_HOLDING: readonly FactKind[] = ['server', 'port', 'network', 'subnet'];

/** One flow-based tunnel for all peers: they come and go without a change in the database. */
const TUNNEL_PORT = 'weir-vxlan';
/** What a host is told of late, or failed to do, is looked at again this often. */
const PASS_MS = 5_000;
const RETRY_MS = 4_000;
/** A switch that was restarted answers after some 180 ms. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;
/** Making an instance is mostly waiting for the kernel and the switch. */
const INSTANCES_AT_A_TIME = 4;
const EXEC_TIMEOUT_MS = 30_000;
/** Both outputs together: in base64, an answer of the cascade holds them. */
const MAX_EXEC_BYTES = 1024 * 1024;
const MAX_FAULT = 2_000;

const execQuery = z.object({
  server: z.string().refine(isUuid),
  command: z.array(z.string()).min(1).max(1000),
  timeoutMs: z.number().int().positive().max(3_600_000).optional(),
});

interface Wanted {
  readonly fact: ServerFact;
  readonly position: number;
}

/** `made`: with what; `failed`: named, and tried again. */
type Outcome =
  | { readonly situation: 'made'; readonly signature: string }
  | { readonly situation: 'failed'; readonly retryAt: number };

/**
 * One host's brain: makes the facts of its slice true on the switch and on the hypervisor, answers what flows punt, and says what it sees.
 * Works over any switch and hypervisor, real or simulated; a Follower's sink.
 */
export class LocalController implements FollowerSink {
  private readonly counters = new Counters();
  private readonly values = new LastValues();
  private readonly program: FlowProgram;
  private readonly punts: Punts;
  private readonly wanted = new Map<ServerId, Wanted>();
  private readonly departing = new Map<string, Departing>();
  private readonly outcomes = new Map<ServerId, Outcome>();
  /** As submitted; the compiler may be behind. */
  private readonly localPorts = new Map<PortId, number>();
  private readonly orphans = new Set<string>();
  private readonly unknownKinds = new Set<string>();
  private bridge: Switch | undefined;
  private tunnelPort: number | undefined;
  /** The position of the last mark whose facts were submitted, and up to which the switch has them. */
  private taken = 0;
  private programmed = 0;
  private lastSettled = 0;
  private caughtUp = false;
  private isPrepared = false;
  private stopped = false;
  private passing: Promise<void> | undefined;
  private passAgain = false;
  private connecting: Promise<void> = Promise.resolve();
  private trouble: string | undefined;
  private wakeConnection: () => void = () => undefined;
  private readonly cancels: Cancel[] = [];
  private cancelPass: Cancel = () => undefined;

  constructor(private readonly options: LocalControllerOptions) {
    const { clock, logger, slice, state } = options;
    const stored = state.read();
    this.program = new FlowProgram({
      keys: stored?.keys,
      saveKeys: () => this.save(),
      counters: this.counters,
      logger,
      onSynced: () => this.synced(),
    });
    this.punts = new Punts({ compiler: this.program.compiler, counters: this.counters, clock, logger });
    this.taken = slice.cursor().position;
    const facts = [...slice.facts(), ...slice.orphans()].map((fact) => ({ type: 'upsert', ...fact }) as const);
    for (const fact of slice.facts()) this.want({ type: 'upsert', ...fact });
    for (const one of stored?.departing ?? []) {
      // Noted just before a crash: the delete will come again.
      if (slice.get(one.kind, one.id) === undefined) this.departing.set(keyOf(one), one);
    }
    const loaded = this.program.submit(facts.map(changeOf).filter((change) => change !== undefined));
    loaded.catch((error: unknown) => logger.error('The stored facts cannot be used', { error }));
  }

  /** From here on the switch is kept as the facts want it: at once where it has nothing of ours, else from the first caught-up mark on. */
  start(): void {
    const { database, host, instances } = this.options;
    const { name, ...description } = host;
    this.observe('host', name, 0, description);
    this.cancels.push(
      database.onPortsChanged(() => this.portsChanged()),
      instances.onEnded((server) => {
        this.outcomes.delete(server);
        this.wake();
      }),
    );
    this.connecting = this.keepConnected();
    this.schedulePass();
  }

  /** Nothing is changed any more when it resolves; flows, ports and instances stay as they are. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.cancelPass();
    for (const cancel of this.cancels) cancel();
    this.wakeConnection();
    await this.bridge?.close();
    await this.connecting;
    await this.passing;
  }

  // The follower's sink.

  cursor(): ReturnType<FollowerSink['cursor']> {
    return this.options.slice.cursor();
  }

  newGeneration(generation: number): Promise<void> {
    this.options.slice.newGeneration(generation);
    // Positions count anew; what is wanted stays so until the caught-up mark.
    for (const [server, { fact }] of this.wanted) this.wanted.set(server, { fact, position: 0 });
    for (const [key, one] of this.departing) this.departing.set(key, { ...one, position: 0 });
    [this.taken, this.programmed, this.lastSettled] = [0, 0, 0];
    return Promise.resolve();
  }

  async apply(lines: readonly FactLine[], mark: Parameters<FollowerSink['apply']>[1]): Promise<void> {
    const { slice } = this.options;
    for (const { kind } of lines) this.counters.countMessage(kind);
    const readable = lines.filter((line) => this.isReadable(line));
    const plan = slice.plan(readable, mark);
    this.noteDepartures(plan);
    for (const { id } of plan.orphaned.filter(({ kind }) => kind === 'server')) this.wanted.delete(id as ServerId);
    for (const line of readable) this.want(line);
    const changes = plan.changed.map(changeOf).filter((change) => change !== undefined);
    const isProgrammed = await this.program.submit(changes, this.localPortChanges(changes), mark.caughtUp);
    slice.apply(readable, mark);
    if (mark.caughtUp) this.caughtUp = true;
    this.taken = mark.position;
    if (isProgrammed) this.programmed = mark.position;
    if (lines.length > 0 || mark.caughtUp) this.wake();
    this.tellSettled();
  }

  settled(): number {
    let settled = this.programmed;
    for (const [server, { position }] of this.wanted) {
      if (!this.outcomes.has(server)) settled = Math.min(settled, position - 1);
    }
    for (const { position } of this.departing.values()) settled = Math.min(settled, position - 1);
    return Math.max(0, settled);
  }

  observations(whole: boolean): readonly Observation[] {
    this.observe('metrics', this.options.host.name, this.taken, this.counters.take(this.program.flowCount));
    return this.values.take(whole);
  }

  async query(kind: string, body: unknown, timeoutMs: number): Promise<unknown> {
    switch (kind) {
      case 'exec': {
        const query = execQuery.safeParse(body);
        if (!query.success)
          throw invalid('A command is asked for with `server` and `command`.', { cause: query.error });
        return this.exec(
          query.data.server,
          query.data.command,
          query.data.timeoutMs ?? Math.min(timeoutMs, EXEC_TIMEOUT_MS),
        );
      }
      case 'status':
        return this.status();
      default:
        throw invalid(`A Host does not answer questions of kind '${kind.slice(0, 64)}'.`);
    }
  }

  /** What an operator asks of a host. */
  status() {
    const { compiler } = this.program;
    return {
      connected: this.bridge !== undefined,
      inSync: this.program.inSync,
      taken: this.taken,
      settled: this.settled(),
      flows: this.program.flowCount,
      waiting: [...compiler.slice.waiting()].length,
      refusals: compiler.refusals().map(({ message }) => message),
      orphans: [...this.orphans].sort(),
      unknownKinds: [...this.unknownKinds].sort(),
    };
  }

  private async exec(id: string, command: readonly string[], timeoutMs: number) {
    const server = id as ServerId;
    if (!this.wanted.has(server)) throw notFound(`Server ${server} is not on host ${this.options.host.name}.`);
    if (this.outcomes.get(server)?.situation !== 'made') throw conflict(`Server ${server} does not run yet.`);
    const result = await this.options.instances.exec(server, command, { timeoutMs, maxBytes: MAX_EXEC_BYTES });
    return {
      ...result,
      stdout: Buffer.from(result.stdout).toString('base64'),
      stderr: Buffer.from(result.stderr).toString('base64'),
    };
  }

  // Facts.

  /** A fact of a known kind that is not as agreed is passed over, loudly: what was there of it stays. */
  private isReadable(line: FactLine): boolean {
    const { logger } = this.options;
    if (!isFactKind(line.kind)) {
      if (!this.unknownKinds.has(line.kind))
        logger.warn('Facts of an unknown kind are kept and not used', { kind: line.kind });
      this.unknownKinds.add(line.kind);
      return true;
    }
    if (line.type === 'delete') return true;
    const parsed = factSchemas[line.kind].safeParse(line.body);
    if (!parsed.success)
      logger.error('A fact is malformed and is passed over', { kind: line.kind, id: line.id, error: parsed.error });
    return parsed.success;
  }

  private want(line: FactLine): void {
    if (line.kind !== 'server') return;
    const server = line.id as ServerId;
    const change = changeOf(line);
    if (change?.op === 'upsert' && change.kind === 'server') {
      const before = this.wanted.get(server)?.fact.ports.join();
      if (before !== change.body.ports.join()) this.outcomes.delete(server);
      this.wanted.set(server, { fact: change.body, position: line.position });
      this.orphans.delete(`server ${server}`);
    } else if (line.type === 'delete') {
      this.wanted.delete(server);
      this.outcomes.delete(server);
    }
  }

  /** Keeps what an explicit delete takes away until it is gone. */
  private noteDepartures({ changed }: SliceChange): void {
    const before = this.departing.size;
    const servers = new Set<string>();
    for (const line of changed) {
      if (line.type !== 'delete' || line.kind !== 'server') continue;
      servers.add(line.id);
      const one = { kind: 'server', id: line.id as ServerId, position: line.position } as const;
      this.departing.set(keyOf(one), one);
    }
    for (const line of changed) {
      if (line.type !== 'delete' || line.kind !== 'port') continue;
      const server = this.program.compiler.slice.get('port', line.id)?.server;
      const isHere = server !== undefined && (this.wanted.has(server) || this.ownPort(line.id) !== undefined);
      // Ports of other hosts are theirs to call gone, and those of a server go with it.
      if (!isHere || servers.has(server) || this.departing.has(keyOf({ kind: 'server', id: server }))) continue;
      const one = { kind: 'port', id: line.id as PortId, server, position: line.position } as const;
      this.departing.set(keyOf(one), one);
    }
    if (this.departing.size !== before) this.save();
  }

  private save(): void {
    this.options.state.write({ keys: this.program.keys, departing: [...this.departing.values()] });
  }

  // The switch.

  private async keepConnected(): Promise<void> {
    const { logger } = this.options;
    let pause = FIRST_PAUSE_MS;
    while (!this.stopped) {
      try {
        await this.prepare();
        const bridge = await this.options.connect();
        if (this.trouble !== undefined) logger.info('The switch is back');
        this.trouble = undefined;
        pause = FIRST_PAUSE_MS;
        await this.serve(bridge);
        if (!this.isStopped()) logger.warn('The connection to the switch ended; it is dialled again');
      } catch (error) {
        this.complain(error);
      }
      if (this.isStopped()) return;
      await this.pause(pause);
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    }
  }

  /** The bridge, its tunnel, and which ports it has. */
  private async prepare(): Promise<void> {
    const { bridge, database, host } = this.options;
    await database.ensureBridge({
      name: bridge.name,
      datapathType: bridge.datapathType,
      failMode: 'secure',
      externalIds: { 'weir-host': host.name },
    });
    await database.clearFlowRestoreWait();
    this.tunnelPort = await database.ensurePort({
      bridge: bridge.name,
      name: TUNNEL_PORT,
      type: 'vxlan',
      options: { remote_ip: 'flow', key: 'flow', local_ip: host.endpoint },
      externalIds: { 'weir-role': 'tunnel' },
    });
    const tunnel = { type: 'tunnel', port: this.tunnelPort, address: host.endpoint } as const;
    await this.program.submit([], [tunnel, ...this.localPortChanges()]);
    this.isPrepared = true;
  }

  /** Until the connection ends. */
  private async serve(bridge: Switch): Promise<void> {
    const ended = new Promise<void>((resolve) => bridge.onClose(() => resolve()));
    this.bridge = bridge;
    bridge.onPacketIn((packet) => this.punts.take(packet, bridge));
    try {
      this.program.attach(bridge);
      if (!this.program.mayChange && !(await hasOurFlows(bridge))) this.program.allow();
      this.wake();
      if (this.isStopped()) await bridge.close();
      await ended;
    } finally {
      this.program.detach();
      this.bridge = undefined;
      await bridge.close();
    }
  }

  private synced(): void {
    this.programmed = this.taken;
    this.wake();
    this.tellSettled();
  }

  private portsChanged(): void {
    const changes = this.localPortChanges();
    if (changes.length === 0 || !this.isPrepared) return;
    this.program.submit([], changes).catch((error: unknown) => this.complain(error));
    this.wake();
  }

  /** What changed in the bridge's ports since the last call; to be submitted at once. `facts` are about to be taken over. */
  private localPortChanges(facts: readonly FactChange[] = []): EnvironmentChange[] {
    const macs = this.macsOf(facts);
    const present = new Map<PortId, number>();
    for (const port of this.options.database.ports()) {
      const id = port.externalIds['iface-id'] as PortId | undefined;
      if (port.bridge !== this.options.bridge.name || id === undefined) continue;
      // While the switch restarts, a port keeps its number; one that it cannot open has none.
      const ofport = port.ofport ?? (port.error === undefined ? this.localPorts.get(id) : undefined);
      // Somebody else may have plugged it in: then its MAC says whether it is the one that is meant.
      const attached = port.externalIds['attached-mac']?.toLowerCase();
      const mac = macs.get(id) ?? this.program.compiler.slice.get('port', id)?.mac;
      const isMeant = attached === undefined || mac === undefined || attached === mac;
      if (ofport !== undefined && isMeant) present.set(id, ofport);
    }
    const changes: EnvironmentChange[] = [];
    for (const [port, ofport] of present) {
      if (this.localPorts.get(port) === ofport) continue;
      changes.push({ type: 'local-port', port, ofport });
      this.localPorts.set(port, ofport);
    }
    for (const [port, ofport] of this.localPorts) {
      if (present.has(port)) continue;
      changes.push({ type: 'local-port', port, ofport: undefined });
      this.localPorts.delete(port);
      this.punts.forget(ofport);
    }
    return changes;
  }

  private macsOf(facts: readonly FactChange[]): ReadonlyMap<string, Mac> {
    const macs = new Map<string, Mac>();
    for (const change of facts)
      if (change.op === 'upsert' && change.kind === 'port') macs.set(change.id, change.body.mac);
    return macs;
  }

  /** A port of the bridge that we made. */
  private ownPort(id: string): SwitchPort | undefined {
    return this.ownPorts().find(({ externalIds }) => externalIds['iface-id'] === id);
  }

  private ownPorts(): SwitchPort[] {
    const { database, bridge } = this.options;
    return database.ports().filter((port) => port.owned && port.bridge === bridge.name && port.name !== TUNNEL_PORT);
  }

  // Instances and their ports.

  private wake(): void {
    this.passAgain = true;
    if (!this.stopped) this.passing ??= this.passes().finally(() => (this.passing = undefined));
  }

  private schedulePass(): void {
    this.cancelPass = this.options.timers.after(PASS_MS, () => {
      this.program.retry();
      this.wake();
      this.schedulePass();
    });
  }

  private async passes(): Promise<void> {
    while (this.passAgain && !this.isStopped()) {
      this.passAgain = false;
      // What is not known to be programmable yet is left as it is.
      if (!this.isPrepared || !this.program.mayChange) return;
      try {
        await this.pass();
      } catch (error) {
        this.complain(error);
      }
    }
  }

  /** Looks at what is, and makes what differs from what is wanted. */
  private async pass(): Promise<void> {
    await this.inParallel([...this.departing.values()], (one) => this.depart(one));
    const present = await this.options.instances.list();
    const running = new Set(present.filter((state) => state.running).map(({ server }) => server));
    const due = [...this.wanted].filter(([server, { fact }]) => this.isDue(server, fact, running));
    await this.inParallel(due, ([server, { fact }]) => this.make(server, fact));
    this.observePorts();
    if (this.caughtUp) this.nameOrphans(present.map(({ server }) => server));
    this.tellSettled();
  }

  private isDue(server: ServerId, fact: ServerFact, running: ReadonlySet<ServerId>): boolean {
    const outcome = this.outcomes.get(server);
    if (this.departing.has(keyOf({ kind: 'server', id: server }))) return false;
    if (outcome?.situation === 'failed') return outcome.retryAt <= this.options.clock.monotonic();
    return outcome === undefined || !running.has(server) || outcome.signature !== this.signatureOf(fact);
  }

  private async make(server: ServerId, fact: ServerFact): Promise<void> {
    const { database, bridge, instances, host, clock, logger } = this.options;
    const interfaces = this.interfacesOf(fact);
    if (interfaces === undefined) return;
    try {
      await instances.ensure(fact, interfaces);
      await Promise.all(
        interfaces.map(({ device, port, mac }) =>
          database.ensurePort({
            bridge: bridge.name,
            name: device,
            externalIds: { 'iface-id': port, 'attached-mac': mac, 'weir-server': server },
          }),
        ),
      );
      // Also without a change: it answers once what came before is on the switch.
      if (!(await this.program.submit([], this.localPortChanges()))) return;
      const refusal = this.refusalOf(interfaces);
      if (refusal) throw refusal;
      // Its first DISCOVER finds its flows.
      await instances.start(server);
      if (!this.isStillWanted(server)) return;
      this.outcomes.set(server, { situation: 'made', signature: this.signatureOf(fact) });
      this.observe('server', server, this.positionOf(server), { status: 'active', host: host.name });
    } catch (error) {
      if (this.isStopped()) return;
      if (isSwitchAway(error)) return this.complain(error);
      logger.error('An instance could not be made', { server, error });
      if (!this.isStillWanted(server)) return;
      this.outcomes.set(server, { situation: 'failed', retryAt: clock.monotonic() + RETRY_MS });
      const fault = { host: host.name, message: messageOf(error) };
      this.observe('server', server, this.positionOf(server), { status: 'error', host: host.name, fault });
    }
  }

  /** Undefined while facts are missing that will come. */
  private interfacesOf(fact: ServerFact): InstanceInterface[] | undefined {
    const { slice } = this.program.compiler;
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
    const { localPorts } = this.program.compiler.environment;
    const interfaces = this.interfacesOf(fact) ?? [];
    return interfaces
      .map(({ port, mac, mtu }) => [port, mac, mtu, localPorts.get(port)?.ofport ?? 'none'].join(' '))
      .join(', ');
  }

  private isStillWanted(server: ServerId): boolean {
    return this.wanted.has(server) && !this.departing.has(keyOf({ kind: 'server', id: server }));
  }

  private positionOf(server: ServerId): number {
    return this.wanted.get(server)?.position ?? 0;
  }

  private refusalOf(interfaces: readonly InstanceInterface[]): WeirError | undefined {
    const { compiler } = this.program;
    const networks = new Set<unknown>(interfaces.map(({ port }) => compiler.slice.get('port', port)?.network));
    const ports = new Set<unknown>(interfaces.map(({ port }) => port));
    return compiler.refusals().find(({ fields }) => ports.has(fields['port']) || networks.has(fields['network']));
  }

  private async depart(one: Departing): Promise<void> {
    const { database, bridge, instances, logger } = this.options;
    const ports = this.ownPorts().filter(({ externalIds }) =>
      one.kind === 'server' ? externalIds['weir-server'] === one.id : externalIds['iface-id'] === one.id,
    );
    try {
      for (const { name } of ports) await database.removePort({ bridge: bridge.name, name });
      await this.program.submit([], this.localPortChanges());
      if (one.kind === 'server') await instances.remove(one.id);
      else await instances.detach(one.server, deviceOf(one.id));
    } catch (error) {
      if (isSwitchAway(error)) return this.complain(error);
      logger.error('Something could not be removed; it is tried again', { kind: one.kind, id: one.id, error });
      return;
    }
    this.departing.delete(keyOf(one));
    this.save();
    if (one.kind === 'server') {
      this.outcomes.delete(one.id);
      for (const { externalIds } of ports) {
        const id = externalIds['iface-id'];
        if (id !== undefined) this.observe('port', id, one.position, { status: 'gone' });
      }
    }
    if (one.kind === 'port' || !this.wanted.has(one.id))
      this.observe(one.kind, one.id, one.position, { status: 'gone' });
    this.passAgain = true;
    this.tellSettled();
  }

  /** What carries our mark and nobody asks for: said once, and left alone. */
  private nameOrphans(present: readonly ServerId[]): void {
    const found = new Map<string, Readonly<Record<string, unknown>>>();
    for (const server of present) {
      if (this.wanted.has(server) || this.departing.has(keyOf({ kind: 'server', id: server }))) continue;
      found.set(`server ${server}`, { server });
      this.observe('server', server, 0, { status: 'active', host: this.options.host.name });
    }
    for (const { name, externalIds } of this.ownPorts()) {
      const id = externalIds['iface-id'] ?? name;
      const server = externalIds['weir-server'] as ServerId | undefined;
      if (
        server !== undefined &&
        (this.wanted.has(server) || this.departing.has(keyOf({ kind: 'server', id: server })))
      )
        continue;
      found.set(`port ${id}`, { port: id, device: name, server });
    }
    for (const name of this.orphans) {
      if (found.has(name)) continue;
      this.orphans.delete(name);
      const server = /^server (.*)$/.exec(name)?.[1];
      if (server !== undefined && !this.wanted.has(server as ServerId)) this.values.forget('server', server);
    }
    for (const [name, fields] of found) {
      if (this.orphans.has(name)) continue;
      this.orphans.add(name);
      this.options.logger.warn('Nobody asks for something that was made here; it is left alone', fields);
    }
  }

  // What is seen.

  /** ACTIVE: its instance runs, and its flows are on the switch. */
  private observePorts(): void {
    const { compiler, inSync } = this.program;
    if (!inSync) return;
    for (const [server, { fact }] of this.wanted) {
      const outcome = this.outcomes.get(server);
      if (outcome === undefined) continue;
      for (const port of fact.ports) {
        const isActive = outcome.situation === 'made' && compiler.flowsOf({ kind: 'port', id: port }).length > 0;
        const position = this.options.slice.get('port', port)?.position ?? 0;
        this.observe('port', port, position, { status: isActive ? 'active' : 'down' });
      }
    }
  }

  private observe<K extends ObservationKind>(kind: K, id: string, position: number, value: ObservationValue<K>): void {
    const { clock, outlets } = this.options;
    const isNews = this.values.put(kind, id, { position, value, at: new Date(clock.now()).toISOString() });
    // Counters go along with whatever is reported next.
    if (isNews && kind !== 'metrics') outlets.observed();
  }

  private tellSettled(): void {
    const settled = this.settled();
    if (settled === this.lastSettled) return;
    this.lastSettled = settled;
    this.options.outlets.settled();
  }

  /** Said once while it lasts. */
  private complain(error: unknown): void {
    const message = messageOf(error);
    if (this.trouble === message || this.isStopped()) return;
    this.trouble = message;
    this.options.logger.error('The switch cannot be used now; it is tried again and again', { error });
  }

  /** In a method, so that the compiler does not take it for what it was before an `await`. */
  private isStopped(): boolean {
    return this.stopped;
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.options.timers.after(ms, resolve);
      this.wakeConnection = () => {
        cancel();
        resolve();
      };
    });
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

function isFactKind(kind: string): kind is FactKind {
  return Object.hasOwn(factSchemas, kind);
}

/** The change that a line tells, of a kind that we know and as agreed. Fields that a later version added stay in it. */
function changeOf(line: FactLine): FactChange | undefined {
  const { kind, id } = line;
  if (!isFactKind(kind)) return undefined;
  if (line.type === 'delete') return { op: 'delete', kind, id };
  if (!factSchemas[kind].safeParse(line.body).success) return undefined;
  return { op: 'upsert', kind, id, body: line.body } as unknown as FactChange;
}

/** The switch's or its database's absence is no fault of an instance: it waits. */
function isSwitchAway(error: unknown): boolean {
  return error instanceof OvsdbClosed || error instanceof SwitchSilent;
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, MAX_FAULT);
}
