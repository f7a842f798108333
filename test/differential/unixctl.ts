import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import type { Json } from '@weir/kernel';
import { JsonSplitter } from '../../libs/ovsdb/src/framing';

interface Answer {
  readonly result: string | null;
  readonly error: string | null;
}

/** ovs-vswitchd's control socket without a process per command: what `ovs-appctl` speaks. Commands are carried out in order. */
export class Unixctl {
  private readonly splitter = new JsonSplitter();
  private readonly waiting: { resolve: (result: string) => void; reject: (error: Error) => void; command: string }[] =
    [];
  private calls = 0;

  private constructor(private readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => {
      for (const message of this.splitter.push(chunk)) this.take(message);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      for (const { reject, command } of this.waiting.splice(0)) {
        reject(new Error(`ovs-vswitchd went away before it answered ${command}.`));
      }
    });
  }

  static async connect(path: string): Promise<Unixctl> {
    const socket = connect({ path });
    await once(socket, 'connect');
    return new Unixctl(socket);
  }

  call(command: string, ...params: readonly string[]): Promise<string> {
    const answer = new Promise<string>((resolve, reject) => this.waiting.push({ resolve, reject, command }));
    this.socket.write(JSON.stringify({ id: this.calls++, method: command, params }));
    return answer;
  }

  close(): void {
    this.socket.destroy();
  }

  private take(message: Json): void {
    const { result, error } = message as unknown as Answer;
    const waiter = this.waiting.shift();
    if (error === null) waiter?.resolve(result ?? '');
    else waiter?.reject(new Error(`${waiter.command}: ${error}`));
  }
}
