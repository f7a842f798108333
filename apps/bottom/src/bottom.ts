import { z } from 'zod';
import {
  invalid,
  isUuid,
  notFound,
  type Cancel,
  type Clock,
  type Logger,
  type Random,
  type Timers,
} from '@weir/kernel';
import { Follower, Publisher, SILENCE_MS, type Journal, type SliceStore, type Transport } from '@weir/cascade';
import { BLAME, blameQuestion, HELD_FACTS, heldFactsPage, heldFactsQuestion, siteQuestion } from '@weir/topology';
import { askHosts } from './ask-hosts';
import { type BlameParts, siteBlameOf } from './blame';
import { Hosts } from './hosts';
import type { SiteRecords } from './records';
import { Site } from './site';

/** A Host that lives has noticed our silence by then, has dialled again and said what it runs. */
const RECOVERY_MS = 2 * SILENCE_MS;

export interface BottomOptions {
  /** What the Top told us; made with STATE_HOLDING. */
  readonly slice: SliceStore;
  readonly journal: Journal;
  readonly records: SiteRecords;
  /** What Hosts join with. */
  readonly hostToken: string;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly logger: Logger;
  /** The stores are new and the site is not: what the hosts run has to be learnt from them first. */
  readonly recovering: boolean;
}

const execQuery = z.object({
  server: z.string().refine(isUuid),
  command: z.array(z.string()).min(1).max(1000),
  timeoutMs: z.number().int().positive().optional(),
});

/** One site's Bottom without its sockets and files: publishes to its Hosts at once, and follows the Top when told. */
export class Bottom {
  readonly publisher: Publisher;
  readonly site: Site;
  private readonly hosts: Hosts;
  private follower: Follower | undefined;
  private name = '';
  private readonly cancels: Cancel[] = [];
  private cancelRecovery: Cancel = () => undefined;

  constructor(private readonly options: BottomOptions) {
    const { slice, journal, records, hostToken, clock, timers, random, logger } = options;
    if (options.recovering) records.beginRecovery();
    // One that was killed before its hosts had told it has as much to learn.
    const recovering = records.isRecovering();
    this.hosts = new Hosts({ records, token: hostToken, generation: () => journal.store.generation, clock });
    // What the site says while it loads reaches nobody: there is no publisher and no follower yet.
    let publisher: Publisher | undefined;
    this.site = new Site({
      name: () => this.name,
      slice,
      journal,
      records,
      hosts: this.hosts,
      clock,
      logger,
      recovering,
      outlets: {
        published: (hosts) => publisher?.changed(hosts),
        startedOver: () => publisher?.startOver(),
        observed: () => this.follower?.reportSoon(),
        settled: () => this.follower?.settledChanged(),
      },
    });
    this.publisher = publisher = new Publisher({
      name: 'bottom',
      facts: journal.store,
      membership: this.hosts,
      events: {
        reported: (host, report) => Promise.resolve(this.site.reported(host, report)),
        reachability: (host, state, since) => this.site.reachability(host, state === 'reachable', since),
        diverged: (host, presented) => {
          // Ours is an older copy, and nobody has said yet what it lacks.
          if (!this.site.hasHeardTop()) this.learn();
          this.site.diverged(host, presented);
        },
      },
      clock,
      timers,
      random,
      logger,
    });
    this.watchSilentHosts();
    if (recovering) this.awaitRecovery();
  }

  /** Follows the Top, which knows us as `name`. */
  follow(top: { readonly transport: Transport; readonly key: string; readonly name: string }): void {
    const { clock, timers, random, logger } = this.options;
    const { site } = this;
    this.name = top.name;
    this.follower = new Follower({
      ...top,
      sink: {
        cursor: () => site.cursor(),
        newGeneration: (generation) => {
          const { generation: ours, position } = site.cursor();
          // We acknowledged more than we hold: hosts may run what our copy does not know.
          if (generation === ours && position > 0) this.learn();
          return site.newGeneration(generation);
        },
        apply: (facts, mark) => site.apply(facts, mark),
        settled: () => site.settled(),
        observations: (whole) => site.observations(whole),
        query: (kind, body, timeoutMs) => this.query(kind, body, timeoutMs),
      },
      clock,
      timers,
      random,
      logger,
    });
    this.follower.start();
  }

  /** Nothing is written any more when it resolves; the stores are their owner's to close. */
  async stop(): Promise<void> {
    for (const cancel of this.cancels) cancel();
    this.cancelRecovery();
    await this.follower?.stop();
    this.publisher.close();
  }

  /** Questions of the Top; none changes anything. Rejects with WeirError. */
  async query(kind: string, body: unknown, timeoutMs: number): Promise<unknown> {
    switch (kind) {
      case 'exec': {
        const query = execQuery.safeParse(body);
        if (!query.success)
          throw invalid('A command is asked for with `server` and `command`.', { cause: query.error });
        const host = this.site.hostOf(query.data.server);
        if (host === undefined) throw notFound(`Server ${query.data.server} is on no host of this site.`);
        return this.publisher.query(host, 'exec', body, timeoutMs);
      }
      case 'hosts':
        return { hosts: this.hosts.all().map(({ name }) => this.describeHost(name)) };
      case HELD_FACTS: {
        const question = heldFactsQuestion.safeParse(body);
        if (!question.success) throw invalid('What is held is asked for with `after`, if anything.');
        const { slice } = this.options;
        return heldFactsPage([...slice.facts(), ...slice.orphans()], question.data);
      }
      case 'preview': {
        const question = siteQuestion.safeParse(body);
        if (!question.success) throw invalid('A preview is asked for with `changes`.', { cause: question.error });
        const { hosts, placements, bindings } = this.site.preview(question.data.changes);
        return { hosts: await askHosts(this.publisher, hosts, timeoutMs), placements, bindings };
      }
      case 'status':
        return this.site.status();
      case BLAME: {
        const question = blameQuestion.safeParse(body);
        if (!question.success) throw invalid('A flow is asked for with its `cookie`.', { cause: question.error });
        const hosts = this.hosts.all().map(({ name }) => name);
        const ask: BlameParts['ask'] = (...asked) => this.publisher.query(...asked);
        return siteBlameOf({ hosts, slice: this.options.slice, ask }, question.data, timeoutMs);
      }
      case 'seals':
        return { seals: this.options.records.seals() };
      default:
        throw invalid(`A Bottom does not answer questions of kind '${kind.slice(0, 64)}'.`);
    }
  }

  private learn(): void {
    this.site.learn();
    this.awaitRecovery();
  }

  private awaitRecovery(): void {
    this.cancelRecovery();
    this.cancelRecovery = this.options.timers.after(RECOVERY_MS, () => {
      // What an older copy wants may have been deleted since: only the Top can say.
      if (this.site.hasHeardTop()) this.site.recovered();
      else this.awaitRecovery();
    });
  }

  private describeHost(name: string) {
    const host = this.hosts.get(name);
    const { cursor, settled, connected } = this.publisher.status(name);
    const room = this.site.room(name);
    return {
      name,
      reachability: host?.reachable === true ? 'reachable' : 'unreachable',
      since: new Date(host?.since ?? 0).toISOString(),
      connected,
      position: cursor.position,
      settled,
      ...(host?.said && { zone: host.said.zone, hypervisor: host.said.hypervisor, endpoint: host.said.endpoint }),
      ...(room && { totals: room.totals, free: room.free }),
    };
  }

  /** A host that was there before our restart, and has not dialled since, is silent as any other. */
  private watchSilentHosts(): void {
    const { clock, timers } = this.options;
    const startedAt = clock.now();
    const expected = this.hosts.all().filter(({ reachable }) => reachable);
    if (expected.length === 0) return;
    const look = (): void => {
      for (const { name } of expected) {
        if (this.publisher.status(name).reachability === 'reachable') continue;
        this.site.reachability(name, false, startedAt);
      }
    };
    this.cancels.push(timers.after(SILENCE_MS, look));
  }
}
