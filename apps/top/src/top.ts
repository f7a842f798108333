import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { NestApplicationOptions } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { Publisher } from '@weir/cascade';
import { cascadeHttpHandler } from '@weir/cascade/http';
import { SqliteFactStore } from '@weir/cascade/sqlite';
import { raiseGeneration, streams, views } from '@weir/domain';
import { openSqliteEventStore } from '@weir/event-store/sqlite';
import type { Clock, Logger, Random, Timers } from '@weir/kernel';
import { endClosings } from './network/closings';
import { NetworkModels } from './network/models';
import { ErrorFilter } from './http/error.filter';
import { fastifyAdapter, registerJsonParser } from './http/server';
import { Authentication } from './identity/authentication';
import { IdentityStore } from './identity/identity-store';
import { Metrics } from './operations/metrics';
import { Intend, Shell } from './orchestration/commands';
import { type Run, SiteIntake } from './sites/intake';
import { SiteMembership } from './sites/membership';
import { SqliteObserved } from './sites/observed';
import { SitePublication } from './sites/publication';
import { siteEvents, Sites } from './sites/sites';
import { TopModule } from './top.module';

export interface TopOptions {
  readonly state: string;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly logger: Logger;
  /** Told the passwords of the first start, once. */
  readonly firstPasswords: (passwords: { readonly admin: string; readonly demo: string }) => void;
  /** The log, or the reader behind it, has failed: the process had better start again. */
  readonly failed: (error: unknown) => void;
}

export interface Top {
  readonly application: NestFastifyApplication;
  close(): Promise<void>;
}

const NOBODY = { requestId: 'start', actor: 'top', projectId: undefined } as const;

/** Puts a Top together over its state folder; it listens when the caller says so. */
export async function createTop(options: TopOptions): Promise<Top> {
  const { state, clock, timers, random, logger, failed } = options;
  mkdirSync(state, { recursive: true, mode: 0o700 });
  const identities = await IdentityStore.open(join(state, 'identity.json'), random, options.firstPasswords);
  const store = await openSqliteEventStore({ file: join(state, 'events.db'), views, logger, onFailure: failed });
  const rows = store.reader;
  const observed = new SqliteObserved(join(state, 'observed.db'));

  const shell = new Shell({ store, clock, timers, random });
  const run: Run = (origin, { command, lane }) => shell.execute(new Intend(origin, command, lane));

  await run(NOBODY, { command: () => raiseGeneration({ from: 0 }) });
  const generation = (await store.readStream(streams.publisher)).length;
  const facts = new SqliteFactStore({ file: join(state, 'facts.db'), generation });
  const intake = new SiteIntake(rows, observed, run, logger);
  const publisher: Publisher = new Publisher({
    name: 'top',
    facts,
    membership: new SiteMembership(rows, run, generation),
    events: siteEvents(intake, run, logger),
    clock,
    timers,
    random,
    logger,
    reachable: rows
      .live('rm_sites')
      .flatMap((site) =>
        site['lifecycle'] === 'added' || site['unreachable_since'] !== null ? [] : [site['id'] as string],
      ),
  });
  const publication = new SitePublication(
    store,
    facts,
    logger,
    (sites) => publisher.changed(sites),
    (error) => failed(error),
  );
  await publication.start();

  const adapter = fastifyAdapter(random, cascadeHttpHandler(publisher, { logger }));
  const parts = {
    shell,
    random,
    store,
    rows,
    identities,
    authentication: new Authentication(identities, clock, random),
    models: new NetworkModels(observed, (network) => publication.sitesOf(network)),
    intake,
    sites: new Sites(rows, facts, publisher, observed, run, random),
    metrics: new Metrics(rows, publisher, observed, () => facts.head().position),
  };
  // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- Nest types its options as a class and documents them as a literal
  const settings: NestApplicationOptions = { logger: ['error', 'warn'], bodyParser: false };
  const application = await NestFactory.create<NestFastifyApplication>(TopModule.with(parts), adapter, settings);
  registerJsonParser(adapter);
  application.useGlobalFilters(new ErrorFilter(logger));
  SwaggerModule.setup('docs', application, () =>
    SwaggerModule.createDocument(
      application,
      new DocumentBuilder()
        .setTitle('Weir')
        .setVersion('1')
        .addApiKey({ type: 'apiKey', name: 'X-Auth-Token', in: 'header' })
        .build(),
    ),
  );
  await application.init();
  await endClosings(store, rows, (command) => run(NOBODY, { command }));

  return {
    application,
    close: async () => {
      publisher.close();
      await application.close();
      publication.stop();
      await store.close();
      facts.close();
      observed.close();
    },
  };
}
