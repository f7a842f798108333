import type { Duplex } from 'node:stream';
import { connect } from 'node:net';
import type { Cancel, Clock, Logger, Timers } from '@weir/kernel';
import {
  decodeMessage,
  encodeBarrier,
  encodeBundleAdd,
  encodeBundleControl,
  encodeEcho,
  encodeFeaturesRequest,
  encodeFlowRemovalByCookie,
  encodeFlowStatsRequest,
  encodeGroupDescRequest,
  encodeHello,
  encodeMeterConfigRequest,
  encodeMeterMod,
  encodeMeterRemoval,
  encodePacketOut,
  encodePortDescRequest,
  encodeSetAsync,
  encodeSetConfig,
  encodeSetPacketInFormat,
  type Message,
  MessageFramer,
  MessageWriter,
  type Modification,
  type StatsReply,
} from './codec';
import { ChangeRefused, ConnectionClosed, MalformedMessage, type Refusal, RequestRefused } from './errors';
import { formatFlow, formatGroup, formatMeter } from './format';
import type { FlowChange, FlowStats, Group, Meter } from './model';
import type {
  CookieMask,
  FlowRemoved,
  PacketIn,
  PacketOut,
  PortStatus,
  Switch,
  SwitchPort,
  Unsubscribe,
} from './switch';

/** With something asked and nothing read or taken for this long, the switch is given up: its longest known pause is one large bundle. */
const SILENCE_MS = 15_000;
/** A local socket answers within milliseconds; a switch that is starting may take some. */
const CONNECT_MS = 5_000;
/** Bytes handed to the socket at once: large enough to be fast, small enough that packet-outs come between. */
const WRITE_BYTES = 128 * 1024;
/** A switch that takes everything at once would never let the loop read; after so many bytes it gets a turn. */
const BYTES_PER_TURN = 4 * 1024 * 1024;
/** Packet-outs that the switch does not take are dropped beyond this, as a full queue drops packets. */
const PACKET_OUT_BACKLOG = 4 * 1024 * 1024;
const MAX_XID = 0xffffffff;

export interface OpenFlowPorts {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly timers: Timers;
}

interface Request {
  readonly name: string;
  /** True when the answer is complete. */
  take(message: Message): boolean;
  reject(error: Error): void;
}

/** The messages of a bundle in flight: which of them an error names. */
interface Transaction {
  readonly firstXid: number;
  readonly parts: readonly Modification[];
  refused: { readonly part: Modification; readonly refusal: Refusal } | undefined;
}

/** Connects to a bridge's management socket and asks for punts, port changes and expired flows. Rejects with `ConnectionClosed`. */
export async function connectOpenFlow(options: OpenFlowPorts & { readonly path: string }): Promise<OpenFlowConnection> {
  const socket = connect({ path: options.path });
  await new Promise<void>((resolve, reject) => {
    const cancel = options.timers.after(CONNECT_MS, () => socket.destroy(new Error('no answer')));
    socket.once('connect', () => {
      cancel();
      resolve();
    });
    socket.once('error', (cause) => {
      cancel();
      reject(new ConnectionClosed(`The switch at ${options.path} cannot be reached.`, cause));
    });
  });
  socket.removeAllListeners('error');
  return OpenFlowConnection.open(socket, options);
}

/** An OpenFlow 1.3 connection to Open vSwitch. It reads while it writes, answers echoes, and closes on whatever is no OpenFlow. */
export class OpenFlowConnection implements Switch {
  private readonly framer = new MessageFramer();
  private readonly writer = new MessageWriter();
  private readonly requests = new Map<number, Request>();
  private readonly packetIns = new Set<(packet: PacketIn) => void>();
  private readonly portStatuses = new Set<(status: PortStatus) => void>();
  private readonly removals = new Set<(removed: FlowRemoved) => void>();
  private readonly closings = new Set<(reason?: Error) => void>();
  private nextXid = 1;
  private nextBundle = 1;
  private transaction: Transaction | undefined;
  /** Commits are carried out one after the other. */
  private lane: Promise<unknown> = Promise.resolve();
  private closed: { readonly reason: Error | undefined } | undefined;
  private wakeWriter: (() => void) | undefined;
  private written = 0;
  private lastProgress: number;
  private cancelWatch: Cancel | undefined;
  private hello: ((speaks13: boolean) => void) | undefined;
  /** The bridge's datapath id. */
  datapathId = 0n;

  private constructor(
    private readonly stream: Duplex,
    private readonly effects: OpenFlowPorts,
  ) {
    this.lastProgress = effects.clock.monotonic();
    stream.on('data', (chunk: Buffer) => this.read(chunk));
    stream.on('drain', () => this.wakeWriter?.());
    stream.on('error', (cause: Error) => this.shut(new ConnectionClosed('The connection to the switch broke.', cause)));
    stream.on('close', () => this.shut(new ConnectionClosed('The switch closed the connection.')));
  }

  /** Greets the other end of a stream that is connected already. */
  static async open(stream: Duplex, ports: OpenFlowPorts): Promise<OpenFlowConnection> {
    const connection = new OpenFlowConnection(stream, ports);
    try {
      await connection.greet();
    } catch (error) {
      connection.shut(error instanceof Error ? error : new ConnectionClosed('The switch did not greet.', error));
      throw error;
    }
    return connection;
  }

  private async greet(): Promise<void> {
    const greeted = new Promise<void>((resolve, reject) => {
      this.requests.set(0, { name: 'the greeting', take: () => true, reject });
      this.hello = (speaks13) => {
        this.requests.delete(0);
        if (speaks13) resolve();
        else reject(new MalformedMessage('The switch does not speak OpenFlow 1.3.'));
      };
    });
    this.watch();
    encodeHello(this.writer, this.takeXids(1));
    this.flush();
    await greeted;
    this.datapathId = await this.ask('its features', encodeFeaturesRequest, (message) =>
      message.type === 'features_reply' ? message.datapathId : undefined,
    );
    encodeSetPacketInFormat(this.writer, this.takeXids(1));
    encodeSetConfig(this.writer, this.takeXids(1));
    encodeSetAsync(this.writer, this.takeXids(1));
    await this.barrier();
  }

  commit(change: FlowChange): Promise<void> {
    const done = this.lane.then(() => this.carryOut(change));
    this.lane = done.catch(() => undefined);
    return done;
  }

  /** Open vSwitch takes no meters in a bundle: new ones go before it (and away again when it fails), what changes or ends behind it. */
  private async carryOut(change: FlowChange): Promise<void> {
    const ending = new Set(change.removeMeters);
    const added = change.addMeters.filter((meter) => !ending.has(meter.id));
    const changed = change.addMeters.filter((meter) => ending.delete(meter.id));
    const made: number[] = [];
    try {
      for (const meter of added) {
        await this.setMeter('add', meter);
        made.push(meter.id);
      }
      await this.commitBundle(bundleOf(change));
    } catch (error) {
      if (!this.closed)
        await this.removeMeters(made).catch((cause: unknown) =>
          this.effects.logger.warn('New meters stay behind.', { cause }),
        );
      throw error;
    }
    for (const meter of changed) await this.setMeter('modify', meter);
    await this.removeMeters([...ending]);
  }

  private async setMeter(command: 'add' | 'modify', meter: Meter): Promise<void> {
    await this.order(`${command} ${formatMeter(meter)}`, (xid) => encodeMeterMod(this.writer, xid, command, meter));
  }

  private async removeMeters(meters: readonly number[]): Promise<void> {
    for (const meter of meters)
      await this.order(`remove meter=${meter}`, (xid) => encodeMeterRemoval(this.writer, xid, meter));
  }

  /** Sends what has no answer of its own, and a barrier behind it, so that its error would be known. */
  private async order(name: string, encode: (xid: number) => void): Promise<void> {
    const xid = this.takeXids(1);
    let refusal: Refusal | undefined;
    encode(xid);
    this.requests.set(xid, {
      name,
      take: (message) => {
        if (message.type === 'error') refusal = message.refusal;
        return true;
      },
      reject: () => undefined,
    });
    try {
      await this.barrier();
    } finally {
      this.requests.delete(xid);
    }
    if (refusal) throw new ChangeRefused(name, refusal);
  }

  private async commitBundle(parts: readonly Modification[]): Promise<void> {
    if (parts.length === 0) return;
    const bundle = this.nextBundle++;
    const transaction: Transaction = { firstXid: this.takeXids(parts.length), parts, refused: undefined };
    this.transaction = transaction;
    try {
      await this.fillBundle(bundle, transaction);
      await this.control(bundle, 'commit');
    } catch (error) {
      throwIfRefused(transaction);
      if (error instanceof RequestRefused) throw new ChangeRefused('the bundle', error.refusal);
      throw error;
    } finally {
      this.transaction = undefined;
    }
  }

  /** A message that Open vSwitch refuses is left out of the bundle, which stays open: only after a barrier without an error may it be committed. */
  private async fillBundle(bundle: number, transaction: Transaction): Promise<void> {
    const opened = this.control(bundle, 'open');
    // Awaited below; until then a failure must not go unhandled.
    opened.catch(() => undefined);
    try {
      await this.writeParts(bundle, transaction);
      await opened;
      await this.barrier();
      throwIfRefused(transaction);
    } catch (error) {
      if (!this.closed) await this.control(bundle, 'discard').catch(() => undefined);
      throw error;
    }
  }

  private async writeParts(bundle: number, transaction: Transaction): Promise<void> {
    for (const [index, part] of transaction.parts.entries()) {
      encodeBundleAdd(this.writer, transaction.firstXid + index, bundle, part);
      if (this.writer.pending < WRITE_BYTES) continue;
      await this.flushed();
      throwIfRefused(transaction);
    }
  }

  private async control(bundle: number, control: 'open' | 'commit' | 'discard'): Promise<void> {
    await this.ask(
      `to ${control} a bundle`,
      (writer, xid) => encodeBundleControl(writer, xid, bundle, control),
      (message) => (message.type === 'bundle_control' && message.reply ? true : undefined),
    );
  }

  async flows(table?: number, cookie?: CookieMask): Promise<FlowStats[]> {
    const parts = await this.statistics('its flows', 'flow', (writer, xid) =>
      encodeFlowStatsRequest(writer, xid, 'flow', table, cookie),
    );
    return parts.flatMap((part) => part.flows);
  }

  /** How many flows there are, and what they have counted. */
  async aggregate(table?: number, cookie?: CookieMask): Promise<{ flows: number; packets: bigint; bytes: bigint }> {
    const [part] = await this.statistics('its flow counts', 'aggregate', (writer, xid) =>
      encodeFlowStatsRequest(writer, xid, 'aggregate', table, cookie),
    );
    return { flows: part?.flows ?? 0, packets: part?.packets ?? 0n, bytes: part?.bytes ?? 0n };
  }

  async groups(): Promise<Group[]> {
    return (await this.statistics('its groups', 'groupDesc', encodeGroupDescRequest)).flatMap((part) => part.groups);
  }

  async meters(): Promise<Meter[]> {
    return (await this.statistics('its meters', 'meterConfig', encodeMeterConfigRequest)).flatMap(
      (part) => part.meters,
    );
  }

  async ports(): Promise<SwitchPort[]> {
    return (await this.statistics('its ports', 'portDesc', encodePortDescRequest)).flatMap((part) => part.ports);
  }

  /** Removes all flows with these bits in their cookie, of one table or all; in order with the commits. */
  removeByCookie(cookie: CookieMask, table?: number): Promise<void> {
    const name = `remove cookie=0x${cookie.value.toString(16)}/0x${cookie.mask.toString(16)}`;
    const done = this.lane.then(() =>
      this.order(name, (xid) => encodeFlowRemovalByCookie(this.writer, xid, cookie, table)),
    );
    this.lane = done.catch(() => undefined);
    return done;
  }

  /** Bytes that the switch has not taken yet. */
  get backlog(): number {
    return this.stream.writableLength + this.writer.pending;
  }

  packetOut(packet: PacketOut): void {
    if (this.closed || this.backlog > PACKET_OUT_BACKLOG) return;
    encodePacketOut(this.writer, this.takeXids(1), packet);
    this.flush();
  }

  /** Resolves when the switch has carried out everything sent before. */
  async barrier(): Promise<void> {
    await this.ask('for a barrier', encodeBarrier, (message) => (message.type === 'barrier_reply' ? true : undefined));
  }

  onPacketIn(handler: (packet: PacketIn) => void): Unsubscribe {
    return subscribe(this.packetIns, handler);
  }

  onPortStatus(handler: (status: PortStatus) => void): Unsubscribe {
    return subscribe(this.portStatuses, handler);
  }

  onFlowRemoved(handler: (removed: FlowRemoved) => void): Unsubscribe {
    return subscribe(this.removals, handler);
  }

  onClose(handler: (reason?: Error) => void): Unsubscribe {
    if (!this.closed) return subscribe(this.closings, handler);
    const { reason } = this.closed;
    queueMicrotask(() => handler(reason));
    return () => undefined;
  }

  close(): Promise<void> {
    const gone = new Promise<void>((resolve) => {
      if (this.stream.closed) resolve();
      else this.stream.once('close', () => resolve());
    });
    this.shut(undefined);
    return gone;
  }

  private async statistics<K extends StatsReply['kind']>(
    name: string,
    kind: K,
    encode: (writer: MessageWriter, xid: number) => void,
  ): Promise<Extract<StatsReply, { kind: K }>[]> {
    const parts: Extract<StatsReply, { kind: K }>[] = [];
    await this.ask(name, encode, (message) => {
      if (message.type !== 'multipart_reply' || message.part.kind !== kind) throw unexpected(message, name);
      parts.push(message.part as Extract<StatsReply, { kind: K }>);
      return message.more ? undefined : true;
    });
    return parts;
  }

  /** Sends a request; `take` answers the result, or undefined while there is more to come. */
  private ask<T>(
    name: string,
    encode: (writer: MessageWriter, xid: number) => void,
    take: (message: Message) => T | undefined,
  ): Promise<T> {
    if (this.closed) return Promise.reject(this.gone());
    return new Promise<T>((resolve, reject) => {
      const xid = this.takeXids(1);
      encode(this.writer, xid);
      this.requests.set(xid, {
        name,
        take: (message) => {
          if (message.type === 'error') {
            reject(new RequestRefused(name, message.refusal));
            return true;
          }
          const result = take(message);
          if (result === undefined && message.type !== 'multipart_reply') throw unexpected(message, name);
          if (result === undefined) return false;
          resolve(result);
          return true;
        },
        reject,
      });
      this.watch();
      this.flush();
    });
  }

  /** The first of `count` numbers in a row, none of which is in use. */
  private takeXids(count: number): number {
    if (this.nextXid + count > MAX_XID) this.nextXid = 1;
    const first = this.nextXid;
    this.nextXid += count;
    return first;
  }

  private flush(): boolean {
    let free = true;
    for (const chunk of this.writer.take()) {
      this.written += chunk.length;
      free = this.stream.write(chunk);
    }
    return free;
  }

  /** Writes what is there and waits until the socket wants more. */
  private async flushed(): Promise<void> {
    if (this.closed) throw this.gone();
    if (!this.flush()) {
      await new Promise<void>((resolve) => {
        this.wakeWriter = resolve;
      });
      this.wakeWriter = undefined;
      this.lastProgress = this.effects.clock.monotonic();
    }
    if (this.written >= BYTES_PER_TURN) {
      this.written = 0;
      await this.effects.timers.sleep(0);
    }
    if (this.closed) throw this.gone();
  }

  private read(chunk: Buffer): void {
    this.lastProgress = this.effects.clock.monotonic();
    try {
      this.framer.push(chunk, (frame) => {
        if (!this.closed) this.receive(decodeMessage(frame));
      });
    } catch (error) {
      this.effects.logger.error('The switch sent what is no OpenFlow; closing the connection.', { error });
      this.shut(error instanceof Error ? error : new MalformedMessage(String(error)));
    }
  }

  private receive(message: Message): void {
    switch (message.type) {
      case 'hello':
        return this.hello?.(message.speaks13);
      case 'echo_request':
        encodeEcho(this.writer, 'reply', message.xid, message.data);
        this.flush();
        return;
      case 'echo_reply':
        return;
      case 'packet_in':
        return this.tell(this.packetIns, message.packet);
      case 'port_status':
        return this.tell(this.portStatuses, message.status);
      case 'flow_removed':
        if (message.removed) this.tell(this.removals, message.removed);
        return;
      default:
        return this.answer(message);
    }
  }

  private answer(message: Message): void {
    const request = this.requests.get(message.xid);
    if (request) {
      if (request.take(message)) this.requests.delete(message.xid);
    } else if (message.type !== 'error') {
      throw unexpected(message, 'nothing');
    } else {
      this.refused(message.xid, message.refusal);
    }
  }

  /** An error that answers no request: part of a bundle, or a packet-out. */
  private refused(xid: number, refusal: Refusal): void {
    const index = this.transaction ? xid - this.transaction.firstXid : -1;
    const part = this.transaction?.parts[index];
    if (this.transaction && part) this.transaction.refused ??= { part, refusal };
    else
      this.effects.logger.warn('The switch refused a message.', {
        xid,
        error: refusal.errorName,
        data: Buffer.from(refusal.data).toString('hex'),
      });
  }

  private tell<T>(handlers: ReadonlySet<(value: T) => void>, value: T): void {
    for (const handler of handlers) {
      try {
        handler(value);
      } catch (error) {
        // A handler's fault is not the switch's: the connection goes on.
        this.effects.logger.error('A handler of OpenFlow messages failed.', { error });
      }
    }
  }

  /** While anything is asked, looks now and then whether the switch still does something. */
  private watch(): void {
    if (this.cancelWatch) return;
    this.lastProgress = this.effects.clock.monotonic();
    this.lookAgain(SILENCE_MS);
  }

  private lookAgain(ms: number): void {
    this.cancelWatch = this.effects.timers.after(ms, () => {
      this.cancelWatch = undefined;
      if (this.requests.size === 0 || this.closed) return;
      const silence = this.effects.clock.monotonic() - this.lastProgress;
      if (silence >= SILENCE_MS)
        this.shut(new ConnectionClosed(`The switch has not answered for ${Math.round(silence)} ms.`));
      else this.lookAgain(SILENCE_MS - silence);
    });
  }

  private gone(): ConnectionClosed {
    return new ConnectionClosed('The connection to the switch is closed.', this.closed?.reason);
  }

  private shut(reason: Error | undefined): void {
    if (this.closed) return;
    this.closed = { reason };
    this.cancelWatch?.();
    this.stream.destroy();
    this.wakeWriter?.();
    const pending = [...this.requests.values()];
    this.requests.clear();
    for (const request of pending) request.reject(this.gone());
    this.tell(this.closings, reason);
    this.closings.clear();
  }
}

/** Groups stand before the flows that name them, and go after them: removing a group takes its flows along. */
function bundleOf(change: FlowChange): Modification[] {
  const parts: Modification[] = [];
  for (const group of change.addGroups) parts.push({ kind: 'group', command: 'add', group });
  for (const group of change.modifyGroups) parts.push({ kind: 'group', command: 'modify', group });
  for (const flow of change.add) parts.push({ kind: 'flow', command: 'add', flow });
  for (const flow of change.modify) parts.push({ kind: 'flow', command: 'modify', flow });
  for (const flow of change.remove) parts.push({ kind: 'flow', command: 'remove', flow });
  for (const group of change.removeGroups) parts.push({ kind: 'group', command: 'remove', group });
  return parts;
}

function throwIfRefused(transaction: Transaction): void {
  const { refused } = transaction;
  if (refused) throw new ChangeRefused(describe(refused.part), refused.refusal);
}

function describe(part: Modification): string {
  if (part.kind === 'flow') return `${part.command} ${formatFlow(part.flow)}`;
  return part.command === 'remove' ? `remove group_id=${part.group}` : `${part.command} ${formatGroup(part.group)}`;
}

function unexpected(message: Message, name: string): MalformedMessage {
  return new MalformedMessage(`The switch sent a ${message.type} when asked ${name}.`, { xid: message.xid });
}

function subscribe<T>(handlers: Set<T>, handler: T): Unsubscribe {
  handlers.add(handler);
  return () => handlers.delete(handler);
}
