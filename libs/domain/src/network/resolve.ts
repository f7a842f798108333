import { cidrContains, type NetworkId, type SubnetId } from '@weir/kernel';
import { InvalidInput, MAX_FIXED_IPS, refuseIpv6, refuseMore } from '../bounds';
import type { AddressChoice } from '../commands';
import type { FixedIp } from '../events/index';
import { CandidateTaken } from '../scarce/errors';
import { streams } from '../streams';
import { isHostOf, isInPools } from './addressing';
import { InvalidIpForNetwork, InvalidIpForSubnet, IpAddressAlreadyAllocated, SubnetBeingDeleted } from './errors';
import type { ExistingNetwork, Subnet } from './network';

/** Where each chosen address lies; throws for what the network cannot give. Whether it is taken, its own stream knows. */
export function resolveAddresses(
  id: NetworkId,
  network: ExistingNetwork,
  choices: readonly AddressChoice[],
): readonly (FixedIp & { readonly picked: boolean })[] {
  refuseMore('fixed_ips', choices, MAX_FIXED_IPS);
  refuseIpv6(choices.map(({ ip }) => ip));
  const resolved = choices.map((choice) => {
    const [subnetId, subnet] = subnetFor(id, network, choice);
    if (subnet.closing) throw new SubnetBeingDeleted(subnetId);
    if (choice.picked) {
      // The pools may have changed since it was picked.
      if (!isInPools(subnet.allocationPools, choice.ip)) throw new CandidateTaken(streams.address(subnetId, choice.ip));
    } else {
      if (!isHostOf(subnet.cidr, choice.ip)) throw new InvalidIpForSubnet(choice.ip);
    }
    // The router interface and the DHCP server answer for it, also while no port has it.
    if (choice.ip === subnet.gatewayIp) throw new IpAddressAlreadyAllocated(choice.ip, subnetId);
    return { subnetId, ip: choice.ip, picked: choice.picked };
  });
  resolved.forEach(({ subnetId, ip }, index) => {
    if (resolved.findIndex((other) => other.subnetId === subnetId && other.ip === ip) < index) {
      throw new InvalidInput('fixed_ips', `the IP address ${ip} is given twice`);
    }
  });
  return resolved;
}

function subnetFor(id: NetworkId, network: ExistingNetwork, choice: AddressChoice): readonly [SubnetId, Subnet] {
  if (choice.subnetId === undefined) {
    const found = [...network.subnets].find(([, subnet]) => cidrContains(subnet.cidr, choice.ip));
    if (!found) throw new InvalidIpForNetwork(choice.ip);
    return found;
  }
  const subnet = network.subnets.get(choice.subnetId);
  if (subnet) return [choice.subnetId, subnet];
  if (choice.picked) throw new CandidateTaken(streams.address(choice.subnetId, choice.ip));
  throw new InvalidInput('fixed_ips', `subnet ${choice.subnetId} is none of network ${id}`);
}
