import { type DynamicModule, Module } from '@nestjs/common';
import { APP_GUARD, APP_INTERCEPTOR } from '@nestjs/core';
import { CqrsModule } from '@nestjs/cqrs';
import type { EventStore as EventStorePort } from '@weir/event-store';
import type { Clock, Logger, Random } from '@weir/kernel';
import type { Core } from './core';
import { ComputeController } from './compute/compute.controller';
import { Servers } from './compute/servers';
import { AsOfInterceptor } from './http/as-of.interceptor';
import { AuthenticationGuard } from './http/authentication.guard';
import { IntentInterceptor } from './http/intent.interceptor';
import { Authentication } from './identity/authentication';
import { IdentityController } from './identity/identity.controller';
import { IdentityStore } from './identity/identity-store';
import { ImageController } from './image/image.controller';
import { NetworkModels } from './network/models';
import { NetworkController } from './network/network.controller';
import { NetworksController } from './network/networks.controller';
import { Picks } from './network/picks';
import { PortsController } from './network/ports.controller';
import { RoutersController } from './network/routers.controller';
import { SubnetsController } from './network/subnets.controller';
import { Underlay } from './network/underlay';
import { EventsController } from './operations/events.controller';
import { ExecController } from './operations/exec.controller';
import { HealthController } from './operations/health.controller';
import { Maintenance } from './operations/maintenance';
import { MaintenanceController } from './operations/maintenance.controller';
import { Metrics } from './operations/metrics';
import { EventStore } from './operations/ports';
import { ReadModelsController } from './operations/read-models.controller';
import { Verifier } from './operations/verification';
import { IntendHandler, Shell } from './orchestration/commands';
import { Gateway } from './orchestration/gateway';
import { Idempotency } from './orchestration/idempotency';
import { Identifiers } from './orchestration/identifiers';
import { Rehearsals } from './orchestration/rehearsals';
import { Replays } from './orchestration/replays';
import { LookHandler, ReadModels } from './orchestration/reads';
import { Quarantine } from './sites/quarantine';
import { QuarantineController } from './sites/quarantine.controller';
import { Reconciliation } from './sites/reconciliation';
import { Previews } from './sites/preview';
import { Sites } from './sites/sites';
import { SitesController } from './sites/sites.controller';
import { Actors } from './time/actors';
import { Blames } from './time/blame';
import { Diffs } from './time/diff';
import { Histories } from './time/history';
import { TimeController } from './time/time.controller';

/** Everything that the controllers stand on, made by the composition root. */
export interface TopParts {
  readonly core: Core;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly store: EventStorePort;
  readonly identities: IdentityStore;
  readonly authentication: Authentication;
  readonly replays: Replays;
  readonly idempotency: Idempotency;
}

@Module({})
export class TopModule {
  static with(parts: TopParts): DynamicModule {
    const { core } = parts;
    const value = (provide: abstract new (...never: never[]) => unknown, useValue: unknown) => ({ provide, useValue });
    const picks = new Picks(core.rows, parts.random);
    const histories = new Histories(parts.store, core.rows);
    const identifiers = new Identifiers(parts.random);
    return {
      module: TopModule,
      imports: [CqrsModule.forRoot()],
      controllers: [
        IdentityController,
        ImageController,
        NetworkController,
        NetworksController,
        SubnetsController,
        RoutersController,
        PortsController,
        ComputeController,
        SitesController,
        QuarantineController,
        EventsController,
        TimeController,
        ReadModelsController,
        MaintenanceController,
        ExecController,
        HealthController,
      ],
      providers: [
        value(IdentityStore as never, parts.identities),
        value(Authentication, parts.authentication),
        value(NetworkModels, core.models),
        value(Sites, core.sites),
        value(Quarantine, core.quarantine),
        value(Reconciliation, core.reconciliation),
        value(Metrics, core.metrics),
        value(Actors, new Actors(parts.identities, core.rows)),
        value(Histories, histories),
        value(Blames, new Blames(parts.store, core.rows, histories, (...asked) => core.publisher.query(...asked))),
        value(Diffs, new Diffs(parts.store, core.rows)),
        value(Maintenance, new Maintenance(parts.clock, parts.random, parts.logger)),
        value(Verifier, new Verifier(parts.store, core.rows, (...asked) => core.publisher.query(...asked))),
        value(EventStore, parts.store),
        value(Rehearsals, core.rehearsals),
        value(Replays, parts.replays),
        value(Idempotency, parts.idempotency),
        value(Previews, core.previews),
        value(Picks, picks),
        value(Identifiers, identifiers),
        value(Underlay, new Underlay(core.rows)),
        value(Shell, core.shell),
        value(ReadModels, { rows: core.rows }),
        IntendHandler,
        LookHandler,
        Gateway,
        {
          provide: Servers,
          inject: [Gateway],
          useFactory: (gateway: Gateway) => new Servers(gateway, picks, identifiers, core.intake),
        },
        { provide: APP_GUARD, useClass: AuthenticationGuard },
        { provide: APP_INTERCEPTOR, useClass: AsOfInterceptor },
        { provide: APP_INTERCEPTOR, useClass: IntentInterceptor },
      ],
    };
  }
}
