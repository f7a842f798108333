import { Body, Controller, Delete, Get, HttpCode, Param, Post, Put, Query, Req } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { DescribedBody, Intent } from '../http/documentation';
import type { FastifyRequest } from 'fastify';
import { addSubnet, closeSubnet, NetworkNotFound, removeSubnet, reopenSubnet, updateSubnet } from '@weir/domain';
import type { NetworkId, PortId, SubnetId } from '@weir/kernel';
import { parseBody, type RawQuery } from '@weir/openstack-api';
import { SUBNET_FILTERS, subnetCreate, subnetUpdate, subnetView } from '@weir/openstack-api/network';
import { type Asking, From } from '../http/request';
import { Gateway } from '../orchestration/gateway';
import { Identifiers } from '../orchestration/identifiers';
import { Collection } from './collection';
import { NetworkModels } from './models';
import { Picks } from './picks';
import { refuseReaders, visible } from './scope';

@ApiTags('network')
@Controller('network/v2.0/subnets')
export class SubnetsController {
  private readonly collection: Collection;

  constructor(
    private readonly gateway: Gateway,
    models: NetworkModels,
    private readonly picks: Picks,
    private readonly identifiers: Identifiers,
  ) {
    this.collection = new Collection(gateway, {
      kind: 'subnet',
      filters: SUBNET_FILTERS,
      columns: {
        network_id: { column: 'network_id', type: 'text' },
        cidr: { column: 'cidr', type: 'text' },
        gateway_ip: { column: 'gateway_ip', type: 'text' },
        enable_dhcp: { column: 'enable_dhcp', type: 'flag' },
      },
      render: (_rows, row) => subnetView(models.subnet(row)),
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
  @DescribedBody(subnetCreate)
  @HttpCode(201)
  async create(@From() asking: Asking, @Body() raw: unknown) {
    const { subnet: body } = parseBody(subnetCreate, raw);
    const { caller, origin } = asking;
    refuseReaders(caller);
    const networkId = body.network_id as NetworkId;
    // A subnet belongs to its network's project.
    const projectId = await this.gateway.read((rows) => visible.network(rows, networkId, caller).project_id);
    const subnetId = this.identifiers.next<'subnet'>();
    const dhcpPortId = this.identifiers.next<'port'>();
    await this.gateway.run(origin, () =>
      addSubnet({
        networkId,
        subnetId,
        projectId,
        cidr: body.cidr,
        name: body.name ?? '',
        description: body.description ?? '',
        gatewayIp: body.gateway_ip,
        allocationPools: body.allocation_pools,
        enableDhcp: body.enable_dhcp ?? true,
        dnsNameservers: body.dns_nameservers ?? [],
        hostRoutes: body.host_routes ?? [],
        serverMac: this.picks.newMac(),
        dhcpPortId,
      }),
    );
    return this.show(asking, subnetId);
  }

  @Put(':id')
  @Intent()
  @DescribedBody(subnetUpdate)
  async update(@From() asking: Asking, @Param('id') id: string, @Body() raw: unknown) {
    const { subnet: body } = parseBody(subnetUpdate, raw);
    refuseReaders(asking.caller);
    const of = await this.subnet(asking, id);
    const portId = this.identifiers.next<'port'>();
    await this.gateway.run(asking.origin, () =>
      updateSubnet({
        ...of,
        changes: {
          name: body.name,
          description: body.description,
          gatewayIp: body.gateway_ip,
          allocationPools: body.allocation_pools,
          enableDhcp: body.enable_dhcp,
          dnsNameservers: body.dns_nameservers,
          hostRoutes: body.host_routes,
        },
        dhcpPort: { portId, ip: this.picks.free(of.subnetId) },
      }),
    );
    return this.show(asking, id);
  }

  @Delete(':id')
  @Intent()
  @HttpCode(204)
  async delete(@From() asking: Asking, @Param('id') id: string): Promise<void> {
    refuseReaders(asking.caller);
    const of = await this.subnet(asking, id);
    const { closing } = await this.gateway.run(asking.origin, () => closeSubnet(of));
    const portsLeft = await this.gateway.read((rows) =>
      rows.live('rm_addresses', { subnet_id: of.subnetId }).flatMap((address) => {
        const port = rows.get('rm_ports', { id: address['port_id'] as string });
        return port?.['device_owner'] === 'network:dhcp' ? [] : [address['port_id'] as PortId];
      }),
    );
    try {
      await this.gateway.run(asking.origin, () => removeSubnet({ ...of, closing, portsLeft }));
    } catch (error) {
      await this.gateway.owe(asking.origin, () => reopenSubnet({ ...of, closing }));
      throw error;
    }
  }

  private subnet(
    { caller }: Asking,
    id: string,
  ): Promise<{ readonly networkId: NetworkId; readonly subnetId: SubnetId }> {
    return this.gateway.read((rows) => {
      const row = visible.subnet(rows, id, caller);
      if (!rows.get('rm_networks', { id: row.network_id })) throw new NetworkNotFound(row.network_id);
      return { networkId: row.network_id, subnetId: row.id };
    });
  }
}
