import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { dialectOf, httpError, type HttpAnswer, toHttp, UNEXPECTED } from '@weir/openstack-api';
import { type Logger, WeirError } from '@weir/kernel';

/** The one place where an error becomes an answer, in the form of the API it came through. */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  constructor(private readonly logger: Logger) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<FastifyRequest>();
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    const answer = answerTo(error, request.url);
    if (answer.status >= 500) this.note(error, request);
    void reply
      .status(answer.status)
      .type(typeof answer.body === 'string' ? 'text/plain' : 'application/json')
      .send(answer.body);
  }

  /** What is refused for now is no fault, and a client that asks again is refused as often: no stack, and no error. */
  private note(error: unknown, request: FastifyRequest): void {
    const { method, routeOptions, weir } = request;
    const asked = { requestId: weir.requestId, method, path: routeOptions.url };
    const isForeseen = error instanceof WeirError;
    const links = chain(error, !isForeseen);
    if (isForeseen) this.logger.warn('Refused for now', { ...asked, reason: error.reason, chain: links });
    else this.logger.error(UNEXPECTED, { ...asked, chain: links });
  }
}

/** In the form of the API that the path belongs to. */
export function answerTo(error: unknown, path: string): HttpAnswer {
  const dialect = dialectOf(path);
  if (!(error instanceof WeirError)) {
    const status = statusOf(error);
    if (status !== undefined && status < 500) {
      const message = status === 404 ? 'The resource could not be found.' : (error as Error).message;
      return httpError(status, dialect, 'WeirError', message);
    }
  }
  return toHttp(error, dialect);
}

/** The status of an error that Nest or Fastify raised: an unknown route, a malformed or oversized body. */
function statusOf(error: unknown): number | undefined {
  if (error instanceof HttpException) return error.getStatus();
  if (error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number') return error.statusCode;
  return undefined;
}

/** An error and its causes, for the log. */
function chain(error: unknown, withStack: boolean): readonly unknown[] {
  const links: unknown[] = [];
  for (
    let link = error;
    link !== undefined && links.length < 8;
    link = link instanceof Error ? link.cause : undefined
  ) {
    links.push(
      link instanceof Error
        ? {
            name: link.name,
            message: link.message,
            ...(withStack ? { stack: link.stack } : {}),
            ...(link instanceof WeirError ? { fields: link.fields } : {}),
          }
        : typeof link,
    );
  }
  return links;
}
