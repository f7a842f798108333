import { Controller, Get, Param } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { type Asking, From, PresentOnly } from '../http/request';
import { adminsOnly } from '../sites/sites.controller';
import { Maintenance, type Work } from './maintenance';

/** What was begun by a POST that answered 202. */
@ApiTags('weir')
@Controller('weir/v1/maintenance')
@PresentOnly()
export class MaintenanceController {
  constructor(private readonly maintenance: Maintenance) {}

  @Get()
  list(@From() { caller }: Asking) {
    adminsOnly(caller);
    return { maintenance: this.maintenance.list().map(workView) };
  }

  @Get(':id')
  show(@From() { caller }: Asking, @Param('id') id: string) {
    adminsOnly(caller);
    return { maintenance: workView(this.maintenance.get(id)) };
  }
}

function workView({ id, kind, state, startedAt, finishedAt, result, error }: Work) {
  return { id, kind, state, started_at: startedAt, finished_at: finishedAt, result, error };
}

/** 202, and where to look. */
export function begun(reply: FastifyReply, work: Work) {
  void reply.header('location', `/weir/v1/maintenance/${work.id}`);
  return { maintenance: workView(work) };
}
