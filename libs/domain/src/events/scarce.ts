import { anyId, event, type EventOf } from './fields';

export const scarceEvents = {
  Taken: event(1, 'Its holder is created or changed, in the same append.', {
    by: anyId.describe('The holder: a port, subnet, network or site, as the name of the stream says.'),
  }),
  Freed: event(
    1,
    "Its holder is deleted or changed, in the same append; what a server's port held, only after its site has seen it gone.",
    {},
  ),
} as const;

/** Streams of scarce things: addresses, MACs, segments, names of sites and zones. */
export type ScarceEvent = EventOf<typeof scarceEvents>;
