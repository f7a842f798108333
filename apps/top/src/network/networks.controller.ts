import { Body, Controller, Delete, Get, HttpCode, Param, Post, Put, Query, Req } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { DescribedBody, Intent } from '../http/documentation';
import type { FastifyRequest } from 'fastify';
import {
  closeNetwork,
  createNetwork,
  deleteNetwork,
  type NetworkFields,
  reopenNetwork,
  updateNetwork,
} from '@weir/domain';
import { forbidden, type NetworkId, type PortId } from '@weir/kernel';
import { parseBody, type RawQuery } from '@weir/openstack-api';
import {
  NETWORK_ADMIN_ATTRIBUTES,
  NETWORK_FILTERS,
  networkCreate,
  networkUpdate,
  type NetworkUpdate,
  networkView,
} from '@weir/openstack-api/network';
import { type Asking, From } from '../http/request';
import { isAdmin } from '../identity/authentication';
import { Gateway } from '../orchestration/gateway';
import { Identifiers } from '../orchestration/identifiers';
import { Collection } from './collection';
import { NetworkModels } from './models';
import { Picks } from './picks';
import { projectFor, refuseReaders, visible } from './scope';
import { Underlay } from './underlay';

@ApiTags('network')
@Controller('network/v2.0/networks')
export class NetworksController {
  private readonly collection: Collection;

  constructor(
    private readonly gateway: Gateway,
    models: NetworkModels,
    private readonly picks: Picks,
    private readonly identifiers: Identifiers,
    private readonly underlay: Underlay,
  ) {
    this.collection = new Collection(gateway, {
      kind: 'network',
      filters: NETWORK_FILTERS,
      adminAttributes: NETWORK_ADMIN_ATTRIBUTES,
      columns: {
        admin_state_up: { column: 'admin_state_up', type: 'flag' },
        port_security_enabled: { column: 'port_security_enabled', type: 'flag' },
        mtu: { column: 'mtu', type: 'integer' },
        'provider:network_type': { column: 'segment_type', type: 'text' },
        'provider:segmentation_id': { column: 'segment_key', type: 'integer' },
      },
      render: (rows, row, caller) => networkView(models.network(rows, row), isAdmin(caller)),
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
  @DescribedBody(networkCreate)
  @HttpCode(201)
  async create(@From() asking: Asking, @Body() raw: unknown) {
    const { network: body } = parseBody(networkCreate, raw);
    const { caller, origin } = asking;
    refuseReaders(caller);
    const projectId = projectFor(caller, body);
    const type = body['provider:network_type'] ?? 'vxlan';
    const key = body['provider:segmentation_id'];
    if (!isAdmin(caller) && (body['provider:network_type'] !== undefined || key !== undefined))
      throw forbidden("Only an admin may choose a network's segment.");
    const networkId = this.identifiers.next<'network'>();
    const largest = this.underlay.networkMtu();
    await this.gateway.run(origin, () =>
      createNetwork({
        networkId,
        projectId,
        name: body.name ?? '',
        description: body.description ?? '',
        adminStateUp: body.admin_state_up ?? true,
        portSecurityEnabled: body.port_security_enabled ?? true,
        mtu: this.underlay.fitting(body.mtu, largest),
        availabilityZoneHints: this.underlay.knownZones(body.availability_zone_hints ?? []),
        segment: this.picks.segment(type, key),
        allowedSegmentTypes: this.underlay.segmentTypes,
      }),
    );
    return this.show(asking, networkId);
  }

  @Put(':id')
  @Intent()
  @DescribedBody(networkUpdate)
  async update(@From() asking: Asking, @Param('id') id: string, @Body() raw: unknown) {
    const { network: body } = parseBody(networkUpdate, raw);
    refuseReaders(asking.caller);
    const networkId = await this.networkId(asking, id);
    await this.gateway.run(asking.origin, () => updateNetwork({ networkId, changes: this.changes(body) }));
    return this.show(asking, id);
  }

  /** Closes first, so that no port can come in between; counts what is left; then deletes, or opens again. */
  @Delete(':id')
  @Intent()
  @HttpCode(204)
  async delete(@From() asking: Asking, @Param('id') id: string): Promise<void> {
    refuseReaders(asking.caller);
    const networkId = await this.networkId(asking, id);
    const { closing } = await this.gateway.run(asking.origin, () => closeNetwork({ networkId }));
    const portsLeft = await this.gateway.read((rows) =>
      rows
        .live('rm_ports', { network_id: networkId })
        .flatMap((port) => (port['device_owner'] === 'network:dhcp' ? [] : [port['id'] as PortId])),
    );
    try {
      await this.gateway.run(asking.origin, () => deleteNetwork({ networkId, closing, portsLeft }));
    } catch (error) {
      await this.gateway.owe(asking.origin, () => reopenNetwork({ networkId, closing }));
      throw error;
    }
  }

  private changes(body: NetworkUpdate): { readonly [Name in keyof NetworkFields]?: NetworkFields[Name] | undefined } {
    return {
      name: body.name,
      description: body.description,
      adminStateUp: body.admin_state_up,
      portSecurityEnabled: body.port_security_enabled,
      mtu: body.mtu === undefined ? undefined : this.underlay.fitting(body.mtu, this.underlay.networkMtu()),
    };
  }

  private networkId({ caller }: Asking, id: string): Promise<NetworkId> {
    return this.gateway.read((rows) => visible.network(rows, id, caller).id);
  }
}
