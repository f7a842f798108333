import type { Cursor, Publisher } from '@weir/cascade';
import {
  type Divergence,
  type DomainEventType,
  findDivergence,
  parseEvent,
  publisher as decider,
  type PublisherState,
  streams,
} from '@weir/domain';
import type { Append, CommandLog } from '@weir/event-store';
import { fold, type Logger, type SiteId, type Timers, WeirError } from '@weir/kernel';
import type { Run } from './intake';

/** What the log could not take is tried again after so long. */
const RETRY_MS = 1000;
/** What goes on in the log: it tells what is, and asks for nothing. */
const TAKEN_IN: readonly DomainEventType[] = ['SiteReachable', 'SiteUnreachable'];
const ADOPTED: readonly DomainEventType[] = [
  'NetworkAdopted',
  'SubnetAdopted',
  'RouterAdopted',
  'RouterInterfaceAdopted',
  'ServerAdopted',
];
const ORIGIN = { requestId: 'quarantine', actor: 'top', projectId: undefined } as const;

export type Shown = Cursor & { readonly generation: number };

/** Every write meanwhile: it would be lost when the sites' state is adopted, or contradict what they hold. */
export class TopInQuarantine extends WeirError {
  constructor() {
    super(
      'unavailable',
      'This Top is in quarantine: a site knows what its log does not. Nothing is changed until an operator adopts or discards what the sites hold.',
    );
  }
}

/**
 * Whether somebody has shown that this log is an older copy. From the first moment nothing is published and nothing taken; the log remembers
 * it over a restart. It ends with the next generation.
 */
export class Quarantine {
  private state: PublisherState = decider.initial;
  /** Shown, and not in the log yet. */
  private readonly unrecorded = new Map<SiteId | null, Promise<void>>();
  private publisher: Publisher | undefined;
  private isStopped = false;

  constructor(
    private readonly ports: {
      readonly log: CommandLog;
      readonly run: Run;
      readonly timers: Timers;
      readonly logger: Logger;
    },
  ) {}

  /** What publishes nothing meanwhile. */
  govern(publisher: Publisher): void {
    this.publisher = publisher;
  }

  get active(): boolean {
    return this.unrecorded.size > 0 || this.state.divergences !== undefined;
  }

  get generation(): number {
    return this.state.generation;
  }

  /** What was shown; empty outside of a quarantine. */
  get divergences(): readonly Divergence[] {
    return this.state.divergences ?? [];
  }

  get publisherState(): PublisherState {
    return this.state;
  }

  /** As the log says now. */
  async load(): Promise<void> {
    const events = await this.ports.log.readStream(streams.publisher);
    this.state = fold(decider, events.map(parseEvent) as never[]);
  }

  /** A site has shown what the log does not know; null: what lies beside the log has. Resolves when the log remembers it. */
  async found(siteId: SiteId | null, { generation, position, digest }: Shown): Promise<void> {
    const { logger } = this.ports;
    this.publisher?.quarantine();
    if (this.unrecorded.has(siteId) || this.divergences.some((known) => known.siteId === siteId)) return;
    logger.error(
      'This Top is in quarantine: its log is older than what was published before, or has gone another way',
      {
        shownBy: siteId ?? 'facts.db',
        generation,
        position,
        digest,
      },
    );
    const recorded = this.record(siteId, { generation, position, digest });
    this.unrecorded.set(siteId, recorded);
    await recorded;
  }

  /** Resolves when the log has all that was shown. */
  async recorded(): Promise<void> {
    await Promise.all(this.unrecorded.values());
  }

  /** The generation was raised: what was shown is decided about. */
  async ended(): Promise<void> {
    await this.load();
    if (!this.active) this.publisher?.release();
  }

  stop(): void {
    this.isStopped = true;
  }

  private async record(siteId: SiteId | null, shown: Shown): Promise<void> {
    const { run, timers, logger } = this.ports;
    while (!this.isStopped) {
      try {
        await run(ORIGIN, { command: () => findDivergence({ siteId, ...shown }) });
        await this.load();
        this.unrecorded.delete(siteId);
        return;
      } catch (error) {
        logger.error('The quarantine could not be recorded', { error: String(error) });
      }
      await timers.sleep(RETRY_MS);
    }
  }
}

/** The log as commands see it: while it is closed they read as ever, and what they would write is refused. */
export function closable(log: CommandLog, isClosed: () => boolean): CommandLog {
  return {
    append: (append) => (isClosed() && !isTakenIn(append) ? Promise.reject(new TopInQuarantine()) : log.append(append)),
    readStream: (stream, fromRevision) => log.readStream(stream, fromRevision),
    head: () => log.head(),
  };
}

/** What decides about the quarantine writes the publisher's stream, or adopts. */
function isTakenIn({ writes }: Append): boolean {
  const types = writes.flatMap(({ events }) => events.map(({ type }) => type as DomainEventType));
  return (
    writes.some(({ stream }) => stream === streams.publisher) ||
    types.some((type) => ADOPTED.includes(type)) ||
    types.every((type) => TAKEN_IN.includes(type))
  );
}
