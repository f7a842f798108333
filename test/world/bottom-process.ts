import { Journal, makeKey, Slice } from '@weir/cascade';
import { type Link, MemoryFactStore } from '@weir/cascade/memory';
import { Bottom } from '../../apps/bottom/src/bottom';
import { joinTop } from '../../apps/bottom/src/join';
import { MemorySiteRecords } from '../../apps/bottom/src/memory-records';
import { hasToLearn } from '../../apps/bottom/src/recovery';
import { STATE_HOLDING } from '../../apps/bottom/src/site';
import { SliceDisk } from './disk';
import type { Ground } from './ground';
import type { Mortal } from './mortal';

interface Running {
  readonly life: Mortal;
  readonly bottom: Bottom;
}

/** A site's Bottom and its disk. */
export class BottomProcess {
  readonly hostToken: string;
  readonly disk = new SliceDisk();
  readonly slice = new Slice(this.disk, { stateHolding: STATE_HOLDING });
  records = new MemorySiteRecords();
  journal: MemoryFactStore;
  running: Running | undefined;
  /** How often it lost what it had stored, or was set back. */
  losses = 0;
  private readonly key: string;
  /** Its id at the Top. */
  private joined: string | undefined;

  constructor(
    private readonly ground: Ground,
    readonly name: string,
    private readonly options: { readonly token: string; readonly uplink: Link },
  ) {
    const random = ground.random(`keys of ${name}`);
    this.key = makeKey(random);
    this.hostToken = makeKey(random);
    this.journal = new MemoryFactStore({ generation: ground.clock.now() });
  }

  get isUp(): boolean {
    return this.running !== undefined;
  }

  serving(): { readonly publisher: Bottom['publisher']; readonly life: Mortal } | undefined {
    return this.running && { publisher: this.running.bottom.publisher, life: this.running.life };
  }

  start(): void {
    const { ground, name, slice, records, hostToken } = this;
    const recovering = hasToLearn({ hasJoined: this.joined !== undefined, slice });
    const { clock, trace, spoilt } = ground;
    const life = ground.life(name);
    const random = ground.random(`${name} ${this.journal.head().position} ${clock.monotonic()}`);
    const ports = { clock, timers: life.timers, random, logger: trace.logger(name) };
    trace.tell(name, recovering ? 'starts with nothing' : 'starts');
    const journal = new Journal(spoilt.facts?.(this.journal) ?? this.journal, clock, random);
    const bottom = new Bottom({ ...ports, slice, journal, records, hostToken, recovering });
    this.running = { life, bottom };
    this.follow(life, bottom, ports).catch((error: unknown) =>
      ground.violated(`${name} cannot join: ${error instanceof Error ? error.message : String(error)}`),
    );
  }

  kill(): void {
    this.running?.life.kill();
    this.running = undefined;
    this.options.uplink.breakConnections();
  }

  /** Answers how to set it back to what it holds now. */
  copy(): () => void {
    const [setBack, records, journal] = [this.disk.copy(), this.records.copy(), this.journal.copy()];
    return () => {
      this.losses++;
      setBack();
      this.records = records;
      this.journal = journal;
    };
  }

  /** All that it knew, but for its keys. */
  lose(): void {
    this.losses++;
    this.disk.lose();
    this.records.close();
    this.records = new MemorySiteRecords();
    this.journal = new MemoryFactStore({ generation: this.ground.clock.now() });
  }

  private async follow(life: Mortal, bottom: Bottom, ports: JoinPorts): Promise<void> {
    const { uplink, token } = this.options;
    const { spoilt } = this.ground;
    if (this.joined === undefined) {
      const answer = await joinTop({ ...ports, transport: uplink, token, key: this.key, stopped: () => !life.alive });
      if (!answer || !life.alive) return;
      this.joined = answer.id;
    }
    const carried = spoilt.transport?.(uplink) ?? uplink;
    bottom.follow({ transport: spoilt.upwards?.(carried) ?? carried, key: this.key, name: this.joined });
  }
}

type JoinPorts = Pick<Parameters<typeof joinTop>[0], 'timers' | 'logger'>;
