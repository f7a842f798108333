import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { silentLogger, systemClock, systemRandom, systemTimers } from '@weir/kernel';
import { VirtualTime } from '@weir/testing/time';
import { describeCascade, RecordingEvents, upsert } from '../contract';
import { makeKey } from '../key';
import { MemoryFactStore } from '../memory/fact-store';
import { MemoryMembership } from '../memory/membership';
import type { PublisherSource } from '../memory/transport';
import { Publisher } from '../publisher';
import { httpTransport } from './client';
import { cascadeHttpHandler } from './server';

/** Serves whatever publisher the source names; none: connections are reset. */
async function serve(source: PublisherSource): Promise<{ server: http.Server; url: string }> {
  const server = http.createServer((request, response) => {
    const publisher = source();
    if (!publisher) {
      request.socket.destroy();
      return;
    }
    void cascadeHttpHandler(publisher, { logger: silentLogger })(request, response).then((taken) => {
      if (!taken) response.writeHead(200).end('another handler');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

async function end(server: http.Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

describeCascade(
  'HTTP',
  () => {
    const servers: http.Server[] = [];
    return {
      // A real millisecond between two timers, since what is on its way through a socket waits for no virtual time.
      time: new VirtualTime({ turn: () => new Promise((resolve) => setTimeout(resolve, 1)) }),
      store: new MemoryFactStore({ generation: 1 }),
      transport: async (publisher) => {
        const { server, url } = await serve(publisher);
        servers.push(server);
        return httpTransport({ url });
      },
      dispose: async () => {
        for (const server of servers) await end(server);
      },
    };
  },
  { histories: 5 },
);

describe('the publisher’s HTTP calls', () => {
  const key = makeKey(systemRandom);
  const facts = new MemoryFactStore({ generation: 7 });
  const membership = new MemoryMembership(() => 7);
  const events = new RecordingEvents();
  let publisher: Publisher;
  let server: http.Server;
  let url: string;

  beforeAll(async () => {
    publisher = new Publisher({
      name: 'top',
      facts,
      membership,
      events,
      clock: systemClock,
      timers: systemTimers,
      random: systemRandom,
      logger: silentLogger,
    });
    ({ server, url } = await serve(() => publisher));
    membership.invite('token', 'paris');
    facts.commit({ position: 3, digest: 'three', changes: [upsert('paris', 'port', 'a', { mac: 'm' })] });
  });
  afterAll(async () => {
    publisher.close();
    await end(server);
  });

  const call = async (method: string, path: string, body?: string, as: string | undefined = key) => {
    const response = await fetch(`${url}${path}`, {
      method,
      ...(body !== undefined && { body }),
      headers: as ? { authorization: `Bearer ${as}` } : {},
    });
    return { status: response.status, body: await response.json() };
  };
  const post = (path: string, body: unknown) => call('POST', `/cascade/v1/${path}`, JSON.stringify(body));
  const failure = (reason: string) => ({ error: { reason, message: expect.any(String) as string } });

  it('let a follower join, and no other with the same token', async () => {
    expect(await post('join', { token: 'token', name: 'paris', key })).toEqual({
      status: 200,
      body: { id: 'paris', generation: 7 },
    });
    const other = await post('join', { token: 'token', name: 'paris', key: makeKey(systemRandom) });
    expect(other).toEqual({ status: 403, body: failure('forbidden') });
  });

  it('stream the lines of the protocol', async () => {
    const response = await fetch(`${url}/cascade/v1/facts?generation=7&after=0&digest=`, {
      headers: { authorization: `Bearer ${key}` },
    });
    expect(response.headers.get('content-type')).toBe('application/x-ndjson');
    let text = '';
    if (!response.body) throw new Error('No stream came.');
    for await (const chunk of response.body) {
      text += Buffer.from(chunk as Uint8Array).toString();
      if (text.includes('mark')) break;
    }
    expect(
      text
        .trim()
        .split('\n')
        .map((line): unknown => JSON.parse(line)),
    ).toEqual([
      { type: 'hello', protocol: 1, publisher: 'top', generation: 7 },
      { type: 'upsert', kind: 'port', id: 'a', position: 3, body: { mac: 'm' } },
      { type: 'mark', position: 3, previous: 0, count: 1, digest: 'three', caughtUp: true, ordinal: 1 },
    ]);
  });

  it('answer 401 to an unknown key, and to none, before they read a body', async () => {
    for (const path of ['facts?generation=7&after=0&digest=', 'observations', 'answers']) {
      const method = path.startsWith('facts') ? 'GET' : 'POST';
      for (const as of ['', makeKey(systemRandom)])
        expect(await call(method, `/cascade/v1/${path}`, method === 'POST' ? '{}' : undefined, as)).toEqual({
          status: 401,
          body: failure('unauthorized'),
        });
    }
  });

  it('answer 409 with reason, generation and position', async () => {
    const facts7 = (query: string) => call('GET', `/cascade/v1/facts?${query}`);
    expect(await facts7('generation=6&after=3&digest=three')).toEqual({
      status: 409,
      body: { reason: 'generation', generation: 7, position: 3 },
    });
    expect(await facts7('generation=8&after=3&digest=three')).toEqual({
      status: 409,
      body: { reason: 'generation', generation: 7, position: 3 },
    });
    expect(await facts7('generation=7&after=3&digest=other')).toEqual({
      status: 409,
      body: { reason: 'digest', generation: 7, position: 3 },
    });
    expect(await facts7('generation=7&after=4&digest=four')).toEqual({
      status: 409,
      body: { reason: 'digest', generation: 7, position: 3 },
    });
  });

  it('answer 400 to what is malformed', async () => {
    expect((await call('GET', '/cascade/v1/facts?generation=x&after=0')).status).toBe(400);
    expect((await call('GET', '/cascade/v1/facts')).status).toBe(400);
    expect(await call('POST', '/cascade/v1/observations', '{"cursor":')).toEqual({
      status: 400,
      body: failure('invalid'),
    });
    expect(
      (await post('observations', { cursor: { position: -1, digest: '' }, settled: 0, observations: [] })).status,
    ).toBe(400);
    expect((await post('join', { token: 'token', name: 'paris', key: 'short' })).status).toBe(400);
    expect((await post('answers', { id: 'x', part: 0, last: 'yes', body: '' })).status).toBe(400);
  });

  it('answer 409 to a report with a cursor that is none of theirs, and keep what they knew', async () => {
    const before = publisher.status('paris').cursor;
    const report = { cursor: { position: 3, digest: 'other' }, settled: 3, observations: [] };
    expect(await post('observations', report)).toEqual({ status: 409, body: failure('conflict') });
    expect(publisher.status('paris').cursor).toEqual(before);
    expect(events.divergences.every(({ position }) => position >= 3)).toBe(true);
  });

  it('answer 404 to an answer that nobody waits for, and to calls that do not exist', async () => {
    expect(await post('answers', { id: 'x', part: 0, last: true, body: '{}' })).toEqual({
      status: 404,
      body: failure('not-found'),
    });
    expect((await call('GET', '/cascade/v1/nothing')).status).toBe(404);
    expect((await call('GET', '/cascade/v1/observations')).status).toBe(404);
    expect((await call('POST', '/cascade/v1/toString', '{}')).status).toBe(404);
  });

  it('answer 413 to a body above the limit, announced or not', async () => {
    expect(await post('answers', { id: 'x', part: 0, last: true, body: 'x'.repeat(1024 * 1024) })).toEqual({
      status: 413,
      body: failure('too-large'),
    });
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const request = http.request(`${url}/cascade/v1/join`, { method: 'POST' }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      request.on('error', reject);
      for (let i = 0; i < 20; i++) request.write('x'.repeat(1024));
    });
    expect(status).toBe(413);
  });

  it('survive a body that is cut off', async () => {
    const request = http.request(`${url}/cascade/v1/observations`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-length': 1000 },
    });
    request.on('error', () => undefined);
    const gone = new Promise((resolve) => request.on('close', resolve));
    request.write('{"cursor":', () => request.destroy());
    await gone;
    expect((await call('GET', '/cascade/v1/nothing')).status).toBe(404);
  });

  it('leave every other path to the next handler', async () => {
    const response = await fetch(`${url}/weir/v1/sites`);
    expect(await response.text()).toBe('another handler');
  });
});

describe('a publisher that is stopping', () => {
  it('lets its server close, however often its followers ask again', async () => {
    const { server, url } = await serve(() => publisher);
    const publisher = new Publisher({
      ...{ name: 'top', facts: new MemoryFactStore({ generation: 7 }), membership: new MemoryMembership(() => 7) },
      ...{ events: new RecordingEvents(), clock: systemClock, timers: systemTimers, random: systemRandom },
      logger: silentLogger,
    });
    publisher.close();
    const agent = new http.Agent({ keepAlive: true });
    const ask = () =>
      new Promise<http.IncomingMessage>((resolve, reject) => {
        http
          .get(`${url}/cascade/v1/facts`, { agent }, (response) => {
            response.resume().on('end', () => resolve(response));
          })
          .on('error', reject);
      });
    expect((await ask()).headers.connection).toBe('close');
    agent.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
});
