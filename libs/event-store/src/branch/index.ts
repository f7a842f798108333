import { WrongExpectedRevision } from '../errors';
import type { CommandLog } from '../execute';
import { type Append, type AppendResult, NO_STREAM, type RecordedEvent, type Revision } from '../port';
import type { RowReader } from '../reader';
import { Recorder, validate } from '../record';
import { TableSet } from '../rows';
import type { View } from '../view';
import { OverlayRows } from './overlay';

export interface BranchOf {
  readonly store: CommandLog;
  /** The read models of the store. */
  readonly rows: RowReader;
  readonly views: readonly View[];
}

/**
 * What would be: it begins as the store was at a position and takes appends that the store never sees. It refuses and answers as
 * the store would have, with rows to read; only ids of events are not compared with those of the log.
 */
export class Branch implements CommandLog {
  readonly rows: RowReader;
  /** Everything appended here, in order. */
  readonly events: RecordedEvent[] = [];
  readonly appends: Append[] = [];
  private readonly overlay: OverlayRows;
  private readonly tables: TableSet;
  private readonly roots = new Map<string, Revision>();
  private readonly recorder = new Recorder();

  private constructor(
    private readonly store: CommandLog,
    rows: RowReader,
    views: readonly View[],
    readonly position: number,
  ) {
    this.tables = new TableSet(views);
    this.overlay = new OverlayRows(rows, this.tables);
    this.rows = this.overlay;
  }

  /** As the store was when `position` was its last. */
  static async at(position: number, { store, rows, views }: BranchOf): Promise<Branch> {
    return new Branch(store, await rows.at(position), views, position);
  }

  /** The streams of the store that were read or written here, and their revisions where the branch begins. */
  get revisions(): ReadonlyMap<string, Revision> {
    return this.roots;
  }

  async append(append: Append): Promise<AppendResult> {
    validate(append);
    const guarded = [...(append.checks ?? []), ...append.writes];
    for (const { stream } of guarded) if (!this.roots.has(stream)) await this.root(stream);
    for (const { stream, expected } of guarded) {
      const actual = this.revision(stream);
      if (actual !== expected) throw new WrongExpectedRevision(stream, expected, actual);
    }
    const events = append.writes.flatMap(({ stream, expected, events: added }) =>
      added.map((event, index) => ({ stream, revision: expected + 1 + index, event })),
    );
    const recorded = events.map(
      ({ stream, revision, event }, index) =>
        this.recorder.record(this.position + this.events.length + 1 + index, stream, revision, event).event,
    );
    this.events.push(...recorded);
    this.appends.push(append);
    this.overlay.apply(recorded.flatMap((event) => this.tables.changes(event)));
    return { position: this.position + this.events.length, events: recorded };
  }

  async readStream(stream: string, fromRevision = 0): Promise<readonly RecordedEvent[]> {
    const known = await this.root(stream, fromRevision);
    const appended = this.events.filter((event) => event.stream === stream && event.revision >= fromRevision);
    return [...known, ...appended];
  }

  head(): Promise<number> {
    return Promise.resolve(this.position + this.events.length);
  }

  /** The stream's events where the branch begins. */
  private async root(stream: string, fromRevision = 0): Promise<readonly RecordedEvent[]> {
    const events = await this.store.readStream(stream, fromRevision);
    const known = events.filter((event) => event.position <= this.position);
    // Nobody asks behind what is there: nothing from here on means that the one before is the last.
    if (!this.roots.has(stream)) this.roots.set(stream, known.at(-1)?.revision ?? fromRevision - 1);
    return known;
  }

  private revision(stream: string): Revision {
    return this.events.findLast((event) => event.stream === stream)?.revision ?? this.roots.get(stream) ?? NO_STREAM;
  }
}
