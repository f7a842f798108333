import { capacityEvents } from './capacity';
import type { EventSchema } from './fields';
import { networkEvents } from './network';
import { portEvents } from './port';
import { publisherEvents } from './publisher';
import { routerEvents } from './router';
import { scarceEvents } from './scarce';
import { serverEvents } from './server';
import { siteEvents } from './site';

/** Streams whose events are of the same types. */
export interface StreamFamily {
  readonly title: string;
  /** The form of each stream's name, and what it holds. */
  readonly streams: Readonly<Record<string, string>>;
  readonly notes?: string;
  readonly events: Readonly<Record<string, EventSchema>>;
}

/** Every type of event by the streams that it stands in. Names, streams and fields are for ever: a new shape is a new name, or a higher version with an upcaster. */
export const eventCatalogue: readonly StreamFamily[] = [
  {
    title: 'Sites',
    streams: { 'site-<id>': 'a site, from its addition to its removal' },
    events: siteEvents,
  },
  {
    title: 'Capacity',
    streams: {
      'capacity-<site>-<zone>':
        'what a zone has in all, and what servers take of it. Hot: all creates in a zone write it',
    },
    events: capacityEvents,
  },
  {
    title: 'Networks and subnets',
    streams: { 'network-<id>': 'a network and its subnets' },
    notes: [
      "`serverIp` is the DHCP server's address: the gateway's; where there is no gateway, one reserved by a port of owner `network:dhcp`, made and deleted in the same",
      'append; with neither gateway nor DHCP nobody serves, and it is the network address, which no port can have.',
    ].join('\n'),
    events: networkEvents,
  },
  {
    title: 'Routers',
    streams: { 'router-<id>': 'a router and its interfaces' },
    events: routerEvents,
  },
  {
    title: 'Ports',
    streams: { 'port-<id>': 'a port' },
    notes: [
      "`deviceOwner` is `compute:<data center>:<zone>` (with the server's id as `deviceId`), `network:router_interface` (the router's), `network:dhcp` (the subnet's), or what a user",
      'set, which cannot begin with `compute:` or `network:`. Ports of owner `compute:…` are the ones that sites know.',
    ].join('\n'),
    events: portEvents,
  },
  {
    title: 'Servers',
    streams: { 'server-<id>': 'a server' },
    events: serverEvents,
  },
  {
    title: 'Scarce things',
    streams: {
      'address-<subnet>-<ip>': 'one address of one subnet, held by a port',
      'mac-<network>-<mac>': 'one MAC in one network, held by a port, or by a subnet for its gateway and DHCP server',
      'segment-<type>-<key>': 'one VNI, GRE key or VLAN id, held by a network. Networks of type `mac` take none',
      'site-name-<name>': 'the name of a site',
      'zone-<data center>:<zone>': "a zone's name as users write it, held by a site",
    },
    events: scarceEvents,
  },
  {
    title: 'Publisher',
    streams: { publisher: 'which life of this Top speaks to the sites' },
    events: publisherEvents,
  },
];
