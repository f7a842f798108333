import {
  at,
  eventCatalogue,
  type DomainEvent,
  encodeEvent,
  parseEvent,
  streams,
  type VersionedEvent,
  views,
} from '@weir/domain';
import { type Decider, fold, type Json } from '@weir/kernel';
import { idOf } from './builders';
import type { Log, Logged } from './given';

/** An event as it was written once, what its stream held before, and what they are folded to. Committed for every version of every type, for ever. */
export interface EventExample {
  readonly stream: string;
  readonly earlier: readonly VersionedEvent[];
  readonly event: VersionedEvent;
  readonly folded: Json;
}

/** A whole log as a release wrote it, with the state of every stream and what every event changes in the read models. */
export interface Recording {
  readonly events: readonly RecordedHere[];
  readonly folded: Json;
}
type RecordedHere = VersionedEvent & {
  readonly stream: string;
  readonly revision: number;
  readonly position: number;
  readonly metadata: { readonly time: string };
};

/** Of each type's newest version, the first that happened in the log; by `<type>.v<version>`. */
export function examplesOf(log: Log): Readonly<Record<string, EventExample>> {
  const types = eventCatalogue.flatMap(({ events }) => Object.entries(events));
  return Object.fromEntries(
    types.flatMap(([type, { version }]) => {
      const found = log.all.find(({ event }) => event.type === type);
      return found ? [[`${type}.v${version}`, exampleOf(log, found)]] : [];
    }),
  );
}

function exampleOf(log: Log, { stream, revision, event }: Logged): EventExample {
  const earlier = log.eventsOf(stream).slice(0, revision).map(encodeEvent);
  const example = { stream, earlier, event: encodeEvent(event) };
  return { ...example, folded: foldExample(example) };
}

export function foldExample({ stream, earlier, event }: Omit<EventExample, 'folded'>): Json {
  return folded(stream, [...earlier, event]);
}

export function recordingOf(log: Log): Recording {
  const events = log
    .appends()
    .flatMap(({ writes }) => writes)
    .flatMap(({ stream, expected, events: [event] }, index) =>
      event ? [{ stream, revision: expected + 1, position: index + 1, ...event }] : [],
    );
  return { events, folded: foldRecording(events) };
}

export function foldRecording(events: readonly RecordedHere[]): Json {
  const names = [...new Set(events.map(({ stream }) => stream))];
  const eventsOf = (name: string) => events.filter(({ stream }) => stream === name);
  return {
    streams: Object.fromEntries(names.map((name) => [name, folded(name, eventsOf(name))])),
    rows: plain(events.map((event) => views.flatMap((view) => view.rows(event)))),
  };
}

const UUID = '[0-9a-f-]{36}';
/** The first that fits, so that `site-name-…` is no site. */
const DECIDERS: readonly (readonly [
  RegExp,
  { readonly decider: Pick<Decider<unknown, never, never>, 'initial' | 'evolve'> },
])[] = [
  [new RegExp(`^site-${UUID}$`), at.site(idOf('site'))],
  [/^capacity-/, at.capacity(idOf('site'), '')],
  [/^network-/, at.network(idOf('network'))],
  [/^router-/, at.router(idOf('router'))],
  [/^port-/, at.port(idOf('port'))],
  [/^server-/, at.server(idOf('server'))],
  [new RegExp(`^${streams.publisher}$`), at.publisher],
  [/^(address|mac|segment|site-name|zone)-/, at.siteName('')],
];

function folded(stream: string, events: readonly VersionedEvent[]): Json {
  const decider = DECIDERS.find(([name]) => name.test(stream))?.[1].decider;
  if (!decider) throw new RangeError(`Nobody folds the stream ${stream}.`);
  const newest = events.map((event): DomainEvent => parseEvent(event));
  return plain(fold(decider as Pick<Decider<unknown, never, DomainEvent>, 'initial' | 'evolve'>, newest));
}

/** As JSON, maps as objects. */
function plain(value: unknown): Json {
  const text = JSON.stringify(value, (_, part: unknown) =>
    part instanceof Map ? Object.fromEntries(part as ReadonlyMap<string, unknown>) : part,
  );
  return JSON.parse(text) as Json;
}
