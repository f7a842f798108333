import type { ServerId } from '@weir/kernel';
import { type HeldSeal, hostObservation } from '@weir/topology';
import type { z } from 'zod';
import type { Resources } from './placement';

/** What a Host says of itself. */
export const hostConfig = hostObservation.omit({ unreachableSince: true });
export type HostConfig = z.output<typeof hostConfig>;

export interface HostRecord {
  readonly name: string;
  readonly keyHash: string;
  /** What it last said of itself. */
  readonly said: HostConfig | undefined;
  readonly reachable: boolean;
  /** Milliseconds of the wall clock. */
  readonly since: number;
}

/** What a server takes where it was placed, also while its fact is gone and its instance is not. */
export interface Placement {
  readonly server: ServerId;
  readonly host: string;
  readonly takes: Resources;
}

export interface Gone {
  readonly kind: 'server' | 'port';
  readonly id: string;
  /** The Top's, of the tombstone. */
  readonly position: number;
  readonly at: number;
}

/**
 * What a Bottom alone decides or knows: who its hosts are, which server is where, which are on their way out, and which are gone. Each call
 * is kept when it returns.
 */
export interface SiteRecords {
  /** All of `work` or nothing of it. */
  atOnce(work: () => void): void;

  /** By name. */
  hosts(): readonly HostRecord[];
  /** Throws for a key that another host has. */
  putHost(host: HostRecord): void;
  /** With everything that was placed on it. */
  removeHost(name: string): void;

  /** By server. */
  placements(): readonly Placement[];
  putPlacement(placement: Placement): void;
  removePlacement(server: ServerId): void;

  /** Servers that the Top deleted and nobody has seen gone; the Top's position of the tombstone. */
  departing(): ReadonlyMap<ServerId, number>;
  putDeparting(server: ServerId, position: number): void;
  removeDeparting(server: ServerId): void;

  /** By position. */
  gone(): readonly Gone[];
  putGone(gone: Gone): void;
  removeGone(kind: Gone['kind'], id: string): void;

  /** In the order in which they were told. */
  seals(): readonly HeldSeal[];
  /** Drops the oldest where there are too many, but for contradictions and what they contradict. */
  addSeal(seal: HeldSeal): void;

  /** From `beginRecovery` to `endRecovery`, whatever restarts lie between. */
  isRecovering(): boolean;
  beginRecovery(): void;
  endRecovery(): void;

  close(): void;
}
