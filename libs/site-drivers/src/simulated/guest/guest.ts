import type { Cancel, Clock, Ip, PortId, Random, Timers } from '@weir/kernel';
import type { ExecOptions, ExecResult, InstanceInterface } from '@weir/local-controller';
import { type Command, NotSimulated } from './command';
import { cat, hostname } from './file-commands';
import { GuestInterface } from './guest-interface';
import { ip } from './ip-command';
import { Output } from './output';
import { arping, ping as pingCommand } from './ping-commands';
import { type EchoOptions, type EchoReport, ping } from './ping';
import { type Datagram, Stack } from './stack';

export interface SimulatedGuestOptions {
  readonly hostname: string;
  /** Out of the instance by this port. */
  readonly send: (port: PortId, frame: Uint8Array) => void;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
}

const COMMANDS: Readonly<Record<string, Command>> = { arping, cat, hostname, ip, ping: pingCommand };
/** As shells have it for what they do not find. */
const NOT_FOUND_STATUS = 127;

/** What lives in a simulated instance: DHCP clients, ARP, IPv4, ICMP and UDP over real frames, and a few commands. */
export class SimulatedGuest {
  private readonly stack = new Stack();
  private readonly byPort = new Map<PortId, GuestInterface>();

  constructor(private readonly options: SimulatedGuestOptions) {}

  /** These are its interfaces from now on; new ones ask for a lease. */
  plug(interfaces: readonly InstanceInterface[]): void {
    const wanted = new Set(interfaces.map(({ port }) => port));
    for (const [port, each] of this.byPort) if (!wanted.has(port)) this.unplug(each);
    for (const each of interfaces) if (!this.byPort.has(each.port)) this.add(each);
  }

  stop(): void {
    for (const each of [...this.byPort.values()]) this.unplug(each);
  }

  receive(port: PortId, frame: Uint8Array): void {
    this.byPort.get(port)?.receive(frame);
  }

  /** Sees every frame that comes by this port, for whomever it is. */
  tap(port: PortId, handler: (frame: Uint8Array) => void): Cancel {
    return this.byPort.get(port)?.tap(handler) ?? (() => undefined);
  }

  /** Without a route to the target every answer is missing. */
  ping(target: Ip, options: EchoOptions): Promise<EchoReport> {
    return ping(this.stack, this.options, target, options);
  }

  /** Opens a UDP socket on a free port. */
  listen(handler: (datagram: Datagram) => void): { readonly port: number; readonly close: Cancel } {
    return this.stack.listen(handler);
  }

  /** Answers whether there is a route. */
  sendDatagram(sourcePort: number, destination: Ip, destinationPort: number, payload: Uint8Array): boolean {
    return this.stack.sendDatagram(sourcePort, destination, destinationPort, payload);
  }

  async exec([name = '', ...args]: readonly string[], { timeoutMs, maxBytes }: ExecOptions): Promise<ExecResult> {
    const { timers } = this.options;
    const output = new Output(maxBytes);
    const abort = new AbortController();
    const cancel = timers.after(timeoutMs, () => abort.abort());
    const context = { ...this.options, stack: this.stack, output, signal: abort.signal };
    const exitCode = await this.run(name, args, context).finally(cancel);
    const timedOut = abort.signal.aborted;
    return { exitCode: timedOut ? null : exitCode, timedOut, ...output.result() };
  }

  private async run(name: string, args: readonly string[], context: Parameters<Command>[1]): Promise<number> {
    try {
      const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
      if (command === undefined) throw new NotSimulated(name);
      return await command(args, context);
    } catch (error) {
      if (!(error instanceof NotSimulated)) throw error;
      context.output.complain(`${error.message}: not in a simulated instance`);
      return NOT_FOUND_STATUS;
    }
  }

  private add({ port, name, mac, mtu }: InstanceInterface): void {
    const { send, clock, timers, random } = this.options;
    const { stack } = this;
    const added: GuestInterface = new GuestInterface({
      ...{ port, name, mac, mtu, clock, timers, random },
      send: (frame) => send(port, frame),
      received: (packet, frame) => stack.received(packet, frame, added),
      unresolved: (packet) => stack.unresolved(packet),
    });
    this.byPort.set(port, added);
    stack.add(added);
    added.start();
  }

  private unplug(removed: GuestInterface): void {
    removed.stop();
    this.stack.remove(removed);
    this.byPort.delete(removed.port);
  }
}
