import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, statfsSync } from 'node:fs';
import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import {
  type Cancel,
  type Clock,
  conflict,
  isUuid,
  type Logger,
  type ServerId,
  type Timers,
  unavailable,
} from '@weir/kernel';
import {
  type ExecOptions,
  type ExecResult,
  hostnameOf,
  type InstanceInterface,
  type Instances,
  type InstanceState,
} from '@weir/local-controller';
import type { ServerFact } from '@weir/topology';
import { DROP_RIGHTS, INSTANCE_ENVIRONMENT, INSTANCE_MARK, INSTANCE_SETUP, START_CLIENTS } from './instance-scripts';
import {
  allPids,
  argumentsOfProcess,
  descendants,
  environmentOf,
  identify,
  isAlive,
  namespaceInode,
  nestedPids,
  type ProcessIdentity,
  signal,
} from './processes';
import { CommandFailed, run } from './run';
import type { StateDir } from './state-dir';

export interface NamespaceInstancesOptions {
  /** Where the switch is: the host's ends of veths go there. */
  readonly netns: string;
  readonly state: StateDir;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
}

interface Instance {
  readonly name: string;
  readonly interfaces: readonly InstanceInterface[];
}

const NETNS_FOLDER = '/run/netns';
const RECORDS = 'instances';
/** Of the file system that a live namespace's file is on; another is what a crash of `ip netns add` left. */
const NSFS_MAGIC = 0x6e736673;
/** In the environment of a command, and so of its children. */
const EXEC_MARK = 'WEIR_EXEC';
const KILL_ROUNDS = 20;
const DRAIN_MS = 100;
const READY_MS = 10_000;
const END_MS = 5_000;
const POLL_MS = 5;
const EXEC_MARGIN_MS = 2_000;
/** As shells say it: 128 and the signal's number. */
const SIGNALLED = 128;
/** Above any index that the kernel gives by itself. */
const FIRST_INDEX = 0x1_0000;
const MAX_INDEX_BITS = 0x3fff_ffff;

/**
 * Instances as network namespaces: `weir-<server id>`, with a veth for each port, and processes with namespaces, a root and few rights of
 * their own. Nothing of an instance hangs on this process: what runs is found again by its command line and namespaces.
 */
export class NamespaceInstances implements Instances {
  private readonly wanted = new Map<ServerId, Instance>();
  private readonly firstProcesses = new Map<ServerId, ProcessIdentity>();
  private readonly handlers = new Set<(server: ServerId) => void>();
  private isSearched = false;
  private commands = 0;

  constructor(private readonly options: NamespaceInstancesOptions) {}

  list(): Promise<readonly InstanceState[]> {
    const servers = this.options.state.names(RECORDS).filter(isUuid) as ServerId[];
    return Promise.resolve(servers.map((server) => ({ server, running: this.firstProcess(server) !== undefined })));
  }

  async ensure(server: ServerFact, interfaces: readonly InstanceInterface[]): Promise<void> {
    const name = hostnameOf(server.name) ?? `server-${server.id.slice(0, 8)}`;
    this.wanted.set(server.id, { name, interfaces });
    // Before anything is made, so that all that is made is known.
    if (this.options.state.read(recordOf(server.id)) === undefined) {
      this.options.state.write(recordOf(server.id), JSON.stringify({ name: server.name }));
    }
    const netns = netnsOf(server.id);
    await this.ensureNetns(netns);
    const present = await this.linksIn(netns);
    for (const each of interfaces) if (!present.includes(each.name)) await this.addVeth(netns, each);
    await Promise.all([this.setUpInside(netns, interfaces), this.setUpDevices(interfaces)]);
  }

  async start(server: ServerId): Promise<void> {
    const instance = this.wanted.get(server);
    if (!instance) throw conflict(`Server ${server} has not been made.`);
    const names = instance.interfaces.map((each) => each.name);
    const first = this.firstProcess(server);
    if (first) await this.startClients(first, names);
    else await this.startFirst(server, instance.name, names);
  }

  async detach(server: ServerId, device: string): Promise<void> {
    await run(this.options.timers, 'ip', ['-n', this.options.netns, 'link', 'del', device]).catch(ignoreAbsent);
    const instance = this.wanted.get(server);
    if (!instance) return;
    const interfaces = instance.interfaces.filter((each) => each.device !== device);
    this.wanted.set(server, { ...instance, interfaces });
  }

  async remove(server: ServerId): Promise<void> {
    const { timers, state } = this.options;
    const first = this.firstProcess(server);
    // From here on its end is no news.
    this.firstProcesses.delete(server);
    // With the first process of its pid namespace, everything in it ends.
    if (first) await this.end(first);
    const netns = netnsOf(server);
    if (isNamespace(netns)) {
      // Not left to the namespace, whose links the kernel removes some time later.
      const links = (await this.linksIn(netns)).filter((name) => name !== 'lo');
      for (const name of links) await run(timers, 'ip', ['-n', netns, 'link', 'del', name]).catch(ignoreAbsent);
      await run(timers, 'ip', ['netns', 'del', netns]);
    } else rmSync(`${NETNS_FOLDER}/${netns}`, { force: true });
    this.wanted.delete(server);
    state.remove(recordOf(server));
  }

  async exec(server: ServerId, command: readonly string[], options: ExecOptions): Promise<ExecResult> {
    const first = this.firstProcess(server);
    if (!first) throw conflict(`Server ${server} does not run.`);
    const { timers } = this.options;
    const mark = `${EXEC_MARK}=${process.pid}-${++this.commands}`;
    // For when we are gone by then.
    const latest = ((options.timeoutMs + EXEC_MARGIN_MS) / 1000).toFixed(3);
    const words = [...inside(first), ...DROP_RIGHTS, 'timeout', '-s', 'KILL', latest, 'env', mark];
    const child = spawn('nsenter', [...words, 'sh', '-c', 'cd; exec "$@"', 'sh', ...command], {
      env: INSTANCE_ENVIRONMENT,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output = new Output(options.maxBytes);
    child.stdout.on('data', (chunk: Buffer) => output.take('stdout', chunk));
    child.stderr.on('data', (chunk: Buffer) => output.take('stderr', chunk));
    let timedOut = false;
    const cancel = timers.after(options.timeoutMs, () => {
      timedOut = true;
      killMarked(first, mark, child.pid);
    });
    const { code, signal: by } = await ended(child, timers).finally(cancel);
    const exitCode = code ?? SIGNALLED + (by === null ? 0 : constants.signals[by]);
    return { exitCode: timedOut ? null : exitCode, timedOut, ...output.result() };
  }

  onEnded(handler: (server: ServerId) => void): Cancel {
    this.handlers.add(handler);
    return () => this.handlers.delete(handler);
  }

  private async ensureNetns(netns: string): Promise<void> {
    if (isNamespace(netns)) return;
    rmSync(`${NETNS_FOLDER}/${netns}`, { force: true });
    await run(this.options.timers, 'ip', ['netns', 'add', netns]);
  }

  private async linksIn(netns: string): Promise<string[]> {
    const lines = await run(this.options.timers, 'ip', ['-n', netns, '-oneline', 'link', 'show']);
    return [...lines.matchAll(/^\d+: ([^:@\s]+)/gm)].map(([, name = '']) => name);
  }

  /**
   * The index keeps the two ends' apart: Linux takes a veth whose peer has its own index for a plain link, whose first carrier it
   * notices up to a second late.
   */
  private async addVeth(netns: string, { name, device, mac, port }: InstanceInterface): Promise<void> {
    const index = FIRST_INDEX + (parseInt(port.slice(-8), 16) & MAX_INDEX_BITS);
    const own = ['name', device, 'netns', this.options.netns, 'index', String(index)];
    const peer = ['type', 'veth', 'peer', 'name', name, 'address', mac, 'netns', netns];
    await run(this.options.timers, 'ip', ['link', 'add', ...own, ...peer]);
  }

  /** No IPv6, which no flow carries yet. Low ports are for all: nothing in an instance has the right to them. */
  private async setUpInside(netns: string, interfaces: readonly InstanceInterface[]): Promise<void> {
    const script = [
      'set -e',
      'for each in all default; do echo 1 > /proc/sys/net/ipv6/conf/$each/disable_ipv6; done',
      'echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start',
      // Of the userspace datapath, which hands on frames as they are: an unfinished checksum would be dropped by the receiver.
      ...interfaces.map(({ name }) => `ethtool -K ${name} tx off > /dev/null`),
      'ip link set lo up',
      ...interfaces.map(({ name, mtu }) => `ip link set ${name} mtu ${mtu} up`),
      '',
    ].join('\n');
    await run(this.options.timers, 'nsenter', [`--net=${NETNS_FOLDER}/${netns}`, 'sh', '-s'], script);
  }

  /** The host's kernel hears what the switch receives: it is neither to answer nor to say anything there. */
  private async setUpDevices(interfaces: readonly InstanceInterface[]): Promise<void> {
    const script = [
      'set -e',
      ...interfaces.flatMap(({ device, mtu }) => [
        `echo 1 > /proc/sys/net/ipv6/conf/${device}/disable_ipv6`,
        `echo 1 > /proc/sys/net/ipv4/conf/${device}/rp_filter`,
        `echo 8 > /proc/sys/net/ipv4/conf/${device}/arp_ignore`,
        `ethtool -K ${device} tx off > /dev/null`,
        `ip link set ${device} mtu ${mtu} up`,
      ]),
      '',
    ].join('\n');
    await run(this.options.timers, 'nsenter', [`--net=${NETNS_FOLDER}/${this.options.netns}`, 'sh', '-s'], script);
  }

  private async startFirst(server: ServerId, hostname: string, interfaces: readonly string[]): Promise<void> {
    const { state, timers, logger } = this.options;
    const root = state.file('root');
    mkdirSync(root, { recursive: true });
    const spaces = ['--mount', '--pid', '--ipc', '--uts', '--fork', '--propagation', 'private'];
    const words = [
      `--net=${NETNS_FOLDER}/${netnsOf(server)}`,
      ...['unshare', ...spaces, 'sh', '-s', INSTANCE_MARK, server, root, hostname, ...interfaces],
    ];
    const child = spawn('nsenter', words, {
      env: INSTANCE_ENVIRONMENT,
      cwd: '/',
      // It outlives us, and no signal for our terminal reaches it.
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    child.on('exit', () => {
      if (!this.firstProcesses.delete(server)) return;
      logger.warn('An instance ended', { server });
      for (const handler of this.handlers) handler(server);
    });
    const pid = await readiness(child, INSTANCE_SETUP, timers);
    const identity = identify(pid);
    if (!identity) throw unavailable('The instance ended at once.');
    this.firstProcesses.set(server, identity);
    child.unref();
  }

  private async startClients(first: ProcessIdentity, interfaces: readonly string[]): Promise<void> {
    await run(this.options.timers, 'nsenter', [
      ...inside(first),
      ...DROP_RIGHTS,
      'sh',
      '-c',
      START_CLIENTS,
      'sh',
      ...interfaces,
    ]);
  }

  private firstProcess(server: ServerId): ProcessIdentity | undefined {
    if (!this.isSearched) this.search();
    const known = this.firstProcesses.get(server);
    if (known && isAlive(known)) return known;
    this.firstProcesses.delete(server);
    return undefined;
  }

  /** What an earlier life of this host started. Anyone can choose a command line; only we put a process first in its namespaces. */
  private search(): void {
    this.isSearched = true;
    const depth = nestedPids('self').length + 1;
    for (const pid of allPids()) {
      const words = argumentsOfProcess(pid);
      const server = words[words.indexOf(INSTANCE_MARK) + 1];
      if (!words.includes(INSTANCE_MARK) || server === undefined || !isUuid(server)) continue;
      const pids = nestedPids(pid);
      const isFirst = pids.length === depth && pids.at(-1) === 1;
      const isThere = namespaceInode(`/proc/${pid}/ns/net`) === namespaceInode(`${NETNS_FOLDER}/${netnsOf(server)}`);
      const identity = identify(pid);
      if (isFirst && isThere && identity) this.firstProcesses.set(server as ServerId, identity);
    }
  }

  private async end(target: ProcessIdentity): Promise<void> {
    const { clock, timers } = this.options;
    const deadline = clock.monotonic() + END_MS;
    if (isAlive(target)) signal(target.pid, 'SIGKILL');
    while (isAlive(target)) {
      if (clock.monotonic() > deadline) throw unavailable(`Process ${target.pid} does not end.`);
      await timers.sleep(POLL_MS);
    }
  }
}

/** Keeps so much of both outputs together; the rest is read and thrown away, so that the command can end. */
class Output {
  private readonly chunks: { readonly stdout: Buffer[]; readonly stderr: Buffer[] } = { stdout: [], stderr: [] };
  private truncated = false;

  constructor(private room: number) {}

  take(which: 'stdout' | 'stderr', chunk: Buffer): void {
    const kept = chunk.subarray(0, this.room);
    this.room -= kept.length;
    if (kept.length > 0) this.chunks[which].push(kept);
    if (kept.length < chunk.length) this.truncated = true;
  }

  result(): Pick<ExecResult, 'truncated' | 'stdout' | 'stderr'> {
    const { stdout, stderr } = this.chunks;
    return { truncated: this.truncated, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr) };
  }
}

function recordOf(server: string): string {
  return `${RECORDS}/${server}`;
}

export function netnsOf(server: string): string {
  return `weir-${server}`;
}

function isNamespace(netns: string): boolean {
  const path = `${NETNS_FOLDER}/${netns}`;
  return existsSync(path) && statfsSync(path).type === NSFS_MAGIC;
}

/** For nsenter: into all namespaces of an instance, and its root. */
function inside(first: ProcessIdentity): string[] {
  return [`--target=${first.pid}`, '--mount', '--uts', '--ipc', '--net', '--pid', '--root', '--wd', '--'];
}

/** What a command left running may hold its outputs open: that is not waited for. */
function ended(child: ChildProcessByStdio<null, Readable, Readable>, timers: Timers) {
  return new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve, reject) => {
    child.on('error', (cause) => reject(unavailable('The command could not be started.', { cause })));
    child.on('exit', () =>
      timers.after(DRAIN_MS, () => {
        child.stdout.destroy();
        child.stderr.destroy();
      }),
    );
    child.on('close', (code, signal) => resolve({ code, signal }));
  });
}

/** Kills a command with all its children: what descends from it, and what carries its mark, wherever it went in the instance. */
function killMarked(first: ProcessIdentity, mark: string, root: number | undefined): void {
  const place = namespaceInode(`/proc/${first.pid}/ns/pid`);
  if (place === undefined || !isAlive(first)) return;
  // Whoever forks meanwhile is found in the next round.
  for (let round = 0; round < KILL_ROUNDS; round++) {
    const family = descendants(root);
    const found = allPids().filter(
      (pid) =>
        pid !== first.pid &&
        namespaceInode(`/proc/${pid}/ns/pid`) === place &&
        (family.has(pid) || environmentOf(pid).includes(mark)),
    );
    if (found.length === 0) return;
    for (const pid of found) signal(pid, 'SIGKILL');
  }
}

/** Gives a shell its script and waits until it says `ready` and its pid; then nothing more is heard of it. */
function readiness(
  child: ChildProcessByStdio<Writable, Readable, Readable>,
  script: string,
  timers: Timers,
): Promise<number> {
  return new Promise((resolve, reject) => {
    let said = '';
    let complaints = '';
    const settle = (action: () => void): void => {
      cancel();
      child.stdout.destroy();
      child.stderr.destroy();
      action();
    };
    const fail = (why: string, cause?: unknown): void =>
      settle(() => reject(new CommandFailed(`The instance could not be started: ${why}`, complaints, cause)));
    const cancel = timers.after(READY_MS, () => {
      child.kill('SIGKILL');
      fail('it was not ready in time.');
    });
    child.stdin.on('error', () => undefined);
    child.stdin.end(script);
    child.stderr.on('data', (chunk: Buffer) => (complaints += chunk.toString()));
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      const pid = /^ready (\d+)$/m.exec(said)?.[1];
      if (pid !== undefined) settle(() => resolve(Number(pid)));
    });
    child.on('error', (cause) => fail('no shell.', cause));
    child.on('close', (code) =>
      fail(complaints.trim() === '' ? `it ended with ${code ?? 'a signal'}.` : complaints.trim()),
    );
  });
}

function ignoreAbsent(error: unknown): void {
  if (!(error instanceof CommandFailed && /Cannot find device|No such file/.test(error.stderr))) throw error;
}
