import { type FactStore, Publisher } from '@weir/cascade';
import { raiseGeneration, streams, views } from '@weir/domain';
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
import { SiteReachability } from './sites/reachability';
import { siteEvents, Sites } from './sites/sites';

export interface CorePorts {
  readonly store: EventStore;
  readonly rows: RowReader;
  readonly observed: Observed;
  /** The facts of the sites, opened for the generation that this Top speaks in. */
  readonly openFacts: (generation: number) => FactStore;
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
  readonly models: NetworkModels;
  readonly metrics: Metrics;
  stop(): void;
}

const NOBODY = { requestId: 'start', actor: 'top', projectId: undefined } as const;

/** Puts a Top together over its ports, ends what a dead one left half done, and resolves when the sites' facts are at the log's head. */
export async function startCore(ports: CorePorts): Promise<Core> {
  const { store, observed, clock, timers, random, logger } = ports;
  const rows = new ScopedRows(ports.rows);
  const shell = new Shell({ store, clock, timers, random });
  const run: Run = (origin, { command, lane }) => shell.execute(new Intend(origin, command, lane));

  await run(NOBODY, { command: () => raiseGeneration({ from: 0 }) });
  const generation = (await store.readStream(streams.publisher)).length;
  await endClosings(store, rows, (command) => run(NOBODY, { command }));

  const facts = ports.openFacts(generation);
  const intake = new SiteIntake(rows, observed, run, logger);
  const reachability = new SiteReachability(run, timers, logger);
  const publisher = new Publisher({
    name: 'top',
    facts,
    membership: new SiteMembership(rows, run, generation),
    events: siteEvents(intake, reachability, logger),
    clock,
    timers,
    random,
    logger,
    reachable: rows
      .live('rm_sites')
      .filter((site) => site['lifecycle'] !== 'added' && site['unreachable_since'] === null)
      .map((site) => site['id'] as string),
  });
  const publication = new SitePublication(
    store,
    facts,
    logger,
    timers,
    (sites) => publisher.changed(sites),
    ports.failed,
  );
  await publication.start();

  return {
    shell,
    rehearsals: new Rehearsals({ store, rows: ports.rows, views }),
    rows,
    facts,
    publisher,
    publication,
    previews: new Previews({
      publication,
      publisher,
      nameOf: (site) => (rows.get('rm_sites', { id: site })?.['name'] as string | undefined) ?? site,
    }),
    intake,
    sites: new Sites(rows, facts, publisher, publication, observed, run, random),
    models: new NetworkModels(observed, (network) => publication.sitesOf(network)),
    metrics: new Metrics(rows, publisher, observed, () => facts.head().position),
    stop: () => {
      publisher.close();
      reachability.stop();
      publication.stop();
    },
  };
}
