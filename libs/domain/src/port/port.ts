import { canonicalJson, type Decider, type Ip, type PortId, type SiteId, unreachable } from '@weir/kernel';
import { difference, IdInUse, isEmpty, MAX_FIXED_IPS, refuseLonger, refuseLongText, refuseMore } from '../bounds';
import type { Changes } from '../commands';
import type { PortEvent, PortFields } from '../events/index';
import { DeviceOwnerReserved, PortInUse, PortNotFound, ServicePortInUse, UnsupportedPortDeviceOwner } from './errors';

export const ROUTER_INTERFACE_OWNER = 'network:router_interface';
export const DHCP_OWNER = 'network:dhcp';
const COMPUTE_OWNER = 'compute:';

type PortCreated = Extract<PortEvent, { type: 'PortCreated' }>['data'];

export interface Binding {
  readonly siteId: SiteId;
  readonly host: string;
  readonly endpoint: Ip;
}

export interface ExistingPort extends PortCreated {
  readonly exists: true;
  /** Its site has yet to say that it is gone. */
  readonly deleting: boolean;
  readonly binding: Binding | null;
}

export type PortState = { readonly exists: false } | ExistingPort;

type Of = { readonly portId: PortId };

export type PortCommand =
  | ({ readonly type: 'CreatePort' } & Of & PortCreated)
  | ({ readonly type: 'AdoptPort' } & Of & PortCreated)
  | ({ readonly type: 'UpdatePort'; readonly changes: Changes<PortFields> } & Of)
  | ({ readonly type: 'AttachPort'; readonly deviceId: string; readonly deviceOwner: string } & Of)
  /** From another device than the one that has it, nothing changes. */
  | ({ readonly type: 'DetachPort'; readonly deviceId: string } & Of)
  | ({ readonly type: 'BindPort' } & Of & Binding)
  | ({ readonly type: 'DeletePort' } & Of)
  /** By the service that it belongs to, or because it was seen gone. */
  | ({ readonly type: 'RemovePort' } & Of);

export const port: Decider<PortState, PortCommand, PortEvent> = {
  initial: { exists: false },

  decide(command, state) {
    const id = command.portId;
    switch (command.type) {
      case 'CreatePort':
        if (state.exists) throw new IdInUse(id);
        return [{ type: 'PortCreated', data: checkedPort(command) }];
      case 'AdoptPort':
        if (state.exists) throw new IdInUse(id);
        return [{ type: 'PortAdopted', data: checkedPort(command) }];
      case 'UpdatePort': {
        const current = livePort(state, id);
        checkFields(command.changes);
        const changed = difference<PortFields>(current, command.changes);
        refuseUnderDevice(id, current, changed);
        return isEmpty(changed) ? [] : [{ type: 'PortUpdated', data: changed }];
      }
      case 'AttachPort': {
        const current = livePort(state, id);
        if (current.deviceId !== '' || current.deviceOwner !== '')
          throw new PortInUse(id, current.networkId, current.deviceId);
        return [{ type: 'PortUpdated', data: { deviceId: command.deviceId, deviceOwner: command.deviceOwner } }];
      }
      case 'DetachPort':
        return livePort(state, id).deviceId === command.deviceId
          ? [{ type: 'PortUpdated', data: { deviceId: '', deviceOwner: '' } }]
          : [];
      case 'BindPort': {
        const { siteId, host, endpoint } = command;
        // A late report of a port that is going changes nothing for anybody.
        if (
          !state.exists ||
          state.deleting ||
          canonicalJson(state.binding) === canonicalJson({ siteId, host, endpoint })
        )
          return [];
        return [{ type: 'PortBound', data: { siteId, host, endpoint } }];
      }
      case 'DeletePort': {
        if (!state.exists) throw new PortNotFound(id);
        if (state.deleting) return [];
        if (isServicePort(state)) throw new ServicePortInUse(id, state.deviceOwner);
        return [isOfServer(state) ? { type: 'PortDeleting', data: {} } : { type: 'PortDeleted', data: {} }];
      }
      case 'RemovePort':
        return state.exists ? [{ type: 'PortDeleted', data: {} }] : [];
      default:
        return unreachable(command);
    }
  },

  evolve(state, event) {
    if (event.type === 'PortCreated' || event.type === 'PortAdopted')
      return { exists: true, ...event.data, deleting: false, binding: null };
    if (!state.exists) return state;
    switch (event.type) {
      case 'PortUpdated':
        // Without a device it is nowhere.
        return { ...state, ...event.data, binding: event.data.deviceId === '' ? null : state.binding };
      case 'PortBound':
        return { ...state, binding: event.data };
      case 'PortDeleting':
        return { ...state, deleting: true };
      case 'PortDeleted':
        return { exists: false };
      default:
        return state;
    }
  },
};

/** A port that may still be used; one that is being deleted is gone for its user. */
export function livePort(state: PortState, id: PortId): ExistingPort {
  if (!state.exists || state.deleting) throw new PortNotFound(id);
  return state;
}

/** Only these are published to sites. */
export function isOfServer(port: Pick<PortFields, 'deviceOwner'>): boolean {
  return port.deviceOwner.startsWith(COMPUTE_OWNER);
}

export function computeOwner(availabilityZone: string): string {
  return `${COMPUTE_OWNER}${availabilityZone}`;
}

/** For what a user gives: who owns a port decides who frees its addresses, so it cannot be claimed. */
export function refuseReservedOwner(owner: string | undefined): void {
  if (owner !== undefined && (owner.startsWith(COMPUTE_OWNER) || owner.startsWith('network:')))
    throw new DeviceOwnerReserved(owner);
}

function isServicePort({ deviceOwner }: Pick<PortFields, 'deviceOwner'>): boolean {
  return deviceOwner === ROUTER_INTERFACE_OWNER || deviceOwner === DHCP_OWNER;
}

function refuseUnderDevice(id: PortId, current: ExistingPort, changed: Partial<PortFields>): void {
  if (!isOfServer(current) && !isServicePort(current)) return;
  for (const field of ['fixedIps', 'deviceId', 'deviceOwner'] as const) {
    // An address is never given out while a site may still answer for it.
    if (field in changed)
      throw new UnsupportedPortDeviceOwner(`update of ${FIELD_NAMES[field]}`, id, current.deviceOwner);
  }
}

const FIELD_NAMES = { fixedIps: 'fixed_ips', deviceId: 'device_id', deviceOwner: 'device_owner' } as const;
/** As Neutron's columns. */
const MAX_DEVICE = 255;

function checkedPort(port: PortCreated): PortCreated {
  checkFields(port);
  const {
    name,
    description,
    adminStateUp,
    portSecurityEnabled,
    fixedIps,
    deviceId,
    deviceOwner,
    projectId,
    networkId,
    mac,
  } = port;
  return {
    name,
    description,
    adminStateUp,
    portSecurityEnabled,
    fixedIps,
    deviceId,
    deviceOwner,
    projectId,
    networkId,
    mac,
  };
}

function checkFields(fields: Changes<PortFields>): void {
  refuseLongText(fields);
  refuseLonger('device_id', fields.deviceId, MAX_DEVICE);
  refuseLonger('device_owner', fields.deviceOwner, MAX_DEVICE);
  refuseMore('fixed_ips', fields.fixedIps, MAX_FIXED_IPS);
}
