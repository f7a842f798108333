import type { Cancel, Clock, Logger, Random, Timers } from '@weir/kernel';
import { connectOvsdb, NO_TRANSACTION, type OvsdbClient } from './client';
import { OvsdbClosed } from './errors';
import type { MonitorRequests, MonitorUpdate, Operation, OperationResult } from './operations';
import { Replica, type RowChange } from './replica';
import type { Row } from './values';

export interface OvsdbSessionOptions {
  readonly path: string;
  readonly database: string;
  readonly tables: MonitorRequests;
  /** After each change of the replica; never for a row that a reconnect found as it was. */
  readonly onChange: (changes: readonly RowChange[]) => void;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
}

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5_000;

/**
 * Keeps a connection and a replica of the monitored rows until it is closed. While the server is away the replica stays
 * as it was last seen, and `transact` rejects with OvsdbClosed at once: whoever wants a change asks again.
 */
export class OvsdbSession {
  private readonly replica: Replica;
  private readonly waiting: { readonly resolve: () => void; readonly reject: (error: OvsdbClosed) => void }[] = [];
  private client: OvsdbClient | undefined;
  private lastTransaction = NO_TRANSACTION;
  private failures = 0;
  private cancelRetry: Cancel = () => undefined;
  private closed = false;

  /** Returns at once; the first connection is tried like any later one. */
  constructor(private readonly options: OvsdbSessionOptions) {
    this.replica = new Replica(options.tables, options.logger);
    this.connect();
  }

  /** The replica is being kept up. */
  get connected(): boolean {
    return this.client !== undefined;
  }

  /** Resolves when connected with a complete replica; rejects with OvsdbClosed when the session is closed. */
  synced(): Promise<void> {
    if (this.closed) return Promise.reject(closedHere());
    if (this.client) return Promise.resolve();
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  rows(table: string): ReadonlyMap<string, Row> {
    return this.replica.rows(table);
  }

  /** The replica holds the change when this resolves. */
  async transact(operations: readonly Operation[]): Promise<readonly OperationResult[]> {
    if (this.client === undefined) throw new OvsdbClosed("Open vSwitch's database is not connected.");
    return this.client.transact(this.options.database, operations);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.cancelRetry();
    this.client?.close();
    for (const { reject } of this.waiting.splice(0)) reject(closedHere());
  }

  private connect(): void {
    this.establish().catch((error: unknown) => this.retry(error));
  }

  private async establish(): Promise<void> {
    const { path, database, tables } = this.options;
    const client = await connectOvsdb(this.options);
    try {
      if (this.closed) throw closedHere();
      this.replica.useSchema(await client.schema(database));
      await client.monitor(database, tables, (update) => this.take(update), this.lastTransaction);
      if (this.closed) throw closedHere();
    } catch (error) {
      client.close();
      throw error;
    }
    this.client = client;
    this.failures = 0;
    this.options.logger.info('connected to ovsdb-server', { path });
    for (const { resolve } of this.waiting.splice(0)) resolve();
    client.onClose((reason) => {
      this.client = undefined;
      this.retry(reason);
    });
  }

  private take(update: MonitorUpdate): void {
    // Until it has been applied: an update that does not fit the replica is cured by a snapshot.
    this.lastTransaction = NO_TRANSACTION;
    const changes = this.replica.apply(update);
    this.lastTransaction = update.transaction;
    if (changes.length === 0 || this.closed) return;
    try {
      this.options.onChange(changes);
    } catch (error) {
      this.options.logger.error('a listener to database changes failed', { error });
    }
  }

  private retry(error: unknown): void {
    if (this.closed) return;
    const delay = Math.min(FIRST_RETRY_MS * 2 ** this.failures, LAST_RETRY_MS);
    // Half of it is jitter, so that many hosts do not come back in step.
    const delayMs = delay / 2 + this.options.random.integer(Math.ceil(delay / 2) + 1);
    this.failures++;
    this.options.logger.warn('lost ovsdb-server, will connect again', { error, delayMs });
    this.cancelRetry = this.options.timers.after(delayMs, () => this.connect());
  }
}

function closedHere(): OvsdbClosed {
  return new OvsdbClosed("The session with Open vSwitch's database is closed.");
}
