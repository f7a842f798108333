import { type Decider, type SiteId, unreachable } from '@weir/kernel';
import type { PublisherEvent } from '../events/index';
import { DivergenceUnknown, DivergenceUnsettled } from './errors';

type Found = Extract<PublisherEvent, { type: 'DivergenceFound' }>['data'];
export type Verdict = Extract<PublisherEvent, { type: 'DivergenceSettled' }>['data']['by'];

/** What somebody below has shown that the log does not know; without `siteId` it is the Top's own record of what it published. */
export interface Divergence extends Found {
  readonly settled: Verdict | null;
}

/** Generation 0 before the first. */
export interface PublisherState {
  readonly generation: number;
  /** Present while in quarantine. */
  readonly divergences?: readonly Divergence[];
}

export type PublisherCommand =
  | { readonly type: 'RaiseGeneration'; readonly from: number }
  /** Again for the same site it changes nothing. */
  | ({ readonly type: 'FindDivergence' } & Found)
  | { readonly type: 'SettleDivergence'; readonly siteId: SiteId; readonly by: Verdict }
  /** Raises the generation above all that was shown. */
  | { readonly type: 'LiftQuarantine' };

export const publisher: Decider<PublisherState, PublisherCommand, PublisherEvent> = {
  initial: { generation: 0 },

  decide(command, state) {
    switch (command.type) {
      case 'RaiseGeneration':
        return command.from === state.generation
          ? [{ type: 'GenerationRaised', data: { generation: state.generation + 1 } }]
          : [];
      case 'FindDivergence': {
        const { siteId, generation, position, digest } = command;
        if (state.divergences?.some((known) => known.siteId === siteId)) return [];
        return [{ type: 'DivergenceFound', data: { siteId, generation, position, digest } }];
      }
      case 'SettleDivergence': {
        const { siteId, by } = command;
        const known = state.divergences?.find((divergence) => divergence.siteId === siteId);
        if (!known) throw new DivergenceUnknown(siteId);
        return known.settled === by ? [] : [{ type: 'DivergenceSettled', data: { siteId, by } }];
      }
      case 'LiftQuarantine': {
        if (!state.divergences) return [];
        const [unsettled] = unsettledSites(state);
        if (unsettled !== undefined) throw new DivergenceUnsettled(unsettled);
        const shown = state.divergences.map(({ generation }) => generation);
        return [{ type: 'GenerationRaised', data: { generation: Math.max(state.generation, ...shown) + 1 } }];
      }
      default:
        return unreachable(command);
    }
  },

  evolve(state, event) {
    switch (event.type) {
      case 'GenerationRaised':
        return { generation: event.data.generation };
      case 'DivergenceFound':
        return { ...state, divergences: [...(state.divergences ?? []), { ...event.data, settled: null }] };
      case 'DivergenceSettled': {
        const { siteId, by } = event.data;
        const divergences = state.divergences?.map((one) => (one.siteId === siteId ? { ...one, settled: by } : one));
        return { ...state, ...(divergences && { divergences }) };
      }
      default:
        return state;
    }
  },
};

/** The sites that an operator has yet to decide about. */
export function unsettledSites({ divergences = [] }: PublisherState): readonly SiteId[] {
  return divergences.flatMap(({ siteId, settled }) => (siteId !== null && settled === null ? [siteId] : []));
}
