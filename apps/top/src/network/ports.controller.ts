import { Body, Controller, Delete, Get, HttpCode, Param, Post, Put, Query, Req } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { DescribedBody, Intent } from '../http/documentation';
import type { FastifyRequest } from 'fastify';
import { type AddressChoice, createPort, deletePort, updatePort } from '@weir/domain';
import { invalid, type Ip, type NetworkId, parseIp, type SubnetId } from '@weir/kernel';
import { many, parseBody, type RawQuery } from '@weir/openstack-api';
import {
  PORT_ADMIN_ATTRIBUTES,
  PORT_FILTERS,
  type PortCreate,
  portCreate,
  portUpdate,
  portView,
} from '@weir/openstack-api/network';
import { type Asking, From } from '../http/request';
import { isAdmin } from '../identity/authentication';
import { Gateway } from '../orchestration/gateway';
import { Identifiers } from '../orchestration/identifiers';
import { Collection } from './collection';
import { NetworkModels } from './models';
import { Picks } from './picks';
import { projectFor, refuseReaders, visible } from './scope';

@ApiTags('network')
@Controller('network/v2.0/ports')
export class PortsController {
  private readonly collection: Collection;

  constructor(
    private readonly gateway: Gateway,
    models: NetworkModels,
    private readonly picks: Picks,
    private readonly identifiers: Identifiers,
  ) {
    this.collection = new Collection(gateway, {
      kind: 'port',
      filters: PORT_FILTERS,
      adminAttributes: PORT_ADMIN_ATTRIBUTES,
      columns: {
        network_id: { column: 'network_id', type: 'text' },
        mac_address: { column: 'mac_address', type: 'text' },
        device_id: { column: 'device_id', type: 'text' },
        device_owner: { column: 'device_owner', type: 'text' },
        admin_state_up: { column: 'admin_state_up', type: 'flag' },
        port_security_enabled: { column: 'port_security_enabled', type: 'flag' },
        'binding:host_id': { column: 'binding_host', type: 'text' },
      },
      // One that is going is deleted for its user; only its site has yet to say so.
      where: { deleting: 0 },
      render: (rows, row, caller) => portView(models.port(rows, row), isAdmin(caller)),
    });
  }

  @Get()
  list(@From() asking: Asking, @Query() raw: RawQuery, @Req() { url }: FastifyRequest) {
    const { fixed_ips: fixedIps, ...others } = raw;
    const wanted = many(fixedIps).map(parseFixedIpFilter);
    return this.collection.list(asking, others, url, (query, rows) => {
      if (wanted.length === 0) return query;
      // The addresses' own table finds the ports; only those are rendered.
      const ids = wanted.flatMap((filter) => rows.live('rm_addresses', filter).map((row) => row['port_id'] as string));
      const asked = query.filters['id'];
      return { ...query, filters: { ...query.filters, id: asked ? asked.filter((id) => ids.includes(id)) : ids } };
    });
  }

  @Get(':id')
  show(@From() asking: Asking, @Param('id') id: string, @Query('fields') fields?: string | string[]) {
    return this.collection.show(asking, id, fields);
  }

  @Post()
  @Intent()
  @DescribedBody(portCreate)
  @HttpCode(201)
  async create(@From() asking: Asking, @Body() raw: unknown) {
    const { port: body } = parseBody(portCreate, raw);
    const { caller, origin } = asking;
    refuseReaders(caller);
    const networkId = body.network_id as NetworkId;
    await this.gateway.read((rows) => visible.network(rows, networkId, caller));
    const projectId = projectFor(caller, body);
    const portId = this.identifiers.next<'port'>();
    await this.gateway.run(origin, () =>
      createPort({
        portId,
        projectId,
        networkId,
        name: body.name ?? '',
        description: body.description ?? '',
        adminStateUp: body.admin_state_up ?? true,
        portSecurityEnabled: body.port_security_enabled,
        fixedIps: this.addresses(networkId, body.fixed_ips),
        mac: this.picks.mac(body.mac_address),
        deviceId: '',
        deviceOwner: '',
      }),
    );
    return this.show(asking, portId);
  }

  @Put(':id')
  @Intent()
  @DescribedBody(portUpdate)
  async update(@From() asking: Asking, @Param('id') id: string, @Body() raw: unknown) {
    const { port: body } = parseBody(portUpdate, raw);
    refuseReaders(asking.caller);
    const port = await this.gateway.read((rows) => visible.port(rows, id, asking.caller));
    await this.gateway.run(asking.origin, () =>
      updatePort({
        portId: port.id,
        changes: {
          name: body.name,
          description: body.description,
          adminStateUp: body.admin_state_up,
          portSecurityEnabled: body.port_security_enabled,
          fixedIps: body.fixed_ips === undefined ? undefined : this.addresses(port.network_id, body.fixed_ips),
        },
      }),
    );
    return this.show(asking, id);
  }

  @Delete(':id')
  @Intent()
  @HttpCode(204)
  async delete(@From() asking: Asking, @Param('id') id: string): Promise<void> {
    refuseReaders(asking.caller);
    const portId = await this.gateway.read((rows) => visible.port(rows, id, asking.caller).id);
    await this.gateway.run(asking.origin, () => deletePort({ portId }));
  }

  /** What the user named, and candidates for the rest; nothing asked: one address of the network. */
  private addresses(networkId: NetworkId, asked: PortCreate['fixed_ips']): readonly AddressChoice[] {
    if (asked === undefined) return this.picks.address(networkId);
    return asked.map(({ subnet_id: subnet, ip_address: ip }): AddressChoice => {
      if (ip !== undefined) return { subnetId: subnet as SubnetId | undefined, ip, picked: false };
      if (subnet === undefined)
        throw invalid("Invalid input for fixed_ips. An entry needs 'subnet_id', 'ip_address' or both.");
      return this.picks.addressIn(networkId, subnet as SubnetId);
    });
  }
}

/** `fixed_ips=ip_address=10.1.1.5` or `fixed_ips=subnet_id=…` (Networking API v2.0, "List ports"). */
function parseFixedIpFilter(text: string): { readonly ip_address: Ip } | { readonly subnet_id: string } {
  const [key, value = ''] = text.split('=', 2);
  if (key === 'ip_address') return { ip_address: parseIp(value) };
  if (key === 'subnet_id') return { subnet_id: value.slice(0, 64) };
  throw invalid(`'${text.slice(0, 64)}' is not a filter for fixed_ips: use ip_address=… or subnet_id=….`);
}
