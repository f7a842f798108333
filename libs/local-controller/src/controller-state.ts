import type { PortId, ServerId } from '@weir/kernel';
import type { SerializedKeys } from '@weir/pipeline';

/** What an explicit delete took from the facts and is not gone yet. */
export type Departing =
  | { readonly kind: 'server'; readonly id: ServerId; readonly position: number }
  | { readonly kind: 'port'; readonly id: PortId; readonly server: ServerId; readonly position: number };

export interface StoredState {
  readonly keys: SerializedKeys;
  readonly departing: readonly Departing[];
}

/** Where a host keeps, beside its facts, what it allotted and what it is removing. */
export interface ControllerState {
  /** Undefined when nothing usable is there. */
  read(): StoredState | undefined;
  /** Survives the process when it returns, and is never half. */
  write(state: StoredState): void;
}
