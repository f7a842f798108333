import { spawn } from 'node:child_process';
import { WeirError } from '@weir/kernel';

export interface RunOptions {
  readonly input?: string | Buffer;
  /** The command is killed after this; 10 s unless said. */
  readonly timeoutMs?: number;
  /** Name of the network namespace to run in; the caller's unless said. */
  readonly netns?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface RunResult {
  readonly stdout: string;
  readonly stderr: string;
}

/** A command could not be started, ended with a status other than 0, or was killed on its deadline (then `exitCode` is undefined). */
export class CommandFailed extends WeirError {
  constructor(
    message: string,
    readonly exitCode: number | undefined,
    readonly stdout: string,
    readonly stderr: string,
    cause?: unknown,
  ) {
    super('unavailable', message, { fields: { exitCode, stdout, stderr }, cause });
  }
}

const DEFAULT_TIMEOUT_MS = 10_000;
const QUOTED_STDERR = 2_000;

export function netnsPath(netns: string): string {
  return `/run/netns/${netns}`;
}

/**
 * The command line that runs `command` in a namespace. nsenter, not `ip netns exec`: that one copies every mount of the
 * machine into a mount namespace of its own, which daemons would keep.
 */
export function inNetns(netns: string | undefined, command: string, args: readonly string[]): [string, string[]] {
  return netns === undefined
    ? [command, [...args]]
    : ['nsenter', [`--net=${netnsPath(netns)}`, '--', command, ...args]];
}

/** Messages of tools are parsed, so they are asked for in English. */
export function toolEnvironment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  return { ...process.env, LC_ALL: 'C', ...extra };
}

/** Runs a command to its end; rejects with CommandFailed. Nothing is read by a shell. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const [program, argv] = inNetns(options.netns, command, args);
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const shown =
    [command, ...args].join(' ').slice(0, 300) + (options.netns === undefined ? '' : ` (in ${options.netns})`);
  return new Promise((resolve, reject) => {
    const child = spawn(program, argv, { env: toolEnvironment(options.env), stdio: ['pipe', 'pipe', 'pipe'] });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
    }, timeoutMs);
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    // A command that ends without reading its input closes the pipe; its exit code tells more than EPIPE.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input);
    child.on('error', (cause) => {
      clearTimeout(timer);
      reject(new CommandFailed(`\`${shown}\` could not be started.`, undefined, '', '', cause));
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      const stdout = Buffer.concat(out).toString();
      const stderr = Buffer.concat(err).toString();
      if (code === 0) return resolve({ stdout, stderr });
      const how = late
        ? `did not end within ${timeoutMs} ms`
        : code === null
          ? `was ended by ${signal ?? 'a signal'}`
          : `failed with status ${code}`;
      const said = (stderr.trim() === '' ? stdout : stderr).trim().slice(-QUOTED_STDERR);
      reject(
        new CommandFailed(`\`${shown}\` ${how}${said === '' ? '.' : `: ${said}`}`, code ?? undefined, stdout, stderr),
      );
    });
  });
}
