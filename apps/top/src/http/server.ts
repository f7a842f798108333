import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { invalid, type Random } from '@weir/kernel';
import { refuseUnread } from './client-error';

const MAX_BODY_BYTES = 1024 * 1024;
/** Room for a replay of several servers. */
const MAX_HEADER_BYTES = 32 * 1024;
/** Deeper JSON than any body of these APIs, and shallow enough for recursive code. */
const MAX_DEPTH = 64;
const REQUEST_TIMEOUT_MS = 30_000;

/** Takes a request that is not the API's (the cascade); false: not mine. */
export type RawHandler = (request: IncomingMessage, response: ServerResponse) => Promise<boolean>;

/** Fastify with bounds on everything a client sends, and the cascade's handler in front of it on the same port. */
export function fastifyAdapter(random: Random, raw: RawHandler): FastifyAdapter {
  const adapter = new FastifyAdapter({
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    clientErrorHandler: refuseUnread,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 255 },
    serverFactory: (handler: RequestListener) =>
      createServer({ maxHeaderSize: MAX_HEADER_BYTES }, (request, response) => {
        raw(request, response).then(
          (taken) => {
            if (!taken) handler(request, response);
          },
          () => response.destroy(),
        );
      }),
  });
  const fastify = adapter.getInstance();
  fastify.decorateRequest('weir');
  fastify.addHook('onRequest', async (request, reply) => {
    const given = request.headers['x-openstack-request-id'];
    const requestId = typeof given === 'string' && /^req-[0-9a-f-]{36}$/.test(given) ? given : `req-${random.uuid()}`;
    const address = `http://${request.host}`;
    const query = request.url.indexOf('?');
    const asOf = query < 0 ? undefined : (new URLSearchParams(request.url.slice(query)).get('as_of') ?? undefined);
    request.weir = { requestId, caller: undefined, asOf, address };
    void reply.header('x-openstack-request-id', requestId);
    if (request.url.startsWith('/compute')) void reply.header('x-compute-request-id', requestId);
    await Promise.resolve();
  });
  return adapter;
}

/** JSON bodies by our own parser: bounded in depth, with an error that says what is wrong. */
export function registerJsonParser(adapter: FastifyAdapter): void {
  const fastify = adapter.getInstance();
  fastify.removeContentTypeParser('application/json');
  fastify.addContentTypeParser(
    'application/json',
    { parseAs: 'string', bodyLimit: MAX_BODY_BYTES },
    (_request, body, done) => {
      try {
        done(null, body.length === 0 ? undefined : parseJson(body.toString()));
      } catch (error) {
        done(error as Error);
      }
    },
  );
}

export function parseJson(text: string): unknown {
  if (depth(text) > MAX_DEPTH) throw invalid(`The body is nested deeper than ${MAX_DEPTH} levels.`);
  try {
    return JSON.parse(text, (key, value: unknown) => {
      if (key === '__proto__') throw invalid("Unrecognized attribute(s) '__proto__'.");
      return value;
    });
  } catch (cause) {
    if (cause instanceof SyntaxError) throw invalid('Malformed request body: it is not valid JSON.', { cause });
    throw cause;
  }
}

/** How deep the brackets of a JSON text go, without building it. */
function depth(text: string): number {
  let level = 0;
  let deepest = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (inString) {
      if (char === '\\') i++;
      else if (char === '"') inString = false;
    } else if (char === '"') inString = true;
    else if (char === '{' || char === '[') deepest = Math.max(deepest, ++level);
    else if (char === '}' || char === ']') level--;
  }
  return deepest;
}
