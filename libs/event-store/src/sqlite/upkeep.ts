import type { Database, Statement } from 'better-sqlite3';
import type { Failpoints } from '../failpoints';
import type { Task } from './protocol';
import { quote } from './row-writer';
import { Shadow, sweep } from './shadow';

/** In one transaction, which writes each page once that its rows share; one that an append waits for is ended early. */
const LOADED_CHANGES = 40_000;
/** Of one step, so that an append waits for tens of milliseconds and not more. */
const PRUNED_ROWS = 5000;

export function readHorizon(db: Database): number {
  return db.prepare<[], number>('select position from horizon').pluck().get() ?? 0;
}

/** Rebuilding and pruning, a step at a time on the writer's connection. */
export class Upkeep {
  private shadow: Shadow | undefined;
  private prunedTo = 0;
  private readonly prunes = new Map<string, Statement<[number, number, number]>>();

  constructor(
    private readonly db: Database,
    private readonly file: string,
    private readonly failpoints: Failpoints,
    /** Whether someone waits for the connection. */
    private readonly awaited: () => boolean = () => false,
  ) {}

  /** Answers how many rows were written, and whether there is more to do. */
  step(task: Task): { readonly written: number; readonly more: boolean } {
    switch (task.do) {
      case 'start-shadow':
        this.shadow = new Shadow(this.db, task.tables, this.file, task.horizon, this.failpoints);
        this.failpoints.at('rebuild/after-start');
        return { written: 0, more: false };
      case 'load-shadow':
        return this.inUse().loadSome(LOADED_CHANGES, this.awaited);
      case 'write-shadow':
        this.inUse().apply(task.changes);
        return { written: task.changes.length, more: false };
      case 'swap-shadow':
        this.inUse().swap(() => this.filled(task.views, task.position));
        return { written: 0, more: false };
      case 'sweep-shadow':
        this.shadow?.close();
        this.shadow = undefined;
        return { written: 0, more: this.swept() };
      case 'set-horizon':
        this.db.prepare('update horizon set position = max(position, ?)').run(task.position);
        this.failpoints.at('prune/after-horizon');
        return { written: 0, more: false };
      case 'prune':
        return this.prune(task.table, task.until, task.first);
    }
  }

  private filled(views: readonly string[], position: number): void {
    this.db
      .prepare('update views set position = ? where position is not null and name in (select value from json_each(?))')
      .run(position, JSON.stringify(views));
  }

  private inUse(): Shadow {
    if (!this.shadow) throw new Error('No rebuild has been started');
    return this.shadow;
  }

  private swept(): boolean {
    const more = sweep(this.db);
    this.failpoints.at('rebuild/while-sweeping');
    return more;
  }

  /** By rowid: an index over the ends of all versions would cost every append more than it saves here. */
  private prune(table: string, until: number, first: boolean) {
    if (first) this.prunedTo = 0;
    const to = this.db
      .prepare<[number], number | null>(
        `select max(rowid) from (select rowid from ${quote(table)} where rowid > ? order by rowid limit ${PRUNED_ROWS})`,
      )
      .pluck()
      .get(this.prunedTo);
    if (to == null) return { written: 0, more: false };
    let remove = this.prunes.get(table);
    if (!remove) {
      remove = this.db.prepare(`delete from ${quote(table)} where rowid > ? and rowid <= ? and valid_to <= ?`);
      this.prunes.set(table, remove);
    }
    const { changes } = remove.run(this.prunedTo, to, until);
    this.prunedTo = to;
    this.failpoints.at('prune/while-deleting');
    return { written: changes, more: true };
  }
}
