import { Controller, Get, Param } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { notFound } from '@weir/kernel';
import { EXTENSIONS, extensionView, versionsView } from '@weir/openstack-api/network';
import { isAvailable } from '../compute/zones';
import { Address, Public } from '../http/request';
import { Gateway } from '../orchestration/gateway';

/** Discovery of the Networking API: versions, extensions, zones. */
@ApiTags('network')
@Controller('network')
export class NetworkController {
  constructor(private readonly gateway: Gateway) {}

  @Public()
  @Get()
  versions(@Address() address: string) {
    return versionsView(address);
  }

  @Get('v2.0')
  resources() {
    return {
      resources: ['networks', 'subnets', 'routers', 'ports'].map((name) => ({
        name: name.slice(0, -1),
        collection: name,
        links: [],
      })),
    };
  }

  @Get('v2.0/extensions')
  extensions() {
    return { extensions: EXTENSIONS.map(extensionView) };
  }

  @Get('v2.0/extensions/:alias')
  extension(@Param('alias') alias: string) {
    const extension = EXTENSIONS.find((candidate) => candidate.alias === alias);
    if (!extension) throw notFound(`Extension with alias ${alias.slice(0, 64)} does not exist`);
    return { extension: extensionView(extension) };
  }

  @Get('v2.0/availability_zones')
  async zones() {
    const zones = await this.gateway.read((rows) =>
      rows.live('rm_zones', {}, { orderBy: [{ column: 'availability_zone' }] }).map((zone) => ({
        name: zone['availability_zone'] as string,
        state: isAvailable(rows, zone) ? 'available' : 'unavailable',
      })),
    );
    return {
      availability_zones: zones.flatMap(({ name, state }) =>
        ['network', 'router'].map((resource) => ({ name, resource, state })),
      ),
    };
  }
}
