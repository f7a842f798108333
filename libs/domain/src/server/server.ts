import { canonicalJson, type Decider, type ServerId, unreachable } from '@weir/kernel';
import {
  difference,
  IdInUse,
  InvalidInput,
  isEmpty,
  MAX_METADATA_ITEMS,
  MAX_NAME,
  MAX_SERVER_PORTS,
  refuseLonger,
  refuseMore,
} from '../bounds';
import type { Changes } from '../commands';
import type { ServerEvent } from '../events/index';
import { ServerBeingDeleted, ServerNotFound } from './errors';

type ServerRequested = Extract<ServerEvent, { type: 'ServerRequested' }>['data'];
type Fault = Extract<ServerEvent, { type: 'ServerFailed' }>['data']['fault'];
type Situation =
  | { readonly status: 'building' }
  | { readonly status: 'active'; readonly host: string }
  | { readonly status: 'failed'; readonly fault: Fault };

export interface ExistingServer extends ServerRequested {
  readonly exists: true;
  readonly situation: Situation;
  /** Its site has yet to say that it is gone. */
  readonly deleting: boolean;
  /** Until it is gone, or failed for good. */
  readonly holdsCapacity: boolean;
}

export type ServerState = { readonly exists: false } | ExistingServer;

type ServerChanges = Changes<{ readonly name: string; readonly metadata: Readonly<Record<string, string>> }>;
type Of = { readonly serverId: ServerId };

export type ServerCommand =
  | ({ readonly type: 'RequestServer' } & Of & ServerRequested)
  | ({ readonly type: 'AdoptServer' } & Of & ServerRequested)
  | ({ readonly type: 'UpdateServer'; readonly changes: ServerChanges } & Of)
  | ({ readonly type: 'ReportActive'; readonly host: string } & Of)
  | ({ readonly type: 'ReportFailed'; readonly fault: Fault; readonly freeCapacity: boolean } & Of)
  | ({ readonly type: 'DeleteServer' } & Of)
  /** It was seen gone, or nobody ever got it. */
  | ({ readonly type: 'RemoveServer' } & Of);

/** As the schema of observations. */
const MAX_FAULT = 2000;

export const server: Decider<ServerState, ServerCommand, ServerEvent> = {
  initial: { exists: false },

  decide(command, state) {
    switch (command.type) {
      case 'RequestServer':
        if (state.exists) throw new IdInUse(command.serverId);
        return [{ type: 'ServerRequested', data: checkedServer(command) }];
      case 'AdoptServer':
        if (state.exists) throw new IdInUse(command.serverId);
        return [{ type: 'ServerAdopted', data: checkedServer(command) }];
      case 'UpdateServer': {
        const current = existingServer(state, command.serverId);
        if (current.deleting) throw new ServerBeingDeleted(command.serverId);
        checkFields(command.changes);
        const changed = difference<Pick<ServerRequested, 'name' | 'metadata'>>(current, command.changes);
        return isEmpty(changed) ? [] : [{ type: 'ServerUpdated', data: changed }];
      }
      case 'ReportActive':
        // Reports come late and more than once. Without its capacity it cannot run, whatever somebody saw.
        if (!state.exists || state.deleting || !state.holdsCapacity) return [];
        if (state.situation.status === 'active' && state.situation.host === command.host) return [];
        return [{ type: 'ServerActive', data: { host: command.host } }];
      case 'ReportFailed': {
        if (!state.exists || state.deleting) return [];
        const fault = { host: command.fault.host, message: command.fault.message.slice(0, MAX_FAULT) };
        const capacityFreed = command.freeCapacity && state.holdsCapacity;
        const known =
          state.situation.status === 'failed' && canonicalJson(state.situation.fault) === canonicalJson(fault);
        return known && !capacityFreed ? [] : [{ type: 'ServerFailed', data: { fault, capacityFreed } }];
      }
      case 'DeleteServer':
        return existingServer(state, command.serverId).deleting ? [] : [{ type: 'ServerDeleting', data: {} }];
      case 'RemoveServer':
        existingServer(state, command.serverId);
        return [{ type: 'ServerDeleted', data: {} }];
      default:
        return unreachable(command);
    }
  },

  evolve(state, event) {
    if (event.type === 'ServerRequested' || event.type === 'ServerAdopted') {
      return { exists: true, ...event.data, situation: { status: 'building' }, deleting: false, holdsCapacity: true };
    }
    if (!state.exists) return state;
    switch (event.type) {
      case 'ServerUpdated':
        return { ...state, ...event.data };
      case 'ServerActive':
        return { ...state, situation: { status: 'active', host: event.data.host } };
      case 'ServerFailed': {
        const { fault, capacityFreed } = event.data;
        return {
          ...state,
          situation: { status: 'failed', fault },
          holdsCapacity: state.holdsCapacity && !capacityFreed,
        };
      }
      case 'ServerDeleting':
        return { ...state, deleting: true };
      case 'ServerDeleted':
        return { exists: false };
      default:
        return state;
    }
  },
};

export function existingServer(state: ServerState, id: ServerId): ExistingServer {
  if (!state.exists) throw new ServerNotFound(id);
  return state;
}

function checkedServer(server: ServerRequested): ServerRequested {
  checkFields(server);
  refuseMore('networks', server.ports, MAX_SERVER_PORTS);
  const { projectId, userId, name, imageId, siteId, zone, availabilityZone, ports, metadata } = server;
  const { id, name: flavorName, vcpus, ramMb, diskGb } = server.flavor;
  const flavor = { id, name: flavorName, vcpus, ramMb, diskGb };
  return { projectId, userId, name, flavor, imageId, siteId, zone, availabilityZone, ports, metadata };
}

function checkFields({ name, metadata }: ServerChanges): void {
  if (name === '') throw new InvalidInput('name', 'it is empty');
  refuseLonger('name', name, MAX_NAME);
  const items = Object.entries(metadata ?? {});
  refuseMore('metadata', items, MAX_METADATA_ITEMS);
  for (const [key, value] of items) {
    if (key === '') throw new InvalidInput('metadata', 'a key is empty');
    refuseLonger('metadata key', key, MAX_NAME);
    refuseLonger('metadata value', value, MAX_NAME);
  }
}
