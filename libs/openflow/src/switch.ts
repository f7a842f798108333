import type { Mac } from '@weir/kernel';
import type { Action, Field, Flow, FlowChange, FlowStats, Group, Meter } from './model';

/** Bits of a cookie to compare: a flow is meant when `(its cookie & mask) === (value & mask)`. */
export interface CookieMask {
  readonly value: bigint;
  readonly mask: bigint;
}

/** A punted packet (NXT_PACKET_IN2). */
export interface PacketIn {
  /** The frame from its destination MAC on, cut at the action's `maxLength`. */
  readonly packet: Uint8Array;
  readonly table: number;
  readonly cookie: bigint;
  readonly inPort: number;
  /** Registers, metadata and tunnel fields when the packet was punted; a field that is absent was zero. */
  readonly metadata: { readonly [F in Field]?: bigint };
  /** The punting action's userdata. */
  readonly userdata: string;
}

export interface PacketOut {
  /** What the actions see as in_port; `controller` for a packet that came from no port. */
  readonly inPort: number | 'controller';
  readonly actions: readonly Action[];
  readonly data: Uint8Array;
}

export interface SwitchPort {
  readonly number: number;
  readonly name: string;
  readonly mac: Mac;
  /** Neither administratively down nor without carrier. */
  readonly up: boolean;
}

export interface PortStatus {
  readonly reason: 'added' | 'removed' | 'modified';
  readonly port: SwitchPort;
}

/** A flow with a timeout has expired. */
export interface FlowRemoved {
  readonly flow: Pick<Flow, 'table' | 'priority' | 'cookie' | 'match'>;
  readonly reason: 'idle' | 'hard';
  readonly packets: bigint;
  readonly bytes: bigint;
}

export type Unsubscribe = () => void;

/**
 * One bridge's OpenFlow side: Open vSwitch (OpenFlowConnection) or a simulated one. Everything rejects with `ConnectionClosed` once
 * the connection is gone; a new one starts from what the switch has, so its user reads back and compares.
 */
export interface Switch {
  /**
   * Carries out one change, whole or not at all, in the order of the calls; rejects with `ChangeRefused` or `InvalidFlow`, and then
   * nothing of it is applied. A meter that is in both addMeters and removeMeters gets its new rate in place.
   */
  commit(change: FlowChange): Promise<void>;
  /** What is there, in canonical form; of one table and by cookie, or all. */
  flows(table?: number, cookie?: CookieMask): Promise<FlowStats[]>;
  groups(): Promise<Group[]>;
  meters(): Promise<Meter[]>;
  /** Best effort, like any packet; what the switch refuses is logged. */
  packetOut(packet: PacketOut): void;
  onPacketIn(handler: (packet: PacketIn) => void): Unsubscribe;
  /** Called once, with the reason unless `close` was called; also when it is closed already. */
  onClose(handler: (reason?: Error) => void): Unsubscribe;
  close(): Promise<void>;
}
