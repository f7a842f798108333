import { type Cidr, cidrContains, cidrRange, type Ip, ipv4FromNumber, ipv4ToNumber } from '@weir/kernel';
import { InvalidInput, Ipv6NotSupported, refuseIpv6, refuseMore } from '../bounds';
import type { AllocationPool, SubnetFields } from '../events/index';
import {
  GatewayConflictWithAllocationPools,
  InvalidAllocationPool,
  OutOfBoundsAllocationPool,
  OverlappingAllocationPools,
} from './errors';

/** A gateway and a host besides network and broadcast address. */
const LONGEST_PREFIX = 30;
const MAX_POOLS = 100;
const LOOPBACK = '127.0.0.0/8' as Cidr;
const MULTICAST = '224.0.0.0/4' as Cidr;

export interface Addressing {
  readonly gatewayIp: Ip | null;
  readonly allocationPools: readonly AllocationPool[];
}

/** The gateway and pools that a subnet will have: what is left out gets its default, what is given is judged. */
export function subnetAddressing(
  cidr: Cidr,
  asked: {
    readonly gatewayIp?: Ip | null | undefined;
    readonly allocationPools?: readonly AllocationPool[] | undefined;
  },
): Addressing {
  const { first, last } = hostsOf(cidr);
  const gatewayIp = asked.gatewayIp === undefined ? ipv4FromNumber(first) : asked.gatewayIp;
  if (gatewayIp !== null) {
    refuseIpv6([gatewayIp]);
    if (!isHostOf(cidr, gatewayIp))
      throw new InvalidInput('gateway_ip', `gateway ${gatewayIp} is not valid on subnet ${cidr}`);
  }
  if (asked.allocationPools === undefined) return { gatewayIp, allocationPools: poolsAround(first, last, gatewayIp) };
  judgePools(cidr, gatewayIp, asked.allocationPools);
  return { gatewayIp, allocationPools: asked.allocationPools };
}

/** Refuses what no subnet of ours can be. */
export function judgeCidr(cidr: Cidr): void {
  const { version, prefix } = cidrRange(cidr);
  if (version === 6) throw new Ipv6NotSupported(cidr);
  if (prefix === 0 || prefix > LONGEST_PREFIX) {
    throw new InvalidInput('cidr', `'${cidr}' has a prefix length outside of 1 to ${LONGEST_PREFIX}`);
  }
  for (const special of [LOOPBACK, MULTICAST]) {
    const { first, last } = cidrRange(special);
    const range = cidrRange(cidr);
    if (range.first <= last && first <= range.last)
      throw new InvalidInput('cidr', `'${cidr}' overlaps with ${special}, whose addresses no host may have`);
  }
}

/** Neither network nor broadcast address. */
export function isHostOf(cidr: Cidr, ip: Ip): boolean {
  if (!cidrContains(cidr, ip)) return false;
  const { first, last } = hostsOf(cidr);
  const value = ipv4ToNumber(ip);
  return value >= first && value <= last;
}

export function isInPools(pools: readonly AllocationPool[], ip: Ip): boolean {
  const value = ipv4ToNumber(ip);
  return pools.some(({ start, end }) => value >= ipv4ToNumber(start) && value <= ipv4ToNumber(end));
}

/**
 * The address of a subnet's DHCP server: the gateway's; without one, the address reserved for it. While DHCP is off
 * and there is no gateway nobody serves, and the network address stands there, which no port can have.
 */
export function serverIpOf(
  subnet: Pick<SubnetFields, 'gatewayIp' | 'enableDhcp'> & { readonly cidr: Cidr },
  reserve: () => Ip,
): Ip {
  if (subnet.gatewayIp !== null) return subnet.gatewayIp;
  return hasReservedServer(subnet) ? reserve() : ipv4FromNumber(Number(cidrRange(subnet.cidr).first));
}

/** Its DHCP server has a port of its own. */
export function hasReservedServer(subnet: Pick<SubnetFields, 'gatewayIp' | 'enableDhcp'>): boolean {
  return subnet.gatewayIp === null && subnet.enableDhcp;
}

function judgePools(cidr: Cidr, gatewayIp: Ip | null, pools: readonly AllocationPool[]): void {
  refuseMore('allocation_pools', pools, MAX_POOLS);
  for (const pool of pools) {
    refuseIpv6([pool.start, pool.end]);
    if (ipv4ToNumber(pool.end) < ipv4ToNumber(pool.start)) throw new InvalidAllocationPool(pool);
    if (!isHostOf(cidr, pool.start) || !isHostOf(cidr, pool.end)) throw new OutOfBoundsAllocationPool(pool, cidr);
  }
  pools.forEach((pool, index) => {
    for (const other of pools.slice(index + 1)) {
      const apart =
        ipv4ToNumber(pool.end) < ipv4ToNumber(other.start) || ipv4ToNumber(other.end) < ipv4ToNumber(pool.start);
      if (!apart) throw new OverlappingAllocationPools(pool, other, cidr);
    }
    if (gatewayIp !== null && isInPools([pool], gatewayIp))
      throw new GatewayConflictWithAllocationPools(gatewayIp, pool);
  });
}

function poolsAround(first: number, last: number, gatewayIp: Ip | null): readonly AllocationPool[] {
  if (gatewayIp === null) return [pool(first, last)];
  const gateway = ipv4ToNumber(gatewayIp);
  return [...(gateway > first ? [pool(first, gateway - 1)] : []), ...(gateway < last ? [pool(gateway + 1, last)] : [])];
}

function pool(first: number, last: number): AllocationPool {
  return { start: ipv4FromNumber(first), end: ipv4FromNumber(last) };
}

function hostsOf(cidr: Cidr): { readonly first: number; readonly last: number } {
  const { first, last } = cidrRange(cidr);
  return { first: Number(first) + 1, last: Number(last) - 1 };
}
