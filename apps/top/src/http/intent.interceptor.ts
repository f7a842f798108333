import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { lastValueFrom, type Observable, of } from 'rxjs';
import { eventsForTenants, streamForTenants } from '@weir/domain';
import { invalid } from '@weir/kernel';
import { onlyParameters, type RawQuery } from '@weir/openstack-api';
import { type Caller, isAdmin } from '../identity/authentication';
import { type Answer, Idempotency, RequestUnderWay } from '../orchestration/idempotency';
import { Rehearsals } from '../orchestration/rehearsals';
import { Replays } from '../orchestration/replays';
import { Previews } from '../sites/preview';
import { previewForTenants } from '../sites/preview-for-tenants';
import { Quarantine, TopInQuarantine } from '../sites/quarantine';
import { type Asked, askedBy, fingerprintOf } from './asked';
import { Bound, TooManyAtOnce } from './bound';
import { INTENT } from './documentation';
import { dryRunView } from './dry-run';
import { answerTo } from './error.filter';

/** Headers that belong to an answer, also when it is given again. */
const KEPT_HEADERS = ['location', 'x-openstack-request-id', 'x-compute-request-id'];
const REQUEST_ID_HEADERS = ['x-openstack-request-id', 'x-compute-request-id'];
const RETRY_AFTER_S = 1;
/** Each asks every site that would be told something, and may wait seconds for them. */
const DRY_RUNS = { what: 'dry runs', perOwner: 4, inAll: 16 };

/** Whatever a request with `dry_run`, `X-Weir-Replay` or `Idempotency-Key` asks for, around the controller that knows nothing of it. */
@Injectable()
export class IntentInterceptor implements NestInterceptor {
  private readonly dryRuns = new Bound(DRY_RUNS);

  constructor(
    private readonly reflector: Reflector,
    private readonly rehearsals: Rehearsals,
    private readonly replays: Replays,
    private readonly idempotency: Idempotency,
    private readonly previews: Previews,
    private readonly quarantine: Quarantine,
  ) {}

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const isIntent = this.reflector.get<true | undefined>(INTENT, context.getHandler()) !== undefined;
    // A dry run that is misspelt would be the real thing.
    if (isIntent) onlyParameters(request.query as RawQuery, ['dry_run']);
    const asked = askedBy(request);
    if (!asked) return next.handle();
    const { caller } = request.weir;
    if (!caller || !isIntent) {
      refuse(asked, request, caller);
      return next.handle();
    }
    const reply = context.switchToHttp().getResponse<FastifyReply>();
    const exchange = new Exchange(request, reply, next, fingerprintOf(request, caller));
    try {
      if (asked.dryRun !== true) return of(await this.carryOut(exchange, asked, caller));
      const owner = caller.projectId ?? caller.userId;
      return of(await this.dryRuns.within(owner, () => this.rehearse(exchange, caller)));
    } catch (error) {
      if (error instanceof RequestUnderWay || error instanceof TooManyAtOnce) exchange.retryAfter(RETRY_AFTER_S);
      throw error;
    }
  }

  private async rehearse(exchange: Exchange, caller: Caller): Promise<unknown> {
    const { requestId } = exchange;
    const rehearsed = await this.rehearsals.run(() => exchange.answer(requestId));
    if (this.quarantine.active && rehearsed.events.length > 0) throw new TopInQuarantine();
    const whole = await this.previews.of(rehearsed.events);
    const { events } = rehearsed;
    const [shown, preview] = isAdmin(caller)
      ? [{ events, leftOut: 0 }, whole]
      : [eventsForTenants(events), previewForTenants(whole, caller.projectId ?? '')];
    const token = this.replays.token({ fingerprint: exchange.fingerprint, requestId }, rehearsed);
    return exchange.give({ status: 200, headers: {}, body: dryRunView({ ...rehearsed, ...shown }, preview, token) });
  }

  private async carryOut(exchange: Exchange, { replay, key }: Asked, caller: Caller): Promise<unknown> {
    const { fingerprint } = exchange;
    const named = isAdmin(caller) ? (stream: string) => stream : streamForTenants;
    const replayed = replay === undefined ? undefined : this.replays.open(replay, fingerprint);
    const carry = (requestId: string): Promise<Answer> =>
      replayed === undefined
        ? exchange.answer(requestId)
        : this.replays.carryOut(replayed, () => exchange.answer(replayed.requestId), named);
    if (key === undefined) return exchange.give(await carry(exchange.requestId));
    const owner = `${caller.userId}/${caller.projectId ?? ''}`;
    // A replay is another request than the same one without it.
    const request = { owner, key, fingerprint: `${fingerprint} ${replay ?? ''}`, requestId: exchange.requestId };
    const { answer, isKept } = await this.idempotency.once(request, (requestId) =>
      exchange.answerOrRefusal(() => carry(requestId)),
    );
    if (isKept) exchange.replied();
    return exchange.give(answer);
  }
}

/** One request and its answer; the controller behind it may be asked more than once. */
class Exchange {
  readonly requestId: string;
  private readonly status: number;

  constructor(
    private readonly request: FastifyRequest,
    private readonly reply: FastifyReply,
    private readonly next: CallHandler,
    readonly fingerprint: string,
  ) {
    this.requestId = request.weir.requestId;
    this.status = reply.statusCode;
  }

  /** The controller's, with `requestId` as the correlation of its events. */
  async answer(requestId: string): Promise<Answer> {
    this.request.weir.requestId = requestId;
    for (const name of REQUEST_ID_HEADERS) if (this.reply.hasHeader(name)) void this.reply.header(name, requestId);
    void this.reply.removeHeader('location');
    const body: unknown = await lastValueFrom(this.next.handle(), { defaultValue: undefined });
    const headers = KEPT_HEADERS.flatMap((name) => {
      const value = this.reply.getHeader(name);
      return typeof value === 'string' ? [[name, value] as const] : [];
    });
    return { status: this.status, headers: Object.fromEntries(headers), body };
  }

  /** A refusal is an answer like any other; what is our fault is none. */
  async answerOrRefusal(answered: () => Promise<Answer>): Promise<Answer> {
    try {
      return await answered();
    } catch (error) {
      const { status, body } = answerTo(error, this.request.url);
      if (status >= 500) throw error;
      return { status, headers: {}, body };
    }
  }

  /** Puts status and headers into the reply; the body is what the interceptor gives. */
  give({ status, headers, body }: Answer): unknown {
    void this.reply.removeHeader('location');
    void this.reply.status(status).headers(headers);
    return body;
  }

  replied(): void {
    void this.reply.header('idempotency-replayed', 'true');
  }

  retryAfter(seconds: number): void {
    void this.reply.header('retry-after', seconds);
  }
}

/** A key on a request that changes nothing does no harm; everything else that is asked in vain does. */
function refuse({ dryRun, replay, key }: Asked, { method }: FastifyRequest, caller: Caller | undefined): void {
  const what = dryRun !== undefined ? 'dry_run' : replay !== undefined ? 'X-Weir-Replay' : 'Idempotency-Key';
  const isHarmless = method === 'GET' || caller === undefined;
  if (dryRun === undefined && replay === undefined && key !== undefined && isHarmless) return;
  throw invalid(`${what} is for requests that change what is desired, and this is none.`);
}
