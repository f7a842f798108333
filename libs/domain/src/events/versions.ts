import { type JsonObject, WeirError } from '@weir/kernel';
import type { EventSchema } from './fields';
import type { Upcasters } from './upcasters';

/** An event as the log holds it, in whatever version it was written. */
export interface VersionedEvent {
  readonly type: string;
  readonly schemaVersion: number;
  readonly data: unknown;
}

/** Written by a later Weir, or not by us: who reads the log stops here, so that nothing is lost. */
export class UnknownEvent extends WeirError {
  constructor(
    readonly type: string,
    readonly version: number,
  ) {
    super(
      'unavailable',
      `The log holds an event ${type} of version ${version}, which this version of Weir does not know. A later one wrote it: run that one.`,
      { fields: { type, version } },
    );
  }
}

/** Not what its schema says: on writing a fault of ours, on reading one of whoever wrote it. */
export class MalformedEvent extends Error {
  override readonly name = 'MalformedEvent';

  constructor(
    readonly type: string,
    readonly version: number,
    problems: string,
    options?: ErrorOptions,
  ) {
    super(`The event ${type} of version ${version} is malformed: ${problems}.`, options);
  }
}

interface Format extends EventSchema {
  readonly upcasters: Upcasters[string];
}

/** Types of events with all their versions. */
export class EventVersions<Event extends { readonly type: string; readonly data: object }> {
  private readonly formats: ReadonlyMap<string, Format>;

  constructor(schemas: Readonly<Record<Event['type'], EventSchema>>, upcasters: Upcasters) {
    const all = Object.entries<EventSchema>(schemas);
    this.formats = new Map(all.map(([type, schema]) => [type, { ...schema, upcasters: upcasters[type] ?? {} }]));
  }

  /** The same event in its newest version; see parseEvent. */
  parse<Stored extends VersionedEvent>(stored: Stored): Stored & Event {
    const format = this.formats.get(stored.type);
    if (!format) throw new UnknownEvent(stored.type, stored.schemaVersion);
    if (!isObject(stored.data)) throw new MalformedEvent(stored.type, stored.schemaVersion, 'its data is no object');
    if (stored.schemaVersion === format.version) return stored as Stored & Event;
    const data = upcast(format, stored.type, stored.schemaVersion, stored.data);
    validate(format, stored.type, data);
    return { ...stored, schemaVersion: format.version, data } as Stored & Event;
  }

  /** The event as it is written; see encodeEvent. */
  encode(event: Event): { readonly type: Event['type']; readonly schemaVersion: number; readonly data: JsonObject } {
    const format = this.formats.get(event.type);
    if (!format) throw new UnknownEvent(event.type, 0);
    validate(format, event.type, event.data);
    return { type: event.type, schemaVersion: format.version, data: event.data as JsonObject };
  }
}

function isObject(data: unknown): data is JsonObject {
  return typeof data === 'object' && data !== null && !Array.isArray(data);
}

function upcast({ version, upcasters }: Format, type: string, from: number, data: JsonObject): JsonObject {
  let newest = data;
  for (let step = from; step !== version; step++) {
    const next = upcasters[step];
    if (!next || step > version) throw new UnknownEvent(type, from);
    try {
      newest = next(newest);
    } catch (cause) {
      throw new MalformedEvent(type, from, `it cannot become version ${step + 1}`, { cause });
    }
  }
  return newest;
}

function validate({ version, data: schema }: Format, type: string, data: object): void {
  const { error } = schema.safeParse(data);
  if (!error) return;
  const problems = error.issues.map(({ path, message }) => [...path.map(String), message].join(': '));
  throw new MalformedEvent(type, version, problems.join('; '));
}
