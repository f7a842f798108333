import axios, { type AxiosInstance, isAxiosError } from 'axios';
import { unavailable, WeirError } from '@weir/kernel';
import type { Cloud } from './cloud';

type Query = Readonly<Record<string, string | readonly string[]>>;

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

  async delete(path: string): Promise<void> {
    await told(this.http.delete(path));
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
