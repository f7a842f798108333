import { Controller, Get, HttpCode, Post, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Maintenance } from './maintenance';
import { begun } from './maintenance.controller';
import { EventStore } from './ports';
import { type Verification, Verifier } from './verification';
import { eventsForTenants } from '@weir/domain';
import type { RecordedEvent, RowReader } from '@weir/event-store';
import { invalid, notFound } from '@weir/kernel';
import { many, one, onlyParameters, parseLimit, type RawQuery } from '@weir/openstack-api';
import { visibleRow } from '../http/listing';
import { positionIn } from '../http/moment';
import { type Asking, From } from '../http/request';
import { isAdmin } from '../identity/authentication';
import { Gateway } from '../orchestration/gateway';
import { asOfPosition } from '../orchestration/past';
import { adminsOnly } from '../sites/sites.controller';
import { Actors, OPERATOR } from '../time/actors';

const TABLES: Readonly<Record<string, string>> = {
  server: 'rm_servers',
  network: 'rm_networks',
  subnet: 'rm_subnets',
  router: 'rm_routers',
  port: 'rm_ports',
};
const PAGE = 100;

/** The log itself: all of it for admins, a resource's own part for whoever may see the resource. */
@ApiTags('weir')
@Controller('weir/v1/events')
export class EventsController {
  constructor(
    private readonly gateway: Gateway,
    private readonly store: EventStore,
    private readonly verifier: Verifier,
    private readonly maintenance: Maintenance,
    private readonly actors: Actors,
  ) {}

  /** Reads the whole log, whatever is written meanwhile, and asks all sites for the seals that they hold. */
  @Post('verify')
  @HttpCode(202)
  verify(@From() { caller }: Asking, @Res({ passthrough: true }) reply: FastifyReply) {
    adminsOnly(caller);
    return begun(
      reply,
      this.maintenance.begin('verify', async () => verificationView(await this.verifier.verify())),
    );
  }

  @Get()
  async list(@From() { caller }: Asking, @Query() query: RawQuery) {
    onlyParameters(query, ['kind', 'id', 'after', 'limit', 'as_of']);
    const [kind, id] = [one(query['kind']), one(query['id'])];
    const until = asOfPosition.getStore() ?? Infinity;
    if (kind === undefined && id === undefined) {
      adminsOnly(caller);
      const after = positionIn(one(query['after']), 'after');
      const read = await this.store.readAll(after, parseLimit(one(query['limit'])) ?? PAGE);
      const events = read.filter(({ position }) => position <= until);
      return { events: events.map(eventView), next: events.at(-1)?.position ?? after };
    }
    if (kind === undefined || id === undefined || many(query['id']).length > 1)
      throw invalid("Name one resource by 'kind' and 'id', or neither.");
    if (kind === 'site') adminsOnly(caller);
    const table = TABLES[kind];
    if (table === undefined && kind !== 'site')
      throw invalid(
        `'${kind.slice(0, 64)}' has no events of its own; kinds are site, ${Object.keys(TABLES).join(', ')}.`,
      );
    const streams = await this.gateway.read((rows) => {
      // What was deleted is visible to admins only: nothing tells any more whose it was.
      if (table !== undefined && !visibleRow(rows, table, id, caller)) adminsOnlyElse404(caller, kind, id);
      return streamsOf(rows, kind, id);
    });
    const read = await Promise.all(streams.map((stream) => this.store.readStream(stream)));
    const events = read.flat().filter((event) => event.position <= until);
    if (events.length === 0) throw notFound(`There is no ${kind} ${id.slice(0, 64)}.`);
    events.sort((left, right) => left.position - right.position);
    if (isAdmin(caller)) return { events: events.map(eventView), left_out: 0 };
    const shown = eventsForTenants(events);
    return { events: shown.events.map((event) => this.tenantView(event)), left_out: shown.leftOut };
  }

  /** Which site reported it is the operator's to know; the digest is of the whole event, and a segment could be guessed from it. */
  private tenantView(event: RecordedEvent) {
    const view = { ...eventView(event), digest: null };
    return this.actors.isUser(event.metadata.actor) ? view : { ...view, actor: OPERATOR, request_id: OPERATOR };
  }
}

function adminsOnlyElse404(caller: Asking['caller'], kind: string, id: string): void {
  if (!caller.roles.has('admin')) throw notFound(`There is no ${kind} ${id.slice(0, 64)}.`);
}

/** A resource's own stream, and those of what it holds. */
function streamsOf(rows: RowReader, kind: string, id: string): readonly string[] {
  if (kind === 'subnet')
    return [`network-${(rows.get('rm_subnets', { id })?.['network_id'] as string | undefined) ?? ''}`];
  if (kind !== 'server') return [`${kind}-${id}`];
  const ports = rows.live('rm_server_ports', { server_id: id }).map((port) => port['port_id'] as string);
  const held = ports.flatMap((port) => {
    const row = rows.get('rm_ports', { id: port });
    const addresses = rows
      .live('rm_addresses', { port_id: port })
      .map((address) => `address-${address['subnet_id'] as string}-${address['ip_address'] as string}`);
    return [
      `port-${port}`,
      ...(row ? [`mac-${row['network_id'] as string}-${row['mac_address'] as string}`] : []),
      ...addresses,
    ];
  });
  return [`server-${id}`, ...held];
}

function eventView(event: RecordedEvent) {
  const { actor, project, correlation, time } = event.metadata;
  return {
    position: event.position,
    stream: event.stream,
    revision: event.revision,
    id: event.id,
    type: event.type,
    schema_version: event.schemaVersion,
    time,
    actor,
    project: project ?? null,
    request_id: correlation,
    digest: event.digest,
    data: event.data,
  };
}

function verificationView({ firstWrong, ...verification }: Verification) {
  return { ...verification, first_wrong: firstWrong };
}
