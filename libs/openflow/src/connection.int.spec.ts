import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Cancel, type Logger, silentLogger, systemClock, systemTimers } from '@weir/kernel';
import { decodeMessage, type Message, MessageFramer } from './codec';
import { connectOpenFlow, type OpenFlowConnection } from './connection';
import { ChangeRefused, ConnectionClosed, InvalidFlow, MalformedMessage, RequestRefused } from './errors';
import type { Flow, FlowChange } from './model';
import type { PacketIn } from './switch';
import { CAPTURED } from './testing/captured';

const HELLO = 0;
const ERROR = 1;
const ECHO_REQUEST = 2;
const EXPERIMENTER = 4;
const FEATURES_REPLY = 6;
const MULTIPART_REPLY = 19;
const BARRIER_REPLY = 21;

function message(type: number, xid: number, body: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.from([4, type, 0, 0, 0, 0, 0, 0]);
  head.writeUInt16BE(8 + body.length, 2);
  head.writeUInt32BE(xid, 4);
  return Buffer.concat([head, body]);
}

const error = (xid: number, type: number, code: number): Buffer => message(ERROR, xid, Buffer.from([0, type, 0, code]));
/** `OFPMP_AGGREGATE` with a number of flows. */
function aggregate(xid: number, flows: number): Buffer {
  const body = Buffer.alloc(32);
  body.writeUInt16BE(2, 0);
  body.writeUInt32BE(flows, 24);
  return message(MULTIPART_REPLY, xid, body);
}

/** A switch that does as it is told: the other end of the wire, played by the test. */
class ScriptedSwitch {
  readonly received: Message[] = [];
  /** Answers in place of the usual ones; an empty list is silence. */
  readonly answers = new Map<Message['type'], (message: Message) => readonly Uint8Array[]>();
  private readonly sockets: Socket[] = [];
  private readonly waiting = new Set<() => void>();

  private constructor(
    private readonly folder: string,
    private readonly server: Server,
  ) {}

  static async start(): Promise<ScriptedSwitch> {
    const folder = await mkdtemp(join(tmpdir(), 'weir-of-'));
    const server = createServer();
    const scripted = new ScriptedSwitch(folder, server);
    server.on('connection', (socket) => scripted.serve(socket));
    await new Promise<void>((resolve) => server.listen(scripted.path, resolve));
    return scripted;
  }

  get path(): string {
    return join(this.folder, 'br-int.mgmt');
  }

  get socket(): Socket {
    const socket = this.sockets.at(-1);
    if (!socket) throw new Error('Nobody has connected');
    return socket;
  }

  send(...bytes: readonly Uint8Array[]): void {
    this.socket.write(Buffer.concat(bytes));
  }

  /** The first message of a type that was received, once it is. */
  async saw<T extends Message['type']>(type: T): Promise<Extract<Message, { type: T }>> {
    for (;;) {
      const found = this.received.find((entry): entry is Extract<Message, { type: T }> => entry.type === type);
      if (found) return found;
      await new Promise<void>((resolve) => this.waiting.add(resolve));
    }
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
    await rm(this.folder, { recursive: true, force: true });
  }

  private serve(socket: Socket): void {
    this.sockets.push(socket);
    const framer = new MessageFramer();
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => framer.push(chunk, (bytes) => this.take(decodeMessage(Buffer.from(bytes)))));
  }

  private take(received: Message): void {
    this.received.push(received);
    const answers = this.answers.get(received.type)?.(received) ?? usualAnswer(received);
    if (answers.length > 0) this.send(...answers);
    for (const wake of this.waiting) wake();
    this.waiting.clear();
  }
}

function usualAnswer(received: Message): readonly Uint8Array[] {
  const { xid } = received;
  if (received.type === 'hello') return [message(HELLO, 1, Buffer.from([0, 1, 0, 8, 0, 0, 0, 0x7e]))];
  if (received.type === 'features_request')
    return [message(FEATURES_REPLY, xid, Buffer.from(`${'00'.repeat(7)}2a00000000fe`.padEnd(48, '0'), 'hex'))];
  if (received.type === 'barrier_request') return [message(BARRIER_REPLY, xid)];
  if (received.type === 'bundle_control') {
    const reply = Buffer.from('4f4e4600000008fc0000000000000003', 'hex');
    reply.writeUInt32BE(received.bundle, 8);
    reply.writeUInt16BE({ open: 1, commit: 5, discard: 7 }[received.control], 12);
    return [message(EXPERIMENTER, xid, reply)];
  }
  return [];
}

/** Time that stands still until it is told to pass. */
class ManualTime {
  private time = 0;
  private pending: { readonly at: number; readonly action: () => void }[] = [];
  readonly clock = { now: () => this.time, monotonic: () => this.time };
  readonly timers = {
    after: (ms: number, action: () => void): Cancel => {
      const timer = { at: this.time + ms, action };
      this.pending.push(timer);
      return () => {
        this.pending = this.pending.filter((other) => other !== timer);
      };
    },
    sleep: (ms: number) => systemTimers.sleep(ms),
  };

  pass(ms: number): void {
    this.time += ms;
    const due = this.pending.filter((timer) => timer.at <= this.time);
    this.pending = this.pending.filter((timer) => timer.at > this.time);
    for (const timer of due) timer.action();
  }
}

const nothing: FlowChange = {
  add: [],
  modify: [],
  remove: [],
  addGroups: [],
  modifyGroups: [],
  removeGroups: [],
  addMeters: [],
  removeMeters: [],
};
const row = (n: number): Flow => ({
  table: 0,
  priority: n % 65_536,
  cookie: 0n,
  match: { reg1: { value: BigInt(n) } },
  actions: [],
});
const rows = (count: number): Flow[] => Array.from({ length: count }, (_, n) => row(n));

let scripted: ScriptedSwitch;
let connection: OpenFlowConnection | undefined;
const system = { clock: systemClock, timers: systemTimers };

beforeEach(async () => {
  scripted = await ScriptedSwitch.start();
});
afterEach(async () => {
  await connection?.close();
  connection = undefined;
  await scripted.stop();
});

async function connected(ports: Partial<Parameters<typeof connectOpenFlow>[0]> = {}): Promise<OpenFlowConnection> {
  connection = await connectOpenFlow({ path: scripted.path, logger: silentLogger, ...system, ...ports });
  return connection;
}

const closing = (of: OpenFlowConnection): Promise<Error | undefined> => new Promise((resolve) => of.onClose(resolve));

describe('connecting', () => {
  it('greets, asks who is there and what to hear, and waits until that holds', async () => {
    const bridge = await connected();
    expect(bridge.datapathId).toBe(42n);
    expect(scripted.received.map((received) => received.type)).toEqual([
      'hello',
      'features_request',
      'set_packet_in_format',
      'set_config',
      'set_async',
      'barrier_request',
    ]);
  });

  it('fails when nobody listens', async () => {
    await expect(connectOpenFlow({ path: `${scripted.path}.not`, logger: silentLogger, ...system })).rejects.toThrow(
      ConnectionClosed,
    );
  });

  it('fails with a switch that does not speak OpenFlow 1.3', async () => {
    scripted.answers.set('hello', () => [message(HELLO, 1, Buffer.from([0, 1, 0, 8, 0, 0, 0, 0x42]))]);
    await expect(connected()).rejects.toThrow('The switch does not speak OpenFlow 1.3.');
  });

  it('fails with one that hangs up, and with one that says nothing', async () => {
    scripted.answers.set('hello', () => {
      scripted.socket.end();
      return [];
    });
    await expect(connected()).rejects.toThrow(ConnectionClosed);
    scripted.answers.set('hello', () => []);
    const time = new ManualTime();
    const silent = connected(time);
    silent.catch(() => undefined);
    await scripted.saw('hello');
    const passing = setInterval(() => time.pass(1_000), 1);
    await expect(silent).rejects.toThrow(ConnectionClosed);
    clearInterval(passing);
  });
});

describe('a connection', () => {
  it('answers an echo with what it was asked', async () => {
    await connected();
    scripted.send(message(ECHO_REQUEST, 77, Buffer.from('still there?')));
    const { xid, data } = await scripted.saw('echo_reply');
    expect([xid, Buffer.from(data).toString()]).toEqual([77, 'still there?']);
  });

  it('puts the parts of interleaved answers together', async () => {
    const bridge = await connected();
    const flowsReply = (xid: number, more: number): Buffer => {
      const copy = Buffer.from(CAPTURED.flows);
      copy.writeUInt32BE(xid, 4);
      copy.writeUInt16BE(more, 10);
      return copy;
    };
    const asked: number[] = [];
    scripted.answers.set('multipart_request', ({ xid }) => {
      const [first] = asked;
      asked.push(xid);
      if (first === undefined) return [];
      return [flowsReply(first, 1), flowsReply(xid, 1), flowsReply(xid, 1), flowsReply(first, 0), flowsReply(xid, 0)];
    });
    const [one, other] = await Promise.all([bridge.flows(), bridge.flows(3)]);
    expect([one.length, other.length]).toEqual([2, 3]);
  });

  it('rejects what the switch refuses, and goes on', async () => {
    const bridge = await connected();
    scripted.answers.set('multipart_request', ({ xid }) => [error(xid, 1, 2)]);
    const refused: unknown = await bridge.flows().catch((caught: unknown) => caught);
    expect(refused).toBeInstanceOf(RequestRefused);
    expect(refused).toMatchObject({
      message: 'The switch refused its flows: OFPBRC_BAD_STAT.',
      refusal: { errorType: 1, errorCode: 2 },
    });
    scripted.answers.set('multipart_request', ({ xid }) => [aggregate(xid, 5)]);
    expect(await bridge.aggregate()).toMatchObject({ flows: 5 });
  });

  it('logs a refused packet-out, and survives a handler that fails', async () => {
    const logged: string[] = [];
    const log = (text: string): void => void logged.push(text);
    const logger: Logger = { info: log, warn: log, error: log };
    const bridge = await connected({ logger });
    scripted.answers.set('packet_out', ({ xid }) => [error(xid, 2, 4), CAPTURED.packetIn, CAPTURED.packetIn]);
    const heard: PacketIn[] = [];
    bridge.onPacketIn(() => {
      throw new Error('handler');
    });
    const stop = bridge.onPacketIn((packet) => heard.push(packet));
    bridge.packetOut({ inPort: 'controller', actions: [{ type: 'output', port: 99 }], data: Buffer.alloc(60) });
    await scripted.saw('packet_out');
    await bridge.barrier();
    expect(heard.map((packet) => packet.userdata)).toEqual(['DHCP', 'DHCP']);
    expect(logged).toEqual([
      'The switch refused a message.',
      'A handler of OpenFlow messages failed.',
      'A handler of OpenFlow messages failed.',
    ]);
    stop();
    scripted.send(CAPTURED.packetIn);
    await bridge.barrier();
    expect(heard).toHaveLength(2);
  });

  it('is given up when the switch has been silent too long, but not while it is busy', async () => {
    const time = new ManualTime();
    const bridge = await connected(time);
    const closed = closing(bridge);
    scripted.answers.set('multipart_request', () => []);
    const asked = bridge.flows().catch((caught: unknown) => caught);
    await scripted.saw('multipart_request');
    time.pass(14_000);
    const echoed = scripted.saw('echo_reply');
    scripted.send(message(ECHO_REQUEST, 5));
    await echoed;
    time.pass(14_000);
    time.pass(14_000);
    expect(await asked).toBeInstanceOf(ConnectionClosed);
    expect((await closed)?.message).toMatch(/has not answered for/);
  });

  it('tells of its end once, and then refuses everything', async () => {
    const bridge = await connected();
    const ends: (Error | undefined)[] = [];
    bridge.onClose((reason) => ends.push(reason));
    await bridge.close();
    await bridge.close();
    expect(ends).toEqual([undefined]);
    expect(await closing(bridge)).toBeUndefined();
    await expect(bridge.flows()).rejects.toThrow(ConnectionClosed);
    await expect(bridge.commit({ ...nothing, add: [row(1)] })).rejects.toThrow(ConnectionClosed);
    bridge.packetOut({ inPort: 1, actions: [], data: Buffer.alloc(0) });
  });
});

describe('a commit', () => {
  it('sends nothing for an empty change', async () => {
    const bridge = await connected();
    const before = scripted.received.length;
    await bridge.commit(nothing);
    expect(scripted.received).toHaveLength(before);
  });

  it('sends groups before flows, removals of groups last, and meters around the bundle', async () => {
    const bridge = await connected();
    const before = scripted.received.length;
    const group = (id: number) => ({ id, type: 'all' as const, buckets: [] });
    const meter = (id: number) => ({ id, rate: 1, burst: 1 });
    await bridge.commit({
      add: [row(1)],
      modify: [row(2)],
      remove: [row(3)],
      addGroups: [group(1)],
      modifyGroups: [group(2)],
      removeGroups: [3],
      addMeters: [meter(1), meter(2)],
      removeMeters: [2, 3],
    });
    const sent = scripted.received.slice(before).map((received) => {
      if (received.type === 'bundle_control') return received.control;
      if (received.type === 'meter_mod') return `${received.command} meter ${received.meter.id}`;
      if (received.type === 'meter_removal') return `remove meter ${received.meter}`;
      if (received.type !== 'bundle_add') return received.type;
      const { part } = received;
      if (part.kind === 'flow') return `${part.command} flow ${part.flow.priority}`;
      return part.command === 'remove' ? `remove group ${part.group}` : `${part.command} group ${part.group.id}`;
    });
    expect(sent.filter((name) => name !== 'barrier_request')).toEqual([
      'add meter 1',
      'open',
      'add group 1',
      'modify group 2',
      'add flow 1',
      'modify flow 2',
      'remove flow 3',
      'remove group 3',
      'commit',
      'modify meter 2',
      'remove meter 3',
    ]);
  });

  it('is discarded, never committed, when any message is refused; its meters are taken back', async () => {
    const bridge = await connected();
    scripted.answers.set('bundle_add', (received) =>
      received.type === 'bundle_add' && received.part.kind === 'flow' && received.part.flow.priority === 1
        ? [error(received.xid, 2, 10)]
        : [],
    );
    const refused: unknown = await bridge
      .commit({ ...nothing, add: rows(3), addMeters: [{ id: 1, rate: 1, burst: 1 }] })
      .catch((caught: unknown) => caught);
    expect(refused).toBeInstanceOf(ChangeRefused);
    expect(refused).toMatchObject({
      failed: 'add table=0, priority=1, reg1=0x1 actions=drop',
      refusal: { errorType: 2, errorCode: 10, errorName: 'OFPBAC_MATCH_INCONSISTENT' },
      fields: { errorName: 'OFPBAC_MATCH_INCONSISTENT' },
    });
    const controls = scripted.received.flatMap((received) =>
      received.type === 'bundle_control' ? [received.control] : [],
    );
    expect(controls).toEqual(['open', 'discard']);
    expect(scripted.received.at(-2)).toMatchObject({ type: 'meter_removal', meter: 1 });
  });

  it('names the message that makes the whole bundle fail at its end', async () => {
    const bridge = await connected();
    scripted.answers.set('bundle_control', (received) => {
      if (received.type !== 'bundle_control' || received.control !== 'commit') return usualAnswer(received);
      const second = scripted.received.filter((entry) => entry.type === 'bundle_add')[1];
      return [error(second?.xid ?? 0, 5, 1), error(received.xid, 5, 0)];
    });
    await expect(bridge.commit({ ...nothing, add: rows(3) })).rejects.toMatchObject({
      failed: 'add table=0, priority=1, reg1=0x1 actions=drop',
      refusal: { errorName: 'OFPFMFC_TABLE_FULL' },
    });
  });

  it('is discarded when a row cannot be said in OpenFlow, and the next one goes on', async () => {
    const bridge = await connected();
    const wrong = { ...row(5), match: { tcp_dst: { value: 1n } } };
    await expect(bridge.commit({ ...nothing, add: [row(1), wrong] })).rejects.toThrow(InvalidFlow);
    await bridge.commit({ ...nothing, add: [row(2)] });
    const controls = scripted.received.flatMap((received) =>
      received.type === 'bundle_control' ? [received.control] : [],
    );
    expect(controls).toEqual(['open', 'discard', 'open', 'commit']);
  });

  it('waits for a switch that takes nothing, in little memory, and hears it meanwhile', async () => {
    const bridge = await connected();
    scripted.socket.pause();
    const heard: PacketIn[] = [];
    const all = new Promise<void>((resolve) => {
      bridge.onPacketIn((packet) => {
        if (heard.push(packet) === 1_000) resolve();
      });
    });
    let done = false;
    const commit = bridge.commit({ ...nothing, add: rows(30_000) }).then(() => {
      done = true;
    });
    for (let n = 0; n < 1_000; n++) scripted.send(CAPTURED.packetIn);
    await all;
    expect(done).toBe(false);
    expect(bridge.backlog).toBeLessThan(1 << 20);
    scripted.socket.resume();
    await commit;
    expect(scripted.received.filter((received) => received.type === 'bundle_add')).toHaveLength(30_000);
  });
});

describe('what is no OpenFlow', () => {
  it.each<[string, Buffer]>([
    ['a message without a length', Buffer.from('0402000000000001', 'hex')],
    ['a message shorter than its header', Buffer.from('0402000700000001', 'hex')],
    ['another version', Buffer.from('0602000800000001', 'hex')],
    ['an unknown type', Buffer.from('0463000800000001', 'hex')],
    ['a reply that nobody asked for', message(BARRIER_REPLY, 0x7fffffff)],
    ['a packet-in that ends too early', Buffer.from('0404001200000001000023200000001e0000', 'hex')],
    [
      'a flow that is longer than its message',
      message(MULTIPART_REPLY, 1, Buffer.from(`0001000000000000ffff${'00'.repeat(60)}`, 'hex')),
    ],
    ['noise', Buffer.from('GET / HTTP/1.1\r\nHost: br-int\r\n\r\n')],
  ])('closes the connection, and says why: %s', async (_what, bytes) => {
    const bridge = await connected();
    const closed = closing(bridge);
    scripted.answers.set('multipart_request', () => [bytes]);
    const asked: unknown = await bridge.flows().catch((caught: unknown) => caught);
    expect(asked).toBeInstanceOf(ConnectionClosed);
    expect((asked as Error).cause).toBeInstanceOf(MalformedMessage);
    expect(await closed).toBeInstanceOf(MalformedMessage);
  });

  it('closes the connection when an answer is of another kind than the question', async () => {
    const bridge = await connected();
    const closed = closing(bridge);
    scripted.answers.set('multipart_request', ({ xid }) => [aggregate(xid, 1)]);
    await expect(bridge.groups()).rejects.toThrow(ConnectionClosed);
    expect((await closed)?.message).toBe('The switch sent a multipart_reply when asked its groups.');
  });

  it('is a message of 65,535 bytes of which the rest never comes: the end of the socket ends it', async () => {
    const bridge = await connected();
    const closed = closing(bridge);
    scripted.answers.set('multipart_request', () => [Buffer.from('0413ffff00000001', 'hex'), Buffer.alloc(1_000)]);
    const asked = bridge.flows().catch((caught: unknown) => caught);
    await scripted.saw('multipart_request');
    scripted.socket.end();
    expect(await asked).toBeInstanceOf(ConnectionClosed);
    expect(await closed).toBeInstanceOf(ConnectionClosed);
  });
});
