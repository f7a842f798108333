import { z } from 'zod';
import { count, event, type EventOf, name, sha256 } from './fields';

const driver = z.enum(['ovs', 'openstack', 'simulated']);
export type SiteDriverName = z.infer<typeof driver>;

export const siteEvents = {
  SiteAdded: event(1, 'An admin adds a site; its name and zones are taken in the same append.', {
    name: name.describe('Its name, which no other site has.'),
    dataCenter: name.describe('The data center that users name; several sites may be in one.'),
    availabilityZones: z.array(name).describe('Its zones, named inside the data center.'),
    driver: driver.describe('How it is made true: by our own Hosts, by the APIs of an OpenStack, or simulated.'),
    tunnel: z
      .strictObject({
        type: z.enum(['vxlan', 'geneve', 'gre']).describe('How frames are wrapped between its hosts.'),
        mtu: count.describe('The MTU of the underlay, in bytes.'),
      })
      .describe('How its hosts reach each other.'),
    joinTokenHash: sha256.describe('Of the token that its Bottom joins with; the token itself is kept nowhere.'),
  }),
  SiteJoined: event(1, 'A Bottom joins with the token; joining again with the same key is no event.', {
    keyHash: sha256.describe("Of the Bottom's own key, which it shows from now on."),
  }),
  SiteJoinTokenUsed: event(1, 'That Bottom asks for facts the first time, which uses the token up.', {}),
  SiteActivated: event(1, 'Its Bottom has taken over everything once and reported its capacity.', {}),
  SiteUnreachable: event(1, 'It was silent for 5 s; not again while that lasts, and not before it joined.', {
    since: z.iso.datetime().meta({ format: 'RFC 3339 time, UTC' }).describe('When it was heard last.'),
  }),
  SiteReachable: event(1, 'It speaks again.', {}),
  FactsDiscarded: event(
    1,
    'An operator ends a quarantine: what the site holds and the log does not know is deleted there, explicitly. Many make several events of one append.',
    {
      facts: z
        .array(
          z.strictObject({
            kind: name.describe('As in the cascade: `server`, `port`, `network`, …'),
            id: name.describe('Which one.'),
          }),
        )
        .describe('What is deleted there.'),
    },
  ),
  SiteRemoved: event(
    1,
    'An admin removes it, no server holding capacity there; its name and zones are freed in the same append.',
    { availabilityZones: z.array(name).describe('Its zones, so that a view knows from this event alone what goes.') },
  ),
} as const;

/** Stream `site-<id>`. */
export type SiteEvent = EventOf<typeof siteEvents>;
