import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import {
  type Authorship,
  type Difference,
  type HistoryEntry,
  isResourceKind,
  RESOURCE_KINDS,
  type ResourceKind,
} from '@weir/domain';
import { invalid } from '@weir/kernel';
import { many, one, onlyParameters, parseLimit, type RawQuery } from '@weir/openstack-api';
import { positionIn, positionOf } from '../http/moment';
import { type Asking, From, PresentOnly } from '../http/request';
import { isAdmin } from '../identity/authentication';
import { EventStore } from '../operations/ports';
import { asOfPosition } from '../orchestration/past';
import { adminsOnly } from '../sites/sites.controller';
import { Actors, OPERATOR } from './actors';
import { Blames } from './blame';
import { Diffs } from './diff';
import { Histories } from './history';

const PAGE = 100;
const MAX_COOKIE = 2n ** 64n - 1n;
/** What belongs to the operator: admins are told of it. */
const OPERATORS_KINDS: readonly ResourceKind[] = ['site', 'zone'];

/** What was, what changed, and who did it. */
@ApiTags('weir')
@Controller('weir/v1')
export class TimeController {
  constructor(
    private readonly store: EventStore,
    private readonly histories: Histories,
    private readonly diffs: Diffs,
    private readonly blames: Blames,
    private readonly actors: Actors,
  ) {}

  /** `?kind=&id=` (an id or a name), oldest first; `after` and `limit` for a part of it. */
  @Get('history')
  async history(@From() { caller }: Asking, @Query() query: RawQuery) {
    onlyParameters(query, ['kind', 'id', 'after', 'limit', 'as_of']);
    const [kind, named] = [kindIn(one(query['kind'])), one(query['id'])];
    if (kind === undefined || named === undefined || named === '')
      throw invalid("Name one resource by 'kind' and 'id' (its id or its name).");
    const after = positionIn(one(query['after']), 'after');
    const limit = parseLimit(one(query['limit'])) ?? PAGE;
    const until = asOfPosition.getStore() ?? (await this.store.head());
    const { id, entries } = await this.histories.of(kind, named, until, caller);
    const behind = entries.filter(({ position }) => position > after);
    const page = behind.slice(0, limit);
    return {
      kind,
      id,
      history: page.map((entry) => this.entryView(entry, isAdmin(caller))),
      next: behind.length > page.length ? (page.at(-1)?.position ?? null) : null,
    };
  }

  /** `?then=&now=` (positions, RFC 3339 times or `now`), by kind and id; ask on with `marker`, and with the same positions. */
  @Get('diff')
  async diff(@From() { caller }: Asking, @Query() query: RawQuery) {
    onlyParameters(query, ['then', 'now', 'project', 'kind', 'limit', 'marker']);
    const [from, to] = [one(query['then']), one(query['now']) ?? 'now'];
    if (from === undefined) throw invalid("'then' is a position or an RFC 3339 time.");
    const then = await positionOf(this.store, from, 'then');
    const now = await positionOf(this.store, to, 'now');
    const admin = isAdmin(caller);
    const project = one(query['project']);
    const kinds = many(query['kind']).map(kindIn);
    const { differences, next } = await this.diffs.page({
      then,
      now,
      project: admin ? (project === undefined ? undefined : this.actors.projectId(project)) : (caller.projectId ?? ''),
      isTenant: !admin,
      kinds: (kinds.length > 0 ? kinds : RESOURCE_KINDS).filter(
        (kind) => kind !== undefined && (admin || !OPERATORS_KINDS.includes(kind)),
      ) as readonly ResourceKind[],
      limit: parseLimit(one(query['limit'])) ?? PAGE,
      marker: one(query['marker']),
    });
    return {
      then,
      now,
      differences: differences.map(({ by, ...difference }) => ({
        ...differenceView(difference),
        by: by.map((authorship) => this.authorView(authorship, admin)),
      })),
      next,
    };
  }

  /** From a flow's cookie (decimal, or 0x and hex) to who is behind it; `?site=` and `?host=` narrow where to look. */
  @Get('blame/:cookie')
  @PresentOnly()
  async blame(@From() { caller }: Asking, @Param('cookie') text: string, @Query() query: RawQuery) {
    adminsOnly(caller);
    onlyParameters(query, ['site', 'host']);
    const cookie = cookieIn(text);
    const { owner, created, hosts } = await this.blames.of(cookie, {
      site: one(query['site']),
      host: one(query['host']),
    });
    return {
      blame: {
        cookie: `0x${cookie.toString(16)}`,
        owner,
        created: created && this.authorView(created, true),
        hosts: hosts.map(({ facts, ...host }) => ({
          ...host,
          facts: facts.map(({ kind, id, event }) => ({
            kind,
            id,
            decided_by: event ? 'top' : host.site,
            event: event && this.authorView(event, true),
          })),
        })),
      },
    };
  }

  private entryView({ differences, ...authorship }: HistoryEntry, admin: boolean) {
    return { ...this.authorView(authorship, admin), changes: differences.map(differenceView) };
  }

  /** Which site it was is the operator's to know. */
  private authorView({ position, time, actor, request, type }: Authorship, admin: boolean) {
    if (!admin && !this.actors.isUser(actor))
      return { position, time, type, actor: OPERATOR, actor_name: OPERATOR, request_id: OPERATOR };
    return { position, time, type, actor, actor_name: this.actors.nameOf(actor), request_id: request };
  }
}

function differenceView({ kind, id, name, project, change, fields }: Difference) {
  return { change, kind, id, name, project_id: project, fields };
}

function kindIn(text: string | undefined): ResourceKind | undefined {
  if (text === undefined) return undefined;
  if (!isResourceKind(text))
    throw invalid(`'${text.slice(0, 64)}' is no kind; kinds are ${RESOURCE_KINDS.join(', ')}.`);
  return text;
}

function cookieIn(text: string): bigint {
  const cookie = /^(\d{1,20}|0[xX][0-9a-fA-F]{1,16})$/.test(text) ? BigInt(text) : -1n;
  if (cookie < 0n || cookie > MAX_COOKIE) throw invalid('A cookie is a decimal number, or 0x and up to 16 hex digits.');
  return cookie;
}
