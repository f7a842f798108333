import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Clock,
  type Json,
  type JsonObject,
  silentLogger,
  systemClock,
  systemRandom,
  systemTimers,
  type Timers,
} from '@weir/kernel';
import {
  connectOvsdb,
  NO_TRANSACTION,
  type OvsdbClient,
  OvsdbClosed,
  OvsdbError,
  OvsdbSession,
  type RowChange,
} from './index';
import { JsonSplitter } from './framing';
import { waitFor } from '@weir/lab';
import { VirtualTime } from '@weir/testing/time';

const eventually = (holds: () => boolean): Promise<boolean> => waitFor(holds, { what: holds.toString(), everyMs: 5 });

const SCHEMA = {
  tables: {
    Port: {
      columns: {
        name: { type: 'string' },
        external_ids: { type: { key: 'string', value: 'string', min: 0, max: 'unlimited' } },
      },
    },
  },
};

type Answer = (request: JsonObject, socket: Socket) => void;

/** Stands in for ovsdb-server; says what the test tells it to, also what no real server would. */
class FakeServer {
  readonly requests: JsonObject[] = [];
  readonly sockets: Socket[] = [];
  rows: JsonObject = {};
  answers: Record<string, Answer> = {
    get_schema: ({ id }, socket) => reply(socket, { id, result: SCHEMA, error: null }),
    monitor_cond_since: ({ id }, socket) =>
      reply(socket, { id, result: [false, NO_TRANSACTION, { Port: this.rows }], error: null }),
    echo: ({ id, params }, socket) => reply(socket, { id, result: params ?? [], error: null }),
  };

  private constructor(
    readonly folder: string,
    private server: Server,
  ) {}

  static async start(): Promise<FakeServer> {
    const folder = await mkdtemp(join(tmpdir(), 'weir-fake-ovsdb-'));
    const fake = new FakeServer(folder, createServer());
    await fake.listen();
    return fake;
  }

  get path(): string {
    return join(this.folder, 'db.sock');
  }

  async listen(): Promise<void> {
    this.server = createServer((socket) => {
      this.sockets.push(socket);
      const splitter = new JsonSplitter();
      socket.on('error', () => undefined);
      socket.on('data', (chunk) => {
        for (const message of splitter.push(chunk)) {
          const request = message as JsonObject;
          this.requests.push(request);
          if (typeof request['method'] === 'string') this.answers[request['method']]?.(request, socket);
        }
      });
    });
    await new Promise<void>((resolve) => this.server.listen(this.path, resolve));
  }

  get newest(): Socket {
    const socket = this.sockets.at(-1);
    if (!socket) throw new Error('nobody connected');
    return socket;
  }

  say(text: string | Uint8Array): void {
    this.newest.write(text);
  }

  update(port: JsonObject, monitor?: Json): void {
    const asked = this.requests.findLast(({ method }) => method === 'monitor_cond_since')?.['params'] as
      Json[] | undefined;
    reply(this.newest, {
      method: 'update3',
      id: null,
      params: [monitor ?? asked?.[1], NO_TRANSACTION, { Port: port }],
    });
  }

  async leave(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  async stop(): Promise<void> {
    await this.leave();
    await rm(this.folder, { recursive: true, force: true });
  }
}

function reply(socket: Socket, message: Readonly<Record<string, unknown>>): void {
  socket.write(JSON.stringify(message));
}

let server: FakeServer;
beforeEach(async () => {
  server = await FakeServer.start();
});
afterEach(() => server.stop());

describe('an OVSDB client', () => {
  const real = { logger: silentLogger, clock: systemClock, timers: systemTimers };
  const clients: OvsdbClient[] = [];
  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
  });

  async function connect(options: Partial<Parameters<typeof connectOvsdb>[0]> = {}): Promise<OvsdbClient> {
    const client = await connectOvsdb({ path: server.path, ...real, ...options });
    clients.push(client);
    await eventually(() => server.sockets.length > 0);
    return client;
  }

  function closing(client: OvsdbClient): Promise<OvsdbClosed> {
    return new Promise((resolve) => client.onClose(resolve));
  }

  function causeOf(error: OvsdbClosed): string {
    return error.cause instanceof Error ? error.cause.message : error.message;
  }

  it('says where nobody listens', async () => {
    const path = join(server.folder, 'nobody.sock');
    await expect(connectOvsdb({ path, ...real })).rejects.toThrow(OvsdbClosed);
    await expect(connectOvsdb({ path, ...real })).rejects.toThrow(`does not answer at ${path}`);
  });

  it('gives each call its own answer, in whatever order they come', async () => {
    server.answers['transact'] = () => undefined;
    const client = await connect();
    const first = client.transact('Open_vSwitch', [{ op: 'delete', table: 'Port', where: [] }]);
    const second = client.transact('Open_vSwitch', [{ op: 'insert', table: 'Port', row: {} }]);
    await eventually(() => server.requests.length === 2);
    const [one, two] = server.requests;
    expect(one).toMatchObject({
      method: 'transact',
      params: ['Open_vSwitch', { op: 'delete', table: 'Port', where: [] }],
    });
    reply(server.newest, { id: two?.['id'], result: [{ uuid: ['uuid', 'u2'] }], error: null });
    reply(server.newest, { id: one?.['id'], result: [{ count: 3 }], error: null });
    await expect(second).resolves.toEqual([{ uuid: 'u2' }]);
    await expect(first).resolves.toEqual([{ count: 3 }]);
  });

  it('names the operation that was refused', async () => {
    server.answers['transact'] = ({ id }, socket) =>
      reply(socket, {
        id,
        result: [{ count: 1 }, { error: 'constraint violation', details: 'twice' }, null],
        error: null,
      });
    const client = await connect();
    const three = [1, 2, 3].map(() => ({ op: 'delete', table: 'Port', where: [] }) as const);
    const refusal = await client.transact('Open_vSwitch', three).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(OvsdbError);
    expect(refusal).toMatchObject({ operation: 1, error: 'constraint violation', details: 'twice' });
    expect((refusal as Error).message).toBe('OVSDB refused operation 1: constraint violation (twice)');
  });

  it('names a commit that was refused behind the last operation', async () => {
    server.answers['transact'] = ({ id }, socket) =>
      reply(socket, { id, result: [{ count: 1 }, { error: 'referential integrity violation' }], error: null });
    const client = await connect();
    await expect(client.transact('x', [{ op: 'delete', table: 'Port', where: [] }])).rejects.toMatchObject({
      operation: 1,
    });
  });

  it('passes on that the whole request was refused', async () => {
    server.answers['transact'] = ({ id }, socket) =>
      reply(socket, { id, result: null, error: { error: 'unknown database', details: 'no database named x' } });
    const client = await connect();
    await expect(client.transact('x', [])).rejects.toThrow('OVSDB refused: unknown database (no database named x)');
  });

  it('answers an echo, and refuses other requests', async () => {
    await connect();
    server.say('{"method":"echo","params":["hello"],"id":"e1"}{"method":"steal","params":[],"id":7}');
    await eventually(() => server.requests.length === 2);
    expect(server.requests).toEqual([
      { result: ['hello'], error: null, id: 'e1' },
      { result: null, error: 'unknown method', id: 7 },
    ]);
  });

  it('gives a monitor its snapshot, then updates, also when both come in one chunk', async () => {
    const seen: unknown[] = [];
    server.answers['monitor_cond_since'] = ({ id, params }, socket) => {
      const monitor = (params as Json[])[1] ?? null;
      const answer = { id: id ?? null, result: [false, NO_TRANSACTION, { Port: {} }], error: null };
      const update = { method: 'update3', id: null, params: [monitor, 't2', { Port: { p1: { insert: {} } } }] };
      socket.write(JSON.stringify(answer) + JSON.stringify(update));
    };
    const client = await connect();
    await client.monitor('Open_vSwitch', { Port: { columns: ['name'] } }, (update) => seen.push(update));
    expect(server.requests[0]).toMatchObject({
      params: ['Open_vSwitch', 'weir-1', { Port: [{ columns: ['name'] }] }, NO_TRANSACTION],
    });
    expect(seen).toEqual([
      { snapshot: true, transaction: NO_TRANSACTION, tables: { Port: {} } },
      { snapshot: false, transaction: 't2', tables: { Port: { p1: { insert: {} } } } },
    ]);
  });

  it('ignores answers to questions never asked, unknown monitors and unknown notifications', async () => {
    const client = await connect();
    const nonsense = [
      { id: 99, result: [], error: null },
      { id: 'one', result: [], error: null },
      { id: null, result: [], error: null },
      { method: 'update3', id: null, params: ['weir-77', NO_TRANSACTION, {}] },
      { method: 'update3', id: null, params: [null, null, null] },
      { method: 'locked', id: null, params: ['x'] },
    ];
    server.say(nonsense.map((message) => JSON.stringify(message)).join('\n'));
    server.say('{"method":"echo","params":[],"id":1}');
    await eventually(() => server.requests.length === 1);
    await expect(client.schema('Open_vSwitch')).resolves.toBeInstanceOf(Map);
  });

  it.each<[string, string | Uint8Array, string]>([
    ['no JSON', 'HTTP/1.1 400 Bad Request', "starts with byte 0x48, not with '{'"],
    ['broken JSON', '{"id":}', 'not valid JSON'],
    ['broken UTF-8', Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d), 'not valid JSON in UTF-8'],
    ['deep nesting', '{"a":' + '['.repeat(10_000), 'nests deeper than 64'],
    ['an endless message', '{"a":"' + 'x'.repeat(5000), 'longer than 4096 bytes'],
    ['an answer without a result', '{"id":1,"error":null}', 'neither a result nor an error'],
    ['a schema that is none', '{"id":1,"error":null,"result":[]}', 'The schema is not an object'],
    ['an update without parameters', '{"method":"update3","id":null}', 'parameters of an update is not an array'],
  ])('closes with a clear reason after %s, and rejects what was asked', async (_what, bytes, reason) => {
    server.answers = {};
    const client = await connect({ limits: { maxBytes: 4096, maxDepth: 64 } });
    const closed = closing(client);
    const asked = client.schema('Open_vSwitch').catch((error: unknown) => error);
    await eventually(() => server.requests.length === 1);
    server.say(bytes);
    expect(causeOf(await closed)).toContain(reason);
    await expect(asked).resolves.toBeInstanceOf(OvsdbClosed);
    await expect(client.transact('Open_vSwitch', [])).rejects.toThrow(OvsdbClosed);
  });

  it('rejects what was asked when the server goes in the middle of an answer', async () => {
    server.answers['get_schema'] = (_request, socket) => {
      socket.write('{"id":1,"result":{"tab');
      socket.end();
    };
    const client = await connect();
    await expect(client.schema('Open_vSwitch')).rejects.toThrow("Open vSwitch's database closed the connection.");
  });

  it('rejects what was asked when it is closed here, and tells a late listener', async () => {
    server.answers = {};
    const client = await connect();
    const asked = client.schema('Open_vSwitch');
    client.close();
    await expect(asked).rejects.toThrow('was closed here');
    await expect(closing(client)).resolves.toBeInstanceOf(OvsdbClosed);
  });

  it('asks a silent server for an echo, and gives it up when it stays silent', async () => {
    const time = new VirtualTime();
    const client = await connect({ clock: time, timers: time });
    const closed = closing(client);
    await time.advance(5_000);
    await eventually(() => server.requests.length === 1);
    expect(server.requests[0]).toMatchObject({ method: 'echo', params: [] });
    await client.schema('Open_vSwitch');
    server.answers = {};
    await time.advance(5_000);
    await eventually(() => server.requests.length === 3);
    await time.advance(5_000);
    expect((await closed).message).toBe("Open vSwitch's database has been silent for 10 s.");
  });
});

describe('an OVSDB session', () => {
  const sessions: OvsdbSession[] = [];
  let told: RowChange[];
  beforeEach(() => (told = []));
  afterEach(() => {
    for (const session of sessions.splice(0)) session.close();
  });

  function open(time: { clock: Clock; timers: Timers } = { clock: systemClock, timers: systemTimers }): OvsdbSession {
    const session = new OvsdbSession({
      path: server.path,
      database: 'Open_vSwitch',
      tables: { Port: { columns: ['name', 'external_ids'] } },
      onChange: (changes) => told.push(...changes),
      logger: silentLogger,
      random: systemRandom,
      ...time,
    });
    sessions.push(session);
    return session;
  }

  const names = (session: OvsdbSession): string[] => [...session.rows('Port').values()].map((row) => row.text('name'));
  const seen = (): unknown[] => told.map(({ before, after }) => [before?.text('name'), after?.text('name')]);

  it('keeps a replica up', async () => {
    server.rows = { p1: { initial: { name: 'a' } } };
    const session = open();
    await session.synced();
    expect(names(session)).toEqual(['a']);
    server.update({ p2: { insert: { name: 'b' } } });
    server.update({ p1: { delete: null } });
    await eventually(() => told.length === 3);
    expect(names(session)).toEqual(['b']);
    expect(seen()).toEqual([
      [undefined, 'a'],
      [undefined, 'b'],
      ['a', undefined],
    ]);
  });

  it('comes back after the server was away, and tells only what changed meanwhile', async () => {
    server.rows = { p1: { initial: { name: 'same' } }, p2: { initial: { name: 'gone' } } };
    const session = open();
    await session.synced();
    told = [];
    await server.leave();
    await eventually(() => !session.connected);
    await expect(session.transact([])).rejects.toThrow(OvsdbClosed);
    expect(names(session)).toEqual(['same', 'gone']);
    server.rows = { p1: { initial: { name: 'same' } }, p3: { initial: { name: 'new' } } };
    await server.listen();
    await session.synced();
    expect(seen()).toEqual([
      ['gone', undefined],
      [undefined, 'new'],
    ]);
  });

  it('asks a server that remembers for what came after its last transaction', async () => {
    const answer = (found: boolean, transaction: string, rows: JsonObject): void => {
      server.answers['monitor_cond_since'] = ({ id }, socket) =>
        reply(socket, { id, result: [found, transaction, { Port: rows }], error: null });
    };
    answer(false, 't1', { p1: { initial: { name: 'a' } } });
    const session = open();
    await session.synced();
    answer(true, 't2', { p2: { insert: { name: 'b' } } });
    server.newest.destroy();
    await eventually(() => told.length === 2);
    expect(names(session)).toEqual(['a', 'b']);
    const asked = server.requests.filter(({ method }) => method === 'monitor_cond_since');
    expect(asked.map(({ params }) => (params as Json[])[3])).toEqual([NO_TRANSACTION, 't1']);
  });

  it('reads everything again after an update that does not fit its replica', async () => {
    server.rows = { p1: { initial: { name: 'a' } } };
    const session = open();
    await session.synced();
    server.rows = { p1: { initial: { name: 'a' } }, p2: { initial: { name: 'b' } } };
    server.update({ p2: { modify: { external_ids: ['map', [['k', 'v']]] } } });
    await eventually(() => told.length === 2);
    await session.synced();
    expect(names(session)).toEqual(['a', 'b']);
    expect(server.sockets).toHaveLength(2);
  });

  it('ignores an update for a table that it did not ask for', async () => {
    const session = open();
    await session.synced();
    const [, monitor] = server.requests.at(-1)?.['params'] as Json[];
    reply(server.newest, {
      method: 'update3',
      id: null,
      params: [monitor, 't', { Queue: { q1: { insert: {} } } }],
    });
    server.update({ p1: { insert: { name: 'a' } } });
    await eventually(() => told.length === 1);
    expect(session.connected).toBe(true);
  });

  it('survives a listener that throws', async () => {
    const session = new OvsdbSession({
      path: server.path,
      database: 'Open_vSwitch',
      tables: { Port: { columns: ['name'] } },
      onChange: () => {
        throw new Error('a mistake of the listener');
      },
      logger: silentLogger,
      clock: systemClock,
      timers: systemTimers,
      random: systemRandom,
    });
    sessions.push(session);
    server.rows = { p1: { initial: { name: 'a' } } };
    await session.synced();
    server.update({ p2: { insert: { name: 'b' } } });
    await eventually(() => names(session).length === 2);
    expect(session.connected).toBe(true);
  });

  it('tries again after 0.1 s at most, then up to twice as late each time, to 5 s', async () => {
    await server.leave();
    const time = new VirtualTime();
    const delays: number[] = [];
    const after: Timers['after'] = (ms, action) => {
      delays.push(ms);
      return time.after(ms, action);
    };
    open({ clock: time, timers: { after, sleep: (ms) => time.sleep(ms) } });
    const limits = [100, 200, 400, 800, 1600, 3200, 5000, 5000];
    for (const [retry, limit] of limits.entries()) {
      await eventually(() => delays.length === retry + 1);
      const delay = delays[retry] ?? 0;
      expect(delay).toBeGreaterThanOrEqual(limit / 2);
      expect(delay).toBeLessThanOrEqual(limit);
      await time.advance(delay);
    }
  });

  it('tries again when the database lacks what it needs', async () => {
    server.answers['get_schema'] = ({ id }, socket) => reply(socket, { id, result: { tables: {} }, error: null });
    const session = open();
    await eventually(() => server.sockets.length >= 2);
    expect(session.connected).toBe(false);
    server.answers['get_schema'] = ({ id }, socket) => reply(socket, { id, result: SCHEMA, error: null });
    await session.synced();
  });

  it('rejects who waits for it when it is closed, and stays closed', async () => {
    await server.leave();
    const session = open();
    const waiting = session.synced();
    session.close();
    session.close();
    await expect(waiting).rejects.toThrow(OvsdbClosed);
    await expect(session.synced()).rejects.toThrow(OvsdbClosed);
    await expect(session.transact([])).rejects.toThrow(OvsdbClosed);
  });

  it('can be closed while it connects', async () => {
    const session = open();
    session.close();
    await eventually(() => server.sockets.every((socket) => socket.destroyed));
    expect(session.connected).toBe(false);
    expect(told).toEqual([]);
  });
});
