import { WeirError } from '@weir/kernel';

/** Another append was first: read again and decide again. */
export class WrongExpectedRevision extends WeirError {
  constructor(
    readonly stream: string,
    readonly expected: number,
    readonly actual: number,
  ) {
    super('conflict', 'Another request changed this at the same time.', { fields: { stream, expected, actual } });
  }
}

/** An event id that already stands elsewhere in the log; ids are never used twice. */
export class EventIdTaken extends WeirError {
  constructor(cause?: unknown) {
    super('conflict', 'An event of this request has an id that was used before.', { cause });
  }
}

export class EventTooLarge extends WeirError {
  constructor(type: string, bytes: number, limit: number) {
    super('too-large', `The request makes an event that is larger than ${limit} bytes.`, { fields: { type, bytes } });
  }
}

export class AppendTooLarge extends WeirError {
  constructor(what: 'events' | 'streams', count: number, limit: number) {
    super('too-large', `The request changes more than ${limit} ${what} at once.`, { fields: { count } });
  }
}

/** Nothing of the append was written; reads go on, and appends succeed again once there is space. */
export class StoreFull extends WeirError {
  constructor(cause?: unknown) {
    super('no-space', 'The disk of the event store is full.', { cause });
  }
}

/** More appends wait than the store keeps; nothing of this one was written. */
export class StoreBusy extends WeirError {
  constructor() {
    super('unavailable', 'Too many writes are waiting; try again later.');
  }
}

export class StoreClosed extends WeirError {
  constructor() {
    super('unavailable', 'The event store is closed.');
  }
}

/**
 * The store met an I/O error and writes no more until it is opened again: what the disk did with the last writes is
 * not known, and a second fsync may report success for data that the kernel has dropped.
 */
export class StoreFailed extends WeirError {
  constructor(cause: unknown) {
    super('unavailable', 'The event store has stopped after an error.', { cause });
  }
}

export class CorruptEvent extends WeirError {
  constructor(
    readonly position: number,
    cause: unknown,
  ) {
    super('unavailable', `The event at position ${position} cannot be read.`, { fields: { position }, cause });
  }
}

/** The stored tables of a view were made from another definition; they must be rebuilt, not guessed at. */
export class ViewDiffers extends WeirError {
  constructor(view: string, file: string) {
    super('unavailable', `The tables of view '${view}' in ${file} have another definition; the view must be rebuilt.`, {
      fields: { view, file },
    });
  }
}

/** The versions of that time are gone: prepareAsOf() folds them from the log. */
export class HistoryPruned extends WeirError {
  constructor(position: number, horizon: number) {
    super('unavailable', `The rows as of position ${position} have to be folded from the log first.`, {
      fields: { position, horizon },
    });
  }
}

export class UnknownMarker extends WeirError {
  constructor(table: string, key: unknown) {
    super('invalid', 'The marker could not be found.', { fields: { table, key } });
  }
}

/** The request's time was over before it could be carried out; nothing of it was written. */
export class RequestDeadline extends WeirError {
  constructor(tries: number, cause?: unknown) {
    super('unavailable', 'The request could not be carried out in time; try again.', { fields: { tries }, cause });
  }
}

export class LaneFull extends WeirError {
  constructor(lane: string) {
    super('unavailable', 'Too many requests wait for the same resource; try again later.', { fields: { lane } });
  }
}
