import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger, systemClock, systemRandom, systemTimers } from '@weir/kernel';
import { Follower, joinPublisher, makeKey, Publisher, type Transport } from '@weir/cascade';
import { RecordingEvents, RecordingSink } from '@weir/cascade/contract';
import { cascadeHttpHandler, httpTransport } from '@weir/cascade/http';
import { MemoryFactStore, MemoryMembership } from '@weir/cascade/memory';

const ROOT = join(__dirname, '..', '..', '..');
const DEADLINE_MS = 15_000;
const parts = { clock: systemClock, timers: systemTimers, random: systemRandom, logger: silentLogger };

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`Not so within ${DEADLINE_MS} ms: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A Top without anything but its publisher, on a real port. */
class Top {
  readonly events = new RecordingEvents();
  readonly membership = new MemoryMembership(() => 1);
  readonly facts = new MemoryFactStore({ generation: 1 });
  readonly publisher = new Publisher({
    name: 'top',
    facts: this.facts,
    membership: this.membership,
    events: this.events,
    ...parts,
  });
  private server: Server | undefined;

  async listen(): Promise<string> {
    const handle = cascadeHttpHandler(this.publisher, { logger: silentLogger });
    const server = (this.server = createServer((request, response) => void handle(request, response)));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.publisher.close();
    this.server?.closeAllConnections();
    this.server?.close();
  }
}

class Process {
  readonly child: ChildProcess;
  output = '';

  constructor(...args: readonly string[]) {
    const main = ['--conditions=weir-source', join(ROOT, 'scripts/run-ts.mjs'), join(__dirname, 'main.ts')];
    this.child = spawn(process.execPath, [...main, ...args], { cwd: ROOT });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    }
  }

  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (this.child.exitCode !== null) return this.child.exitCode;
    const exit = once(this.child, 'exit');
    this.child.kill(signal);
    return ((await exit) as [number | null])[0];
  }
}

describe('the process weir-bottom', () => {
  let top: Top;
  let topUrl: string;
  let state: string;
  const processes: Process[] = [];
  const followers: Follower[] = [];
  const transports: Transport[] = [];

  beforeEach(async () => {
    top = new Top();
    topUrl = await top.listen();
    top.membership.invite('join-token', 'paris');
    state = join(mkdtempSync(join(tmpdir(), 'weir-bottom-')), 'state');
  });
  afterEach(async () => {
    for (const follower of followers.splice(0)) await follower.stop();
    for (const transport of transports.splice(0)) transport.close();
    for (const one of processes.splice(0)) await one.end('SIGKILL');
    top.close();
    rmSync(join(state, '..'), { recursive: true });
  });

  const start = (...more: readonly string[]): Process => {
    const started = new Process('--top', topUrl, '--token', 'join-token', '--state', state, ...more);
    processes.push(started);
    return started;
  };
  const read = (name: string) => readFileSync(join(state, name), 'utf8').trim();
  const reported = (kind: string) =>
    top.events.reports.flatMap(({ observations }) => observations).filter((one) => one.kind === kind);

  it('joins, follows, lets hosts join with what stands in its folder, and comes back as it was', async () => {
    const first = start();
    await until(() => existsSync(join(state, 'joined')));
    expect(statSync(state).mode & 0o777).toBe(0o700);
    for (const secret of ['key', 'host-token', 'url']) expect(statSync(join(state, secret)).mode & 0o777).toBe(0o600);
    const url = read('url');

    const transport = httpTransport({ url });
    transports.push(transport);
    const key = makeKey(systemRandom);
    const joined = await joinPublisher({ transport, token: read('host-token'), name: 'paris-1', key });
    expect(joined.id).toBe('paris-1');
    const sink = new RecordingSink();
    sink.observe({
      kind: 'host',
      id: 'paris-1',
      position: 0,
      value: { zone: 'a', vcpus: 8, ramMb: 1, diskGb: 1, hypervisor: 'namespace', endpoint: '198.51.100.11' },
      at: '',
    });
    const follower = new Follower({ name: 'paris-1', transport, key, sink, ...parts });
    followers.push(follower);
    follower.start();
    await until(() => reported('capacity').length > 0);
    expect(reported('capacity')[0]).toMatchObject({ id: 'a', value: { vcpus: 8 } });

    expect(await first.end()).toBe(0);
    for (const secret of [read('key'), read('host-token'), key, 'join-token'])
      expect(first.output).not.toContain(secret);
    expect(
      first.output
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { level: string }).level),
    ).toContain('info');

    start();
    const { length } = top.events.reports;
    await until(() => top.events.reports.length > length);
    expect(read('url')).toBe(url);
    await until(() => follower.state.connected);
  });

  it('keeps its hosts while the Top is away, and joins when it is there', async () => {
    top.close();
    start();
    await until(() => existsSync(join(state, 'url')));
    expect(existsSync(join(state, 'joined'))).toBe(false);
  });

  it('ends with the reason when the Top does not know its token', async () => {
    const refused = new Process('--top', topUrl, '--token', 'guessed', '--state', state);
    processes.push(refused);
    await until(() => refused.child.exitCode !== null);
    expect(refused.child.exitCode).toBe(1);
    expect(refused.output).toContain('The join token is unknown, or was used.');
    expect(refused.output).not.toContain('guessed');
  });

  it('says how it is called when it is called otherwise', async () => {
    const misused = new Process('--top', topUrl);
    const unknown = new Process('--what');
    processes.push(misused, unknown);
    await until(() => misused.child.exitCode !== null && unknown.child.exitCode !== null);
    expect([misused.child.exitCode, unknown.child.exitCode]).toEqual([2, 2]);
    expect(misused.output).toContain('weir-bottom --top URL --token T --state DIR');
    expect(unknown.output).toContain("Unknown option '--what'");
  });
});
