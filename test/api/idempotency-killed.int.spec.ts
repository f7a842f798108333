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

/** Its tests are one story: each Top is told at its start where it will die, so that no more of them are needed than deaths. */
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
    // Its appends: the generation, two networks, a subnet.
    await top.start({ WEIR_FAILPOINTS: 'append/before-commit=exit@5' });
    network = await made('networks', 'network', { name: 'blue' });
    empty = await made('networks', 'network', { name: 'empty' });
    await made('subnets', 'subnet', { network_id: network, cidr: '10.1.1.0/24', ip_version: 4 });
    await typesSince();
  }, 120_000);
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
    return { status: answer.status, isReplayed, body: text === '' ? undefined : JSON.parse(text) };
  }

  /** Sends what its Top will die of; the next one is told where it will die, if it will. */
  async function sendToDeath(key: string, sent: Sent, next?: string): Promise<void> {
    await expect(send(key, sent)).rejects.toThrow('fetch failed');
    await waitFor(() => (top.isRunning ? undefined : true), { what: 'the Top to be dead' });
    await top.start(next === undefined ? {} : { WEIR_FAILPOINTS: next });
  }

  /** The types of the events behind those that were asked for before. */
  async function typesSince(): Promise<readonly string[]> {
    const log = await top.api.request<any>('GET', `/weir/v1/events?after=${seen}&limit=1000`);
    const types = log.events.map((event: { type: string }) => event.type) as string[];
    seen = log.events.at(-1)?.position ?? seen;
    return types;
  }

  const port = (): Sent => ({ method: 'POST', path: `${NETWORK}/ports`, body: { port: { network_id: network } } });
  const portMade = ['Taken', 'PortCreated', 'Taken'];

  it('before the append is carried out by the next, once', async () => {
    await sendToDeath('before', port(), 'append/after-commit=exit@2');
    const answer = await send('before', port());
    expect([answer.status, answer.isReplayed]).toEqual([201, false]);
    const again = await send('before', port());
    expect([again.status, again.isReplayed, again.body]).toEqual([201, true, answer.body]);
    expect(await typesSince()).toEqual(portMade);
  });

  it('between the append and the answer is answered by the next, and not done again', async () => {
    await sendToDeath('behind', port(), 'append/after-commit=exit@1');
    const answer = await send('behind', port());
    expect([answer.status, answer.isReplayed]).toEqual([201, true]);
    expect(await typesSince()).toEqual(portMade);
    const path = `${NETWORK}/ports/${answer.body.port.id as string}`;
    expect(await top.api.request('GET', path, undefined, 'weir-demo')).toEqual(answer.body);
    const again = await send('behind', port());
    expect([again.status, again.isReplayed, again.body]).toEqual([201, true, answer.body]);
  });

  it('in the midst of a deletion deletes at last, and knows when it has', async () => {
    const sent: Sent = { method: 'DELETE', path: `${NETWORK}/networks/${empty}` };
    // The next opens what it finds closed, which is the first append of that life; the third is the deletion.
    await sendToDeath('gone', sent, 'append/after-commit=exit@3');
    await sendToDeath('gone', sent, 'append/after-commit=exit@1');
    const answer = await send('gone', sent);
    expect([answer.status, answer.isReplayed]).toEqual([204, true]);
    const closed = ['NetworkClosing', 'NetworkReopened', 'NetworkClosing', 'NetworkDeleted', 'Freed'];
    expect(await typesSince()).toEqual(closed);
  });

  it('still tells the join token of a site that was added', async () => {
    const sent: Sent = { method: 'POST', path: '/weir/v1/sites', body: { site: SITE }, cloud: 'weir' };
    await sendToDeath('site', sent);
    const answer = await send('site', sent);
    expect([answer.status, answer.isReplayed]).toEqual([201, true]);
    expect(await typesSince()).toEqual(['SiteAdded', 'Taken', 'Taken']);
    const asked = { token: answer.body.join_token, name: 'far', key: 'k'.repeat(43) };
    const joined = await fetch(`${top.api.address}/cascade/v1/join`, { method: 'POST', body: JSON.stringify(asked) });
    expect([joined.status, await joined.json()]).toEqual([200, expect.objectContaining({ id: answer.body.site.id })]);
  });
});
