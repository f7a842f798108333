import type { JsonObject } from '@weir/kernel';
import { type CapacityEvent, capacityEvents } from './capacity';
import { type NetworkEvent, networkEvents } from './network';
import { type PortEvent, portEvents } from './port';
import { type PublisherEvent, publisherEvents } from './publisher';
import { type RouterEvent, routerEvents } from './router';
import { type ScarceEvent, scarceEvents } from './scarce';
import { type ServerEvent, serverEvents } from './server';
import { type SiteEvent, siteEvents } from './site';
import { upcasters } from './upcasters';
import { EventVersions, type VersionedEvent } from './versions';

export type { CapacityEvent, Resources } from './capacity';
export { eventCatalogue, type StreamFamily } from './catalogue';
export { eventsDocument } from './document';
export type {
  AllocationPool,
  HostRoute,
  NetworkEvent,
  NetworkFields,
  Segment,
  SegmentType,
  SubnetFields,
} from './network';
export type { FixedIp, PortEvent, PortFields } from './port';
export type { PublisherEvent } from './publisher';
export type { RouterEvent, RouterFields } from './router';
export type { ScarceEvent } from './scarce';
export type { Flavor, ServerEvent } from './server';
export type { SiteDriverName, SiteEvent } from './site';
export { MalformedEvent, UnknownEvent, type VersionedEvent } from './versions';

/** Every event of the log. Time, actor and project stand in the envelope's metadata. */
export type DomainEvent =
  SiteEvent | CapacityEvent | ScarceEvent | NetworkEvent | RouterEvent | PortEvent | ServerEvent | PublisherEvent;
export type DomainEventType = DomainEvent['type'];

const versions = new EventVersions<DomainEvent>(
  {
    ...siteEvents,
    ...capacityEvents,
    ...scarceEvents,
    ...networkEvents,
    ...routerEvents,
    ...portEvents,
    ...serverEvents,
    ...publisherEvents,
  },
  upcasters,
);

/**
 * The same event in its newest version, with whatever else its envelope holds. An event that is of that version already is answered
 * as it is: it was validated when it was written. Throws UnknownEvent and MalformedEvent, which whoever reads the log stops at.
 */
export function parseEvent<Stored extends VersionedEvent>(stored: Stored): Stored & DomainEvent {
  return versions.parse(stored);
}

/** The event as the log is to hold it, validated; throws MalformedEvent. */
export function encodeEvent(event: DomainEvent): {
  readonly type: DomainEventType;
  readonly schemaVersion: number;
  readonly data: JsonObject;
} {
  return versions.encode(event);
}
