import type { CommandBus, QueryBus } from '@nestjs/cqrs';
import { MemoryFactStore } from '@weir/cascade/memory';
import type { EventStore, RecordedEvent, RowReader } from '@weir/event-store';
import { MemoryLog } from '@weir/event-store/memory';
import { Servers } from '../../apps/top/src/compute/servers';
import { type Core, startCore } from '../../apps/top/src/core';
import { NetworksController } from '../../apps/top/src/network/networks.controller';
import { Picks } from '../../apps/top/src/network/picks';
import { PortsController } from '../../apps/top/src/network/ports.controller';
import { RoutersController } from '../../apps/top/src/network/routers.controller';
import { SubnetsController } from '../../apps/top/src/network/subnets.controller';
import { Underlay } from '../../apps/top/src/network/underlay';
import type { Intend } from '../../apps/top/src/orchestration/commands';
import { Gateway } from '../../apps/top/src/orchestration/gateway';
import { Identifiers } from '../../apps/top/src/orchestration/identifiers';
import type { Look } from '../../apps/top/src/orchestration/reads';
import { MemoryObserved } from '../../apps/top/src/sites/observed';
import { type Disk, logOf, SimulatedEventStore, type TopCopy } from './disk';
import type { Ground } from './ground';
import type { Mortal } from './mortal';
import { RivalTop } from './rival-top';

/** A supervisor starts a Top again that could not start. */
const START_AGAIN_MS = 500;

/** What its HTTP calls, without HTTP. */
export interface Api {
  readonly rows: RowReader;
  readonly networks: NetworksController;
  readonly subnets: SubnetsController;
  readonly ports: PortsController;
  readonly routers: RoutersController;
  readonly servers: Servers;
}

interface Running {
  readonly life: Mortal;
  readonly store: EventStore;
  readonly core: Core;
  readonly api: Api;
}

/** The Top and its disk, which outlives it. */
export class TopProcess {
  readonly disk: Disk = { log: new MemoryLog(), full: false };
  private readonly observed = new MemoryObserved();
  private facts: MemoryFactStore | undefined;
  private copies = 0;
  private life: Mortal | undefined;
  private store: SimulatedEventStore | undefined;
  private rival: RivalTop | undefined;
  running: Running | undefined;

  constructor(
    private readonly ground: Ground,
    private readonly committed: (events: readonly RecordedEvent[]) => void,
  ) {}

  get isUp(): boolean {
    return this.life !== undefined;
  }

  /** Whoever believes to lead, and is reached. */
  serving(): { readonly publisher: Core['publisher']; readonly life: Mortal } | undefined {
    if (this.rival) return this.rival.serving();
    return this.running && { publisher: this.running.core.publisher, life: this.running.life };
  }

  /** From here on the sites reach another Top, over a copy. */
  beginRival(copy: TopCopy): void {
    this.rival = new RivalTop(this.ground, copy);
  }

  endRival(): void {
    this.rival?.kill();
    this.rival = undefined;
  }

  /** Something was deleted for its users, and its site has yet to say that it is gone; also where it cannot be asked. */
  isDeleting(): boolean {
    const rows = this.running?.core.rows;
    return (
      !rows ||
      rows.live('rm_ports', { deleting: 1 }).length + rows.live('rm_servers', { task_state: 'deleting' }).length > 0
    );
  }

  start(): void {
    const life = this.ground.life('top');
    this.life = life;
    this.ground.trace.tell('top', 'starts');
    this.begin(life).catch((error: unknown) => {
      if (!life.alive) return;
      this.ground.trace.tell('top', `cannot start: ${error instanceof Error ? error.message : String(error)}`);
      this.kill();
      this.ground.timers.after(START_AGAIN_MS, () => {
        if (!this.isUp) this.start();
      });
    });
  }

  /** What its state folder holds now. */
  copy(): TopCopy {
    return { events: [...this.disk.log.events], facts: this.facts?.copy() };
  }

  /** A dead one's state folder is an older copy from here on; its facts may be kept, which lie in a file of their own. */
  setBack({ events, facts }: TopCopy, keepFacts: boolean): void {
    this.disk.log = logOf(events);
    if (!keepFacts) this.facts = facts;
    this.copies++;
  }

  /** Whoever waits for it hears nothing more. */
  kill(): void {
    this.life?.kill();
    void this.store?.close();
    this.life = undefined;
    this.running = undefined;
  }

  private async begin(life: Mortal): Promise<void> {
    const { clock, trace, spoilt } = this.ground;
    const random = this.ground.random(`top ${this.disk.log.events.length} of copy ${this.copies}`);
    const ports = { clock, timers: life.timers, random, logger: trace.logger('top') };
    const disk = new SimulatedEventStore(this.disk, ports, this.committed);
    this.store = disk;
    const store = life.port(spoilt.store?.(disk, life.timers) ?? disk);
    const core = await startCore({
      ...ports,
      store,
      rows: disk.reader,
      observed: this.observed,
      openFacts: (generation) => {
        this.facts ??= new MemoryFactStore({ generation });
        return spoilt.facts?.(this.facts) ?? this.facts;
      },
      failed: (error) => this.ground.violated(`the reader behind the log failed: ${String(error)}`),
    });
    spoilt.top?.(core);
    if (life.alive) this.running = { life, store, core, api: apiOf(core, random) };
  }
}

function apiOf(core: Core, random: ConstructorParameters<typeof Picks>[1]): Api {
  const { rows, models, intake } = core;
  const commands = { execute: (intend: Intend<unknown>) => core.shell.execute(intend) };
  const queries = { execute: (look: Look<unknown>) => Promise.resolve(look.read(rows)) };
  const gateway = new Gateway(commands as unknown as CommandBus, queries as unknown as QueryBus);
  const picks = new Picks(rows, random);
  const identifiers = new Identifiers(random);
  const underlay = new Underlay(rows);
  return {
    rows,
    networks: new NetworksController(gateway, models, picks, identifiers, underlay),
    subnets: new SubnetsController(gateway, models, picks, identifiers),
    ports: new PortsController(gateway, models, picks, identifiers),
    routers: new RoutersController(gateway, models, identifiers, underlay),
    servers: new Servers(gateway, picks, identifiers, intake),
  };
}
