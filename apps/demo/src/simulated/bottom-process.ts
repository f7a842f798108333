import { Bottom, joinTop, MemorySiteRecords, STATE_HOLDING } from '@weir/bottom';
import { Journal, makeKey, makeToken, type Publisher } from '@weir/cascade';
import { httpTransport } from '@weir/cascade/http';
import { MemoryFactStore, MemorySlice } from '@weir/cascade/memory';
import type { StagedProcess } from '../stage';
import type { System } from './system';

export interface BottomProcessOptions extends System {
  /** The Top's address. */
  readonly top: string;
  readonly token: string;
}

interface Running {
  readonly bottom: Bottom;
  readonly transport: ReturnType<typeof httpTransport>;
  stopping: boolean;
}

/** A site's Bottom in this process; what it keeps is in memory, and outlives its kills. */
export class BottomProcess implements StagedProcess {
  readonly hostToken: string;
  private readonly slice = new MemorySlice({ stateHolding: STATE_HOLDING });
  private readonly records = new MemorySiteRecords();
  private readonly journal: MemoryFactStore;
  private readonly key: string;
  private running: Running | undefined;
  /** Its id at the Top. */
  private joined: string | undefined;

  constructor(private readonly options: BottomProcessOptions) {
    const { clock, random } = options;
    this.key = makeKey(random);
    this.hostToken = makeToken(random);
    this.journal = new MemoryFactStore({ generation: clock.now() });
  }

  /** What its Hosts follow; undefined while it does not run. */
  get publisher(): Publisher | undefined {
    return this.running?.bottom.publisher;
  }

  start(): Promise<void> {
    if (this.running) return Promise.resolve();
    const { slice, records, hostToken, options } = this;
    const { clock, timers, random, logger, top } = options;
    const journal = new Journal(this.journal, clock, random);
    const bottom = new Bottom({
      ...{ slice, records, journal, hostToken, clock, timers, random, logger },
      recovering: false,
    });
    const running: Running = { bottom, transport: httpTransport({ url: top }), stopping: false };
    this.running = running;
    this.follow(running).catch((error: unknown) => logger.error('The Bottom cannot run', { error }));
    return Promise.resolve();
  }

  async kill(): Promise<void> {
    const { running } = this;
    if (!running) return;
    this.running = undefined;
    running.stopping = true;
    await running.bottom.stop();
    running.transport.close();
  }

  private async follow(running: Running): Promise<void> {
    const { key, options } = this;
    const { token, timers, logger } = options;
    const { bottom, transport } = running;
    if (this.joined === undefined) {
      const answer = await joinTop({ transport, token, key, timers, logger, stopped: () => running.stopping });
      if (!answer) return;
      this.joined = answer.id;
    }
    if (!running.stopping) bottom.follow({ transport, key, name: this.joined });
  }
}
