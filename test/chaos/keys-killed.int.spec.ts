import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '@weir/cascade/contract';
import { waitFor } from '@weir/lab';
import { scaled } from './scale';
import { TopProcess } from './top-process';

const KILLS = scaled({ sample: 3, whole: 100 });
const CLIENTS = 8;
/** Answers that a life gives before it is killed, at random up to this; and then within this, so that kills meet every phase. */
const MOST_ANSWERS = 30;
const JITTER_MS = 15;
const AGAIN_MS = 5;
const NETWORK = '/network/v2.0';

jest.setTimeout(60_000 + KILLS * 15_000);

interface Answered {
  readonly status: number;
  readonly body: { readonly port?: { readonly id: string; readonly name: string; readonly mac_address: string } };
}

/** Asks until it is answered, always with the same key: what a client does that must not do a thing twice. */
class Client {
  readonly answers = new Map<string, Answered>();

  constructor(
    private readonly top: TopProcess,
    private readonly name: string,
    private readonly network: string,
  ) {}

  async create(n: number): Promise<void> {
    const name = `${this.name}-${n}`;
    for (;;) {
      try {
        const answer = await this.ask(name);
        // Still under way, or a Top that is only just going down.
        if (answer.status !== 409 && answer.status < 500) {
          this.answers.set(name, answer);
          return;
        }
      } catch {
        // Nobody is there, or whoever was died of it: which of both, the client cannot know.
      }
      await sleep(AGAIN_MS);
    }
  }

  private async ask(name: string): Promise<Answered> {
    const token = await this.top.api.token('weir-demo');
    const headers = { 'x-auth-token': token, 'idempotency-key': name, 'content-type': 'application/json' };
    const body = JSON.stringify({ port: { network_id: this.network, name } });
    const answer = await fetch(`${this.top.api.address}${NETWORK}/ports`, { method: 'POST', headers, body });
    return { status: answer.status, body: (await answer.json()) as Answered['body'] };
  }
}

describe('clients that send each request with a key until it is answered', () => {
  let folder: string;
  let top: TopProcess;
  beforeAll(() => TopProcess.build(), 60_000);
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'weir-keys-'));
    top = new TopProcess(folder);
  });
  afterEach(async () => {
    await top.end();
    rmSync(folder, { recursive: true });
  });

  it(`have each port once, and were told of that one, after ${KILLS} kills of the Top`, async () => {
    const random = seededRandom(KILLS);
    await top.start();
    const demo = <T>(method: 'GET' | 'POST', path: string, body?: object) =>
      top.api.request<T>(method, `${NETWORK}/${path}`, body, 'weir-demo');
    const { network } = await demo<{ network: { id: string } }>('POST', 'networks', { network: { name: 'wide' } });
    await demo('POST', 'subnets', { subnet: { network_id: network.id, cidr: '10.0.0.0/16', ip_version: 4 } });
    const clients = Array.from({ length: CLIENTS }, (_, n) => new Client(top, `c${n}`, network.id));
    const answered = () => clients.reduce((sum, { answers }) => sum + answers.size, 0);
    let stopping = false;
    const running = clients.map(async (client) => {
      for (let n = 0; !stopping; n++) await client.create(n);
    });
    for (let kill = 0; kill < KILLS; kill++) {
      const enough = answered() + 1 + random.integer(MOST_ANSWERS);
      await waitFor(() => answered() >= enough, { what: 'answers', deadlineMs: 30_000, everyMs: 2 });
      await sleep(random.integer(JITTER_MS));
      await top.kill();
      await top.start();
    }
    stopping = true;
    await Promise.all(running);

    type Port = NonNullable<Answered['body']['port']>;
    const { ports } = await demo<{ ports: Port[] }>('GET', `ports?network_id=${network.id}`);
    const made = ports.filter(({ name }) => name !== '');
    const told = clients.flatMap(({ answers }) => [...answers]);
    expect(made.map(({ name }) => name).sort()).toEqual(told.map(([name]) => name).sort());
    for (const [name, { status, body }] of told) {
      const port = made.find((one) => one.name === name);
      expect([name, status, body.port?.id, body.port?.mac_address]).toEqual([name, 201, port?.id, port?.mac_address]);
    }
  });
});
