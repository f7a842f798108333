import axios, { type AxiosInstance, isAxiosError } from 'axios';
import { unavailable, WeirError } from '@weir/kernel';
import type { Cloud } from './cloud';

type Query = Readonly<Record<string, string | readonly string[]>>;

/** How a write is sent; with neither it is just done. */
export interface Rehearsal {
  readonly dryRun?: true;
  /** Of a dry run of the same request. */
  readonly replay?: string;
}

/** A logged-in client of the Top's API. */
export class Client {
  private constructor(private readonly http: AxiosInstance) {}

  static async logIn(cloud: Cloud): Promise<Client> {
    const { auth } = cloud;
    const address = new URL(auth.auth_url).origin;
    const scope =
      auth.project_name === undefined
        ? {}
        : { scope: { project: { name: auth.project_name, domain: { name: auth.project_domain_name } } } };
    const user = { name: auth.username, domain: { name: auth.user_domain_name }, password: auth.password };
    const answer = await told(
      axios.post(`${address}/identity/v3/auth/tokens`, {
        auth: { identity: { methods: ['password'], password: { user } }, ...scope },
      }),
    );
    return new Client(
      axios.create({
        baseURL: address,
        headers: { 'x-auth-token': String(answer.headers['x-subject-token']) },
        maxContentLength: 64 * 1024 * 1024,
      }),
    );
  }

  async get(path: string, query: Query = {}): Promise<unknown> {
    // A list repeats its parameter, without brackets.
    const asked = { params: query, paramsSerializer: { indexes: null } };
    return (await told(this.http.get<unknown>(path, asked))).data;
  }

  async post(path: string, body: unknown, timeoutMs = 60_000): Promise<unknown> {
    return (await told(this.http.post<unknown>(path, body, { timeout: timeoutMs }))).data;
  }

  /** A write that may be rehearsed, or do exactly what was; it answers undefined where the API has nothing to say. */
  async write(method: 'POST' | 'DELETE', path: string, body: unknown, { dryRun, replay }: Rehearsal): Promise<unknown> {
    const asked = {
      params: dryRun ? { dry_run: 'true' } : {},
      headers: replay === undefined ? {} : { 'x-weir-replay': replay },
    };
    const { data } = await told(this.http.request<unknown>({ method, url: path, data: body, ...asked }));
    return data === '' ? undefined : data;
  }
}

/** Answers of the API become errors with the API's own words. */
async function told<T>(request: Promise<T>): Promise<T> {
  try {
    return await request;
  } catch (cause) {
    if (!isAxiosError<Record<string, { message?: string } | undefined>>(cause)) throw cause;
    if (!cause.response)
      throw unavailable(
        `The API does not answer at ${new URL(cause.config?.baseURL ?? cause.config?.url ?? '').origin}.`,
        { cause },
      );
    const message = Object.values(cause.response.data).find((value) => typeof value?.message === 'string')?.message;
    const reason =
      cause.response.status === 401 ? 'unauthorized' : cause.response.status === 404 ? 'not-found' : 'conflict';
    throw new WeirError(reason, message ?? `The API answered ${cause.response.status}.`, { cause });
  }
}
