import { invalid, WeirError, type Logger, type Reason } from '@weir/kernel';
import { z } from 'zod';
import { BODY_LIMITS, type PostPath } from './protocol';
import type { Publisher } from './publisher';
import type { OutgoingStream } from './transport';

export interface EndpointAnswer {
  readonly status: number;
  readonly body: unknown;
}

const statuses: Readonly<Record<Reason, number>> = {
  invalid: 400,
  unauthorized: 401,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  'over-quota': 403,
  'too-large': 413,
  unavailable: 503,
  'no-space': 507,
};

const number = z
  .string()
  .regex(/^\d{1,16}$/)
  .transform(Number)
  .pipe(z.number().int().nonnegative());
const factsQuery = z.object({ generation: number, after: number, digest: z.string().max(128).default('') });

/** What a publisher answers, whatever carries it: authentication, bodies, and errors as statuses. */
export class Endpoint {
  constructor(
    private readonly publisher: Publisher,
    private readonly logger: Logger,
  ) {}

  /** Undefined when the stream was opened. */
  async facts(
    key: string | undefined,
    query: Readonly<Record<string, unknown>>,
    stream: OutgoingStream,
  ): Promise<EndpointAnswer | undefined> {
    try {
      const follower = this.follower(key);
      const parsed = factsQuery.safeParse(query);
      if (!parsed.success)
        throw invalid('The facts are asked for with numbers `generation` and `after`, and `digest`.');
      const { generation, after, digest } = parsed.data;
      return await this.publisher.connect(follower, { generation, position: after, digest }, stream);
    } catch (error) {
      return this.failed(error);
    }
  }

  async post(path: PostPath, key: string | undefined, text: string): Promise<EndpointAnswer> {
    try {
      if (path === 'join') return { status: 200, body: await this.publisher.join(json(text)) };
      const follower = this.follower(key);
      if (path === 'observations') await this.publisher.report(follower, json(text));
      else this.publisher.answer(follower, json(text));
      return { status: 200, body: {} };
    } catch (error) {
      return this.failed(error);
    }
  }

  failed(error: unknown): EndpointAnswer {
    if (error instanceof WeirError)
      return { status: statuses[error.reason], body: { error: { reason: error.reason, message: error.message } } };
    this.logger.error('A follower could not be answered', { error });
    return { status: 500, body: { error: { reason: 'internal', message: 'The publisher failed; its log says why.' } } };
  }

  /** The follower whose key this is; throws WeirError 'unauthorized'. */
  follower(key: string | undefined): string {
    const follower = key === undefined ? undefined : this.publisher.authenticate(key);
    if (follower === undefined) throw new WeirError('unauthorized', 'The key is unknown.');
    return follower;
  }
}

export const isPostPath = (path: string): path is PostPath => Object.hasOwn(BODY_LIMITS, path);

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw invalid('The body is not JSON.', { cause });
  }
}
