import { Body, Controller, Delete, Get, HttpCode, Param, Post, Put, Query, Req } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { addRouterInterface, createRouter, deleteRouter, removeRouterInterface, updateRouter } from '@weir/domain';
import type { PortId, RouterId, SubnetId } from '@weir/kernel';
import { many, parseBody, parseListQuery, type RawQuery, select } from '@weir/openstack-api';
import {
  ROUTER_FILTERS,
  routerCreate,
  routerInterface,
  routerInterfaceView,
  routerUpdate,
  routerView,
} from '@weir/openstack-api/network';
import { list, type Listing, pageLinks } from '../http/listing';
import { type Asking, From } from '../http/request';
import { Gateway } from '../orchestration/gateway';
import { Identifiers } from '../orchestration/identifiers';
import { NetworkModels } from './models';
import { projectFor, refuseReaders, visible } from './scope';
import { Underlay } from './underlay';

const COLUMNS: Listing['columns'] = {
  id: { column: 'id', type: 'text' },
  name: { column: 'name', type: 'text' },
  description: { column: 'description', type: 'text' },
  project_id: { column: 'project_id', type: 'text' },
  tenant_id: { column: 'project_id', type: 'text' },
  admin_state_up: { column: 'admin_state_up', type: 'flag' },
  distributed: { column: 'distributed', type: 'flag' },
  revision_number: { column: 'revision_number', type: 'integer' },
};

@ApiTags('network')
@Controller('network/v2.0/routers')
export class RoutersController {
  constructor(
    private readonly gateway: Gateway,
    private readonly models: NetworkModels,
    private readonly identifiers: Identifiers,
    private readonly underlay: Underlay,
  ) {}

  @Get()
  async list(@From() { caller, address }: Asking, @Query() raw: RawQuery, @Req() { url }: FastifyRequest) {
    const query = parseListQuery(raw, ROUTER_FILTERS);
    const listing: Listing = {
      table: 'rm_routers',
      columns: COLUMNS,
      render: (row) => routerView(this.models.router(row)),
    };
    const listed = await this.gateway.read((rows) => list(rows, listing, query, caller));
    return { routers: listed.items, ...pageLinks(url, address, 'routers', listed, query) };
  }

  @Get(':id')
  async show(@From() { caller }: Asking, @Param('id') id: string, @Query('fields') fields?: string | string[]) {
    const router = await this.gateway.read((rows) => routerView(this.models.router(visible.router(rows, id, caller))));
    return { router: select(router, many(fields)) };
  }

  @Post()
  @HttpCode(201)
  async create(@From() asking: Asking, @Body() raw: unknown) {
    const { router: body } = parseBody(routerCreate, raw);
    refuseReaders(asking.caller);
    const projectId = projectFor(asking.caller, body);
    const routerId = this.identifiers.next<'router'>();
    await this.gateway.run(asking.origin, () =>
      createRouter({
        routerId,
        projectId,
        name: body.name ?? '',
        description: body.description ?? '',
        adminStateUp: body.admin_state_up ?? true,
        routes: body.routes ?? [],
        distributed: body.distributed ?? true,
        availabilityZoneHints: this.underlay.knownZones(body.availability_zone_hints ?? []),
      }),
    );
    return this.show(asking, routerId);
  }

  @Put(':id')
  async update(@From() asking: Asking, @Param('id') id: string, @Body() raw: unknown) {
    const { router: body } = parseBody(routerUpdate, raw);
    refuseReaders(asking.caller);
    const routerId = await this.routerId(asking, id);
    const changes = {
      name: body.name,
      description: body.description,
      adminStateUp: body.admin_state_up,
      routes: body.routes,
    };
    await this.gateway.run(asking.origin, () => updateRouter({ routerId, changes }));
    return this.show(asking, id);
  }

  @Delete(':id')
  @HttpCode(204)
  async delete(@From() asking: Asking, @Param('id') id: string): Promise<void> {
    refuseReaders(asking.caller);
    const routerId = await this.routerId(asking, id);
    await this.gateway.run(asking.origin, () => deleteRouter({ routerId }));
  }

  @Put(':id/add_router_interface')
  async addInterface(@From() asking: Asking, @Param('id') id: string, @Body() raw: unknown) {
    const body = parseBody(routerInterface, raw);
    const { caller, origin } = asking;
    refuseReaders(caller);
    const newPortId = this.identifiers.next<'port'>();
    const { router, target } = await this.gateway.read((rows) => {
      const router = visible.router(rows, id, caller);
      if (body.port_id !== undefined)
        return { router, target: { by: 'port' as const, portId: visible.port(rows, body.port_id, caller).id } };
      const subnet = visible.subnet(rows, body.subnet_id ?? '', caller);
      return {
        router,
        target: { by: 'subnet' as const, networkId: subnet.network_id, subnetId: subnet.id, newPortId },
      };
    });
    const added = await this.gateway.run(origin, () => addRouterInterface({ routerId: router.id, target }));
    return routerInterfaceView({ id: router.id, project_id: router.project_id }, added);
  }

  @Put(':id/remove_router_interface')
  async removeInterface(@From() asking: Asking, @Param('id') id: string, @Body() raw: unknown) {
    const body = parseBody(routerInterface, raw);
    const { caller, origin } = asking;
    refuseReaders(caller);
    const router = await this.gateway.read((rows) => visible.router(rows, id, caller));
    const removed = await this.gateway.run(origin, () =>
      removeRouterInterface({
        routerId: router.id,
        subnetId: body.subnet_id as SubnetId | undefined,
        portId: body.port_id as PortId | undefined,
      }),
    );
    return routerInterfaceView({ id: router.id, project_id: router.project_id }, removed);
  }

  private routerId({ caller }: Asking, id: string): Promise<RouterId> {
    return this.gateway.read((rows) => visible.router(rows, id, caller).id);
  }
}
