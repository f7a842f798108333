import { markSiteReachable, markSiteUnreachable } from '@weir/domain';
import { type Logger, type SiteId, type Timers, WeirError } from '@weir/kernel';
import type { Run } from './intake';

/** What the log could not take is tried again after so long. */
const RETRY_MS = 1000;

interface Edge {
  readonly state: 'reachable' | 'unreachable';
  /** Milliseconds of the wall clock. */
  readonly since: number;
}

/**
 * Carries what the publisher sees of sites into the log. It is told edges only, so the last one of a site is tried until the log
 * has it: one that a full disk swallowed would leave a site that is back refused for ever.
 */
export class SiteReachability {
  private readonly edges = new Map<string, Edge>();
  private isStopped = false;

  constructor(
    private readonly run: Run,
    private readonly timers: Timers,
    private readonly logger: Logger,
  ) {}

  turn(site: string, edge: Edge): void {
    const isBusy = this.edges.has(site);
    this.edges.set(site, edge);
    if (!isBusy) void this.record(site);
  }

  stop(): void {
    this.isStopped = true;
  }

  private async record(site: string): Promise<void> {
    for (let edge = this.edges.get(site); edge && !this.isStopped;) {
      const again = !(await this.recorded(site as SiteId, edge));
      const latest = this.edges.get(site);
      if (latest === edge && !again) this.edges.delete(site);
      else if (again) await this.timers.sleep(RETRY_MS);
      edge = this.edges.get(site);
    }
  }

  /** False where it is worth another try. */
  private async recorded(siteId: SiteId, { state, since }: Edge): Promise<boolean> {
    const command =
      state === 'unreachable'
        ? () => markSiteUnreachable({ siteId, since: new Date(since).toISOString() })
        : () => markSiteReachable({ siteId });
    try {
      await this.run({ requestId: `site-${siteId}`, actor: siteId, projectId: undefined }, { command });
      return true;
    } catch (error) {
      this.logger.error("A site's reachability could not be recorded", { site: siteId, state, error: String(error) });
      return !(error instanceof WeirError && ['no-space', 'unavailable'].includes(error.reason));
    }
  }
}
