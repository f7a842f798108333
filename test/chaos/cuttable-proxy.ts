import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** `silent`: nothing arrives any more, and nobody is told; `refused`: connections end, and new ones are refused. */
export type Cut = 'silent' | 'refused';

/** A line over TCP that can be cut. */
export class CuttableProxy {
  private readonly sockets = new Set<Socket>();
  private server: Server;
  private isCut = false;
  private chosen = 0;

  private constructor(private readonly target: number) {
    this.server = this.newServer();
  }

  /** To a port of this machine. */
  static async to(target: number): Promise<CuttableProxy> {
    const proxy = new CuttableProxy(target);
    await proxy.listen();
    return proxy;
  }

  get port(): number {
    return this.chosen;
  }

  async cut(how: Cut): Promise<void> {
    this.isCut = true;
    if (how === 'refused') {
      const closed = once(this.server, 'close');
      this.server.close();
      this.end();
      await closed;
    } else {
      for (const socket of this.sockets) socket.pause();
    }
  }

  /** What was cut stays cut; new connections pass. */
  async heal(): Promise<void> {
    this.isCut = false;
    this.end();
    if (this.server.listening) return;
    this.server = this.newServer();
    await this.listen();
  }

  async close(): Promise<void> {
    this.end();
    if (!this.server.listening) return;
    this.server.close();
    await once(this.server, 'close');
  }

  private newServer(): Server {
    return createServer((client) => {
      this.keep(client);
      if (this.isCut) {
        client.pause();
        return;
      }
      const upstream = connect(this.target, '127.0.0.1');
      this.keep(upstream);
      this.forward(client, upstream);
      this.forward(upstream, client);
    });
  }

  private forward(from: Socket, to: Socket): void {
    from.on('data', (chunk) => {
      if (!to.write(chunk)) from.pause();
    });
    to.on('drain', () => {
      if (!this.isCut) from.resume();
    });
    from.on('close', () => {
      if (!this.isCut) to.destroy();
    });
  }

  private keep(socket: Socket): void {
    this.sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    socket.on('close', () => this.sockets.delete(socket));
  }

  private end(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  /** On the port that it had, if it had one. */
  private async listen(): Promise<void> {
    this.server.listen(this.chosen, '127.0.0.1');
    await once(this.server, 'listening');
    this.chosen = (this.server.address() as AddressInfo).port;
  }
}
