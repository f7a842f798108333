import { z } from 'zod';
import {
  type Cancel,
  type Clock,
  conflict,
  invalid,
  isUuid,
  type Logger,
  notFound,
  type ServerId,
  type Timers,
  unavailable,
} from '@weir/kernel';
import type { FactLine, FollowerSink, Observation, SliceStore } from '@weir/cascade';
import type { Switch } from '@weir/openflow';
import type { SwitchDatabase } from '@weir/ovsdb';
import {
  BLAME,
  blameQuestion,
  type FactKind,
  hostQuestion,
  type ObservationKind,
  type ObservationValue,
} from '@weir/topology';
import { blame } from './blame';
import { BridgePorts, TUNNEL_PORT } from './bridge-ports';
import type { ControllerState } from './controller-state';
import { Counters } from './counters';
import { changesOf, FactFilter } from './facts';
import { FlowProgram, hasOurFlows } from './flow-program';
import type { HostDescription } from './host';
import type { Instances } from './instances';
import { LastValues } from './last-values';
import { preview } from './preview';
import { Punts } from './punts';
import { Servers } from './servers';

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

/** What a host is told of late, or failed to do, is looked at again this often. */
const PASS_MS = 5_000;
/** A switch that was restarted answers after some 180 ms. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;
const EXEC_TIMEOUT_MS = 30_000;
/** Both outputs together: in base64, an answer of the cascade holds them. */
const MAX_EXEC_BYTES = 1024 * 1024;

const execQuery = z.object({
  server: z.string().refine(isUuid),
  command: z.array(z.string()).min(1).max(1000),
  timeoutMs: z.number().int().positive().max(3_600_000).optional(),
});

/**
 * One host's brain: makes the facts of its slice true on the switch and on the hypervisor, answers what flows punt, and says what it sees.
 * Works over any switch and hypervisor, real or simulated; a Follower's sink.
 */
export class LocalController implements FollowerSink {
  private readonly counters = new Counters();
  private readonly values = new LastValues();
  private readonly program: FlowProgram;
  private readonly punts: Punts;
  private readonly servers: Servers;
  private readonly filter: FactFilter;
  private readonly ports: BridgePorts;
  private bridge: Switch | undefined;
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
    const { bridge, clock, database, host, instances, logger, slice, state } = options;
    const stored = state.read();
    this.program = new FlowProgram({
      keys: stored?.keys,
      saveKeys: () => this.save(),
      counters: this.counters,
      logger,
      onSynced: () => this.synced(),
    });
    this.filter = new FactFilter(logger);
    this.ports = new BridgePorts(bridge.name, database, this.program.compiler.slice);
    this.punts = new Punts({ compiler: this.program.compiler, counters: this.counters, clock, logger });
    this.taken = slice.cursor().position;
    const facts = [...slice.facts(), ...slice.orphans()].map((fact) => ({ type: 'upsert', ...fact }) as const);
    this.servers = new Servers({
      ...{ host: host.name, bridge: bridge.name, database, instances, slice, program: this.program, ports: this.ports },
      // What was noted just before a crash, and still has its fact: the delete will come again.
      departing: (stored?.departing ?? []).filter(({ kind, id }) => slice.get(kind, id) === undefined),
      ...{ clock, logger },
      save: () => this.save(),
      observe: (kind, id, position, value) => this.observe(kind, id, position, value),
      forget: (kind, id) => this.values.forget(kind, id),
      away: (error) => this.complain(error),
    });
    for (const fact of slice.facts()) this.servers.take({ type: 'upsert', ...fact });
    const loaded = this.program.submit(changesOf(facts));
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
        this.servers.ended(server);
        this.wake();
      }),
    );
    this.connecting = this.keepConnected();
    this.schedulePass();
  }

  /** Nothing is changed any more when it resolves; flows, ports and instances stay as they are. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.servers.stop();
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
    this.servers.startOver();
    [this.taken, this.programmed, this.lastSettled] = [0, 0, 0];
    return Promise.resolve();
  }

  async apply(lines: readonly FactLine[], mark: Parameters<FollowerSink['apply']>[1]): Promise<void> {
    const { slice } = this.options;
    for (const { kind } of lines) this.counters.countMessage(kind);
    const readable = this.filter.readable(lines);
    const plan = slice.plan(readable, mark);
    this.servers.takeAway(plan);
    for (const line of readable) this.servers.take(line);
    const changes = changesOf(plan.changed);
    const isProgrammed = await this.program.submit(changes, this.ports.changes(changes), mark.caughtUp);
    slice.apply(readable, mark);
    if (mark.caughtUp) this.caughtUp = true;
    this.taken = mark.position;
    if (isProgrammed) this.programmed = mark.position;
    if (lines.length > 0 || mark.caughtUp) this.wake();
    this.tellSettled();
  }

  settled(): number {
    return Math.max(0, Math.min(this.programmed, this.servers.settledBefore() - 1));
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
      case 'preview': {
        const question = hostQuestion.safeParse(body);
        if (!question.success)
          throw invalid('A preview is asked for with `changes` and `maxCharacters`.', { cause: question.error });
        if (!this.caughtUp) throw unavailable(`Host ${this.options.host.name} has not heard yet what it is to have.`);
        const { program, ports } = this;
        return preview({ program, ports }, question.data.changes, question.data.maxCharacters);
      }
      case BLAME: {
        const question = blameQuestion.safeParse(body);
        if (!question.success) throw invalid('A flow is asked for with its `cookie`.', { cause: question.error });
        return blame(this.program.compiler, this.options.slice, BigInt(question.data.cookie));
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
      orphans: this.servers.orphans,
      unknownKinds: [...this.filter.unknownKinds].sort(),
    };
  }

  private async exec(id: string, command: readonly string[], timeoutMs: number) {
    const server = id as ServerId;
    if (!this.servers.has(server)) throw notFound(`Server ${server} is not on host ${this.options.host.name}.`);
    if (!this.servers.isMade(server)) throw conflict(`Server ${server} does not run yet.`);
    const result = await this.options.instances.exec(server, command, { timeoutMs, maxBytes: MAX_EXEC_BYTES });
    return {
      ...result,
      stdout: Buffer.from(result.stdout).toString('base64'),
      stderr: Buffer.from(result.stderr).toString('base64'),
    };
  }

  private save(): void {
    this.options.state.write({ keys: this.program.keys, departing: this.servers.departing });
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
    const tunnelPort = await database.ensurePort({
      bridge: bridge.name,
      name: TUNNEL_PORT,
      type: 'vxlan',
      // The userspace datapath takes the source from its own route, and drops everything if it must look an address up that no route of the kernel has.
      options: { remote_ip: 'flow', key: 'flow', ...(bridge.datapathType === 'system' && { local_ip: host.endpoint }) },
      externalIds: { 'weir-role': 'tunnel' },
    });
    const tunnel = { type: 'tunnel', port: tunnelPort, address: host.endpoint } as const;
    await this.program.submit([], [tunnel, ...this.ports.changes()]);
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
    // Preparing takes over all that are there.
    if (!this.isPrepared) return;
    const changes = this.ports.changes();
    if (changes.length === 0) return;
    this.program.submit([], changes).catch((error: unknown) => this.complain(error));
    this.wake();
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
        if (await this.servers.pass(this.caughtUp)) this.passAgain = true;
        this.tellSettled();
      } catch (error) {
        this.complain(error);
      }
    }
  }

  // What is seen.

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
    const message = error instanceof Error ? error.message : String(error);
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
}
