import { on } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Logger } from '@weir/kernel';
import { StoreFull } from '../errors';
import type { RowDifference } from '../reader';
import type { View } from '../view';
import { isFull } from './group-writer';
import type { ComparisonAnswer, ComparisonSettings } from './protocol';
import { fillShadows, type RebuildContext, rowDifference, shadowTables } from './rebuild';
import { removeScratch } from './scratch';

export interface MaintenanceContext extends RebuildContext {
  readonly logger: Logger;
  readonly workerPath: string;
  setHorizon(position: number): void;
}

/** Long work on the tables, one after another, in steps between appends. */
export class Maintenance {
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly context: MaintenanceContext) {}

  rebuild(names: readonly string[] | undefined): Promise<void> {
    return this.inTurn(async () => {
      const views = this.context.tables.named(names);
      await this.withShadows(views, async (position) => {
        await this.context.task({ do: 'swap-shadow', views: views.map((view) => view.name), position });
      });
    });
  }

  checkRebuild(names: readonly string[] | undefined): Promise<RowDifference | undefined> {
    return this.inTurn(async () => {
      const views = this.context.tables.named(names);
      let comparison: Comparison | undefined;
      try {
        return await this.withShadows(
          views,
          async () => {
            comparison = await Comparison.begin(this.context, views);
          },
          () => comparison?.result(),
        );
      } finally {
        await comparison?.end();
      }
    });
  }

  prune(position: number): Promise<void> {
    return this.inTurn(async () => {
      const { context } = this;
      const until = Math.min(position, context.events.head());
      if (until > context.horizon()) {
        await context.task({ do: 'set-horizon', position: until });
        context.setHorizon(until);
      }
      for (const { name: table } of context.tables.shapes) {
        for (let first = true; await context.task({ do: 'prune', table, until, first }); first = false)
          await context.pause();
      }
    });
  }

  /** When what goes on now has ended. */
  async idle(): Promise<void> {
    await this.last;
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.last.then(async () => {
      await this.context.pause();
      return work();
    });
    this.last = result.catch(() => undefined);
    return result;
  }

  private async withShadows<T>(
    views: readonly View[],
    finish: (position: number) => Promise<void>,
    afterwards?: () => Promise<T> | undefined,
  ): Promise<T | undefined> {
    // What one that found the disk full could not remove.
    await this.sweep();
    try {
      await fillShadows(this.context, views, finish);
      return await afterwards?.();
    } catch (error) {
      throw isFull(error) ? new StoreFull(error) : error;
    } finally {
      await this.sweep();
    }
  }

  private async sweep(): Promise<void> {
    removeScratch(this.context.file);
    try {
      while (await this.context.task({ do: 'sweep-shadow' })) await this.context.pause();
    } catch (error) {
      // The next start sweeps too.
      if (error instanceof StoreFull) this.context.logger.warn('What a rebuild left was not removed', { error });
      else throw error;
    }
  }
}

/** Tables and their shadows, compared in a thread of its own as they were when it began. */
class Comparison {
  private constructor(
    private readonly context: RebuildContext,
    private readonly worker: Worker,
    private readonly answers: AsyncIterator<[ComparisonAnswer]>,
  ) {}

  static async begin(context: MaintenanceContext, views: readonly View[]): Promise<Comparison> {
    const tables = shadowTables(context, views);
    const settings: ComparisonSettings = { task: 'compare', file: context.file, tables, horizon: context.horizon() };
    const worker = new Worker(context.workerPath, { workerData: settings, execArgv: [] });
    const answers = on(worker, 'message') as AsyncIterator<[ComparisonAnswer]>;
    await answers.next();
    return new Comparison(context, worker, answers);
  }

  async result(): Promise<RowDifference | undefined> {
    const next = await this.answers.next();
    const answer = next.done ? undefined : next.value[0];
    return answer?.type === 'compared' && answer.difference
      ? rowDifference(this.context.tables, answer.difference)
      : undefined;
  }

  async end(): Promise<void> {
    await this.worker.terminate();
  }
}
