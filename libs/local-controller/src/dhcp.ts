import { cidrRange, ipVersion, type Mac } from '@weir/kernel';
import type { DhcpLease } from '@weir/packet';
import type { HostSlice } from '@weir/pipeline';
import { hostnameOf } from './instances';

/** The lease of a port, and the MAC that its server speaks with. */
export interface PortLease {
  readonly lease: DhcpLease;
  readonly serverMac: Mac;
}

/** Of the port's first IPv4 address in a subnet with DHCP; undefined while a fact is missing, or where no subnet of its has DHCP. */
export function leaseOf(slice: HostSlice, portId: string): PortLease | undefined {
  const port = slice.get('port', portId);
  const network = port && slice.get('network', port.network);
  if (!network) return undefined;
  for (const { subnet: id, ip } of port.fixedIps) {
    const subnet = slice.get('subnet', id);
    if (!subnet?.enableDhcp || ipVersion(ip) !== 4) continue;
    const name = slice.get('server', port.server)?.name;
    return {
      serverMac: subnet.serverMac,
      lease: {
        clientMac: port.mac,
        address: ip,
        prefix: cidrRange(subnet.cidr).prefix,
        serverAddress: subnet.serverIp,
        router: subnet.gatewayIp ?? undefined,
        dns: subnet.dnsNameservers,
        mtu: network.mtu,
        hostRoutes: subnet.hostRoutes,
        hostname: name === undefined ? undefined : hostnameOf(name),
      },
    };
  }
  return undefined;
}
