import { type Decider, unreachable } from '@weir/kernel';
import type { ScarceEvent } from '../events/index';
import { AlreadyTaken } from './errors';

export type ScarceState = { readonly held: false } | { readonly held: true; readonly by: string };

export type ScarceCommand =
  | { readonly type: 'Take'; readonly by: string }
  /** By anyone but its holder it changes nothing. */
  | { readonly type: 'Free'; readonly by: string };

export const scarce: Decider<ScarceState, ScarceCommand, ScarceEvent> = {
  initial: { held: false },

  decide(command, state) {
    switch (command.type) {
      case 'Take':
        if (!state.held) return [{ type: 'Taken', data: { by: command.by } }];
        if (state.by === command.by) return [];
        throw new AlreadyTaken(state.by);
      case 'Free':
        return state.held && state.by === command.by ? [{ type: 'Freed', data: {} }] : [];
      default:
        return unreachable(command);
    }
  },

  evolve(state, event) {
    switch (event.type) {
      case 'Taken':
        return { held: true, by: event.data.by };
      case 'Freed':
        return { held: false };
      default:
        return state;
    }
  },
};
