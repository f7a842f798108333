import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';
import { WeirError } from '@weir/kernel';

/** The API answered with a status of 400 or above. */
export class ApiRefused extends WeirError {
  constructor(
    request: string,
    readonly status: number,
    readonly body: unknown,
  ) {
    super('conflict', `${request} was answered with ${status}: ${JSON.stringify(body)}`, { fields: { status } });
  }
}

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

const clouds = z.object({
  clouds: z.record(
    z.string(),
    z.object({
      auth: z.object({ username: z.string(), password: z.string(), project_name: z.string() }),
    }),
  ),
});

const REQUEST_DEADLINE_MS = 30_000;
const UNAUTHORIZED = 401;

/** The Top's API as plain HTTP, for the clouds of one `clouds.yaml`. */
export class ApiClient {
  private readonly tokens = new Map<string, Promise<string>>();

  constructor(
    readonly address: string,
    private readonly cloudsFile: string,
  ) {}

  /** Logs in once per cloud. */
  token(cloud: string): Promise<string> {
    const known = this.tokens.get(cloud);
    if (known !== undefined) return known;
    const token = this.logIn(cloud);
    this.tokens.set(cloud, token);
    token.catch(() => this.tokens.delete(cloud));
    return token;
  }

  /** Answers the body, undefined where there is none; rejects with ApiRefused. */
  async request<T>(
    method: Method,
    path: string,
    body?: unknown,
    cloud = 'weir',
    further: Readonly<Record<string, string>> = {},
  ): Promise<T> {
    const token = await this.token(cloud);
    try {
      return (await this.send(method, path, body, { ...further, 'x-auth-token': token })).body as T;
    } catch (error) {
      if (!(error instanceof ApiRefused && error.status === UNAUTHORIZED)) throw error;
      this.tokens.delete(cloud);
      const headers = { ...further, 'x-auth-token': await this.token(cloud) };
      return (await this.send(method, path, body, headers)).body as T;
    }
  }

  async text(path: string): Promise<string> {
    const response = await fetch(this.address + path, { signal: AbortSignal.timeout(REQUEST_DEADLINE_MS) });
    const text = await response.text();
    if (!response.ok) throw new ApiRefused(`GET ${path}`, response.status, text);
    return text;
  }

  private async logIn(name: string): Promise<string> {
    const cloud = clouds.parse(parse(readFileSync(this.cloudsFile, 'utf8'))).clouds[name];
    if (cloud === undefined) throw new WeirError('not-found', `${this.cloudsFile} has no cloud '${name}'.`);
    const { username, password, project_name: project } = cloud.auth;
    const domain = { name: 'Default' };
    const answer = await this.send('POST', '/identity/v3/auth/tokens', {
      auth: {
        identity: { methods: ['password'], password: { user: { name: username, domain, password } } },
        scope: { project: { name: project, domain } },
      },
    });
    return answer.headers.get('x-subject-token') ?? '';
  }

  private async send(method: Method, path: string, body?: unknown, headers: Readonly<Record<string, string>> = {}) {
    const response = await fetch(this.address + path, {
      method,
      headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(REQUEST_DEADLINE_MS),
    });
    const text = await response.text();
    const parsed: unknown = text === '' ? undefined : parseJson(text);
    if (!response.ok) throw new ApiRefused(`${method} ${path}`, response.status, parsed);
    return { headers: response.headers, body: parsed };
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
