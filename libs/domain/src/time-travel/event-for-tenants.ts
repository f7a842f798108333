import type { JsonObject } from '@weir/kernel';

interface Logged {
  readonly stream: string;
  readonly data: JsonObject;
}

/** Streams of what belongs to projects, and of the scarce things inside it; all others are the operator's. */
const OF_TENANTS = /^(network|router|port|server|address|mac)-/;
/** Fields of events that tell how the operator carries it out. */
const OPERATORS = ['segment', 'siteId', 'zone', 'host', 'endpoint'];

/** Without the fields that tell how the operator carries it out; undefined where the whole event is the operator's. */
export function eventForTenants<Event extends Logged>(event: Event): Event | undefined {
  if (!OF_TENANTS.test(event.stream)) return undefined;
  const { fault } = event.data;
  const data = withoutOperators(event.data);
  // Only there: what users named themselves, as metadata, may have these names.
  return { ...event, data: isObject(fault) ? { ...data, fault: withoutOperators(fault) } : data };
}

/** What a tenant may be told of, and how many are left out. */
export function eventsForTenants<Event extends Logged>(
  events: readonly Event[],
): { readonly events: readonly Event[]; readonly leftOut: number } {
  const shown = events.flatMap((event) => eventForTenants(event) ?? []);
  return { events: shown, leftOut: events.length - shown.length };
}

/** What a tenant is told where a stream is named: which zone or segment it is, and which site, is the operator's to know. */
export function streamForTenants(stream: string): string {
  if (OF_TENANTS.test(stream)) return stream;
  if (stream.startsWith('capacity-')) return 'capacity';
  if (stream.startsWith('segment-')) return 'a segment';
  return 'what it depends on';
}

function withoutOperators(data: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(data).filter(([field]) => !OPERATORS.includes(field)));
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
