import type { Ip, Mac, NetworkId, PortId, RouterId, ServerId, SiteId, SubnetId } from '@weir/kernel';
import { capacity } from './capacity/capacity';
import type { Segment } from './events/index';
import { network } from './network/network';
import { port } from './port/port';
import { publisher } from './publisher/publisher';
import { router } from './router/router';
import { scarce } from './scarce/scarce';
import { server } from './server/server';
import { site } from './site/site';
import { streams } from './streams';

/** Every stream with the decider that folds it. */
export const at = {
  site: (id: SiteId) => ({ stream: streams.site(id), decider: site }),
  siteName: (name: string) => ({ stream: streams.siteName(name), decider: scarce }),
  zone: (dataCenter: string, zone: string) => ({ stream: streams.zone(dataCenter, zone), decider: scarce }),
  capacity: (id: SiteId, zone: string) => ({ stream: streams.capacity(id, zone), decider: capacity }),
  network: (id: NetworkId) => ({ stream: streams.network(id), decider: network }),
  router: (id: RouterId) => ({ stream: streams.router(id), decider: router }),
  port: (id: PortId) => ({ stream: streams.port(id), decider: port }),
  server: (id: ServerId) => ({ stream: streams.server(id), decider: server }),
  address: (subnet: SubnetId, ip: Ip) => ({ stream: streams.address(subnet, ip), decider: scarce }),
  mac: (network: NetworkId, mac: Mac) => ({ stream: streams.mac(network, mac), decider: scarce }),
  segment: (segment: Segment) => ({ stream: streams.segment(segment), decider: scarce }),
  publisher: { stream: streams.publisher, decider: publisher },
} as const;
