import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { NestApplicationOptions } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { cascadeHttpHandler } from '@weir/cascade/http';
import type { Failpoint } from '@weir/event-store';
import type { Clock, Logger, Random, Timers } from '@weir/kernel';
import { DEFAULT_HISTORY_DAYS } from './configuration';
import { startCore } from './core';
import { ErrorFilter } from './http/error.filter';
import { fastifyAdapter, registerJsonParser } from './http/server';
import { Authentication } from './identity/authentication';
import { IdentityStore } from './identity/identity-store';
import { openKeyFile } from './identity/key-file';
import { Idempotency } from './orchestration/idempotency';
import { Replays } from './orchestration/replays';
import { Sealer } from './orchestration/sealing';
import type { Storage } from './storage/storage';
import { Horizon } from './operations/horizon';
import { TopModule } from './top.module';

export interface TopOptions {
  /** A folder; for the identities. */
  readonly state: string;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly logger: Logger;
  /** How long old row versions are kept; 90 unless given. */
  readonly historyDays?: number;
  /** Told the passwords of the first start, once. */
  readonly firstPasswords: (passwords: { readonly admin: string; readonly demo: string }) => void;
  /** The reader behind the log has failed: the process had better start again. */
  readonly failed: (error: unknown) => void;
  /** Told where a test may let the process die. */
  readonly reached?: (point: Failpoint) => void;
}

export interface Top {
  readonly application: NestFastifyApplication;
  close(): Promise<void>;
}

/** A Top over its storage, with its HTTP; it listens when the caller says so, and closes the storage with itself. */
export async function createTop(options: TopOptions, storage: Storage): Promise<Top> {
  const { state, clock, timers, random, logger, failed } = options;
  mkdirSync(state, { recursive: true, mode: 0o700 });
  const identities = await IdentityStore.open(join(state, 'identity.json'), random, options.firstPasswords);
  options.reached?.('identity/written');
  const core = await startCore({ ...storage, clock, timers, random, logger, failed });

  const { rehearsals } = core;
  const { log } = core.shell;
  const sealer = new Sealer(openKeyFile(join(state, 'requests.key'), random), random);
  const replays = new Replays(log, rehearsals, sealer, clock);
  const kept = storage.answers;
  const idempotency = new Idempotency({ log, kept, rehearsals, sealer, clock, timers, logger });

  const authentication = new Authentication(identities, clock, random);
  const adapter = fastifyAdapter(random, cascadeHttpHandler(core.publisher, { logger }));
  // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- Nest types its options as a class and documents them as a literal
  const settings: NestApplicationOptions = { logger: ['error', 'warn'], bodyParser: false };
  const module = TopModule.with({
    ...{ core, clock, random, logger, store: storage.store },
    ...{ identities, authentication, replays, idempotency },
  });
  const application = await NestFactory.create<NestFastifyApplication>(module, adapter, settings);
  registerJsonParser(adapter);
  application.useGlobalFilters(new ErrorFilter(logger));
  SwaggerModule.setup('docs', application, () => SwaggerModule.createDocument(application, describedAs()));
  await application.init();
  const horizon = new Horizon(storage.store, options.historyDays ?? DEFAULT_HISTORY_DAYS, { clock, timers, logger });
  horizon.start();

  return {
    application,
    close: async () => {
      horizon.stop();
      idempotency.stop();
      core.stop();
      await application.close();
      await storage.close();
    },
  };
}

function describedAs() {
  return new DocumentBuilder()
    .setTitle('Weir')
    .setVersion('1')
    .addApiKey({ type: 'apiKey', name: 'X-Auth-Token', in: 'header' })
    .build();
}
