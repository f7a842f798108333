import { hash } from 'node:crypto';
import { digestOfText, type EventText } from './digest';
import type { RecordedEvent, Seal } from './port';

/** The log's own stream: only a store appends to it, and no view is shown its events. */
export const SEAL_STREAM = 'seal';
export const SEAL_TYPE = 'LogSealed';
export const EVENTS_PER_SEAL = 1000;
export const SEAL_PERIOD_MS = 60_000;

/** What stands behind the last seal; kept beside the log in every commit. */
export interface OpenSeal {
  /** 0 while nothing is open. */
  readonly first: number;
  /** The last position of the log, a seal's included. */
  readonly last: number;
  readonly count: number;
  readonly range: string;
  readonly latest: string;
  readonly seals: number;
  readonly previous: string;
}

export const NOTHING_SEALED: OpenSeal = {
  first: 0,
  last: 0,
  count: 0,
  range: '',
  latest: '',
  seals: 0,
  previous: '',
};

/** The open seal with one more event in it. */
export function extended(open: OpenSeal, position: number, digest: string, time: string): OpenSeal {
  // Written out: copied by a spread it would cost as much as the hash, for every event.
  return {
    first: open.count === 0 ? position : open.first,
    last: position,
    count: open.count + 1,
    range: hash('sha256', open.range + digest, 'hex'),
    latest: time > open.latest ? time : open.latest,
    seals: open.seals,
    previous: open.previous,
  };
}

/** The open seal behind a seal that stands at `position`. */
export function sealed(open: OpenSeal, position: number, digest: string): OpenSeal {
  const { latest, seals } = open;
  return { first: 0, last: position, count: 0, range: digest, latest, seals: seals + 1, previous: digest };
}

export interface SealRecord extends EventText {
  readonly digest: string;
}

/**
 * The event that closes what is open. It asks neither clock nor chance: its time is the latest in the log, its id comes
 * of what it seals, so that the same history has the same seals.
 */
export function sealRecord(
  { first, last, count, range, latest, seals, previous }: OpenSeal,
  position: number,
): SealRecord {
  const id = idOf(range);
  // Keys in order: canonical JSON.
  const data = JSON.stringify({ count, first, last, latest, previous, range });
  const metadata = JSON.stringify({ actor: 'log', causation: id, correlation: id, time: latest });
  const text = {
    position,
    stream: SEAL_STREAM,
    revision: seals,
    id,
    type: SEAL_TYPE,
    schemaVersion: 1,
    data,
    metadata,
  };
  return { ...text, digest: digestOfText(text) };
}

/** A UUID of version 8 (RFC 9562 §5.8), the one for values of one's own making. */
function idOf(range: string): string {
  const hex = hash('sha256', `seal ${range}`, 'hex');
  const variant = ((parseInt(hex.charAt(16), 16) & 0x3) | 0x8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

export function isSeal(event: Pick<RecordedEvent, 'stream'>): boolean {
  return event.stream === SEAL_STREAM;
}

export function sealOf({ position, digest, revision, data }: RecordedEvent): Seal {
  const text = (field: string) => data[field] as string;
  const number = (field: string) => data[field] as number;
  return {
    position,
    digest,
    revision,
    first: number('first'),
    last: number('last'),
    count: number('count'),
    range: text('range'),
    previous: text('previous'),
    latest: text('latest'),
  };
}
