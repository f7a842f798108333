import { type NetworkId, type PortId, WeirError } from '@weir/kernel';

export class PortNotFound extends WeirError {
  constructor(port: PortId) {
    super('not-found', `Port ${port} could not be found.`);
  }
}

export class PortInUse extends WeirError {
  constructor(port: PortId, network: NetworkId, device: string) {
    super(
      'conflict',
      `Unable to complete operation on port ${port} for network ${network}. Port already has an attached device ${device}.`,
    );
  }
}

export class ServicePortInUse extends WeirError {
  constructor(port: PortId, owner: string) {
    super('conflict', `Port ${port} cannot be deleted directly via the port API: has device owner ${owner}.`);
  }
}

/** What an attached device relies on stays as it is. */
export class UnsupportedPortDeviceOwner extends WeirError {
  constructor(operation: string, port: PortId, owner: string) {
    super('conflict', `Operation ${operation} is not supported for device_owner ${owner} on port ${port}.`);
  }
}

/** Owners `compute:…` and `network:…` follow from servers, routers and subnets; they cannot be claimed. */
export class DeviceOwnerReserved extends WeirError {
  constructor(owner: string) {
    super('invalid', `The device_owner '${owner}' is set by the service itself and cannot be given.`);
  }
}
