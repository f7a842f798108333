import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { unavailable } from '@weir/kernel';
import { inNetns, toolEnvironment } from './run';

// The system's own: a python of a version manager is on the PATH of some users only, and slower to start.
export const PYTHON = '/usr/bin/python3';

export function toolPath(name: string): string {
  return join(__dirname, '..', 'tools', name);
}

/** One of our own python tools, running inside a namespace. It ends by itself when its standard input closes, so also with us. */
export class Tool {
  private readonly child: ChildProcessWithoutNullStreams;
  private readonly ended: Promise<void>;
  private stderr = '';
  private failure: Error | undefined;
  private running = true;

  constructor(
    private readonly name: string,
    private readonly netns: string | undefined,
    args: readonly string[],
    onData: (chunk: Buffer) => void,
  ) {
    const [command, argv] = inNetns(netns, PYTHON, ['-I', '-S', toolPath(name), ...args]);
    this.child = spawn(command, argv, { env: toolEnvironment(), stdio: ['pipe', 'pipe', 'pipe'] });
    this.child.stdout.on('data', onData);
    this.child.stderr.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.child.stdin.on('error', () => undefined);
    this.child.on('error', (error) => (this.failure = error));
    this.ended = once(this.child, 'close').then(
      () => void (this.running = false),
      () => void (this.running = false),
    );
  }

  /** Waits for `ready`, or rejects with what the tool said when it ended before. */
  async until<T>(ready: Promise<T>): Promise<T> {
    const died = this.ended.then(() => Promise.reject(this.error()));
    return Promise.race([ready, died]);
  }

  /** Writes a line and waits for the tool's end; rejects when it failed. */
  async finish(line: string): Promise<void> {
    if (this.running) this.child.stdin.end(`${line}\n`);
    await this.ended;
    if (this.child.exitCode !== 0) throw this.error();
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
  }

  private error(): Error {
    const said = this.stderr.trim().split('\n').at(-1) ?? '';
    const where = this.netns === undefined ? '' : ` in ${this.netns}`;
    return unavailable(`${this.name}${where} ended${said === '' ? '' : `: ${said}`}.`, { cause: this.failure });
  }
}

/** A tool that answers in lines of JSON. */
export class LineTool {
  private readonly tool: Tool;
  private readonly lines: string[] = [];
  private readonly waiting: ((line: string) => void)[] = [];
  private rest = '';

  constructor(name: string, netns: string | undefined, args: readonly string[]) {
    this.tool = new Tool(name, netns, args, (chunk) => this.read(chunk));
  }

  async next<T>(): Promise<T> {
    const line = new Promise<string>((resolve) => {
      const present = this.lines.shift();
      if (present === undefined) this.waiting.push(resolve);
      else resolve(present);
    });
    return JSON.parse(await this.tool.until(line)) as T;
  }

  async finish<T>(line: string): Promise<T> {
    await this.tool.finish(line);
    return this.next<T>();
  }

  kill(): Promise<void> {
    return this.tool.kill();
  }

  private read(chunk: Buffer): void {
    const parts = (this.rest + chunk.toString()).split('\n');
    this.rest = parts.pop() ?? '';
    for (const line of parts) {
      const waiter = this.waiting.shift();
      if (waiter === undefined) this.lines.push(line);
      else waiter(line);
    }
  }
}
