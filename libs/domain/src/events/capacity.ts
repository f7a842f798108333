import { event, type EventOf, type FieldsOf, id, resources } from './fields';

export type Resources = FieldsOf<typeof resources>;

const server = id('server').describe('Whose share it is.');

export const capacityEvents = {
  CapacityChanged: event(
    1,
    'The Bottom reports other totals, which are these; where they fall below what is taken, nothing more fits.',
    resources,
  ),
  CapacityTaken: event(1, 'A server is requested, if it fits.', { ...resources, server }),
  CapacityFreed: event(1, 'The server is deleted, or has failed with `capacityFreed`; once for each server.', {
    ...resources,
    server,
  }),
} as const;

/** Streams `capacity-<site>-<zone>`: what a zone has in all, and who took of it. */
export type CapacityEvent = EventOf<typeof capacityEvents>;
