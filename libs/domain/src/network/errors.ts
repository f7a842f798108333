import { type Cidr, type Ip, type NetworkId, type PortId, type SubnetId, WeirError } from '@weir/kernel';
import type { AllocationPool, SegmentType } from '../events/index';

/** Class names and texts are Neutron's where it has them: clients branch on the name. */

export class NetworkNotFound extends WeirError {
  constructor(network: NetworkId) {
    super('not-found', `Network ${network} could not be found.`);
  }
}

export class SubnetNotFound extends WeirError {
  constructor(subnet: SubnetId) {
    super('not-found', `Subnet ${subnet} could not be found.`);
  }
}

const SHOWN_PORTS = 10;

export class NetworkInUse extends WeirError {
  constructor(network: NetworkId, ports: readonly PortId[]) {
    super(
      'conflict',
      `Unable to complete operation on network ${network}. There are one or more ports still in use on the network${list(ports)}.`,
    );
  }
}

export class SubnetInUse extends WeirError {
  constructor(subnet: SubnetId, ports: readonly PortId[]) {
    super(
      'conflict',
      `Unable to complete operation on subnet ${subnet}: One or more ports have an IP allocation from this subnet${list(ports)}.`,
    );
  }
}

function list(ports: readonly PortId[]): string {
  if (ports.length === 0) return '';
  const more = ports.length > SHOWN_PORTS ? ` and ${ports.length - SHOWN_PORTS} more` : '';
  return `, id for these ports is: ${ports.slice(0, SHOWN_PORTS).join(',')}${more}`;
}

export class NetworkBeingDeleted extends WeirError {
  constructor(network: NetworkId) {
    super('conflict', `Network ${network} is being deleted.`);
  }
}

export class SubnetBeingDeleted extends WeirError {
  constructor(subnet: SubnetId) {
    super('conflict', `Subnet ${subnet} is being deleted.`);
  }
}

export class SegmentTypeNotAllowed extends WeirError {
  constructor(type: SegmentType, allowed: readonly SegmentType[]) {
    super('invalid', `Networks of type '${type}' cannot be created; allowed are: ${allowed.join(', ')}.`);
  }
}

export class VlanIdInUse extends WeirError {
  constructor(id: number) {
    super('conflict', `Unable to create the network. The VLAN ${id} is in use.`);
  }
}

export class TunnelIdInUse extends WeirError {
  constructor(id: number) {
    super('conflict', `Unable to create the network. The tunnel ID ${id} is in use.`);
  }
}

/** All keys of the type's range are taken. */
export class NoNetworkAvailable extends WeirError {
  constructor() {
    super('unavailable', 'Unable to create the network. No tenant network is available for allocation.');
  }
}

/** Neutron's InvalidInput, 400. */
export class SubnetOverlap extends WeirError {
  constructor(cidr: Cidr, network: NetworkId, other: Cidr) {
    super(
      'invalid',
      `Invalid input for operation: Requested subnet with cidr: ${cidr} for network: ${network} overlaps with another subnet, ${other}.`,
    );
  }
}

export class GatewayConflictWithAllocationPools extends WeirError {
  constructor(gateway: Ip, pool: AllocationPool) {
    super('conflict', `Gateway ip ${gateway} conflicts with allocation pool ${poolText(pool)}.`);
  }
}

export class InvalidAllocationPool extends WeirError {
  constructor(pool: AllocationPool) {
    super('invalid', `The allocation pool ${poolText(pool)} is not valid.`);
  }
}

export class OutOfBoundsAllocationPool extends WeirError {
  constructor(pool: AllocationPool, cidr: Cidr) {
    super('invalid', `The allocation pool ${poolText(pool)} spans beyond the subnet cidr ${cidr}.`);
  }
}

export class OverlappingAllocationPools extends WeirError {
  constructor(one: AllocationPool, other: AllocationPool, cidr: Cidr) {
    super('conflict', `Found overlapping allocation pools: ${poolText(one)} ${poolText(other)} for subnet ${cidr}.`);
  }
}

function poolText({ start, end }: AllocationPool): string {
  return `${start}-${end}`;
}

export class GatewayIpInUse extends WeirError {
  constructor(gateway: Ip, port: string) {
    super('conflict', `Current gateway ip ${gateway} already in use by port ${port}. Unable to update.`);
  }
}

export class InvalidIpForNetwork extends WeirError {
  constructor(ip: Ip) {
    super('invalid', `IP address ${ip} is not a valid IP for any of the subnets on the specified network.`);
  }
}

export class InvalidIpForSubnet extends WeirError {
  constructor(ip: Ip) {
    super('invalid', `IP address ${ip} is not a valid IP for the specified subnet.`);
  }
}

export class IpAddressAlreadyAllocated extends WeirError {
  constructor(ip: Ip, subnet: SubnetId) {
    super('conflict', `IP address ${ip} already allocated in subnet ${subnet}.`);
  }
}

export class IpAddressGenerationFailure extends WeirError {
  constructor(network: NetworkId) {
    super('conflict', `No more IP addresses available on network ${network}.`);
  }
}

export class MacAddressInUse extends WeirError {
  constructor(network: NetworkId, mac: string) {
    super('conflict', `Unable to complete operation for network ${network}. The mac address ${mac} is in use.`);
  }
}
