import { type Decider, unreachable } from '@weir/kernel';
import type { PublisherEvent } from '../events/index';

/** 0 before the first. */
export interface PublisherState {
  readonly generation: number;
}

export interface PublisherCommand {
  readonly type: 'RaiseGeneration';
  readonly from: number;
}

export const publisher: Decider<PublisherState, PublisherCommand, PublisherEvent> = {
  initial: { generation: 0 },

  decide(command, state) {
    switch (command.type) {
      case 'RaiseGeneration':
        return command.from === state.generation
          ? [{ type: 'GenerationRaised', data: { generation: state.generation + 1 } }]
          : [];
      default:
        return unreachable(command.type);
    }
  },

  evolve(state, event) {
    switch (event.type) {
      case 'GenerationRaised':
        return { generation: event.data.generation };
      default:
        return state;
    }
  },
};
