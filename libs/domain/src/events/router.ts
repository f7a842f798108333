import { z } from 'zod';
import { changed, cidr, event, type EventOf, type FieldsOf, hostRoute, id, ip, mac } from './fields';

const routerFields = {
  name: z.string().describe('As its user named it.'),
  description: z.string().describe('As its user wrote it.'),
  adminStateUp: z.boolean().describe('Whether it is to route.'),
  routes: z.array(hostRoute).describe("Routes besides those to its interfaces' subnets."),
};
export type RouterFields = FieldsOf<typeof routerFields>;

const networkId = id('network').describe("The subnet's network.");
const portId = id('port').describe('The port that the interface is.');

const wholeRouter = {
  projectId: id('project').describe('Whose it is.'),
  ...routerFields,
  distributed: z.boolean().describe('Whether each host routes for itself.'),
  availabilityZoneHints: z.array(z.string()).describe('Zones that bound where it spans; empty: anywhere.'),
};

const wholeInterface = {
  portId,
  networkId,
  subnetId: id('subnet').describe('The subnet that it routes for.'),
  cidr: cidr.describe("The subnet's addresses."),
  ip: ip.describe("The interface's address."),
  mac: mac.describe("The interface's MAC."),
};

export const routerEvents = {
  RouterCreated: event(1, 'A user creates a router.', wholeRouter),
  RouterAdopted: event(
    1,
    'An operator adopts a router that only a site knew, after the log was restored from an older copy. What no site is told is as by default: no description, distributed, no hints.',
    wholeRouter,
  ),
  RouterUpdated: event(1, 'A user updates it.', changed(routerFields)),
  RouterInterfaceAdded: event(
    1,
    'A user adds a subnet (with its gateway address and `serverMac`, by a new port), or an existing port (with its own address and MAC).',
    wholeInterface,
  ),
  RouterInterfaceAdopted: event(
    1,
    'An operator adopts an interface that only a site knew; its port is adopted, and its address taken, in the same append.',
    wholeInterface,
  ),
  RouterInterfaceRemoved: event(1, 'A user removes it; its port is deleted and its address freed in the same append.', {
    portId,
    networkId,
    subnetId: id('subnet').describe('The subnet that it routed for.'),
  }),
  RouterDeleted: event(1, 'A user deletes it, no interface being left.', {}),
} as const;

/** Stream `router-<id>`, with its interfaces. */
export type RouterEvent = EventOf<typeof routerEvents>;
