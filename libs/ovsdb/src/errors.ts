import { type Json, WeirError, type WeirErrorOptions } from '@weir/kernel';

/** The connection is gone; a call that was under way may or may not have happened. */
export class OvsdbClosed extends WeirError {
  constructor(message: string, options?: WeirErrorOptions) {
    super('unavailable', message, options);
  }
}

/** The server refused: `error` and `details` as in RFC 7047, `operation` the index in the transaction where there is one. */
export class OvsdbError extends WeirError {
  constructor(
    readonly error: string,
    readonly details: string,
    readonly operation?: number,
  ) {
    const where = operation === undefined ? '' : ` operation ${operation}`;
    super('conflict', `OVSDB refused${where}: ${error}${details === '' ? '' : ` (${details})`}`);
  }

  /** From the object that stands where a result was expected. */
  static from(value: Json, operation?: number): OvsdbError {
    if (value === null || typeof value !== 'object' || Array.isArray(value)) {
      return new OvsdbError(typeof value === 'string' ? value : JSON.stringify(value), '', operation);
    }
    const { error, details } = value as { readonly error?: Json; readonly details?: Json };
    return new OvsdbError(
      typeof error === 'string' ? error : 'unknown error',
      typeof details === 'string' ? details : '',
      operation,
    );
  }
}

/** A message that is not what RFC 7047 allows at its place. */
export class OvsdbMalformed extends WeirError {
  constructor(message: string, options?: WeirErrorOptions) {
    super('invalid', message, options);
  }
}
