import { Body, Controller, Get, HttpCode, Post, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { z } from 'zod';
import { views } from '@weir/domain';
import type { RowVersion } from '@weir/event-store';
import { invalid } from '@weir/kernel';
import { parseBody } from '@weir/openstack-api';
import { DescribedBody } from '../http/documentation';
import { type Asking, From, PresentOnly } from '../http/request';
import { ReadModels } from '../orchestration/reads';
import { adminsOnly } from '../sites/sites.controller';
import { Maintenance } from './maintenance';
import { begun } from './maintenance.controller';
import { EventStore } from './ports';

const namesBody = z.strictObject({ names: z.array(z.string().max(64)).min(1).max(64).optional() });

/** The tables that reads are answered from; each can be made again from the log. */
@ApiTags('weir')
@Controller('weir/v1/read-models')
@PresentOnly()
export class ReadModelsController {
  constructor(
    private readonly models: ReadModels,
    private readonly store: EventStore,
    private readonly maintenance: Maintenance,
  ) {}

  @Get()
  async list(@From() { caller }: Asking) {
    adminsOnly(caller);
    const { rows } = this.models;
    const position = await this.store.head();
    const listed = [];
    for (const { name, tables } of views) {
      let count = 0;
      for (const table of tables) {
        count += rows.count(table.name);
        // Counting reads an index from end to end.
        await nextTurn();
      }
      listed.push({ name, tables: tables.map((table) => table.name), rows: count, position, horizon: rows.horizon });
    }
    return { read_models: listed };
  }

  /** New tables are filled beside the old ones and put in their place; reads and writes go on. */
  @Post('rebuild')
  @DescribedBody(namesBody)
  @HttpCode(202)
  rebuild(@From() { caller }: Asking, @Body() raw: unknown, @Res({ passthrough: true }) reply: FastifyReply) {
    adminsOnly(caller);
    const names = namesIn(raw);
    return begun(
      reply,
      this.maintenance.begin('rebuild', async () => {
        await this.store.rebuild(names);
        return { rebuilt: names ?? viewNames() };
      }),
    );
  }

  /** Rebuilds and compares, and changes nothing. */
  @Post('check')
  @DescribedBody(namesBody)
  @HttpCode(202)
  check(@From() { caller }: Asking, @Body() raw: unknown, @Res({ passthrough: true }) reply: FastifyReply) {
    adminsOnly(caller);
    const names = namesIn(raw);
    return begun(
      reply,
      this.maintenance.begin('check', async () => {
        const difference = await this.store.checkRebuild(names);
        return {
          equal: difference === undefined,
          checked: names ?? viewNames(),
          difference: difference
            ? {
                table: difference.table,
                key: difference.key,
                live: versionView(difference.live),
                rebuilt: versionView(difference.rebuilt),
              }
            : null,
        };
      }),
    );
  }
}

function viewNames(): readonly string[] {
  return views.map(({ name }) => name);
}

function namesIn(raw: unknown): readonly string[] | undefined {
  const { names } = parseBody(namesBody, raw ?? {});
  const unknown = names?.find((name) => !viewNames().includes(name));
  if (unknown !== undefined) throw invalid(`There is no read model '${unknown}'; there are ${viewNames().join(', ')}.`);
  return names && [...new Set(names)];
}

/** Without the hashes of tokens and keys, which are nobody's to read. */
function versionView(version: RowVersion | null) {
  if (!version) return null;
  const row = Object.fromEntries(Object.entries(version.row).filter(([column]) => !column.endsWith('_hash')));
  return { row, valid_from: version.validFrom, valid_to: version.validTo };
}
