import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { MAX_PAGE, parseBody, parseLimit, type RawQuery, single } from '@weir/openstack-api';
import { siteDecision } from '@weir/openstack-api/sites';
import { DescribedBody } from '../http/documentation';
import { type Asking, From, PresentOnly } from '../http/request';
import { differencesView } from './differences';
import { Quarantine } from './quarantine';
import { Reconciliation } from './reconciliation';
import { adminsOnly } from './sites.controller';

/** What is to become of a Top that is an older copy than its sites: the operator's decisions. */
@ApiTags('weir')
@Controller('weir/v1')
@PresentOnly()
export class QuarantineController {
  constructor(
    private readonly quarantine: Quarantine,
    private readonly reconciliation: Reconciliation,
  ) {}

  @Get('quarantine')
  show(@From() { caller }: Asking) {
    adminsOnly(caller);
    return this.view();
  }

  @Get('sites/:id/differences')
  async differences(@From() { caller }: Asking, @Param('id') id: string, @Query() query: RawQuery) {
    adminsOnly(caller);
    const limit = parseLimit(single(query, 'limit')) ?? MAX_PAGE;
    return { differences: differencesView(await this.reconciliation.differences(id), limit) };
  }

  @Post('sites/:id/discard')
  @DescribedBody(siteDecision)
  @HttpCode(200)
  discard(@From() asking: Asking, @Param('id') id: string, @Body() raw: unknown) {
    return this.decide('discard', asking, [id], raw);
  }

  @Post('sites/:id/adopt')
  @DescribedBody(siteDecision)
  @HttpCode(200)
  adopt(@From() asking: Asking, @Param('id') id: string, @Body() raw: unknown) {
    return this.decide('adopt', asking, [id], raw);
  }

  @Post('sites/adopt')
  @DescribedBody(siteDecision)
  @HttpCode(200)
  adoptAll(@From() asking: Asking, @Body() raw: unknown) {
    return this.decide('adopt', asking, 'all', raw);
  }

  @Post('sites/discard')
  @DescribedBody(siteDecision)
  @HttpCode(200)
  discardAll(@From() asking: Asking, @Body() raw: unknown) {
    return this.decide('discard', asking, 'all', raw);
  }

  private async decide(
    by: 'adopt' | 'discard',
    { caller, origin }: Asking,
    sites: readonly string[] | 'all',
    raw: unknown,
  ) {
    adminsOnly(caller);
    const { force } = parseBody(siteDecision, raw ?? {});
    await this.reconciliation[by](origin, { sites, force });
    return this.view();
  }

  private view() {
    const { active, generation, divergences } = this.quarantine;
    return {
      quarantine: {
        active,
        generation,
        divergences: divergences.map(({ siteId, settled, ...shown }) => ({
          site_id: siteId,
          generation: shown.generation,
          position: shown.position,
          decision: settled,
        })),
      },
    };
  }
}
