import {
  type Cancel,
  canonicalJson,
  type Clock,
  invalid,
  type Json,
  type Logger,
  type Random,
  type Timers,
  unavailable,
} from '@weir/kernel';
import { OvsdbClosed, OvsdbError } from './errors';
import type { Condition, MonitorRequests, Mutation, Operation } from './operations';
import { OvsdbSession } from './session';
import { decodeDatum, namedUuid, ovsMap, ovsSet, type Row, sameDatum, uuid } from './values';
import type { RowChange } from './replica';
import {
  BridgeNotOurs,
  type BridgeRequest,
  NoSuchBridge,
  OWNER_MARK,
  PortFailed,
  PortNotOurs,
  type PortRequest,
  type SwitchDatabase,
  type SwitchPort,
  SwitchSilent,
} from './vswitch';

export interface OvsdbSwitchOptions {
  /** Of ovsdb-server's unix socket. */
  readonly path: string;
  /** Written into the mark: bridges and ports of another owner are not ours. */
  readonly owner: string;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
}

const DATABASE = 'Open_vSwitch';
const MONITORED: MonitorRequests = {
  Open_vSwitch: { columns: ['bridges', 'next_cfg', 'cur_cfg', 'other_config'] },
  Bridge: { columns: ['name', 'ports', 'datapath_type', 'fail_mode', 'external_ids'] },
  Port: { columns: ['name', 'interfaces', 'external_ids'] },
  Interface: { columns: ['name', 'type', 'options', 'external_ids', 'ofport', 'ofport_request', 'error'] },
};
/** A change takes the switch milliseconds; only one that is not running takes this long. */
const APPLY_DEADLINE_MS = 10_000;
const FLOW_RESTORE_WAIT = 'flow-restore-wait';

/** The Open_vSwitch database of a running ovsdb-server and ovs-vswitchd. */
export class OvsdbSwitchDatabase implements SwitchDatabase {
  private readonly session: OvsdbSession;
  private readonly handlers = new Set<(ports: readonly SwitchPort[]) => void>();
  private readonly probes = new Set<() => void>();
  /** The last call per bridge or port, so that two calls about the same thing follow each other. */
  private readonly lanes = new Map<string, Promise<unknown>>();
  /** Table → name → uuid; a row keeps its name for life. */
  private readonly names = new Map<string, Map<string, string>>();
  private reported = canonicalJson([]);
  private closed = false;

  /** Connects in the background; see `synced`. */
  constructor(private readonly options: OvsdbSwitchOptions) {
    const { path, logger, clock, timers, random } = options;
    this.session = new OvsdbSession({
      path,
      database: DATABASE,
      tables: MONITORED,
      logger,
      clock,
      timers,
      random,
      onChange: (changes) => this.changed(changes),
    });
  }

  /** Resolves once the database has been read; calls before that reject. */
  synced(): Promise<void> {
    return this.session.synced();
  }

  get connected(): boolean {
    return this.session.connected;
  }

  /** Calls under way reject; bridges and ports stay. */
  close(): void {
    this.closed = true;
    this.session.close();
    for (const probe of [...this.probes]) probe();
  }

  ensureBridge(bridge: BridgeRequest): Promise<void> {
    return this.inLane(`bridge ${bridge.name}`, async () => {
      const known = this.bridgeRow(bridge.name);
      const operations = known ? this.bridgeChanges(known, bridge) : this.bridgeInserts(bridge);
      await this.apply(operations, `set up bridge ${bridge.name}`);
    });
  }

  ensurePort(port: PortRequest): Promise<number> {
    return this.inLane(`port ${port.name}`, async () => {
      const bridge = this.ourBridge(port.bridge);
      const known = this.portRow(port.name);
      if (known && !(this.isOurs(known) && bridge.texts('ports').includes(known.uuid))) {
        throw new PortNotOurs(port.name, this.bridgeOf(known)?.text('name'));
      }
      const operations = known ? this.portChanges(known, port) : this.portInserts(bridge, port);
      const what = `taken port ${port.name}`;
      const { ofport, error } = this.portState(port.name);
      if (operations.length > 0 || ofport === undefined || error !== undefined) {
        // Also without a change: a port that failed is tried again, since its device may have come meanwhile.
        await this.apply(operations, what, { always: true });
      }
      return this.pin(port.name, await this.until(what, () => this.ofportOf(port.name)));
    });
  }

  removePort({ bridge, name }: Pick<PortRequest, 'bridge' | 'name'>): Promise<void> {
    return this.inLane(`port ${name}`, async () => {
      const port = this.portRow(name);
      if (port === undefined) return;
      const home = this.bridgeOf(port);
      if (!this.isOurs(port) || home === undefined || home.text('name') !== bridge) {
        throw new PortNotOurs(name, home?.text('name'));
      }
      // Without a reference, the rows of the port and its interface go by themselves.
      await this.apply([mutate('Bridge', home, ['ports', 'delete', uuid(port.uuid)])], `removed port ${name}`);
    });
  }

  ports(): readonly SwitchPort[] {
    const ports: SwitchPort[] = [];
    for (const bridge of this.session.rows('Bridge').values()) {
      if (!this.isOurs(bridge)) continue;
      for (const id of bridge.texts('ports')) {
        const port = this.session.rows('Port').get(id);
        if (port && port.text('name') !== bridge.text('name')) ports.push(this.switchPort(bridge.text('name'), port));
      }
    }
    return ports.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  onPortsChanged(handler: (ports: readonly SwitchPort[]) => void): Cancel {
    this.handlers.add(handler);
    return () => this.handlers.delete(handler);
  }

  setBridgeExternalIds(name: string, externalIds: Readonly<Record<string, string | null>>): Promise<void> {
    return this.inLane(`bridge ${name}`, async () => {
      if (OWNER_MARK in externalIds) throw invalid(`The external id ${OWNER_MARK} is the owner's mark.`);
      const bridge = this.ourBridge(name);
      const mutations = mapMutations('external_ids', bridge.textMap('external_ids'), externalIds);
      if (mutations.length > 0) await this.transact([mutate('Bridge', bridge, ...mutations)]);
    });
  }

  bridgeExternalIds(bridge: string): Readonly<Record<string, string>> {
    return withoutMark(this.bridgeRow(bridge)?.textMap('external_ids') ?? {});
  }

  clearFlowRestoreWait(): Promise<void> {
    return this.inLane(FLOW_RESTORE_WAIT, async () => {
      const root = this.root();
      const mutations = mapMutations('other_config', root.textMap('other_config'), { [FLOW_RESTORE_WAIT]: null });
      if (mutations.length > 0) {
        await this.apply([mutate('Open_vSwitch', root, ...mutations)], 'ended flow-restore-wait');
      }
    });
  }

  /**
   * Unless asked for, a number is taken by whichever port a restarted ovs-vswitchd opens first: with one port added while
   * it was away, others had another number afterwards, and flows loaded by the old ones would join the wrong ports.
   */
  private async pin(name: string, ofport: number): Promise<number> {
    const port = this.portRow(name);
    const device = port && this.interfaceOf(port);
    if (device && device.integer('ofport_request') === undefined) {
      await this.transact([{ op: 'update', table: 'Interface', where: is(device), row: { ofport_request: ofport } }]);
    }
    return ofport;
  }

  private bridgeInserts(bridge: BridgeRequest): Operation[] {
    const externalIds = this.marked(bridge.externalIds);
    return [
      // The local port that ovs-vsctl makes too; without its rows the switch would keep one that nobody can see.
      { op: 'insert', table: 'Interface', 'uuid-name': 'interface', row: { name: bridge.name, type: 'internal' } },
      {
        op: 'insert',
        table: 'Port',
        'uuid-name': 'port',
        row: { name: bridge.name, interfaces: namedUuid('interface'), external_ids: this.marked({}) },
      },
      {
        op: 'insert',
        table: 'Bridge',
        'uuid-name': 'bridge',
        row: {
          name: bridge.name,
          datapath_type: bridge.datapathType,
          fail_mode: bridge.failMode,
          external_ids: externalIds,
          ports: namedUuid('port'),
        },
      },
      mutate('Open_vSwitch', this.root(), ['bridges', 'insert', ovsSet([namedUuid('bridge')])]),
    ];
  }

  private bridgeChanges(known: Row, bridge: BridgeRequest): Operation[] {
    if (!this.isOurs(known)) throw new BridgeNotOurs(bridge.name, known.textMap('external_ids')[OWNER_MARK]);
    const operations: Operation[] = [];
    // Written only where it differs: a changed fail mode or datapath throws all flows away.
    const row = {
      ...(known.text('datapath_type') !== bridge.datapathType && { datapath_type: bridge.datapathType }),
      ...(known.text('fail_mode') !== bridge.failMode && { fail_mode: bridge.failMode }),
    };
    if (Object.keys(row).length > 0) operations.push({ op: 'update', table: 'Bridge', where: is(known), row });
    const mutations = mapMutations('external_ids', known.textMap('external_ids'), bridge.externalIds);
    if (mutations.length > 0) operations.push(mutate('Bridge', known, ...mutations));
    return operations;
  }

  private portInserts(bridge: Row, port: PortRequest): Operation[] {
    return [
      {
        op: 'insert',
        table: 'Interface',
        'uuid-name': 'interface',
        row: { name: port.name, ...this.interfaceColumns(port) },
      },
      {
        op: 'insert',
        table: 'Port',
        'uuid-name': 'port',
        row: { name: port.name, interfaces: namedUuid('interface'), external_ids: this.marked({}) },
      },
      mutate('Bridge', bridge, ['ports', 'insert', ovsSet([namedUuid('port')])]),
    ];
  }

  private portChanges(known: Row, port: PortRequest): Operation[] {
    const device = this.interfaceOf(known);
    if (device === undefined) return [];
    const wanted = this.interfaceColumns(port);
    const isSo = Object.entries(wanted).every(([column, value]) => {
      const present = device.datum(column);
      return present !== undefined && sameDatum(present, decodeDatum(value));
    });
    if (isSo) return [];
    return [{ op: 'update', table: 'Interface', where: is(device), row: wanted }];
  }

  private interfaceColumns(port: PortRequest): Record<string, Json> {
    return {
      type: port.type === 'vxlan' ? 'vxlan' : '',
      options: ovsMap(port.options ?? {}),
      external_ids: this.marked(port.externalIds),
      ...(port.ofportRequest !== undefined && { ofport_request: port.ofportRequest }),
    };
  }

  /** Commits and waits until the switch has reconfigured itself; with nothing to commit, for what others committed. */
  private async apply(
    operations: readonly Operation[],
    what: string,
    { always = false }: { readonly always?: boolean } = {},
  ): Promise<void> {
    const root = this.root();
    let configuration = root.integer('next_cfg') ?? 0;
    if (operations.length > 0 || always) {
      const results = await this.transact([
        ...operations,
        mutate('Open_vSwitch', root, ['next_cfg', '+=', 1]),
        { op: 'select', table: 'Open_vSwitch', where: is(root), columns: ['next_cfg'] },
      ]);
      configuration = Number(results.at(-1)?.rows?.[0]?.['next_cfg']);
    }
    await this.until(what, () => ((this.root().integer('cur_cfg') ?? 0) >= configuration ? true : undefined));
  }

  private async transact(operations: readonly Operation[]): ReturnType<OvsdbSession['transact']> {
    const results = await this.session.transact(operations);
    operations.forEach((operation, index) => {
      // The row was there when we planned; a missed one means that the rest has no place in the database.
      if ((operation.op === 'mutate' || operation.op === 'update') && results[index]?.count !== 1) {
        throw unavailable(`A row of ${operation.table} went away during the change.`);
      }
    });
    return results;
  }

  /** Resolves with the first answer of `probe`, asked again after each change; rejects with what it throws. */
  private until<Result>(what: string, probe: () => Result | undefined): Promise<Result> {
    return new Promise((resolve, reject) => {
      const settle = (action: () => void): void => {
        this.probes.delete(check);
        cancel();
        action();
      };
      const check = (): void => {
        try {
          if (this.closed) throw new OvsdbClosed("The session with Open vSwitch's database is closed.");
          const result = probe();
          if (result !== undefined) settle(() => resolve(result));
        } catch (error) {
          settle(() => reject(error instanceof Error ? error : new Error(String(error))));
        }
      };
      const cancel = this.options.timers.after(APPLY_DEADLINE_MS, () =>
        settle(() => reject(new SwitchSilent(what, APPLY_DEADLINE_MS))),
      );
      this.probes.add(check);
      check();
    });
  }

  /** Throws PortFailed with the switch's reason. */
  private ofportOf(name: string): number | undefined {
    const { ofport, error } = this.portState(name);
    if (error !== undefined) throw new PortFailed(name, error);
    return ofport;
  }

  private portState(name: string): Pick<SwitchPort, 'ofport' | 'error'> {
    const port = this.portRow(name);
    return port ? portState(this.interfaceOf(port)) : {};
  }

  private changed(changes: readonly RowChange[]): void {
    for (const { table, before, after } of changes) {
      const names = this.names.get(table) ?? new Map<string, string>();
      this.names.set(table, names);
      if (after) names.set(after.text('name'), after.uuid);
      else if (before && names.get(before.text('name')) === before.uuid) names.delete(before.text('name'));
    }
    for (const probe of [...this.probes]) probe();
    if (changes.some(({ table }) => table !== 'Open_vSwitch')) this.reportPorts();
  }

  private reportPorts(): void {
    const ports = this.ports();
    const text = canonicalJson(ports);
    if (text === this.reported) return;
    this.reported = text;
    for (const handler of [...this.handlers]) handler(ports);
  }

  private async inLane<Result>(lane: string, action: () => Promise<Result>): Promise<Result> {
    const before = this.lanes.get(lane) ?? Promise.resolve();
    const start = (): Promise<Result> => {
      // What the replica says is only believed while it is kept up.
      if (!this.connected) throw new OvsdbClosed("Open vSwitch's database is not connected.");
      return secondTry(action);
    };
    const mine = before.then(start, start);
    this.lanes.set(lane, mine);
    try {
      return await mine;
    } finally {
      if (this.lanes.get(lane) === mine) this.lanes.delete(lane);
    }
  }

  private switchPort(bridge: string, port: Row): SwitchPort {
    const device = this.interfaceOf(port);
    return {
      bridge,
      name: port.text('name'),
      type: device?.text('type') || 'system',
      externalIds: withoutMark(device?.textMap('external_ids') ?? {}),
      owned: this.isOurs(port),
      ...portState(device),
    };
  }

  private root(): Row {
    const [root] = this.session.rows('Open_vSwitch').values();
    if (root === undefined)
      throw new OvsdbClosed("Open vSwitch's database has not been read yet, or is not initialised.");
    return root;
  }

  private ourBridge(name: string): Row {
    const bridge = this.bridgeRow(name);
    if (bridge === undefined) throw new NoSuchBridge(name);
    if (!this.isOurs(bridge)) throw new BridgeNotOurs(name, bridge.textMap('external_ids')[OWNER_MARK]);
    return bridge;
  }

  private bridgeRow(name: string): Row | undefined {
    return this.named('Bridge', name);
  }

  private portRow(name: string): Row | undefined {
    return this.named('Port', name);
  }

  private named(table: string, name: string): Row | undefined {
    const id = this.names.get(table)?.get(name);
    return id === undefined ? undefined : this.session.rows(table).get(id);
  }

  private bridgeOf(port: Row): Row | undefined {
    for (const bridge of this.session.rows('Bridge').values()) {
      if (bridge.texts('ports').includes(port.uuid)) return bridge;
    }
    return undefined;
  }

  private interfaceOf(port: Row): Row | undefined {
    const [id] = port.texts('interfaces');
    return id === undefined ? undefined : this.session.rows('Interface').get(id);
  }

  private isOurs(row: Row): boolean {
    return row.textMap('external_ids')[OWNER_MARK] === this.options.owner;
  }

  private marked(externalIds: Readonly<Record<string, string>>): Json {
    return ovsMap({ ...externalIds, [OWNER_MARK]: this.options.owner });
  }
}

/**
 * Somebody else may have made the same name, which the replica shows by the time that our transaction is refused: what
 * the second look says is the better answer. A refused transaction has changed nothing.
 */
async function secondTry<Result>(action: () => Promise<Result>): Promise<Result> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof OvsdbError) return action();
    throw error;
  }
}

/** What the switch writes as ofport of an interface that it cannot open. */
const FAILED_OFPORT = -1;

function portState(device: Row | undefined): Pick<SwitchPort, 'ofport' | 'error'> {
  const ofport = device?.integer('ofport');
  const error = device?.optionalText('error');
  if (ofport === FAILED_OFPORT) return { error: error ?? 'no reason given' };
  return { ...(ofport !== undefined && { ofport }), ...(error !== undefined && { error }) };
}

function is(row: Row): readonly Condition[] {
  return [['_uuid', '==', uuid(row.uuid)]];
}

function mutate(table: string, row: Row, ...mutations: readonly Mutation[]): Operation {
  return { op: 'mutate', table, where: is(row), mutations };
}

/** `insert` leaves a key that exists as it is, so a changed one is deleted first. */
function mapMutations(
  column: string,
  present: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string | null>>,
): readonly Mutation[] {
  const changed = Object.entries(wanted).filter(([key, value]) => (present[key] ?? null) !== value);
  const stale = changed.map(([key]) => key).filter((key) => key in present);
  const fresh = Object.fromEntries(changed.filter((entry): entry is [string, string] => entry[1] !== null));
  return [
    ...(stale.length > 0 ? [[column, 'delete', ovsSet(stale)] as const] : []),
    ...(Object.keys(fresh).length > 0 ? [[column, 'insert', ovsMap(fresh)] as const] : []),
  ];
}

function withoutMark(externalIds: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(externalIds).filter(([key]) => key !== OWNER_MARK));
}
