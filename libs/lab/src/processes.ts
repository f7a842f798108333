import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { netnsPath } from './run';
import { waitFor } from './wait-for';

/** A process, told apart from a later one that got the same pid. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks from boot to its start. */
  readonly startTime: string;
  readonly commandLine: string;
}

const END_DEADLINE_MS = 5_000;

/** Undefined when there is no such process, or only its zombie. */
export function identify(pid: number): ProcessIdentity | undefined {
  if (!existsSync('/proc/self')) return identifyByPid(pid);
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold spaces and parentheses itself: the fields start behind the last one.
    const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const startTime = fields[18];
    if (startTime === undefined || state === 'Z' || state === 'X') return undefined;
    return { pid, startTime, commandLine: readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim() };
  } catch {
    return undefined;
  }
}

/** On systems without /proc a later process with the same number is not told apart. */
function identifyByPid(pid: number): ProcessIdentity | undefined {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // It is there, and another user's.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return undefined;
  }
  return { pid, startTime: '', commandLine: '' };
}

/** The same process, even if it has changed its title since. */
export function isAlive(process: ProcessIdentity): boolean {
  return identify(process.pid)?.startTime === process.startTime;
}

export function isRunning(process: ProcessIdentity): boolean {
  const now = identify(process.pid);
  return now?.startTime === process.startTime && now.commandLine === process.commandLine;
}

/** Signals the process only while it is still the same one, and waits until it has gone. */
export async function endProcess(target: ProcessIdentity, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  if (!isRunning(target)) return;
  try {
    process.kill(target.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
  await waitFor(() => !isRunning(target), {
    what: `the end of process ${target.pid} (${target.commandLine})`,
    deadlineMs: END_DEADLINE_MS,
    everyMs: 2,
  });
}

/** Every process whose network namespace is one of these. */
export function processesIn(namespaces: readonly string[]): ProcessIdentity[] {
  const inodes = new Set(namespaces.map((name) => inodeOf(netnsPath(name))).filter((inode) => inode !== undefined));
  if (inodes.size === 0) return [];
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && inodes.has(inodeOf(`/proc/${entry}/ns/net`) ?? -1))
    .map((entry) => identify(Number(entry)))
    .filter((found) => found !== undefined);
}

function inodeOf(path: string): number | undefined {
  try {
    return statSync(path).ino;
  } catch {
    return undefined;
  }
}
