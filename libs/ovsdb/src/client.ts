import { createConnection, type Socket } from 'node:net';
import type { Cancel, Clock, Json, JsonObject, Logger, Timers } from '@weir/kernel';
import { OvsdbClosed, OvsdbError, OvsdbMalformed } from './errors';
import { DEFAULT_LIMITS, type FramingLimits, JsonSplitter } from './framing';
import { asArray, asObject } from './json';
import type { MonitorRequests, MonitorUpdate, Operation, OperationResult } from './operations';
import { type DatabaseSchema, decodeSchema } from './schema';

export interface OvsdbConnectOptions {
  /** Of the server's unix socket. */
  readonly path: string;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly limits?: FramingLimits;
}

/** One connection to an OVSDB server (RFC 7047). Every call rejects with OvsdbClosed when the connection ends before its answer. */
export interface OvsdbClient {
  /** All or nothing; throws OvsdbError that names the operation refused. Updates of a monitor come before the answer. */
  transact(database: string, operations: readonly Operation[]): Promise<readonly OperationResult[]>;
  schema(database: string): Promise<DatabaseSchema>;
  /**
   * By monitor_cond_since: `onUpdate` first gets what came after the transaction `since`, or a snapshot where the server
   * does not remember it, then what changes. If it throws, the connection closes with that cause.
   */
  monitor(
    database: string,
    tables: MonitorRequests,
    onUpdate: (update: MonitorUpdate) => void,
    since?: string,
  ): Promise<void>;
  /** Called once, also when it is closed already. */
  onClose(handler: (reason: OvsdbClosed) => void): void;
  close(): void;
}

/** A server that says nothing for this long is asked for an echo; silent for as long again, it counts as dead. */
const PROBE_INTERVAL_MS = 5_000;
/** As `since`: nothing is known yet. */
export const NO_TRANSACTION = '00000000-0000-0000-0000-000000000000';

/** Rejects with OvsdbClosed when nobody listens there. */
export function connectOvsdb(options: OvsdbConnectOptions): Promise<OvsdbClient> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(options.path);
    const refused = (cause: Error): void => {
      reject(new OvsdbClosed(`Open vSwitch's database does not answer at ${options.path}.`, { cause }));
    };
    socket.once('error', refused);
    socket.once('connect', () => {
      socket.off('error', refused);
      resolve(new SocketClient(socket, options));
    });
  });
}

interface Call {
  answered(result: Json): void;
  failed(error: Error): void;
}

class SocketClient implements OvsdbClient {
  private readonly splitter: JsonSplitter;
  private readonly calls = new Map<number, Call>();
  private readonly monitors = new Map<string, (update: MonitorUpdate) => void>();
  private readonly closeHandlers: ((reason: OvsdbClosed) => void)[] = [];
  private nextId = 1;
  private lastHeard: number;
  private probing = false;
  private cancelProbe: Cancel;
  private reason: OvsdbClosed | undefined;

  constructor(
    private readonly socket: Socket,
    private readonly options: OvsdbConnectOptions,
  ) {
    this.splitter = new JsonSplitter(options.limits ?? DEFAULT_LIMITS);
    this.lastHeard = options.clock.monotonic();
    this.cancelProbe = options.timers.after(PROBE_INTERVAL_MS, () => this.probe());
    socket.on('data', (chunk) => this.receive(chunk));
    socket.on('error', (cause) =>
      this.end(new OvsdbClosed("The connection to Open vSwitch's database broke.", { cause })),
    );
    socket.on('close', () => this.end(new OvsdbClosed("Open vSwitch's database closed the connection.")));
  }

  async transact(database: string, operations: readonly Operation[]): Promise<readonly OperationResult[]> {
    const results = await this.call('transact', [database, ...operations], (result) =>
      asArray(result, 'The result of a transaction'),
    );
    // A refused commit stands behind the last operation's result (RFC 7047 §4.1.3).
    results.forEach((result, index) => {
      if (result !== null && typeof result === 'object' && 'error' in result) throw OvsdbError.from(result, index);
    });
    return operations.map((_operation, index) => operationResult(results[index]));
  }

  schema(database: string): Promise<DatabaseSchema> {
    return this.call('get_schema', [database], decodeSchema);
  }

  async monitor(
    database: string,
    tables: MonitorRequests,
    onUpdate: (update: MonitorUpdate) => void,
    since = NO_TRANSACTION,
  ): Promise<void> {
    const id = `weir-${this.nextId}`;
    const requests = Object.fromEntries(Object.entries(tables).map(([table, request]) => [table, [request]]));
    await this.call('monitor_cond_since', [database, id, requests as unknown as Json, since], (result) => {
      const [found, transaction, updates] = asArray(result, 'The answer to a monitor request');
      // Here and not behind the await: an update may follow in the same chunk of bytes.
      onUpdate(monitorUpdate(found !== true, transaction, updates));
      this.monitors.set(id, onUpdate);
    });
  }

  onClose(handler: (reason: OvsdbClosed) => void): void {
    if (this.reason) handler(this.reason);
    else this.closeHandlers.push(handler);
  }

  close(): void {
    this.end(new OvsdbClosed("The connection to Open vSwitch's database was closed here."));
  }

  /** `read` runs before the next message is looked at; what it throws ends the connection. */
  private call<Result>(method: string, params: Json, read: (result: Json) => Result): Promise<Result> {
    return new Promise((resolve, reject) => {
      if (this.reason) {
        reject(this.reason);
        return;
      }
      const id = this.nextId++;
      this.calls.set(id, { answered: (result) => resolve(read(result)), failed: reject });
      this.send({ method, params, id });
    });
  }

  private send(message: JsonObject): void {
    this.socket.write(JSON.stringify(message));
  }

  private receive(chunk: Uint8Array): void {
    this.lastHeard = this.options.clock.monotonic();
    this.probing = false;
    try {
      for (const message of this.splitter.push(chunk)) {
        if (this.reason) return;
        this.dispatch(asObject(message, 'A JSON-RPC message'));
      }
    } catch (cause) {
      this.end(new OvsdbClosed("Open vSwitch's database sent something that cannot be used.", { cause }));
    }
  }

  private dispatch(message: JsonObject): void {
    const { method, id } = message;
    if (method === undefined || method === null) this.takeAnswer(message);
    else if (method === 'update3') this.takeUpdate(message['params']);
    else if (method === 'echo' && id !== undefined) this.send({ result: message['params'] ?? [], error: null, id });
    else if (id !== undefined && id !== null) this.send({ result: null, error: 'unknown method', id });
    else this.options.logger.warn('ignored a notification of ovsdb-server', { method });
  }

  private takeAnswer(message: JsonObject): void {
    const { id, error, result } = message;
    const call = typeof id === 'number' ? this.calls.get(id) : undefined;
    if (call === undefined) {
      this.options.logger.warn('ignored an answer of ovsdb-server to a question never asked', { id });
      return;
    }
    if (error !== null && error !== undefined) {
      this.calls.delete(Number(id));
      call.failed(OvsdbError.from(error));
      return;
    }
    if (result === undefined) throw new OvsdbMalformed('An answer holds neither a result nor an error.');
    call.answered(result);
    this.calls.delete(Number(id));
  }

  private takeUpdate(params: Json | undefined): void {
    const [id, transaction, tables] = asArray(params, 'The parameters of an update');
    const onUpdate = typeof id === 'string' ? this.monitors.get(id) : undefined;
    if (onUpdate) onUpdate(monitorUpdate(false, transaction, tables));
    else this.options.logger.warn('ignored an update of ovsdb-server for an unknown monitor', { id });
  }

  private probe(): void {
    const silence = this.options.clock.monotonic() - this.lastHeard;
    if (silence >= PROBE_INTERVAL_MS && this.probing) {
      this.end(new OvsdbClosed(`Open vSwitch's database has been silent for ${Math.round(silence / 1000)} s.`));
      return;
    }
    if (silence >= PROBE_INTERVAL_MS) {
      this.probing = true;
      this.call('echo', [], () => undefined).catch(() => undefined);
    }
    this.cancelProbe = this.options.timers.after(PROBE_INTERVAL_MS, () => this.probe());
  }

  private end(reason: OvsdbClosed): void {
    if (this.reason) return;
    this.reason = reason;
    this.cancelProbe();
    this.socket.destroy();
    for (const call of this.calls.values()) call.failed(reason);
    this.calls.clear();
    this.monitors.clear();
    for (const handler of this.closeHandlers) handler(reason);
  }
}

function monitorUpdate(snapshot: boolean, transaction: Json | undefined, tables: Json | undefined): MonitorUpdate {
  return {
    snapshot,
    transaction: typeof transaction === 'string' ? transaction : NO_TRANSACTION,
    tables: asObject(tables, 'The rows of an update'),
  };
}

function operationResult(value: Json | undefined): OperationResult {
  const { count, uuid, rows } = asObject(value, 'The result of an operation');
  const id = Array.isArray(uuid) ? (uuid as readonly Json[])[1] : undefined;
  return {
    ...(typeof count === 'number' && { count }),
    ...(typeof id === 'string' && { uuid: id }),
    ...(rows !== undefined && { rows: asArray(rows, 'The rows of a selection').map((row) => asObject(row, 'A row')) }),
  };
}
