import type { EventStore as EventStorePort } from '@weir/event-store';

type Used = Pick<
  EventStorePort,
  'readAll' | 'readStream' | 'head' | 'positionAt' | 'verify' | 'seals' | 'rebuild' | 'checkRebuild'
>;

/** Ports as Nest's container names them: an interface has no value at run time, an abstract class has. */
export abstract class EventStore implements Used {
  abstract readAll: EventStorePort['readAll'];
  abstract readStream: EventStorePort['readStream'];
  abstract positionAt: EventStorePort['positionAt'];
  abstract head: EventStorePort['head'];
  abstract verify: EventStorePort['verify'];
  abstract seals: EventStorePort['seals'];
  abstract rebuild: EventStorePort['rebuild'];
  abstract checkRebuild: EventStorePort['checkRebuild'];
}
