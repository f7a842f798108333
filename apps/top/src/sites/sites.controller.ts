import { Body, Controller, Delete, Get, HttpCode, Param, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { DescribedBody, Intent } from '../http/documentation';
import { forbidden } from '@weir/kernel';
import { parseBody } from '@weir/openstack-api';
import { siteCreate, siteView } from '@weir/openstack-api/sites';
import { type Asking, From } from '../http/request';
import { type Caller, isAdmin } from '../identity/authentication';
import { Gateway } from '../orchestration/gateway';
import { Sites } from './sites';

/** Sites are the multi-site admin's. */
@ApiTags('weir')
@Controller('weir/v1/sites')
export class SitesController {
  constructor(
    private readonly sites: Sites,
    private readonly gateway: Gateway,
  ) {}

  @Post()
  @Intent()
  @DescribedBody(siteCreate)
  @HttpCode(201)
  async add(@From() { caller, origin }: Asking, @Body() raw: unknown) {
    adminsOnly(caller);
    const { site, joinToken } = await this.sites.add(origin, parseBody(siteCreate, raw).site);
    return { site: siteView(site), join_token: joinToken };
  }

  @Get()
  async list(@From() { caller }: Asking) {
    adminsOnly(caller);
    return { sites: (await this.gateway.read((rows) => this.sites.list(rows))).map(siteView) };
  }

  @Get(':id')
  async show(@From() { caller }: Asking, @Param('id') id: string) {
    adminsOnly(caller);
    return { site: siteView(await this.gateway.read((rows) => this.sites.show(rows, id))) };
  }

  @Get(':id/facts')
  async facts(@From() { caller }: Asking, @Param('id') id: string) {
    adminsOnly(caller);
    return { facts: await this.gateway.read((rows) => this.sites.factsOf(rows, id)) };
  }

  @Delete(':id')
  @Intent()
  @HttpCode(204)
  async remove(@From() { caller, origin }: Asking, @Param('id') id: string): Promise<void> {
    adminsOnly(caller);
    await this.sites.remove(origin, id);
  }
}

export function adminsOnly(caller: Caller): void {
  if (!isAdmin(caller)) throw forbidden('This is for admins only.');
}
