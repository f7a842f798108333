/** Why a request cannot be answered as asked; each dialect maps a reason to its own status and body. */
export type Reason =
  | 'invalid'
  | 'unauthorized'
  | 'forbidden'
  | 'not-found'
  | 'conflict'
  | 'over-quota'
  | 'too-large'
  | 'unavailable'
  /** A disk has no room for what was to be kept. */
  | 'no-space';

export interface WeirErrorOptions {
  /** Fields for the log, never shown to a user. */
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/**
 * The base of every error that a caller may see: `message` is fit for the user and does not repeat its cause;
 * the log writes the whole chain. Deciders throw named subclasses, so that a dialect may answer per class.
 */
export class WeirError extends Error {
  readonly reason: Reason;
  readonly fields: Readonly<Record<string, unknown>>;

  constructor(reason: Reason, message: string, options: WeirErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.reason = reason;
    this.fields = options.fields ?? {};
    this.name = new.target.name;
  }
}

export function invalid(message: string, options?: WeirErrorOptions): WeirError {
  return new WeirError('invalid', message, options);
}

export function notFound(message: string, options?: WeirErrorOptions): WeirError {
  return new WeirError('not-found', message, options);
}

export function conflict(message: string, options?: WeirErrorOptions): WeirError {
  return new WeirError('conflict', message, options);
}

export function forbidden(message: string, options?: WeirErrorOptions): WeirError {
  return new WeirError('forbidden', message, options);
}

export function unavailable(message: string, options?: WeirErrorOptions): WeirError {
  return new WeirError('unavailable', message, options);
}

/** For the `default` branch of an exhaustive switch: what nobody handles does not compile. */
export function unreachable(value: never): never {
  throw new Error(`Unhandled: ${JSON.stringify(value)}`);
}
