import { type Reason, WeirError } from '@weir/kernel';

/** Each OpenStack service has its own error body; Weir's own API has a plain one. */
export type Dialect = 'identity' | 'network' | 'compute' | 'image' | 'weir';

export interface HttpAnswer {
  readonly status: number;
  readonly body: unknown;
}

const STATUS: Readonly<Record<Reason, number>> = {
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

/** Neutron answers these with another status than their reason's (measured: an overlapping subnet is 400 InvalidInput). */
const NETWORK_STATUS: Readonly<Record<string, number>> = {
  SubnetOverlap: 400,
  OverlappingSubnets: 400,
  OverQuota: 409,
};
/** What no reason says, in any API. */
const NAMED_STATUS: Readonly<Record<string, number>> = { IdempotencyKeyReused: 422 };
const NETWORK_TYPE: Readonly<Record<string, string>> = {
  SubnetOverlap: 'InvalidInput',
  OverlappingSubnets: 'BadRequest',
};

const COMPUTE_NAME: Readonly<Record<number, string>> = {
  400: 'badRequest',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'itemNotFound',
  405: 'badMethod',
  409: 'conflictingRequest',
  413: 'overLimit',
  422: 'unprocessableEntity',
};

const TITLE: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  413: 'Request Entity Too Large',
  415: 'Unsupported Media Type',
  422: 'Unprocessable Content',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
  507: 'Insufficient Storage',
};

export const UNEXPECTED = 'An unexpected error occurred. The request id names it in the log.';

/** The dialect that answers a path, so that errors met before routing have the right form too. */
export function dialectOf(path: string): Dialect {
  if (path.startsWith('/identity')) return 'identity';
  if (path.startsWith('/network')) return 'network';
  if (path.startsWith('/compute')) return 'compute';
  if (path.startsWith('/image')) return 'image';
  return 'weir';
}

/** The one table from an error to an answer. What is not a WeirError is 500 with a fixed text. */
export function toHttp(error: unknown, dialect: Dialect): HttpAnswer {
  if (!(error instanceof WeirError)) return httpError(500, dialect, 'InternalError', UNEXPECTED);
  const status = NAMED_STATUS[error.name] ?? STATUS[error.reason];
  return httpError(
    dialect === 'network' ? (NETWORK_STATUS[error.name] ?? status) : status,
    dialect,
    error.name,
    error.message,
  );
}

/** The same from a status, for errors that the HTTP server itself found. */
export function httpError(status: number, dialect: Dialect, type: string, message: string): HttpAnswer {
  const title = TITLE[status] ?? 'Error';
  switch (dialect) {
    case 'network':
      // Neutron's 401 comes from the Keystone middleware, in Keystone's form.
      if (status === 401) return httpError(status, 'identity', type, message);
      return {
        status,
        body: { NeutronError: { type: NETWORK_TYPE[type] ?? neutronType(type, status), message, detail: '' } },
      };
    case 'compute':
      if (status === 401) return httpError(status, 'identity', type, message);
      return { status, body: { [COMPUTE_NAME[status] ?? 'computeFault']: { code: status, message } } };
    case 'image':
      return { status, body: `${status} ${title}\n\n${message}\n` };
    case 'identity':
      return { status, body: { error: { code: status, message, title } } };
    case 'weir':
      return { status, body: { error: { code: status, type, message } } };
  }
}

function neutronType(type: string, status: number): string {
  if (type !== 'WeirError') return type;
  if (status === 400) return 'HTTPBadRequest';
  if (status === 404) return 'HTTPNotFound';
  return status === 409 ? 'Conflict' : 'NeutronException';
}
