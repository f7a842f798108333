import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { unavailable } from '@weir/kernel';
import { toolEnvironment } from '../run';
import { waitFor } from '../wait-for';

export interface ProcessPlan {
  readonly name: string;
  /** A built `main.js`. */
  readonly program: string;
  /** Asked at each start. */
  readonly args: () => readonly string[];
  /** Output of all its lives is appended here. */
  readonly log: string;
  /** Told of each new process, before anything else happens with it. */
  readonly started: (pid: number) => void;
}

const END_DEADLINE_MS = 5_000;
const QUOTED_LINES = 10;

/** One of Weir's processes: started, killed and started again, its output in a file. */
export class DeployedProcess {
  readonly name: string;
  readonly log: string;
  private child: ChildProcess | undefined;
  private wanted = false;

  constructor(private readonly plan: ProcessPlan) {
    this.name = plan.name;
    this.log = plan.log;
  }

  /** Undefined while it does not run. */
  get pid(): number | undefined {
    return this.running ? this.child?.pid : undefined;
  }

  get running(): boolean {
    return this.child !== undefined && this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Resolves when it was started; what it is for may take longer. Nothing to do while it runs. */
  async start(): Promise<void> {
    if (this.running) return;
    mkdirSync(dirname(this.log), { recursive: true });
    const output = openSync(this.log, 'a', 0o600);
    try {
      // A group of its own: Ctrl-C in a terminal is for the one who started it, who ends it in order.
      this.child = spawn(process.execPath, [this.plan.program, ...this.plan.args()], {
        detached: true,
        env: toolEnvironment(),
        stdio: ['ignore', output, output],
      });
    } finally {
      closeSync(output);
    }
    const { child } = this;
    if (child.pid === undefined) {
      const [cause] = (await once(child, 'error')) as [Error];
      throw unavailable(`${this.name} could not be started.`, { cause });
    }
    this.plan.started(child.pid);
    this.wanted = true;
  }

  /** As a crash does unless said otherwise; resolves when it is gone. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.wanted = false;
    const { child } = this;
    if (child === undefined || !this.running) return;
    child.kill(signal);
    await waitFor(() => !this.running, { what: `the end of ${this.name}`, deadlineMs: END_DEADLINE_MS, everyMs: 2 });
  }

  /** Lets it end in order, but not for ever. */
  async stop(): Promise<void> {
    await this.kill('SIGTERM').catch(() => this.kill('SIGKILL'));
  }

  /** Undefined unless it has ended though nobody asked; tells the end of its log. */
  unexpectedEnd(): Error | undefined {
    if (!this.wanted || this.running) return undefined;
    const status = this.child?.signalCode ?? `status ${this.child?.exitCode ?? 'unknown'}`;
    const said = readFileSync(this.log, 'utf8').trimEnd().split('\n').slice(-QUOTED_LINES).join('\n');
    return unavailable(`${this.name} ended by itself (${status}); ${this.log} ends with:\n${said}`);
  }
}
