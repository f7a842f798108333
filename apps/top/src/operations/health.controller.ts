import { Controller, Get, Header } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { PresentOnly, Public } from '../http/request';
import { Metrics } from './metrics';

/** For whoever watches the process: metrics, and whether it lives. A dead site does not make the Top unready. */
@ApiTags('weir')
@Controller()
@PresentOnly()
export class HealthController {
  constructor(private readonly metrics: Metrics) {}

  @Public()
  @Get('metrics')
  @Header('content-type', 'text/plain; version=0.0.4')
  scrape(): Promise<string> {
    return this.metrics.text();
  }

  @Public()
  @Get('livez')
  @Header('content-type', 'text/plain')
  alive(): string {
    return 'ok\n';
  }
}
