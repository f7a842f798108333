import { WeirError } from '@weir/kernel';

/** A flow, group or meter that cannot be written as OpenFlow, or not read back as it was written. */
export class InvalidFlow extends WeirError {
  constructor(message: string, fields?: Readonly<Record<string, unknown>>) {
    super('invalid', message, fields ? { fields } : {});
  }
}

/** Bytes from the other end that are no OpenFlow 1.3; the connection is closed, since nothing after them can be trusted. */
export class MalformedMessage extends WeirError {
  constructor(message: string, fields?: Readonly<Record<string, unknown>>) {
    super('unavailable', message, fields ? { fields } : {});
  }
}

/** What an OFPT_ERROR says. */
export interface Refusal {
  readonly errorType: number;
  readonly errorCode: number;
  /** `OFPBAC_BAD_OUT_GROUP`, or the numbers where nobody gave a name. */
  readonly errorName: string;
  /** The beginning of the refused message, as the switch sent it back. */
  readonly data: Uint8Array;
}

/** The switch answered a request with an error. */
export class RequestRefused extends WeirError {
  constructor(
    request: string,
    readonly refusal: Refusal,
  ) {
    super('conflict', `The switch refused ${request}: ${refusal.errorName}.`, { fields: refusalFields(refusal) });
  }
}

/** The switch refused a change; `failed` is the part that it named, in ovs-ofctl's words. */
export class ChangeRefused extends WeirError {
  constructor(
    readonly failed: string,
    readonly refusal: Refusal,
  ) {
    super('conflict', `The switch refused the change at '${failed}': ${refusal.errorName}.`, {
      fields: { failed, ...refusalFields(refusal) },
    });
  }
}

/** The connection is gone, or was never there; `cause` says why when the other end did not simply close it. */
export class ConnectionClosed extends WeirError {
  constructor(message: string, cause?: unknown) {
    super('unavailable', message, cause === undefined ? {} : { cause });
  }
}

function refusalFields(refusal: Refusal): Readonly<Record<string, unknown>> {
  return {
    errorType: refusal.errorType,
    errorCode: refusal.errorCode,
    errorName: refusal.errorName,
    data: Buffer.from(refusal.data).toString('hex'),
  };
}
