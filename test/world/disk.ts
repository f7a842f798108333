import type { Clock, Random, Timers } from '@weir/kernel';
import type { FactKey, SliceRow, SliceRows, Standing } from '@weir/cascade';
import { FIRST_STANDING } from '@weir/cascade';
import type { MemoryFactStore } from '@weir/cascade/memory';
import { views } from '@weir/domain';
import { type Append, type AppendResult, type RecordedEvent, StoreFull } from '@weir/event-store';
import { MemoryEventStore, MemoryLog } from '@weir/event-store/memory';

/** A commit takes up to so long, and as long again until its writer hears of it. */
const LONGEST_COMMIT_MS = 4;

interface Waiting {
  readonly append: Append;
  readonly resolve: (result: AppendResult) => void;
  readonly reject: (error: unknown) => void;
}

export interface Disk {
  log: MemoryLog;
  full: boolean;
}

/** What a Top's state folder held. */
export interface TopCopy {
  readonly events: readonly RecordedEvent[];
  readonly facts: MemoryFactStore | undefined;
}

/** A log of its own with these events. */
export function logOf(events: readonly RecordedEvent[]): MemoryLog {
  const log = new MemoryLog();
  for (const event of events) log.push(event);
  return log;
}

/**
 * An event store over a log that lies on a disk: appends are committed in groups, in order, a moment after they were asked for, and told
 * a moment later. A process that dies between loses those that were not committed, and never hears of those that were.
 */
export class SimulatedEventStore extends MemoryEventStore {
  private waiting: Waiting[] = [];

  constructor(
    private readonly disk: Disk,
    private readonly ports: { readonly clock: Clock; readonly timers: Timers; readonly random: Random },
    private readonly committed: (events: readonly RecordedEvent[]) => void,
  ) {
    super({ views, log: disk.log });
  }

  override append(append: Append): Promise<AppendResult> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ append, resolve, reject });
      if (this.waiting.length === 1) this.ports.timers.after(this.moment(), () => void this.flush());
    });
  }

  private async flush(): Promise<void> {
    const { timers } = this.ports;
    const group = this.waiting;
    this.waiting = [];
    const told: (() => void)[] = [];
    for (const { append, ...writer } of group) {
      if (this.disk.full) {
        told.push(() => writer.reject(new StoreFull()));
        continue;
      }
      try {
        const result = await super.append(append);
        this.committed(result.events);
        told.push(() => writer.resolve(result));
      } catch (error) {
        told.push(() => writer.reject(error));
      }
    }
    timers.after(this.moment(), () => {
      for (const tell of told) tell();
    });
  }

  private moment(): number {
    return this.ports.random.integer(LONGEST_COMMIT_MS * 1000) / 1000;
  }
}

/** The rows of a slice on a disk that can be set back to an older copy, or lost. */
export class SliceDisk implements SliceRows {
  private rows = new Map<string, SliceRow>();
  private stand = FIRST_STANDING;

  standing(): Standing {
    return this.stand;
  }

  get({ kind, id }: FactKey): SliceRow | undefined {
    return this.rows.get(`${kind}/${id}`);
  }

  all(): readonly SliceRow[] {
    return [...this.rows.values()];
  }

  store({ put, remove, standing }: Parameters<SliceRows['store']>[0]): void {
    for (const row of put) this.rows.set(`${row.kind}/${row.id}`, row);
    for (const { kind, id } of remove) this.rows.delete(`${kind}/${id}`);
    this.stand = standing;
  }

  /** Answers how to set it back to what it is now. */
  copy(): () => void {
    const [rows, stand] = [new Map(this.rows), this.stand];
    return () => {
      this.rows = new Map(rows);
      this.stand = stand;
    };
  }

  lose(): void {
    this.rows.clear();
    this.stand = FIRST_STANDING;
  }

  close(): void {
    // What is on it stays.
  }
}
