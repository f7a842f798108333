import { MemoryFactStore } from '@weir/cascade/memory';
import { type Core, startCore } from '../../apps/top/src/core';
import { MemoryObserved } from '../../apps/top/src/sites/observed';
import { type Disk, logOf, SimulatedEventStore, type TopCopy } from './disk';
import type { Ground } from './ground';
import type { Mortal } from './mortal';

/** A Top over a copy of another's state folder, while that one lives: both believe they lead. No tenant speaks to it. */
export class RivalTop {
  private readonly life: Mortal;
  private readonly disk: Disk;
  private readonly store: SimulatedEventStore;
  private core: Core | undefined;

  constructor(
    private readonly ground: Ground,
    { events, facts }: TopCopy,
  ) {
    this.life = ground.life('other top');
    this.disk = { log: logOf(events), full: false };
    const { clock, trace } = ground;
    const random = ground.random(`other top ${events.length} ${clock.monotonic()}`);
    const ports = { clock, timers: this.life.timers, random, logger: trace.logger('other top') };
    this.store = new SimulatedEventStore(this.disk, ports, () => undefined);
    startCore({
      ...ports,
      store: this.life.port(this.store),
      rows: this.store.reader,
      observed: new MemoryObserved(),
      openFacts: (generation) => facts?.copy() ?? new MemoryFactStore({ generation }),
      failed: (error) => this.ground.violated(`the reader behind the other log failed: ${String(error)}`),
    }).then(
      (core) => (this.core = core),
      (error: unknown) => this.ground.violated(`the other Top cannot start: ${String(error)}`),
    );
  }

  serving(): { readonly publisher: Core['publisher']; readonly life: Mortal } | undefined {
    return this.core && { publisher: this.core.publisher, life: this.life };
  }

  kill(): void {
    this.life.kill();
    void this.store.close();
  }
}
