import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Observable } from 'rxjs';
import { invalid } from '@weir/kernel';
import { type RawQuery, single } from '@weir/openstack-api';
import { EventStore } from '../operations/ports';
import { asOfPosition } from '../orchestration/past';
import { positionOf } from './moment';
import { PRESENT_ONLY } from './request';

/** `?as_of=<position or RFC 3339 time>` on any read of what has a history: it is answered as of then, and the answer names the position used. */
@Injectable()
export class AsOfInterceptor implements NestInterceptor {
  constructor(
    private readonly store: EventStore,
    private readonly reflector: Reflector,
  ) {}

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const { asOf } = request.weir;
    if (asOf === undefined) return next.handle();
    if (request.method !== 'GET') throw invalid('as_of is for reads; nothing can be changed in the past.');
    const route = [context.getHandler(), context.getClass()];
    if (this.reflector.getAllAndOverride<true | undefined>(PRESENT_ONLY, route))
      throw invalid('as_of: no history is kept of this; it is answered for the present alone.');
    single(request.query as RawQuery, 'as_of');
    const position = await positionOf(this.store, asOf, 'as_of');
    void context.switchToHttp().getResponse<FastifyReply>().header('x-weir-as-of', position);
    return new Observable((subscriber) => asOfPosition.run(position, () => next.handle().subscribe(subscriber)));
  }
}
