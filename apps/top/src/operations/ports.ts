import type { EventStore as EventStorePort } from '@weir/event-store';

/** Ports as Nest's container names them: an interface has no value at run time, an abstract class has. */
export abstract class EventStore implements Pick<EventStorePort, 'readAll' | 'readStream' | 'head' | 'positionAt'> {
  abstract readAll: EventStorePort['readAll'];
  abstract readStream: EventStorePort['readStream'];
  abstract positionAt: EventStorePort['positionAt'];
  abstract head: EventStorePort['head'];
}
