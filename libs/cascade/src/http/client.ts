import http, { type ClientRequest, type IncomingMessage } from 'node:http';
import https from 'node:https';
import type {
  FactsEnd,
  FactsHandle,
  FactsHandlers,
  FactsRequest,
  PostAnswer,
  PostOptions,
  Transport,
} from '../transport';
import type { PostPath } from '../protocol';

/** Of an answer that is not a stream of facts. */
const MAX_ANSWER_BYTES = 64 * 1024;

export interface HttpTransportOptions {
  /** Of the publisher: `http://…` on loopback, `https://…` between sites. */
  readonly url: string;
  /** An https.Agent brings certificates; without one, connections are kept alive. */
  readonly agent?: http.Agent;
}

/** Dials a publisher over HTTP/1.1. */
export function httpTransport(options: HttpTransportOptions): Transport {
  const base = new URL(options.url);
  const secure = base.protocol === 'https:';
  const agent = options.agent ?? new (secure ? https : http).Agent({ keepAlive: true });
  const request = (
    method: string,
    path: string,
    headers: http.OutgoingHttpHeaders,
    signal?: AbortSignal,
  ): ClientRequest =>
    (secure ? https : http).request(new URL(`/cascade/v1/${path}`, base), {
      method,
      agent,
      headers,
      ...(signal && { signal }),
    });

  return {
    openFacts(facts: FactsRequest, handlers: FactsHandlers): FactsHandle {
      const { key, generation, after, digest } = facts;
      const query = new URLSearchParams({ generation: String(generation), after: String(after), digest });
      const outgoing = request('GET', `facts?${query.toString()}`, { authorization: `Bearer ${key}` });
      let incoming: IncomingMessage | undefined;
      let over = false;
      const end = (how: FactsEnd): void => {
        if (over) return;
        over = true;
        outgoing.destroy();
        handlers.onEnd(how);
      };
      outgoing.on('error', (cause) => end({ reason: 'ended', cause }));
      outgoing.on('response', (response) => {
        incoming = response;
        const status = response.statusCode ?? 0;
        if (status !== 200) {
          bodyOf(response).then(
            (body) => end({ reason: 'refused', status, body }),
            (cause: unknown) => end({ reason: 'ended', cause }),
          );
          return;
        }
        response.setEncoding('utf8');
        response.on('data', (text: string) => {
          if (!over) handlers.onChunk(text);
        });
        response.on('error', (cause) => end({ reason: 'ended', cause }));
        response.on('close', () => end({ reason: 'ended' }));
      });
      outgoing.end();
      return {
        pause: () => void incoming?.pause(),
        resume: () => void incoming?.resume(),
        close: () => {
          over = true;
          outgoing.destroy();
        },
      };
    },

    post(path: PostPath, body: unknown, { key, signal }: PostOptions): Promise<PostAnswer> {
      const text = JSON.stringify(body);
      return new Promise((resolve, reject) => {
        const outgoing = request(
          'POST',
          path,
          {
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(text),
            ...(key !== undefined && { authorization: `Bearer ${key}` }),
          },
          signal,
        );
        outgoing.on('error', reject);
        outgoing.on('response', (response) => {
          bodyOf(response).then((answer) => resolve({ status: response.statusCode ?? 0, body: answer }), reject);
        });
        outgoing.end(text);
      });
    },

    close: () => agent.destroy(),
  };
}

/** The JSON of an answer; undefined when it is none. */
async function bodyOf(response: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) throw new Error('The answer is too long.');
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    return undefined;
  }
}
