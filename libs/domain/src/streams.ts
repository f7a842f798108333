import type { Ip, Mac, NetworkId, PortId, RouterId, ServerId, SiteId, SubnetId } from '@weir/kernel';
import type { Segment } from './events/index';

/** Names of streams: one per thing, and one per scarce thing, so that taking two different addresses never conflicts. */
export const streams = {
  site: (id: SiteId) => `site-${id}`,
  siteName: (name: string) => `site-name-${name}`,
  zone: (dataCenter: string, zone: string) => `zone-${dataCenter}:${zone}`,
  capacity: (site: SiteId, zone: string) => `capacity-${site}-${zone}`,
  network: (id: NetworkId) => `network-${id}`,
  router: (id: RouterId) => `router-${id}`,
  port: (id: PortId) => `port-${id}`,
  server: (id: ServerId) => `server-${id}`,
  address: (subnet: SubnetId, ip: Ip) => `address-${subnet}-${ip}`,
  mac: (network: NetworkId, mac: Mac) => `mac-${network}-${mac}`,
  segment: (segment: Segment) => `segment-${segment.type}-${segment.key}`,
  publisher: 'publisher',
} as const;
