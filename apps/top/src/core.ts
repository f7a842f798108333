import { type FactStore, type ProjectedFactStore, Publisher } from '@weir/cascade';
import { raiseGeneration, views } from '@weir/domain';
import type { EventStore, RowReader } from '@weir/event-store';
import type { Clock, Logger, Random, Timers } from '@weir/kernel';
import { endClosings } from './network/closings';
import { NetworkModels } from './network/models';
import { Metrics } from './operations/metrics';
import { Intend, Shell } from './orchestration/commands';
import { Rehearsals } from './orchestration/rehearsals';
import { ScopedRows } from './orchestration/scoped-rows';
import { type Run, SiteIntake } from './sites/intake';
import { SiteMembership } from './sites/membership';
import type { Observed } from './sites/observed';
import { Previews } from './sites/preview';
import { SitePublication } from './sites/publication';
import { closable, Quarantine, type Shown } from './sites/quarantine';
import { SiteReachability } from './sites/reachability';
import { Reconciliation } from './sites/reconciliation';
import { siteEvents, Sites } from './sites/sites';

export interface CorePorts {
  readonly store: EventStore;
  readonly rows: RowReader;
  readonly observed: Observed;
  /** The facts of the sites, in whatever generation they were told; new ones are of this one. */
  readonly openFacts: (generation: number) => ProjectedFactStore;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly logger: Logger;
  /** The reader behind the log has failed: the process had better start again. */
  readonly failed: (error: unknown) => void;
}

/** A Top without its HTTP: commands, read models, and the publication to the sites. */
export interface Core {
  readonly shell: Shell;
  readonly rehearsals: Rehearsals;
  readonly rows: RowReader;
  readonly facts: FactStore;
  readonly publisher: Publisher;
  readonly publication: SitePublication;
  readonly previews: Previews;
  readonly intake: SiteIntake;
  readonly sites: Sites;
  readonly quarantine: Quarantine;
  readonly reconciliation: Reconciliation;
  readonly models: NetworkModels;
  readonly metrics: Metrics;
  stop(): void;
}

const NOBODY = { requestId: 'start', actor: 'top', projectId: undefined } as const;

/** Puts a Top together over its ports, ends what a dead one left half done, and resolves when the sites' facts are at the log's head. */
export async function startCore(ports: CorePorts): Promise<Core> {
  const { store, observed, clock, timers, random, logger } = ports;
  const rows = new ScopedRows(ports.rows);
  const log = closable(store, () => quarantine.active);
  const shell = new Shell({ store: log, clock, timers, random });
  const run: Run = (origin, { command, lane }) => shell.execute(new Intend(origin, command, lane));
  const quarantine = new Quarantine({ log, run, timers, logger });
  const endAllClosings = () => endClosings(store, rows, (command) => run(NOBODY, { command }));

  await run(NOBODY, { command: () => raiseGeneration({ from: 0 }) });
  await quarantine.load();
  const facts = await openFacts(ports, quarantine);
  if (!quarantine.active) await endAllClosings();

  const intake = new SiteIntake(rows, observed, run, logger);
  const reachability = new SiteReachability(run, timers, logger);
  const publisher = new Publisher({
    name: 'top',
    facts,
    membership: new SiteMembership(rows, run, () => facts.generation),
    events: siteEvents(intake, reachability, quarantine),
    clock,
    timers,
    random,
    logger,
    reachable: rows
      .live('rm_sites')
      .filter((site) => site['lifecycle'] !== 'added' && site['unreachable_since'] === null)
      .map((site) => site['id'] as string),
    quarantined: quarantine.active,
  });
  quarantine.govern(publisher);
  const publication = new SitePublication(
    store,
    facts,
    logger,
    timers,
    (sites) => publisher.changed(sites),
    raised,
    ports.failed,
  );
  await publication.start();

  /** The quarantine is over: what sites saw meanwhile was not taken, and they say it all again. */
  async function raised(): Promise<void> {
    for (const site of rows.live('rm_sites')) observed.forget(site['id'] as string);
    await quarantine.ended();
    endAllClosings().catch((error: unknown) =>
      logger.error('What was being deleted before the quarantine stays closed', { error: String(error) }),
    );
  }

  const rehearsals = new Rehearsals({ store, rows: ports.rows, views });
  return {
    shell,
    rehearsals,
    rows,
    facts,
    publisher,
    publication,
    previews: new Previews({
      head: () => store.head(),
      publication,
      publisher,
      clock,
      timers,
      nameOf: (site) => (rows.get('rm_sites', { id: site })?.['name'] as string | undefined) ?? site,
    }),
    intake,
    sites: new Sites(rows, facts, publisher, publication, observed, run, random, quarantine),
    quarantine,
    reconciliation: new Reconciliation({
      ...{ store, rows, facts, publisher, publication, quarantine, run },
      ...{ rehearsals, random },
    }),
    models: new NetworkModels(observed, (network) => publication.sitesOf(network)),
    metrics: new Metrics(rows, publisher, observed, () => facts.head().position, quarantine),
    stop: () => {
      publisher.close();
      reachability.stop();
      quarantine.stop();
      publication.stop();
    },
  };
}

/** The facts as they were told. Where they are not of this log, it is an older copy than they are: they are projected anew, and nobody is told. */
async function openFacts({ store, openFacts }: CorePorts, quarantine: Quarantine): Promise<ProjectedFactStore> {
  const { generation } = quarantine;
  const facts = openFacts(generation);
  const told: Shown = { generation: facts.generation, ...facts.head() };
  if (told.generation > generation || !(await isOfLog(store, told))) {
    await quarantine.found(null, told);
    facts.reset(generation);
  } else if (told.generation < generation) facts.raise(generation);
  return facts;
}

async function isOfLog(store: EventStore, { position, digest }: Shown): Promise<boolean> {
  if (position === 0) return true;
  const [event] = await store.readAll(position - 1, 1);
  return event?.position === position && event.id === digest;
}
