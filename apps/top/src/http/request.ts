import { createParamDecorator, type ExecutionContext, SetMetadata } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { Caller } from '../identity/authentication';
import type { Origin } from '../orchestration/commands';

/** What the request hook hangs on each request. */
export interface RequestFacts {
  /** `req-<uuid>`, answered as `X-OpenStack-Request-ID` and kept as the correlation of every event. */
  requestId: string;
  caller: Caller | undefined;
  /** `?as_of=` of a read, as it was sent. */
  asOf: string | undefined;
  /** `http://host:port` as the client named it, for links and the catalog. */
  address: string;
}

declare module 'fastify' {
  interface FastifyRequest {
    weir: RequestFacts;
  }
}

export const PUBLIC = 'weir:public';
/** A route that answers without a token. */
export const Public = () => SetMetadata(PUBLIC, true);

export const PRESENT_ONLY = 'weir:present-only';
/** A route whose answer has no history, or every route of a controller: `as_of` is refused. */
export const PresentOnly = () => SetMetadata(PRESENT_ONLY, true);

/** The caller of an authenticated route. */
export const Asker = createParamDecorator((_: unknown, context: ExecutionContext): Caller => {
  const { caller } = context.switchToHttp().getRequest<FastifyRequest>().weir;
  if (!caller) throw new Error('This route is public and has no caller.');
  return caller;
});

export const RequestId = createParamDecorator(
  (_: unknown, context: ExecutionContext): string => context.switchToHttp().getRequest<FastifyRequest>().weir.requestId,
);

export const Address = createParamDecorator(
  (_: unknown, context: ExecutionContext): string => context.switchToHttp().getRequest<FastifyRequest>().weir.address,
);

/** Who asked, for the envelope of the events that follow. */
export const From = createParamDecorator((_: unknown, context: ExecutionContext): Asking => {
  const { caller, requestId, address } = context.switchToHttp().getRequest<FastifyRequest>().weir;
  if (!caller) throw new Error('This route is public and has no caller.');
  return { caller, address, origin: { requestId, actor: caller.userId, projectId: caller.projectId } };
});

export interface Asking {
  readonly caller: Caller;
  readonly address: string;
  readonly origin: Origin;
}
