import { type Decider, type SiteId, unreachable } from '@weir/kernel';
import { IdInUse, InvalidInput, MAX_MTU, MIN_MTU, refuseMore, refuseOutside } from '../bounds';
import type { DiscardedFact } from '../commands';
import type { SiteEvent } from '../events/index';
import { JoinTokenUnknown, JoinTokenUsed, SiteNotActive, SiteNotFound, SiteUnreachable } from './errors';

type SiteAdded = Extract<SiteEvent, { type: 'SiteAdded' }>['data'];

export interface ExistingSite extends SiteAdded {
  readonly exists: true;
  readonly lifecycle: 'added' | 'joining' | 'active';
  /** Null until a Bottom registered. */
  readonly keyHash: string | null;
  readonly joinTokenUsed: boolean;
  readonly unreachableSince: string | null;
}

export type SiteState = { readonly exists: false } | ExistingSite;

export type SiteCommand =
  | ({ readonly type: 'AddSite'; readonly siteId: SiteId } & SiteAdded)
  | { readonly type: 'JoinSite'; readonly siteId: SiteId; readonly tokenHash: string; readonly keyHash: string }
  | { readonly type: 'UseJoinToken'; readonly siteId: SiteId }
  | { readonly type: 'ActivateSite'; readonly siteId: SiteId }
  | { readonly type: 'MarkUnreachable'; readonly siteId: SiteId; readonly since: string }
  | { readonly type: 'MarkReachable'; readonly siteId: SiteId }
  | { readonly type: 'DiscardFacts'; readonly siteId: SiteId; readonly facts: readonly DiscardedFact[] }
  | { readonly type: 'RemoveSite'; readonly siteId: SiteId };

/** In one event, whatever their ids: more make another. */
const DISCARDED_AT_ONCE = 500;

/** Part of stream names and of `<data center>:<zone>`, so no colon and nothing that needs escaping. */
const LABEL = /^[A-Za-z0-9._-]{1,64}$/;
const MAX_ZONES = 64;
const SHA256_HEX = /^[0-9a-f]{64}$/;

export const site: Decider<SiteState, SiteCommand, SiteEvent> = {
  initial: { exists: false },

  decide(command, state) {
    if (command.type === 'AddSite') {
      if (state.exists) throw new IdInUse(command.siteId);
      return [{ type: 'SiteAdded', data: checked(command) }];
    }
    const current = existingSite(state, command.siteId);
    switch (command.type) {
      case 'JoinSite':
        if (command.tokenHash !== current.joinTokenHash) throw new JoinTokenUnknown();
        if (current.joinTokenUsed) throw new JoinTokenUsed();
        if (current.keyHash === null) {
          if (!SHA256_HEX.test(command.keyHash)) throw new InvalidInput('key', 'it is not a SHA-256');
          return [{ type: 'SiteJoined', data: { keyHash: command.keyHash } }];
        }
        if (current.keyHash !== command.keyHash) throw new JoinTokenUsed();
        return [];
      case 'UseJoinToken':
        if (current.lifecycle === 'added') throw new SiteNotActive(current.name);
        return current.joinTokenUsed ? [] : [{ type: 'SiteJoinTokenUsed', data: {} }];
      case 'ActivateSite':
        if (current.lifecycle === 'added') throw new SiteNotActive(current.name);
        return current.lifecycle === 'active' ? [] : [{ type: 'SiteActivated', data: {} }];
      case 'MarkUnreachable':
        // Nobody ever spoke for a site that has not joined, so nobody is missing.
        if (current.lifecycle === 'added' || current.unreachableSince !== null) return [];
        return [{ type: 'SiteUnreachable', data: { since: command.since } }];
      case 'MarkReachable':
        return current.unreachableSince === null ? [] : [{ type: 'SiteReachable', data: {} }];
      case 'DiscardFacts':
        return Array.from({ length: Math.ceil(command.facts.length / DISCARDED_AT_ONCE) }, (_, n) => ({
          type: 'FactsDiscarded',
          data: { facts: command.facts.slice(n * DISCARDED_AT_ONCE, (n + 1) * DISCARDED_AT_ONCE) },
        }));
      case 'RemoveSite':
        return [{ type: 'SiteRemoved', data: { availabilityZones: current.availabilityZones } }];
      default:
        return unreachable(command);
    }
  },

  evolve(state, event) {
    if (event.type === 'SiteAdded') {
      return {
        exists: true,
        ...event.data,
        lifecycle: 'added',
        keyHash: null,
        joinTokenUsed: false,
        unreachableSince: null,
      };
    }
    if (!state.exists) return state;
    switch (event.type) {
      case 'SiteJoined':
        return { ...state, lifecycle: 'joining', keyHash: event.data.keyHash };
      case 'SiteJoinTokenUsed':
        return { ...state, joinTokenUsed: true };
      case 'SiteActivated':
        return { ...state, lifecycle: 'active' };
      case 'SiteUnreachable':
        return { ...state, unreachableSince: event.data.since };
      case 'SiteReachable':
        return { ...state, unreachableSince: null };
      case 'SiteRemoved':
        return { exists: false };
      default:
        return state;
    }
  },
};

export function existingSite(state: SiteState, id: SiteId): ExistingSite {
  if (!state.exists) throw new SiteNotFound(id);
  return state;
}

/** A site that may be asked for something new. */
export function usableSite(state: SiteState, id: SiteId): ExistingSite {
  const current = existingSite(state, id);
  if (current.lifecycle !== 'active') throw new SiteNotActive(current.name);
  if (current.unreachableSince !== null) throw new SiteUnreachable(current.name, current.unreachableSince);
  return current;
}

function checked({ name, dataCenter, availabilityZones, driver, tunnel, joinTokenHash }: SiteAdded): SiteAdded {
  for (const [field, label] of [
    ['name', name],
    ['data_center', dataCenter],
    ...availabilityZones.map((zone) => ['availability_zones', zone]),
  ]) {
    if (!LABEL.test(label ?? '')) {
      throw new InvalidInput(
        field ?? '',
        `'${(label ?? '').slice(0, 64)}' is not 1 to 64 letters, digits, dots, underscores or hyphens`,
      );
    }
  }
  if (availabilityZones.length === 0) throw new InvalidInput('availability_zones', 'a site needs at least one');
  refuseMore('availability_zones', availabilityZones, MAX_ZONES);
  if (new Set(availabilityZones).size < availabilityZones.length)
    throw new InvalidInput('availability_zones', 'one is named twice');
  refuseOutside('tunnel.mtu', tunnel.mtu, MIN_MTU, MAX_MTU);
  if (!SHA256_HEX.test(joinTokenHash)) throw new InvalidInput('join_token', 'its hash is not a SHA-256');
  return { name, dataCenter, availabilityZones, driver, tunnel: { type: tunnel.type, mtu: tunnel.mtu }, joinTokenHash };
}
