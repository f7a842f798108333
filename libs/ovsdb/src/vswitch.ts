import { type Cancel, WeirError } from '@weir/kernel';

export interface BridgeRequest {
  readonly name: string;
  /** `netdev` in user space, `system` in the kernel. */
  readonly datapathType: 'netdev' | 'system';
  readonly failMode: 'secure';
  readonly externalIds: Readonly<Record<string, string>>;
}

export interface PortRequest {
  readonly bridge: string;
  /** Of the device, or of the tunnel. */
  readonly name: string;
  /** `system`, the default, is a device that exists already. */
  readonly type?: 'vxlan' | 'system';
  readonly options?: Readonly<Record<string, string>>;
  readonly externalIds: Readonly<Record<string, string>>;
  readonly ofportRequest?: number;
}

export interface SwitchPort {
  readonly bridge: string;
  readonly name: string;
  readonly type: string;
  /** Without one, the switch has not taken the port: not yet, or because of `error`. */
  readonly ofport?: number;
  readonly externalIds: Readonly<Record<string, string>>;
  /** Made by us; only such ports may be removed. */
  readonly owned: boolean;
  readonly error?: string;
}

/**
 * What a Host configures on its Open vSwitch. Every call may be repeated, and resolves once the switch has done it.
 * Bridges and ports carry the mark `weir-owner`; what exists without it is refused with a `conflict` and left alone.
 * Calls reject with `unavailable` while the switch is away: the next pass asks again.
 */
export interface SwitchDatabase {
  /** Makes the bridge, or makes ours so; external ids that are not named stay. Throws BridgeNotOurs. */
  ensureBridge(bridge: BridgeRequest): Promise<void>;
  /** Resolves with the ofport. Throws NoSuchBridge, BridgeNotOurs, PortNotOurs, and PortFailed with the reason of the switch. */
  ensurePort(port: PortRequest): Promise<number>;
  /** Nothing to do where there is none. Throws PortNotOurs. */
  removePort(port: Pick<PortRequest, 'bridge' | 'name'>): Promise<void>;
  /** On our bridges, by name, as last seen; without the bridges' own local ports. */
  ports(): readonly SwitchPort[];
  /** Called with `ports()` whenever that differs from before. */
  onPortsChanged(handler: (ports: readonly SwitchPort[]) => void): Cancel;
  /** Sets the ids that are named, deletes those that are null, keeps the others. Throws NoSuchBridge, BridgeNotOurs. */
  setBridgeExternalIds(bridge: string, externalIds: Readonly<Record<string, string | null>>): Promise<void>;
  /** As last seen, without our mark; empty where there is no such bridge. */
  bridgeExternalIds(bridge: string): Readonly<Record<string, string>>;
  /** Left on by a dead agent, `flow-restore-wait` drops all traffic for good. */
  clearFlowRestoreWait(): Promise<void>;
}

/** The external id that marks what we made; its value is the owner's name. */
export const OWNER_MARK = 'weir-owner';

export class BridgeNotOurs extends WeirError {
  constructor(bridge: string, owner: string | undefined) {
    const whose = owner === undefined ? `without the mark ${OWNER_MARK}` : `and belongs to '${owner}'`;
    super('conflict', `Bridge ${bridge} exists ${whose}; it is left as it is.`);
  }
}

export class PortNotOurs extends WeirError {
  constructor(port: string, bridge: string | undefined) {
    const where = bridge === undefined ? '' : ` on bridge ${bridge}`;
    super('conflict', `Port ${port} exists${where} and was not made by us there; it is left as it is.`);
  }
}

export class NoSuchBridge extends WeirError {
  constructor(bridge: string) {
    super('not-found', `There is no bridge ${bridge}.`);
  }
}

/** The switch has the port in its configuration and cannot open it. */
export class PortFailed extends WeirError {
  constructor(
    port: string,
    readonly error: string,
  ) {
    super('unavailable', `Open vSwitch cannot use port ${port}: ${error}`);
  }
}

export class SwitchSilent extends WeirError {
  constructor(what: string, ms: number) {
    super('unavailable', `Open vSwitch has not ${what} within ${ms / 1000} s.`);
  }
}
