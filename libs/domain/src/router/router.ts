import {
  cidrContains,
  cidrsOverlap,
  type Decider,
  type PortId,
  type RouterId,
  type SubnetId,
  unreachable,
} from '@weir/kernel';
import { difference, IdInUse, isEmpty, MAX_ROUTES, refuseIpv6, refuseLongText, refuseMore } from '../bounds';
import type { Changes } from '../commands';
import type { HostRoute, RouterEvent, RouterFields } from '../events/index';
import {
  BadRequest,
  CentralizedRouterNotSupported,
  InvalidRoutes,
  OverlappingSubnets,
  RouterInterfaceInUseByRoute,
  RouterInterfaceNotFound,
  RouterInUse,
  RouterNotFound,
} from './errors';

type RouterCreated = Extract<RouterEvent, { type: 'RouterCreated' }>['data'];
type InterfaceAdded = Extract<RouterEvent, { type: 'RouterInterfaceAdded' }>['data'];

export type RouterInterface = Omit<InterfaceAdded, 'portId'>;

export interface ExistingRouter extends RouterCreated {
  readonly exists: true;
  readonly interfaces: ReadonlyMap<PortId, RouterInterface>;
}

export type RouterState = { readonly exists: false } | ExistingRouter;

type Of = { readonly routerId: RouterId };

export type RouterCommand =
  | ({ readonly type: 'CreateRouter' } & Of & RouterCreated)
  /** As a site knew it; its interfaces follow. */
  | ({ readonly type: 'AdoptRouter' } & Of & RouterCreated)
  | ({ readonly type: 'AdoptInterface' } & Of & InterfaceAdded)
  | ({ readonly type: 'UpdateRouter'; readonly changes: Changes<RouterFields> } & Of)
  | ({ readonly type: 'DeleteRouter' } & Of)
  | ({ readonly type: 'AddInterface' } & Of & InterfaceAdded)
  | ({ readonly type: 'RemoveInterface'; readonly portId: PortId } & Of);

export const router: Decider<RouterState, RouterCommand, RouterEvent> = {
  initial: { exists: false },

  decide(command, state) {
    if (command.type === 'CreateRouter') {
      if (state.exists) throw new IdInUse(command.routerId);
      const { name, description, adminStateUp, routes, projectId, distributed, availabilityZoneHints } = command;
      if (!distributed) throw new CentralizedRouterNotSupported();
      refuseLongText(command);
      checkRoutes(routes, []);
      return [
        {
          type: 'RouterCreated',
          data: { name, description, adminStateUp, routes, projectId, distributed, availabilityZoneHints },
        },
      ];
    }
    if (command.type === 'AdoptRouter') {
      if (state.exists) throw new IdInUse(command.routerId);
      const { name, description, adminStateUp, routes, projectId, distributed, availabilityZoneHints } = command;
      const data = { name, description, adminStateUp, routes, projectId, distributed, availabilityZoneHints };
      return [{ type: 'RouterAdopted', data }];
    }
    const id = command.routerId;
    const current = existingRouter(state, id);
    switch (command.type) {
      case 'UpdateRouter': {
        refuseLongText(command.changes);
        if (command.changes.routes !== undefined) checkRoutes(command.changes.routes, [...current.interfaces.values()]);
        const changed = difference<RouterFields>(current, command.changes);
        return isEmpty(changed) ? [] : [{ type: 'RouterUpdated', data: changed }];
      }
      case 'DeleteRouter':
        if (current.interfaces.size > 0) throw new RouterInUse(id);
        return [{ type: 'RouterDeleted', data: {} }];
      case 'AddInterface':
      case 'AdoptInterface': {
        const { portId, networkId, subnetId, cidr, ip, mac } = command;
        const type = command.type === 'AddInterface' ? 'RouterInterfaceAdded' : 'RouterInterfaceAdopted';
        for (const other of current.interfaces.values()) {
          if (other.subnetId === subnetId) throw new BadRequest(`Router already has a port on subnet ${subnetId}`);
          if (cidrsOverlap(other.cidr, cidr)) throw new OverlappingSubnets(cidr, subnetId, other.cidr, other.subnetId);
        }
        return [{ type, data: { portId, networkId, subnetId, cidr, ip, mac } }];
      }
      case 'RemoveInterface': {
        const { portId } = command;
        const removed = current.interfaces.get(portId);
        if (!removed) throw new RouterInterfaceNotFound(id, portId);
        if (current.routes.some(({ nexthop }) => cidrContains(removed.cidr, nexthop))) {
          throw new RouterInterfaceInUseByRoute(id, removed.subnetId);
        }
        return [
          {
            type: 'RouterInterfaceRemoved',
            data: { portId, networkId: removed.networkId, subnetId: removed.subnetId },
          },
        ];
      }
      default:
        return unreachable(command);
    }
  },

  evolve(state, event) {
    if (event.type === 'RouterCreated' || event.type === 'RouterAdopted')
      return { exists: true, ...event.data, interfaces: new Map() };
    if (!state.exists) return state;
    switch (event.type) {
      case 'RouterUpdated':
        return { ...state, ...event.data };
      case 'RouterInterfaceAdded':
      case 'RouterInterfaceAdopted': {
        const { portId, ...added } = event.data;
        return { ...state, interfaces: new Map(state.interfaces).set(portId, added) };
      }
      case 'RouterInterfaceRemoved': {
        const interfaces = new Map(state.interfaces);
        interfaces.delete(event.data.portId);
        return { ...state, interfaces };
      }
      case 'RouterDeleted':
        return { exists: false };
      default:
        return state;
    }
  },
};

export function existingRouter(state: RouterState, id: RouterId): ExistingRouter {
  if (!state.exists) throw new RouterNotFound(id);
  return state;
}

export function interfaceOn(router: ExistingRouter, subnet: SubnetId): PortId | undefined {
  return [...router.interfaces].find(([, { subnetId }]) => subnetId === subnet)?.[0];
}

/** As Neutron: a next hop must be on a subnet of the router, and not the router itself. */
function checkRoutes(routes: readonly HostRoute[], interfaces: readonly RouterInterface[]): void {
  refuseMore('routes', routes, MAX_ROUTES);
  refuseIpv6(routes.flatMap(({ destination, nexthop }) => [destination, nexthop]));
  for (const { nexthop } of routes) {
    if (!interfaces.some(({ cidr }) => cidrContains(cidr, nexthop))) {
      throw new InvalidRoutes(`the nexthop ${nexthop} is not connected with router`);
    }
    if (interfaces.some(({ ip }) => ip === nexthop))
      throw new InvalidRoutes(`the nexthop ${nexthop} is used by router`);
  }
}
