import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, waitFor } from '@weir/lab';
import { ROOT } from './programs';

/** `.weir/demo/lab.json`. */
export interface LabFile {
  readonly api: string;
  readonly hosts: readonly { readonly name: string; readonly netns: string }[];
  readonly instances: readonly {
    readonly server: string;
    readonly port: string;
    readonly host: string;
    readonly netns: string;
    readonly interface: string;
  }[];
}

export interface Outcome {
  readonly ok: boolean;
  readonly steps: readonly {
    readonly name: string;
    readonly ok: boolean;
    readonly ms: number;
    readonly detail: string;
  }[];
}

/** Of the story, wherever it is played. */
export const STEPS = [
  'Build the lab',
  'Start the Top',
  'Add the sites Paris and Tokyo',
  'Create networks, subnets and a router',
  'Boot six servers over both sites',
  'Wait for ACTIVE and DHCP leases',
  'Ping every pair',
  'Forge MAC and IP addresses',
  'Ping the gateways',
  'Delete the server made last',
  'Kill the Tokyo Bottom and a Host under traffic',
  'Show the events behind one server',
];

/** Where the next run of the tests looks for labs of killed ones. */
export function newFolder(): string {
  const labs = join(ROOT, '.weir', 'labs');
  mkdirSync(labs, { recursive: true });
  return mkdtempSync(join(labs, 'e2e-'));
}

/** A demo in a process of its own, and what it says. */
export class RunningDemo {
  output = '';
  private readonly child: ChildProcess;
  private readonly ended: Promise<unknown>;

  /** A killed test takes its demo along, which cleans up. */
  constructor(
    readonly folder: string,
    command: readonly string[],
  ) {
    const stdio = ['ignore', 'pipe', 'pipe'] as const;
    this.child = spawn('setpriv', ['--pdeathsig', 'TERM', ...command], { cwd: folder, stdio: [...stdio] });
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    this.ended = once(this.child, 'close');
  }

  async untilUp(): Promise<void> {
    await waitFor(() => this.output.includes('Ctrl-C ends it all') || this.child.exitCode !== null, {
      what: 'the demo to be up',
      deadlineMs: 60_000,
    });
    if (this.child.exitCode !== null) throw new Error(`The demo ended:\n${this.output}`);
  }

  /** Its exit status. */
  async end(signal?: NodeJS.Signals): Promise<number | null> {
    if (signal !== undefined) this.child.kill(signal);
    await this.ended;
    return this.child.exitCode;
  }

  /** Of a demo with `--json` that has ended. */
  get outcome(): Outcome {
    return outcomeIn(this.output);
  }
}

/** The demo as a user starts it, in a folder of its own: a user's own demo may run meanwhile. */
export class DemoProcess extends RunningDemo {
  /** Every namespace that `lab.json` has named. */
  readonly namespaces = new Set<string>();
  private readonly watch: NodeJS.Timeout;

  constructor(folder: string, ...flags: readonly string[]) {
    super(folder, [process.execPath, join(ROOT, 'apps', 'demo', 'dist', 'main.js'), ...flags]);
    this.watch = setInterval(() => this.noteNamespaces(), 100);
  }

  get clouds(): string {
    return join(this.folder, '.weir', 'demo', 'clouds.yaml');
  }

  get lab(): LabFile {
    return JSON.parse(readFileSync(join(this.folder, '.weir', 'demo', 'lab.json'), 'utf8')) as LabFile;
  }

  override async end(signal?: NodeJS.Signals): Promise<number | null> {
    const status = await super.end(signal);
    clearInterval(this.watch);
    return status;
  }

  /** What is still there of it: namespaces, processes, files but its logs. */
  async leftovers(): Promise<string[]> {
    const namespaces = readdirSync('/run/netns').filter((name) => this.namespaces.has(name));
    const { stdout } = await run('ps', ['-eo', 'stat=,args=']);
    const processes = stdout.split('\n').filter((line) => !line.startsWith('Z') && line.includes(this.folder));
    const files = readdirSync(join(this.folder, '.weir', 'demo')).filter((name) => name !== 'logs');
    return [...namespaces, ...processes, ...files];
  }

  private noteNamespaces(): void {
    if (!existsSync(join(this.folder, '.weir', 'demo', 'lab.json'))) return;
    try {
      for (const { netns } of [...this.lab.hosts, ...this.lab.instances]) this.namespaces.add(netns);
    } catch (error) {
      // It went while we looked: the demo cleans up.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}

/** The line that `--json` ends with. */
export function outcomeIn(output: string): Outcome {
  const line = output
    .split('\n')
    .filter((each) => each.startsWith('{"ok"'))
    .at(-1);
  if (line === undefined) throw new Error(`The demo printed no outcome:\n${output}`);
  return JSON.parse(line) as Outcome;
}
