import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { ProbeEnd } from '@weir/lab';

export interface TcpReport {
  readonly sent: number;
  readonly echoed: number;
  /** What ended the connection early: a reset, say. */
  readonly error: string | null;
}

export interface TcpStream {
  stop(): Promise<TcpReport>;
}

const TOOL = join(__dirname, 'tools', 'tcp-stream.py');

class Tool {
  private readonly child: ChildProcessWithoutNullStreams;
  private readonly lines: AsyncIterator<string>;

  constructor(netns: string, args: readonly string[]) {
    const command = [`--net=/run/netns/${netns}`, '--', '/usr/bin/python3', '-I', '-S', TOOL, ...args];
    this.child = spawn('nsenter', command);
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
    this.child.stdin.on('error', () => undefined);
  }

  async next<T>(): Promise<T> {
    const line = await this.lines.next();
    if (line.done === true) throw new Error(`${TOOL} ended early.`);
    return JSON.parse(line.value) as T;
  }

  stop(): void {
    this.child.stdin.end('\n');
  }

  async end(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exit = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await exit;
  }
}

/** One connection with 100 numbered lines a second, each of which comes back. Resolves when it is up. */
export async function startTcpStream(from: ProbeEnd, to: ProbeEnd): Promise<TcpStream> {
  const server = new Tool(to.netns, ['serve', to.address]);
  const { port } = await server.next<{ port: number }>();
  const sender = new Tool(from.netns, ['send', from.address, to.address, String(port)]);
  const end = () => Promise.all([sender.end(), server.end()]);
  try {
    await sender.next();
  } catch (error) {
    await end();
    throw error;
  }
  return {
    stop: async () => {
      try {
        sender.stop();
        return await sender.next<TcpReport>();
      } finally {
        await end();
      }
    },
  };
}
