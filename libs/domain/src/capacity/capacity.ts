import { type Decider, type ServerId, unreachable } from '@weir/kernel';
import { InvalidInput } from '../bounds';
import type { CapacityEvent, Resources } from '../events/index';
import { NoCapacity } from './errors';

/** Who holds how much is known to each server's own stream, so that this one, which all of a zone's servers write, stays small. */
export interface CapacityState {
  readonly total: Resources;
  /** More than the total after hosts were taken away: then nothing more fits. */
  readonly taken: Resources;
  readonly servers: number;
}

export type CapacityCommand =
  | { readonly type: 'ChangeCapacity'; readonly total: Resources }
  | { readonly type: 'TakeCapacity'; readonly server: ServerId; readonly resources: Resources }
  /** It runs there already, whatever is free. */
  | { readonly type: 'AdoptCapacity'; readonly server: ServerId; readonly resources: Resources }
  | { readonly type: 'FreeCapacity'; readonly server: ServerId; readonly resources: Resources };

const NOTHING: Resources = { vcpus: 0, ramMb: 0, diskGb: 0 };

export const capacity: Decider<CapacityState, CapacityCommand, CapacityEvent> = {
  initial: { total: NOTHING, taken: NOTHING, servers: 0 },

  decide(command, state) {
    switch (command.type) {
      case 'ChangeCapacity': {
        const { vcpus, ramMb, diskGb } = command.total;
        for (const [field, amount] of Object.entries({ vcpus, ramMb, diskGb })) {
          if (!Number.isSafeInteger(amount) || amount < 0)
            throw new InvalidInput(field, `'${amount}' is not a whole amount`);
        }
        const { total } = state;
        if (vcpus === total.vcpus && ramMb === total.ramMb && diskGb === total.diskGb) return [];
        return [{ type: 'CapacityChanged', data: { vcpus, ramMb, diskGb } }];
      }
      case 'TakeCapacity': {
        const { vcpus, ramMb, diskGb } = command.resources;
        const free = freeOf(state);
        if (vcpus > free.vcpus || ramMb > free.ramMb || diskGb > free.diskGb)
          throw new NoCapacity(command.resources, free);
        return [{ type: 'CapacityTaken', data: { server: command.server, vcpus, ramMb, diskGb } }];
      }
      case 'AdoptCapacity': {
        const { vcpus, ramMb, diskGb } = command.resources;
        return [{ type: 'CapacityTaken', data: { server: command.server, vcpus, ramMb, diskGb } }];
      }
      case 'FreeCapacity': {
        const { vcpus, ramMb, diskGb } = command.resources;
        return [{ type: 'CapacityFreed', data: { server: command.server, vcpus, ramMb, diskGb } }];
      }
      default:
        return unreachable(command);
    }
  },

  evolve(state, event) {
    switch (event.type) {
      case 'CapacityChanged':
        return { ...state, total: event.data };
      case 'CapacityTaken':
        return { ...state, taken: sum(state.taken, event.data, 1), servers: state.servers + 1 };
      case 'CapacityFreed':
        return { ...state, taken: sum(state.taken, event.data, -1), servers: state.servers - 1 };
      default:
        return state;
    }
  },
};

/** Never below zero. */
export function freeOf({ total, taken }: CapacityState): Resources {
  return {
    vcpus: Math.max(0, total.vcpus - taken.vcpus),
    ramMb: Math.max(0, total.ramMb - taken.ramMb),
    diskGb: Math.max(0, total.diskGb - taken.diskGb),
  };
}

function sum(left: Resources, right: Resources, sign: 1 | -1): Resources {
  return {
    vcpus: left.vcpus + sign * right.vcpus,
    ramMb: left.ramMb + sign * right.ramMb,
    diskGb: left.diskGb + sign * right.diskGb,
  };
}
