import type { IncomingMessage, ServerResponse } from 'node:http';
import { invalid, notFound, WeirError, type Logger } from '@weir/kernel';
import { Endpoint, isPostPath, type EndpointAnswer } from '../endpoint';
import { BODY_LIMITS } from '../protocol';
import type { Publisher } from '../publisher';
import type { OutgoingStream } from '../transport';

const PREFIX = '/cascade/v1/';

/** Resolves to false when the path is not the cascade's, and nothing was answered; to true once it is, a stream as soon as it is open. */
export type CascadeHttpHandler = (request: IncomingMessage, response: ServerResponse) => Promise<boolean>;

/** Serves a publisher on any `node:http` server: put it in front of the other handler. */
export function cascadeHttpHandler(publisher: Publisher, { logger }: { readonly logger: Logger }): CascadeHttpHandler {
  const endpoint = new Endpoint(publisher, logger);
  return async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://publisher');
    if (!url.pathname.startsWith(PREFIX)) return false;
    const path = url.pathname.slice(PREFIX.length);
    const key = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
    const answer = await answerTo(request, response, path, key, url.searchParams);
    if (answer && !response.destroyed) send(response, answer, publisher.isClosed);
    return true;
  };

  async function answerTo(
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    key: string | undefined,
    query: URLSearchParams,
  ): Promise<EndpointAnswer | undefined> {
    try {
      if (path === 'facts' && request.method === 'GET')
        return await endpoint.facts(key, Object.fromEntries(query), outgoing(response));
      if (!isPostPath(path) || request.method !== 'POST') throw notFound('The cascade has no such call.');
      // A stranger's body is not read.
      if (path !== 'join') endpoint.follower(key);
      return await endpoint.post(path, key, await bodyOf(request, BODY_LIMITS[path]));
    } catch (error) {
      return endpoint.failed(error);
    }
  }
}

function outgoing(response: ServerResponse): OutgoingStream {
  return {
    write(line) {
      if (response.destroyed) return false;
      if (!response.headersSent)
        response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
      return response.write(line);
    },
    onDrain: (handler) => void response.on('drain', handler),
    onClose: (handler) => {
      if (response.closed) queueMicrotask(handler);
      else response.on('close', handler);
    },
    // Not `end`: what waits for a follower that does not read would wait on.
    close: () => void response.destroy(),
  };
}

async function bodyOf(request: IncomingMessage, limit: number): Promise<string> {
  const tooLarge = new WeirError('too-large', `The body has more than ${limit} bytes.`);
  if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLarge;
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > limit) break;
      chunks.push(chunk);
    }
  } catch (cause) {
    throw invalid('The body was cut off.', { cause });
  }
  if (bytes > limit) throw tooLarge;
  return Buffer.concat(chunks).toString('utf8');
}

function send(response: ServerResponse, { status, body }: EndpointAnswer, isLast: boolean): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    // The rest of a body that was not read whole cannot be told from a next request, and a follower that asks again and again on
    // one connection would keep a server that is closing open for ever.
    ...((isLast || !response.req.complete) && { connection: 'close' }),
  });
  response.end(text);
}
