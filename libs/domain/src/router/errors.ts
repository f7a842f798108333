import { type Cidr, type PortId, type RouterId, type SubnetId, WeirError } from '@weir/kernel';

export class RouterNotFound extends WeirError {
  constructor(router: RouterId) {
    super('not-found', `Router ${router} could not be found.`);
  }
}

export class RouterInUse extends WeirError {
  constructor(router: RouterId) {
    super('conflict', `Router ${router} still has ports.`);
  }
}

/** Neutron's answer to an interface that cannot be. */
export class BadRequest extends WeirError {
  constructor(message: string) {
    super('invalid', `Bad router request: ${message}.`);
  }
}

/** 400 in Neutron, as BadRequest. */
export class OverlappingSubnets extends BadRequest {
  constructor(cidr: Cidr, subnet: SubnetId, otherCidr: Cidr, otherSubnet: SubnetId) {
    super(`Cidr ${cidr} of subnet ${subnet} overlaps with cidr ${otherCidr} of subnet ${otherSubnet}`);
  }
}

export class RouterInterfaceNotFound extends WeirError {
  constructor(router: RouterId, port: PortId) {
    super('not-found', `Router ${router} does not have an interface with id ${port}.`);
  }
}

export class RouterInterfaceNotFoundForSubnet extends WeirError {
  constructor(router: RouterId, subnet: SubnetId) {
    super('not-found', `Router ${router} has no interface on subnet ${subnet}.`);
  }
}

export class SubnetMismatchForPort extends WeirError {
  constructor(port: PortId, subnet: SubnetId) {
    super('invalid', `Subnet on port ${port} does not match the requested subnet ${subnet}.`);
  }
}

export class RouterInterfaceInUseByRoute extends WeirError {
  constructor(router: RouterId, subnet: SubnetId) {
    super(
      'conflict',
      `Router interface for subnet ${subnet} on router ${router} cannot be deleted, as it is required by one or more routes.`,
    );
  }
}

export class InvalidRoutes extends WeirError {
  constructor(reason: string) {
    super('invalid', `Invalid format for routes: ${reason}.`);
  }
}

export class CentralizedRouterNotSupported extends WeirError {
  constructor() {
    super(
      'invalid',
      'A router that is not distributed needs gateway hosts, which do not exist yet; leave out distributed, or set it to true.',
    );
  }
}
