import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '@weir/lab';
import { TopProcess } from '../chaos/top-process';

jest.setTimeout(60_000);

const NETWORK = '/network/v2.0';
const SITE = {
  ...{ name: 'far', data_center: 'Far', availability_zones: ['a'], driver: 'ovs' },
  tunnel: { type: 'vxlan', mtu: 1500 },
};

interface Sent {
  readonly method: 'POST' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
  readonly cloud?: 'weir';
}

describe('a request with an Idempotency-Key whose Top is killed', () => {
  let folder: string;
  let top: TopProcess;
  let network: string;
  let empty: string;
  let seen = 0;

  beforeAll(async () => {
    await TopProcess.build();
    folder = mkdtempSync(join(tmpdir(), 'weir-key-'));
    top = new TopProcess(folder);
    await top.start();
    network = await made('networks', 'network', { name: 'blue' });
    await made('subnets', 'subnet', { network_id: network, cidr: '10.1.1.0/24', ip_version: 4 });
    empty = await made('networks', 'network', { name: 'empty' });
    await typesSince();
    await top.kill();
  }, 120_000);
  afterEach(() => top.kill());
  afterAll(async () => {
    await top.end();
    rmSync(folder, { recursive: true });
  });

  async function made(path: string, kind: string, body: object): Promise<string> {
    const asked = { [kind]: body };
    const answer = await top.api.request<any>('POST', `${NETWORK}/${path}`, asked, 'weir-demo');
    return answer[kind].id as string;
  }

  async function send(key: string, { method, path, body, cloud }: Sent) {
    const token = await top.api.token(cloud ?? 'weir-demo');
    const headers = { 'x-auth-token': token, 'idempotency-key': key, 'content-type': 'application/json' };
    const asked = body === undefined ? {} : { body: JSON.stringify(body) };
    const answer = await fetch(top.api.address + path, { method, headers, ...asked });
    const text = await answer.text();
    const isReplayed = answer.headers.get('idempotency-replayed') === 'true';
    return { status: answer.status, isReplayed, body: text === '' ? undefined : JSON.parse(text), text };
  }

  /** Sends it to a Top that dies at the failpoint, and again to the next. */
  async function sendThroughDeath(failpoint: string, key: string, sent: Sent) {
    await top.start({ WEIR_FAILPOINTS: failpoint });
    await expect(send(key, sent)).rejects.toThrow('fetch failed');
    await waitFor(() => (top.isRunning ? undefined : true), { what: 'the Top to be dead' });
    await top.start();
    return send(key, sent);
  }

  /** The types of the events behind those that were asked for before. */
  async function typesSince(): Promise<readonly string[]> {
    const log = await top.api.request<any>('GET', `/weir/v1/events?after=${seen}&limit=1000`);
    const types = log.events.map((event: { type: string }) => event.type) as string[];
    seen = log.events.at(-1)?.position ?? seen;
    return types;
  }

  it.each([
    ['before the append', 'append/before-commit=exit', false],
    ['between the append and the answer', 'append/after-commit=exit', true],
  ])('%s makes one port', async (_when, failpoint, isReplayed) => {
    const sent: Sent = { method: 'POST', path: `${NETWORK}/ports`, body: { port: { network_id: network } } };
    const answer = await sendThroughDeath(failpoint, failpoint, sent);
    expect([answer.status, answer.isReplayed]).toEqual([201, isReplayed]);
    expect(await typesSince()).toEqual(['Taken', 'PortCreated', 'Taken']);
    const { id } = answer.body.port;
    const shown = await top.api.request<any>('GET', `${NETWORK}/ports/${id as string}`, undefined, 'weir-demo');
    expect(shown).toEqual(answer.body);
    const again = await send(failpoint, sent);
    expect([again.status, again.isReplayed, again.body]).toEqual([201, true, answer.body]);
  });

  it('goes on with a deletion that was begun, and knows one that was ended', async () => {
    const sent: Sent = { method: 'DELETE', path: `${NETWORK}/networks/${empty}` };
    await top.start({ WEIR_FAILPOINTS: 'append/after-commit=exit' });
    await expect(send('gone', sent)).rejects.toThrow('fetch failed');
    // The next one opens what it finds closed, which is the first append of that life.
    const answer = await sendThroughDeath('append/after-commit=exit@3', 'gone', sent);
    expect([answer.status, answer.isReplayed]).toEqual([204, true]);
    const closed = ['NetworkClosing', 'NetworkReopened', 'NetworkClosing', 'NetworkDeleted', 'Freed'];
    expect(await typesSince()).toEqual(closed);
  });

  it('tells the join token of a site that was added', async () => {
    const sent: Sent = { method: 'POST', path: '/weir/v1/sites', body: { site: SITE }, cloud: 'weir' };
    const answer = await sendThroughDeath('append/after-commit=exit', 'site', sent);
    expect([answer.status, answer.isReplayed]).toEqual([201, true]);
    expect(await typesSince()).toEqual(['SiteAdded', 'Taken', 'Taken']);
    const asked = { token: answer.body.join_token, name: 'far', key: 'k'.repeat(43) };
    const joined = await fetch(`${top.api.address}/cascade/v1/join`, { method: 'POST', body: JSON.stringify(asked) });
    expect([joined.status, await joined.json()]).toEqual([200, expect.objectContaining({ id: answer.body.site.id })]);
  });
});
