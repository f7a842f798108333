import { type Cancel, type Clock, type Logger, type Random, type Timers, WeirError } from '@weir/kernel';
import { Follower, joinPublisher, SILENCE_MS, type SliceStore, type Transport } from '@weir/cascade';
import {
  type ControllerState,
  type HostDescription,
  type Instances,
  LocalController,
  type LocalControllerOptions,
} from '@weir/local-controller';

export interface HostOptions extends Pick<LocalControllerOptions, 'bridge' | 'database' | 'connect'> {
  readonly host: HostDescription;
  readonly slice: SliceStore;
  readonly state: ControllerState;
  readonly instances: Instances;
  /** To the Bottom. */
  readonly transport: Transport;
  readonly token: string;
  readonly key: string;
  /** This host is known to the Bottom, as far as we know. */
  readonly hasJoined: boolean;
  readonly joined: () => void;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly logger: Logger;
}

const JOIN_AGAIN_MS = 500;
/** How often a host that its Bottom does not know any more joins it anew: the Bottom lost what it knew. */
const LOOK_MS = 1_000;

/** One hypervisor's process without its sockets and files. */
export class Host {
  readonly controller: LocalController;
  private readonly follower: Follower;
  private stopping = false;
  private complained: string | undefined;
  private cancelLook: Cancel = () => undefined;

  constructor(private readonly options: HostOptions) {
    const { host, slice, state, instances, bridge, database, connect, transport, key } = options;
    const { clock, timers, random, logger } = options;
    this.controller = new LocalController({
      ...{ host, bridge, slice, state, database, connect, instances, clock, timers, logger },
      outlets: { observed: () => this.follower.reportSoon(), settled: () => this.follower.settledChanged() },
    });
    const sink = this.controller;
    this.follower = new Follower({ name: host.name, transport, key, sink, clock, timers, random, logger });
  }

  /** Rejects when the Bottom refuses this host; until it answers, the host goes on with what it has. */
  async start(): Promise<void> {
    this.controller.start();
    if (!this.options.hasJoined) await this.join();
    if (this.stopping) return;
    this.follower.start();
    this.look();
  }

  /** Flows, ports and instances stay as they are. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.cancelLook();
    // Together: what the follower waits for may be a switch that does not answer any more.
    await Promise.all([this.follower.stop(), this.controller.stop()]);
  }

  private async join(): Promise<void> {
    const { timers, logger, joined } = this.options;
    while (!this.stopping) {
      try {
        await this.joinOnce();
        joined();
        logger.info('Joined the Bottom');
        return;
      } catch (error) {
        if (!(error instanceof WeirError) || error.reason !== 'unavailable') throw error;
        this.complain(error);
      }
      await timers.sleep(JOIN_AGAIN_MS);
    }
  }

  private async joinOnce(): Promise<void> {
    const { transport, token, key, host, timers } = this.options;
    const abort = new AbortController();
    const cancel = timers.after(SILENCE_MS, () => abort.abort());
    try {
      await joinPublisher({ transport, token, key, name: host.name, signal: abort.signal });
    } finally {
      cancel();
    }
    this.complained = undefined;
  }

  private look(): void {
    this.cancelLook = this.options.timers.after(LOOK_MS, () => {
      const isUnknown = this.follower.state.refused?.reason === 'unauthorized';
      const joined = isUnknown ? this.joinOnce() : Promise.resolve();
      void joined.catch((error: unknown) => this.complain(error)).finally(() => !this.stopping && this.look());
    });
  }

  /** Said once while it lasts. */
  private complain(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    if (message !== this.complained)
      this.options.logger.warn('The Bottom cannot be joined now; it is asked again', { error });
    this.complained = message;
  }
}
