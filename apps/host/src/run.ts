import { spawn } from 'node:child_process';
import { type Timers, WeirError } from '@weir/kernel';

/** A command could not be started, ended with a status other than 0, or was killed on its deadline. */
export class CommandFailed extends WeirError {
  constructor(
    message: string,
    readonly stderr: string,
    cause?: unknown,
  ) {
    super('unavailable', message, cause === undefined ? {} : { cause });
  }
}

/** Tools are asked for English; nothing of ours is in their environment. */
export const TOOL_ENVIRONMENT: NodeJS.ProcessEnv = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LC_ALL: 'C',
};

const DEADLINE_MS = 10_000;
const SHOWN = 300;
const QUOTED_STDERR = 1_000;

/** Runs a command to its end and answers its output; rejects with CommandFailed. Nothing is read by a shell. */
export function run(timers: Timers, command: string, args: readonly string[], input = ''): Promise<string> {
  const shown = [command, ...args].join(' ').slice(0, SHOWN);
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env: TOOL_ENVIRONMENT, stdio: ['pipe', 'pipe', 'pipe'] });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    const cancel = timers.after(DEADLINE_MS, () => child.kill('SIGKILL'));
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    // A command that ends without reading its input closes the pipe; its status tells more than EPIPE.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    child.on('error', (cause) => {
      cancel();
      reject(new CommandFailed(`'${shown}' could not be started.`, '', cause));
    });
    child.on('close', (code, signal) => {
      cancel();
      const stderr = Buffer.concat(err).toString();
      if (code === 0) return resolve(Buffer.concat(out).toString());
      const how = code === null ? `was ended by ${signal ?? 'a signal'}` : `failed with status ${code}`;
      const said = stderr.trim().slice(-QUOTED_STDERR);
      reject(new CommandFailed(`'${shown}' ${how}${said === '' ? '.' : `: ${said}`}`, stderr));
    });
  });
}
