import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { run, waitFor } from '@weir/lab';
import { ApiClient } from '@weir/lab/deployment';

const ROOT = join(__dirname, '..', '..');
const MAIN = join(ROOT, 'apps', 'top', 'dist', 'main.js');
const STANDBY = join(__dirname, 'standby.cjs');
const START_DEADLINE_MS = 20_000;
const QUOTED_CHARACTERS = 2_000;

export interface TopProcessOptions {
  /** In front of its command. */
  readonly prefix?: readonly string[];
  /** Loaded before it. */
  readonly modules?: readonly string[];
  /** Where `clouds.yaml` lies, where not in the state folder. */
  readonly clouds?: string;
}

class Life {
  readonly child: ChildProcessWithoutNullStreams;
  output = '';

  constructor({ prefix = [], modules = [] }: TopProcessOptions) {
    const program = [process.execPath, STANDBY, MAIN, './top.js', ...modules];
    const [command = '', ...args] = [...prefix, ...program];
    this.child = spawn(command, args);
    for (const stream of [this.child.stdout, this.child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    this.child.stdin.on('error', () => undefined);
  }

  get ended(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    if (this.ended) return;
    const exit = once(this.child, 'exit');
    this.child.kill(signal);
    await exit;
  }
}

/** The Top's own process over one state folder, life after life at one address. The next life loads its code while one runs. */
export class TopProcess {
  private life: Life | undefined;
  private next: Life | undefined;
  private port = 0;
  private client: ApiClient | undefined;

  constructor(
    private readonly folder: string,
    private readonly options: TopProcessOptions = {},
  ) {}

  /** As the apps are in the source now. */
  static build(): Promise<unknown> {
    return run(process.execPath, [join(ROOT, 'scripts', 'build.mjs')], { timeoutMs: 60_000 });
  }

  get state(): string {
    return join(this.folder, 'state');
  }

  get clouds(): string {
    return this.options.clouds ?? join(this.state, 'clouds.yaml');
  }

  /** Whether the process that was started last still runs. */
  get isRunning(): boolean {
    return this.life?.ended === false;
  }

  /** What the process that was started last has said. */
  get output(): string {
    return this.life?.output ?? '';
  }

  get api(): ApiClient {
    if (!this.client) throw new Error('The Top was never started.');
    return this.client;
  }

  /** Sets it going, and returns at once; this life alone has this environment. */
  begin(environment: Readonly<Record<string, string>> = {}): void {
    this.life = this.next ?? new Life(this.options);
    const { child } = this.life;
    const flags = ['--state', this.state, '--port', String(this.port), '--clouds', this.clouds];
    child.stdin.write(`${JSON.stringify({ args: flags, environment })}\n`);
    this.next = new Life(this.options);
  }

  /** Resolves when it listens. */
  async start(environment: Readonly<Record<string, string>> = {}): Promise<void> {
    this.begin(environment);
    await this.listening();
  }

  /** The same, of one that was set going. */
  async listening(): Promise<void> {
    const { life } = this;
    const address = await waitFor(
      () => {
        if (life?.ended === true) return { ended: life.output.slice(-QUOTED_CHARACTERS) };
        return /^\{"listening":"([^"]+)"\}$/m.exec(life?.output ?? '')?.[1];
      },
      { what: 'the Top to listen', deadlineMs: START_DEADLINE_MS, everyMs: 5 },
    );
    if (typeof address !== 'string') throw new Error(`The Top ended by itself: ${address.ended}`);
    this.port = Number(new URL(address).port);
    this.client ??= new ApiClient(address, this.clouds);
  }

  /** Resolves when it is gone. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.life?.kill(signal);
  }

  /** Ends everything that runs. */
  async end(): Promise<void> {
    await Promise.all([this.kill('SIGTERM'), this.next?.kill('SIGKILL')]);
  }
}
