import { toUSVString } from 'node:util';
import { canonicalJson, invalid, type Json, type JsonObject } from '@weir/kernel';
import { digestOfText, type EventText } from './digest';
import { AppendTooLarge, EventTooLarge } from './errors';
import type { Append, EventMetadata, NewEvent, RecordedEvent } from './port';
import { SEAL_STREAM } from './seal';

/** Larger contents belong into a bank or an image store, and their digest into the event. */
export const MAX_EVENT_BYTES = 256 * 1024;
/** An append is one transaction that every other writer waits for. */
export const MAX_EVENTS_PER_APPEND = 1000;
export const MAX_STREAMS_PER_APPEND = 1000;
export const MAX_STREAM_NAME = 200;
const MAX_SHORT_TEXT = 200;

/** Canonical text, and the value as a reader of that text gets it: sorted keys, no undefined fields, nothing shared. */
interface Canonical<T> {
  readonly text: string;
  readonly value: T;
}

const ALL_DIGITS = /^\d+$/;

class Unsortable extends Error {}

const UNDERSCORE = '_'.charCodeAt(0);
const NINE = '9'.charCodeAt(0);

/** Throws Unsortable where an object with sorted keys cannot be built by assignment: `__proto__`, and keys like array indexes, which come first in any object. */
function sorted(value: unknown): unknown {
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TypeError(`Not a JSON number: ${value}`);
    return value === 0 ? 0 : value;
  }
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map((item) => (item === undefined ? null : sorted(item)));
  const copy: Record<string, unknown> = {};
  for (const key of Object.keys(value).sort()) {
    const first = key.charCodeAt(0);
    if ((first <= NINE && ALL_DIGITS.test(key)) || (first === UNDERSCORE && key === '__proto__'))
      throw new Unsortable();
    const field = (value as Record<string, unknown>)[key];
    if (field !== undefined) copy[key] = sorted(field);
  }
  return copy;
}

function canonical<T>(value: T): Canonical<T> {
  try {
    const copy = sorted(value) as T;
    return { text: JSON.stringify(copy), value: copy };
  } catch (error) {
    if (!(error instanceof Unsortable)) throw error;
    const text = canonicalJson(value);
    return { text, value: JSON.parse(text) as T };
  }
}

/** An event as it is stored: `data` and `metadata` are canonical JSON. */
export interface Recording {
  readonly event: RecordedEvent;
  readonly data: string;
  readonly metadata: string;
}

/** SHA-256, hex, over the canonical JSON of [position, stream, revision, id, type, schemaVersion, data, metadata]; what an intact event has as its `digest`. */
export function digestOf(event: RecordedEvent): string {
  return digestOfText(textOf(event));
}

/** The event as its digest sees it. */
export function textOf(event: RecordedEvent): EventText {
  return { ...event, data: canonicalJson(event.data), metadata: canonicalJson(event.metadata) };
}

/** Gives the new events of one append their places; the caller's objects are copied. */
export class Recorder {
  private metadata: EventMetadata | undefined;
  private canonicalMetadata: Canonical<EventMetadata> | undefined;

  /** Throws EventTooLarge. */
  record(position: number, stream: string, revision: number, event: NewEvent): Recording {
    const data = canonical<JsonObject>(event.data);
    // A UTF-16 unit is at most three bytes: the exact count is needed only near the limit.
    if (data.text.length * 3 > MAX_EVENT_BYTES) {
      const bytes = Buffer.byteLength(data.text);
      if (bytes > MAX_EVENT_BYTES) throw new EventTooLarge(event.type, bytes, MAX_EVENT_BYTES);
    }
    const metadata = this.sharedMetadata(event.metadata);
    const { id, type, schemaVersion } = event;
    const texts = { position, stream, revision, id, type, schemaVersion, data: data.text, metadata: metadata.text };
    const digest = digestOfText(texts);
    return {
      event: {
        position,
        stream,
        revision,
        id,
        type,
        schemaVersion,
        data: data.value,
        metadata: metadata.value,
        digest,
      },
      data: data.text,
      metadata: metadata.text,
    };
  }

  /** The events of one request usually share one object. */
  private sharedMetadata(metadata: EventMetadata): Canonical<EventMetadata> {
    if (this.metadata === metadata && this.canonicalMetadata) return this.canonicalMetadata;
    this.metadata = metadata;
    this.canonicalMetadata = canonical(metadata);
    return this.canonicalMetadata;
  }
}

/** A value that a JSON column or an event can hold, as canonical text. */
export function jsonText(value: Json): string {
  return canonical(value).text;
}

/** The bounds that every adapter keeps; throws before anything is written. */
export function validate(append: Append): void {
  const streams = new Set<string>();
  const ids = new Set<string>();
  const checks = append.checks ?? [];
  if (append.writes.length + checks.length > MAX_STREAMS_PER_APPEND) {
    throw new AppendTooLarge('streams', append.writes.length + checks.length, MAX_STREAMS_PER_APPEND);
  }
  for (const { stream, expected, events } of append.writes) {
    validatePlace(stream, expected);
    if (stream === SEAL_STREAM) throw invalid(`The stream '${SEAL_STREAM}' is the log's own.`);
    if (streams.has(stream)) throw invalid(`An append writes the stream '${stream}' twice.`);
    streams.add(stream);
    for (const event of events) {
      if (ids.has(event.id)) throw invalid(`An append has the event id '${event.id}' twice.`);
      ids.add(event.id);
      if (!isShortText(event.id)) throw invalid('An event needs an id.');
      if (!isShortText(event.type)) throw invalid('An event needs a type.');
      if (!Number.isSafeInteger(event.schemaVersion) || event.schemaVersion < 1) {
        throw invalid(`The event type '${event.type}' has no valid schema version.`);
      }
    }
  }
  if (ids.size > MAX_EVENTS_PER_APPEND) throw new AppendTooLarge('events', ids.size, MAX_EVENTS_PER_APPEND);
  for (const { stream, expected } of checks) validatePlace(stream, expected);
}

function validatePlace(stream: string, expected: number): void {
  if (stream.length === 0 || stream.length > MAX_STREAM_NAME || toUSVString(stream) !== stream) {
    throw invalid(`A stream name has 1 to ${MAX_STREAM_NAME} characters.`);
  }
  if (!Number.isSafeInteger(expected) || expected < -1) throw invalid(`Not a revision: ${expected}`);
}

function isShortText(text: string): boolean {
  return text.length > 0 && text.length <= MAX_SHORT_TEXT && toUSVString(text) === text;
}
