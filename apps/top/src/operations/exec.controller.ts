import { Body, Controller, HttpCode, Param, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { DescribedBody } from '../http/documentation';
import { z } from 'zod';
import { conflict } from '@weir/kernel';
import { parseBody } from '@weir/openstack-api';
import { execBody } from '@weir/openstack-api/sites';
import { type Asking, From } from '../http/request';
import { visibleServer } from '../compute/servers';
import { refuseReaders } from '../network/scope';
import { Gateway } from '../orchestration/gateway';
import { Sites } from '../sites/sites';

/** What a Host answers; output is base64, at most 1 MiB of it in all. */
const answer = z.object({
  exitCode: z.number().int().nullable(),
  timedOut: z.boolean(),
  truncated: z.boolean(),
  stdout: z.string(),
  stderr: z.string(),
});

/** For the answer to come back after the command's own deadline. */
const MARGIN_MS = 5000;

@ApiTags('weir')
@Controller('weir/v1/servers')
export class ExecController {
  constructor(
    private readonly gateway: Gateway,
    private readonly sites: Sites,
  ) {}

  /** Runs a command inside an instance, through its Bottom and Host; it changes nothing of what is desired. */
  @Post(':id/exec')
  @DescribedBody(execBody)
  @HttpCode(200)
  async exec(@From() { caller }: Asking, @Param('id') id: string, @Body() raw: unknown) {
    const { command, timeout } = parseBody(execBody, raw);
    refuseReaders(caller);
    const server = await this.gateway.read((rows) => visibleServer(rows, id, caller));
    if (server['status'] !== 'ACTIVE')
      throw conflict(`The server is ${server['status'] as string}; a command needs an ACTIVE one.`);
    const timeoutMs = timeout * 1000;
    const body = { server: server['id'] as string, command, timeoutMs };
    const result = answer.parse(
      await this.sites.query(server['site_id'] as string, 'exec', body, timeoutMs + MARGIN_MS),
    );
    return {
      exit_code: result.exitCode,
      timed_out: result.timedOut,
      truncated: result.truncated,
      stdout: result.stdout,
      stderr: result.stderr,
    };
  }
}
