import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ApiClient } from '@weir/lab/deployment';
import { type BenchResult, median } from './report';
import { type Server, startProgram, startTop } from './servers';

/** Ports created over HTTP by a Top's own process, beside a server that only appends what the Top appends. */

const CLIENTS = 32;
const ROUNDS = 11;
const ROUND_S = 1;
const WARM_UP_S = 3;

/** What is sent, again and again, over as many connections as there are clients. */
interface Request {
  readonly url: string;
  readonly token: string;
  readonly body: string;
}

/** Requests a second, from a process of its own; throws unless every one was answered by 201. */
async function load({ url, token, body }: Request, seconds: number): Promise<number> {
  const autocannon = require.resolve('autocannon/autocannon.js');
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...[autocannon, '--json', '--connections', String(CLIENTS), '--duration', String(seconds), '--method', 'POST'],
    ...['--headers', 'content-type=application/json', '--headers', `x-auth-token=${token}`, '--body', body, url],
  ]);
  const { requests, duration, errors, non2xx } = JSON.parse(stdout) as {
    readonly requests: { readonly total: number };
    readonly duration: number;
    readonly errors: number;
    readonly non2xx: number;
  };
  if (errors + non2xx > 0) throw new Error(`${errors + non2xx} of ${requests.total} requests to ${url} failed`);
  return requests.total / duration;
}

/** A network that has room for all of them. */
async function prepared(address: string, state: string): Promise<Request> {
  const api = new ApiClient(address, join(state, 'clouds.yaml'));
  const cloud = 'weir-demo';
  const { network } = await api.request<{ network: { id: string } }>(
    'POST',
    '/network/v2.0/networks',
    { network: { name: 'bench' } },
    cloud,
  );
  const subnet = { network_id: network.id, cidr: '10.0.0.0/8', ip_version: 4 };
  await api.request('POST', '/network/v2.0/subnets', { subnet }, cloud);
  return {
    url: `${address}/network/v2.0/ports`,
    token: await api.token(cloud),
    body: JSON.stringify({ port: { network_id: network.id, name: 'port' } }),
  };
}

export async function apiPortCreate(folder: string): Promise<BenchResult> {
  const states = { top: join(folder, 'top'), bare: join(folder, 'bare') };
  for (const state of Object.values(states)) mkdirSync(state);
  const servers: Server[] = [];
  try {
    const top = await startTop(states.top);
    servers.push(top);
    const bare = await startProgram('bare-server.ts', states.bare);
    servers.push(bare);
    const asked = await prepared(top.address, states.top);
    const sides = { ours: asked, reference: { ...asked, url: `${bare.address}/ports` } };
    const rates = { ours: [] as number[], reference: [] as number[] };
    for (let round = -1; round < ROUNDS; round++) {
      for (const side of round % 2 === 0 ? (['ours', 'reference'] as const) : (['reference', 'ours'] as const)) {
        const rate = await load(sides[side], round < 0 ? WARM_UP_S : ROUND_S);
        if (round >= 0) rates[side].push(rate);
      }
    }
    return {
      work: 'api-port-create',
      unit: 'requests/s',
      ours: median(rates.ours),
      reference: median(rates.reference),
      referenceName: 'a Nest handler that appends the same',
      goal: 0.3,
    };
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}
