import { z } from 'zod';
import { amount, count, event, type EventOf, id } from './fields';

const siteId = id('site')
  .nullable()
  .describe("Which site; null: the Top's own record of what it published, which lies beside the log.");

export const publisherEvents = {
  GenerationRaised: event(
    1,
    'A Top starts on an empty log, or an operator promotes, adopts or discards; raised by compare-and-append, never copied. It ends a quarantine.',
    { generation: count.describe('Which life of this Top speaks from now on; the first is 1.') },
  ),
  DivergenceFound: event(
    1,
    'A site knows what this log does not: one of the two is an older copy. From here to the next `GenerationRaised` the Top is in quarantine: nothing is published, and no intent is taken.',
    {
      siteId,
      generation: amount.describe('The generation that it last heard.'),
      position: amount.describe('The last position that it took over.'),
      digest: z.string().describe('The id of the event that stood there.'),
    },
  ),
  DivergenceSettled: event(
    1,
    'An operator has decided about that site; once nothing is left to decide, the generation is raised.',
    {
      siteId,
      by: z
        .enum(['adopt', 'discard'])
        .describe('`adopt`: what only the site knows is taken into the log; `discard`: it is deleted there.'),
    },
  ),
} as const;

/** Stream `publisher`: which life of this Top speaks to the sites. */
export type PublisherEvent = EventOf<typeof publisherEvents>;
