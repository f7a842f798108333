import { CommandFailed, run } from './run';

export interface PingOptions {
  readonly count?: number;
  readonly intervalMs?: number;
  /** How long an answer is waited for. */
  readonly timeoutMs?: number;
}

export interface PingReport {
  readonly sent: number;
  /** Different answers. */
  readonly received: number;
  readonly duplicates: number;
  /** Milliseconds, in the order of arrival. */
  readonly rtts: readonly number[];
}

/** Pings from inside a namespace. Lost answers are a result, not an error; an address that ping does not understand is one. */
export async function ping(netns: string, address: string, options: PingOptions = {}): Promise<PingReport> {
  const { count = 3, intervalMs = 100, timeoutMs = 1_000 } = options;
  const seconds = (ms: number): string => (ms / 1_000).toFixed(3);
  const args = ['-n', '-c', String(count), '-i', seconds(intervalMs), '-W', seconds(timeoutMs), address];
  const { stdout } = await run('ping', args, { netns, timeoutMs: count * intervalMs + timeoutMs + 10_000 }).catch(
    (error: unknown) => {
      const noRoute = error instanceof CommandFailed && error.stderr.includes('Network is unreachable');
      if (error instanceof CommandFailed && (error.exitCode === 1 || noRoute)) return error;
      throw error;
    },
  );
  const sent = Number(/(\d+) packets transmitted/.exec(stdout)?.[1] ?? 0);
  const answers = stdout.split('\n').filter((line) => line.includes('bytes from'));
  const first = answers.filter((line) => !line.includes('(DUP!)'));
  const rtts = first.map((line) => Number(/time=([\d.]+) ms/.exec(line)?.[1] ?? NaN));
  return { sent, received: rtts.length, duplicates: answers.length - first.length, rtts };
}
