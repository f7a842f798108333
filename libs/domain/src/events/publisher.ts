import { count, event, type EventOf } from './fields';

export const publisherEvents = {
  GenerationRaised: event(
    1,
    'A Top starts on an empty log, or an operator promotes or discards; raised by compare-and-append, never copied.',
    { generation: count.describe('Which life of this Top speaks from now on; the first is 1.') },
  ),
} as const;

/** Stream `publisher`: which life of this Top speaks to the sites. */
export type PublisherEvent = EventOf<typeof publisherEvents>;
