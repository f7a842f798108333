import { Body, Controller, Delete, Get, HttpCode, Param, Post, Put, Query, Req } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { DescribedBody, Intent } from '../http/documentation';
import type { FastifyRequest } from 'fastify';
import { addRouterInterface, createRouter, deleteRouter, removeRouterInterface, updateRouter } from '@weir/domain';
import type { PortId, RouterId, SubnetId } from '@weir/kernel';
import { parseBody, type RawQuery } from '@weir/openstack-api';
import {
  ROUTER_FILTERS,
  routerCreate,
  routerInterface,
  routerInterfaceView,
  routerUpdate,
  routerView,
} from '@weir/openstack-api/network';
import { type Asking, From } from '../http/request';
import { Gateway } from '../orchestration/gateway';
import { Identifiers } from '../orchestration/identifiers';
import { Collection } from './collection';
import { NetworkModels } from './models';
import { projectFor, refuseReaders, visible } from './scope';
import { Underlay } from './underlay';

@ApiTags('network')
@Controller('network/v2.0/routers')
export class RoutersController {
  private readonly collection: Collection;

  constructor(
    private readonly gateway: Gateway,
    models: NetworkModels,
    private readonly identifiers: Identifiers,
    private readonly underlay: Underlay,
  ) {
    this.collection = new Collection(gateway, {
      kind: 'router',
      filters: ROUTER_FILTERS,
      columns: {
        admin_state_up: { column: 'admin_state_up', type: 'flag' },
        distributed: { column: 'distributed', type: 'flag' },
      },
      render: (rows, row) => routerView(models.router(rows, row)),
    });
  }

  @Get()
  list(@From() asking: Asking, @Query() raw: RawQuery, @Req() { url }: FastifyRequest) {
    return this.collection.list(asking, raw, url);
  }

  @Get(':id')
  show(@From() asking: Asking, @Param('id') id: string, @Query('fields') fields?: string | string[]) {
    return this.collection.show(asking, id, fields);
  }

  @Post()
  @Intent()
  @DescribedBody(routerCreate)
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
  @Intent()
  @DescribedBody(routerUpdate)
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
  @Intent()
  @HttpCode(204)
  async delete(@From() asking: Asking, @Param('id') id: string): Promise<void> {
    refuseReaders(asking.caller);
    const routerId = await this.routerId(asking, id);
    await this.gateway.run(asking.origin, () => deleteRouter({ routerId }));
  }

  @Put(':id/add_router_interface')
  @Intent()
  @DescribedBody(routerInterface)
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
  @Intent()
  @DescribedBody(routerInterface)
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
