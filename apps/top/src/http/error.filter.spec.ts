import type { ArgumentsHost } from '@nestjs/common';
import { type Logger, unavailable, WeirError } from '@weir/kernel';
import { ErrorFilter } from './error.filter';

type Logged = readonly [level: keyof Logger, fields: unknown];

/** What a request that fails so leaves in the log, and its status. */
function failWith(error: unknown): { readonly logged: readonly Logged[]; readonly status: number } {
  const logged: Logged[] = [];
  const at = (level: keyof Logger) => (_: string, fields: unknown) => void logged.push([level, fields]);
  let status = 0;
  const reply = { status: (given: number) => ((status = given), reply), type: () => reply, send: () => reply };
  const request = {
    ...{ url: '/network/v2.0/networks', method: 'POST', weir: { requestId: 'req-1' } },
    routeOptions: { url: '/network/v2.0/networks' },
  };
  const host = { switchToHttp: () => ({ getRequest: () => request, getResponse: () => reply }) };
  const filter = new ErrorFilter({ info: at('info'), warn: at('warn'), error: at('error') });
  filter.catch(error, host as unknown as ArgumentsHost);
  return { logged, status };
}

describe('the log of requests that failed', () => {
  it.each([
    ['a site is not connected', unavailable('Site paris is not connected.', { fields: { site: 'paris' } }), 503],
    ['a disk is full', new WeirError('no-space', 'The disk is full.', { cause: new Error('ENOSPC') }), 507],
  ])('warns without a stack where %s', (_, error, expected) => {
    const { logged, status } = failWith(error);
    expect(status).toBe(expected);
    const { message, fields, reason } = error;
    const said = expect.arrayContaining([{ name: 'WeirError', message, fields }]) as unknown;
    expect(logged).toMatchObject([['warn', { requestId: 'req-1', reason, chain: said }]]);
    expect(JSON.stringify(logged)).not.toContain('stack');
  });

  it('tells all of what nobody foresaw', () => {
    const { logged, status } = failWith(new TypeError('a bug', { cause: new Error('below') }));
    expect(status).toBe(500);
    const stack = expect.stringContaining('error.filter.spec') as string;
    expect(logged).toMatchObject([
      ['error', { chain: [{ name: 'TypeError', message: 'a bug', stack }, { message: 'below' }] }],
    ]);
  });

  it('does not mention what the client did wrong', () => {
    expect(failWith(new WeirError('invalid', 'No such thing.')).logged).toEqual([]);
  });
});
