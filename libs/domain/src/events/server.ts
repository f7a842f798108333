import { z } from 'zod';
import { changed, event, type EventOf, id, name, resources, type ValueOf } from './fields';

const flavor = z.strictObject({
  id: name.describe('Its id.'),
  name: name.describe('Its name.'),
  ...resources,
});
export type Flavor = ValueOf<typeof flavor>;

const port = z.strictObject({
  portId: id('port').describe('The port.'),
  networkId: id('network').describe('The network that it is on.'),
  own: z.boolean().describe('Made with the server, and goes with it.'),
});

const serverFields = {
  name: name.describe('As its user named it.'),
  metadata: z.record(z.string(), z.string()).describe('As its user wrote it, key by key.'),
};

const fault = z.strictObject({
  host: z.string().describe('The hypervisor that reports it; empty: there is none.'),
  message: z.string().describe('The cause, fit for the user.'),
});

const wholeServer = {
  projectId: id('project').describe('Whose it is.'),
  userId: id('user').describe('Who asked for it.'),
  ...serverFields,
  flavor: flavor.describe('Its size, as the flavor was then.'),
  imageId: name.describe('What it boots from.'),
  siteId: id('site').describe('Where it is to run.'),
  zone: name.describe("The zone's name inside its site."),
  availabilityZone: name.describe('The zone as users name it: `<data center>:<zone>`.'),
  ports: z.array(port).describe('Its ports in order: eth0, eth1, …'),
};

export const serverEvents = {
  ServerRequested: event(1, 'A user creates a server: one append with its capacity and its ports.', wholeServer),
  ServerAdopted: event(
    1,
    'An operator adopts a server that only a site knew, after the log was restored from an older copy: one append with its capacity, whatever is free, and its ports. What no site is told is guessed: `userId` is the operator, the flavor is one of that size if there is one, ports that the log did not know are its own, and there is no metadata.',
    wholeServer,
  ),
  ServerUpdated: event(1, 'A user updates it.', changed(serverFields)),
  ServerActive: event(
    1,
    "Its site reports it running, with its host's flows committed; again only for another host, or after a failure.",
    { host: z.string().describe('The hypervisor that runs it.') },
  ),
  ServerFailed: event(
    1,
    'Its host reports the cause, or no configured host could ever hold it; unless its capacity was freed, it may become active again.',
    {
      fault: fault.describe('What went wrong.'),
      capacityFreed: z
        .boolean()
        .describe('Nothing could ever hold it, and `CapacityFreed` in the same append gave its capacity back.'),
    },
  ),
  ServerDeleting: event(
    1,
    'A user deletes it: a tombstone goes to its site, and the server counts until it was seen gone.',
    {},
  ),
  ServerDeleted: event(
    1,
    'It was seen gone, or no Bottom ever got it. In the same append: its own ports deleted and others left without a device, addresses, MACs and capacity freed.',
    {},
  ),
} as const;

/** Stream `server-<id>`. */
export type ServerEvent = EventOf<typeof serverEvents>;
