import type { JsonObject } from '@weir/kernel';

/** Who asked for it and why it happened; ids only, never personal data or secrets. */
export interface EventMetadata {
  /** The request that it belongs to. */
  readonly correlation: string;
  /** The event or request that caused it. */
  readonly causation: string;
  readonly actor: string;
  readonly project?: string;
  /** RFC 3339, UTC, milliseconds. */
  readonly time: string;
}

export interface NewEvent {
  /** UUIDv7, chosen by the caller; the same id again in the same stream at the same revision is the same append (idempotent). */
  readonly id: string;
  readonly type: string;
  readonly schemaVersion: number;
  readonly data: JsonObject;
  readonly metadata: EventMetadata;
}

export interface RecordedEvent extends NewEvent {
  /** Place in the whole log: ordered, from 1, gaps allowed. */
  readonly position: number;
  readonly stream: string;
  /** Place in its stream, from 0, without gaps. */
  readonly revision: number;
  /** SHA-256, hex, over the canonical form of everything above. */
  readonly digest: string;
}
