import { z } from 'zod';
import { changed, event, type EventOf, type FieldsOf, id, ip, mac, type ValueOf } from './fields';

const fixedIp = z.strictObject({
  subnetId: id('subnet').describe('The subnet that the address is of.'),
  ip: ip.describe('The address.'),
});
export type FixedIp = ValueOf<typeof fixedIp>;

const portFields = {
  name: z.string().describe('As its user named it.'),
  description: z.string().describe('As its user wrote it.'),
  adminStateUp: z.boolean().describe('Whether it is to carry traffic.'),
  portSecurityEnabled: z.boolean().describe('Whether it may send only as the addresses that it has.'),
  fixedIps: z.array(fixedIp).describe('Its addresses.'),
  deviceId: z.string().describe("A server's, router's or subnet's id, or empty; becoming empty ends its binding, too."),
  deviceOwner: z
    .string()
    .describe('`compute:<data center>:<zone>`, `network:router_interface`, `network:dhcp`, or what its user set.'),
};
export type PortFields = FieldsOf<typeof portFields>;

const wholePort = {
  projectId: id('project').describe('Whose it is.'),
  networkId: id('network').describe('The network that it is on.'),
  mac: mac.describe('Its MAC, for its life.'),
  ...portFields,
};

export const portEvents = {
  PortCreated: event(
    1,
    'A user creates a port, or one is made with a server, a router interface, or a DHCP server without a gateway; addresses and MAC are taken in the same append.',
    wholePort,
  ),
  PortAdopted: event(
    1,
    'An operator adopts a server, or a router interface, that only a site knew, with this port; addresses and MAC are taken in the same append. It has no description.',
    wholePort,
  ),
  PortUpdated: event(1, 'A user updates it, or a server takes it or leaves it.', changed(portFields)),
  PortBound: event(
    1,
    "A Bottom placed it, which every place in the network's span needs to know; the same again is no event.",
    {
      siteId: id('site').describe('Where it is.'),
      host: z.string().describe('The hypervisor that it is on.'),
      endpoint: ip.describe("The host's tunnel address."),
    },
  ),
  PortDeleting: event(1, 'A user deletes a port that a server has: its site may still answer for its address.', {}),
  PortDeleted: event(
    1,
    'It was deleted where no site knows it, or was seen gone; addresses and MAC are freed in the same append.',
    {},
  ),
} as const;

/** Stream `port-<id>`. */
export type PortEvent = EventOf<typeof portEvents>;
