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

class Life {
  readonly child: ChildProcessWithoutNullStreams;
  output = '';

  constructor() {
    this.child = spawn(process.execPath, [STANDBY, MAIN, './top.js']);
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

  constructor(private readonly folder: string) {}

  /** As the apps are in the source now. */
  static build(): Promise<unknown> {
    return run(process.execPath, [join(ROOT, 'scripts', 'build.mjs')], { timeoutMs: 60_000 });
  }

  get state(): string {
    return join(this.folder, 'state');
  }

  get api(): ApiClient {
    if (!this.client) throw new Error('The Top was never started.');
    return this.client;
  }

  /** Sets it going, and returns at once. */
  begin(): void {
    this.life = this.next ?? new Life();
    const { child } = this.life;
    child.stdin.write(`${JSON.stringify(['--state', this.state, '--port', String(this.port)])}\n`);
    this.next = new Life();
  }

  /** Resolves when it listens. */
  async start(): Promise<void> {
    this.begin();
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
    this.client ??= new ApiClient(address, join(this.state, 'clouds.yaml'));
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
