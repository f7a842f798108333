import { Body, Controller, Delete, Get, HttpCode, Param, Post, Put, Query, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { DescribedBody, Intent } from '../http/documentation';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { notFound } from '@weir/kernel';
import { one, parseBody, parseLimit, parseListQuery, type RawQuery } from '@weir/openstack-api';
import {
  addressesView,
  FLAVORS,
  flavorView,
  metadataBody,
  serverBriefView,
  serverCreate,
  SERVER_FILTERS,
  serverUpdate,
  serverView,
  versionView,
  zoneView,
} from '@weir/openstack-api/compute';
import { list, type Listing } from '../http/listing';
import { Address, type Asking, From, Public } from '../http/request';
import { isAdmin } from '../identity/authentication';
import { refuseReaders } from '../network/scope';
import { Gateway } from '../orchestration/gateway';
import { serverModel } from './models';
import { Servers } from './servers';
import { zones } from './zones';

const COLUMNS: Listing['columns'] = {
  id: { column: 'id', type: 'text' },
  uuid: { column: 'id', type: 'text' },
  name: { column: 'name', type: 'text' },
  status: { column: 'status', type: 'text' },
  flavor: { column: 'flavor_id', type: 'text' },
  image: { column: 'image_id', type: 'text' },
  host: { column: 'host', type: 'text' },
  availability_zone: { column: 'availability_zone', type: 'text' },
  project_id: { column: 'project_id', type: 'text' },
  tenant_id: { column: 'project_id', type: 'text' },
  user_id: { column: 'user_id', type: 'text' },
};

/** Nova ignores what it does not know in a list of servers; it gives flags and sort keys that we answer or may leave out. */
const IGNORED = [
  'all_tenants',
  'deleted',
  'reservation_id',
  'changes-since',
  'changes-before',
  'ip6',
  'locked',
  'sort_key',
  'sort_dir',
  'not-tags',
  'tags',
  'not-tags-any',
  'tags-any',
];

/** Filters that Nova ignores unless an admin gives them. */
const ADMIN_FILTERS = ['host'];

/** Nova v2.1: servers, flavors, zones. */
@ApiTags('compute')
@Controller('compute')
export class ComputeController {
  constructor(
    private readonly gateway: Gateway,
    private readonly servers: Servers,
  ) {}

  @Public()
  @Get()
  versions(@Address() address: string) {
    return { versions: [versionView(address)] };
  }

  @Public()
  @Get('v2.1')
  version(@Address() address: string) {
    return { version: versionView(address) };
  }

  @Get('v2.1/servers')
  async listServers(@From() asking: Asking, @Query() raw: RawQuery, @Req() { url }: FastifyRequest) {
    return this.serverList(asking, raw, url, (row, id) => ({ id, row: serverBriefView(row, asking.address) }));
  }

  @Get('v2.1/servers/detail')
  async listServersInDetail(@From() asking: Asking, @Query() raw: RawQuery, @Req() { url }: FastifyRequest) {
    return this.serverList(asking, raw, url, (row, id) => ({
      id,
      row: serverView(row, asking.address, isAdmin(asking.caller)),
    }));
  }

  @Get('v2.1/servers/:id')
  async show(@From() asking: Asking, @Param('id') id: string) {
    return { server: serverView(await this.servers.show(asking, id), asking.address, isAdmin(asking.caller)) };
  }

  @Post('v2.1/servers')
  @Intent()
  @DescribedBody(serverCreate)
  @HttpCode(202)
  async create(@From() asking: Asking, @Body() raw: unknown, @Res({ passthrough: true }) reply: FastifyReply) {
    const { server: body } = parseBody(serverCreate, raw);
    refuseReaders(asking.caller);
    const [first] = await this.servers.create(asking, body);
    const href = `${asking.address}/compute/v2.1/servers/${first ?? ''}`;
    void reply.header('location', href);
    return {
      server: {
        id: first,
        links: [
          { rel: 'self', href },
          { rel: 'bookmark', href: `${asking.address}/compute/servers/${first ?? ''}` },
        ],
        'OS-DCF:diskConfig': body['OS-DCF:diskConfig'] ?? 'MANUAL',
        security_groups: [],
      },
    };
  }

  @Put('v2.1/servers/:id')
  @Intent()
  @DescribedBody(serverUpdate)
  async update(@From() asking: Asking, @Param('id') id: string, @Body() raw: unknown) {
    const { server: body } = parseBody(serverUpdate, raw);
    refuseReaders(asking.caller);
    await this.servers.update(asking, id, { name: body.name });
    return this.show(asking, id);
  }

  @Delete('v2.1/servers/:id')
  @Intent()
  @HttpCode(204)
  async delete(@From() asking: Asking, @Param('id') id: string): Promise<void> {
    refuseReaders(asking.caller);
    await this.servers.delete(asking, id);
  }

  @Get('v2.1/servers/:id/metadata')
  async metadata(@From() asking: Asking, @Param('id') id: string) {
    return { metadata: (await this.servers.show(asking, id)).metadata };
  }

  @Put('v2.1/servers/:id/metadata')
  @Intent()
  @DescribedBody(metadataBody)
  async replaceMetadata(@From() asking: Asking, @Param('id') id: string, @Body() raw: unknown) {
    const { metadata } = parseBody(metadataBody, raw);
    refuseReaders(asking.caller);
    await this.servers.update(asking, id, { metadata });
    return { metadata };
  }

  @Post('v2.1/servers/:id/metadata')
  @Intent()
  @DescribedBody(metadataBody)
  @HttpCode(200)
  async mergeMetadata(@From() asking: Asking, @Param('id') id: string, @Body() raw: unknown) {
    const { metadata } = parseBody(metadataBody, raw);
    refuseReaders(asking.caller);
    const merged = { ...(await this.servers.show(asking, id)).metadata, ...metadata };
    await this.servers.update(asking, id, { metadata: merged });
    return { metadata: merged };
  }

  @Delete('v2.1/servers/:id/metadata/:key')
  @Intent()
  @HttpCode(204)
  async deleteMetadata(@From() asking: Asking, @Param('id') id: string, @Param('key') key: string): Promise<void> {
    refuseReaders(asking.caller);
    const { [key]: removed, ...rest } = (await this.servers.show(asking, id)).metadata;
    if (removed === undefined) throw notFound('Metadata item was not found');
    await this.servers.update(asking, id, { metadata: rest });
  }

  @Get('v2.1/servers/:id/ips')
  async addresses(@From() asking: Asking, @Param('id') id: string) {
    return { addresses: addressesView((await this.servers.show(asking, id)).addresses) };
  }

  @Get('v2.1/servers/:id/os-interface')
  async interfaces(@From() asking: Asking, @Param('id') id: string) {
    const server = await this.servers.show(asking, id);
    const ports = await this.gateway.read((rows) =>
      rows
        .live('rm_server_ports', { server_id: server.id }, { orderBy: [{ column: 'place' }] })
        .map((port) => rows.get('rm_ports', { id: port['port_id'] as string }))
        .filter((port) => port !== undefined),
    );
    return {
      interfaceAttachments: ports.map((port) => ({
        port_id: port['id'],
        net_id: port['network_id'],
        mac_addr: port['mac_address'],
        port_state: server.status === 'ACTIVE' ? 'ACTIVE' : 'DOWN',
        fixed_ips: port['fixed_ips'],
      })),
    };
  }

  @Get('v2.1/flavors')
  flavors(@Address() address: string) {
    return { flavors: FLAVORS.map((flavor) => flavorView(flavor, address, false)) };
  }

  @Get('v2.1/flavors/detail')
  flavorsInDetail(@Address() address: string) {
    return { flavors: FLAVORS.map((flavor) => flavorView(flavor, address, true)) };
  }

  @Get('v2.1/flavors/:id')
  flavor(@Param('id') id: string, @Address() address: string) {
    const flavor = FLAVORS.find((candidate) => candidate.id === id);
    if (!flavor) throw notFound(`Flavor ${id.slice(0, 64)} could not be found.`);
    return { flavor: flavorView(flavor, address, true) };
  }

  @Get('v2.1/flavors/:id/os-extra_specs')
  extraSpecs(@Param('id') id: string) {
    if (!FLAVORS.some((candidate) => candidate.id === id))
      throw notFound(`Flavor ${id.slice(0, 64)} could not be found.`);
    return { extra_specs: {} };
  }

  @Get('v2.1/os-availability-zone')
  async zones() {
    const models = await this.gateway.read((rows) => zones(rows));
    return { availabilityZoneInfo: models.map((zone) => zoneView(zone, false)) };
  }

  @Get('v2.1/os-availability-zone/detail')
  async zonesInDetail(@From() { caller }: Asking) {
    const models = await this.gateway.read((rows) => zones(rows));
    return { availabilityZoneInfo: models.map((zone) => zoneView(zone, isAdmin(caller))) };
  }

  private async serverList(
    asking: Asking,
    raw: RawQuery,
    url: string,
    render: (server: ReturnType<typeof serverModel>, id: string) => { readonly id: string; readonly row: unknown },
  ) {
    const { caller, address } = asking;
    const everybody = isAdmin(caller) && ['1', 'true', 'True'].includes(one(raw['all_tenants']) ?? '');
    const ignored = isAdmin(caller) ? IGNORED : [...IGNORED, ...ADMIN_FILTERS];
    const known = Object.fromEntries(Object.entries(raw).filter(([key]) => !ignored.includes(key)));
    const query = parseListQuery(known, SERVER_FILTERS);
    const own = everybody ? {} : { project_id: [caller.projectId ?? ''] };
    const listed = await this.gateway.read((rows) => {
      const listing: Listing = {
        table: 'rm_servers',
        columns: COLUMNS,
        render: (row) => render(serverModel(rows, row), row['id'] as string),
      };
      const filters = { ...query.filters, ...own };
      // Nova sorts by creation, the newest first, unless asked otherwise.
      return list(
        rows,
        { ...listing, columns: { ...COLUMNS, created_at: { column: 'created_at', type: 'text' } } },
        { ...query, filters, sort: [{ key: 'created_at', direction: 'desc' }] },
        caller,
      );
    });
    const servers = listed.items.map((item) => item['row']);
    const limit = parseLimit(one(raw['limit']));
    if (limit === undefined || listed.next === undefined) return { servers };
    const next = new URL(url, address);
    next.searchParams.set('marker', listed.next);
    return { servers, servers_links: [{ rel: 'next', href: next.toString() }] };
  }
}
