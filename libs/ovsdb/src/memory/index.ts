import { type Cancel, canonicalJson, invalid, WeirError } from '@weir/kernel';
import {
  BridgeNotOurs,
  type BridgeRequest,
  NoSuchBridge,
  OWNER_MARK,
  PortFailed,
  PortNotOurs,
  type PortRequest,
  type SwitchDatabase,
  type SwitchPort,
} from '../vswitch';

interface MemoryBridge {
  readonly ours: boolean;
  readonly externalIds: Map<string, string>;
  readonly ports: Map<string, MemoryPort>;
}

interface MemoryPort {
  readonly ours: boolean;
  readonly request: Omit<PortRequest, 'bridge' | 'name'>;
  readonly ofport?: number;
}

/** The twin of OvsdbSwitchDatabase: one switch in memory, with devices that a test plugs in. */
export class MemorySwitchDatabase implements SwitchDatabase {
  private readonly bridges = new Map<string, MemoryBridge>();
  private readonly devices = new Set<string>();
  private readonly handlers = new Set<(ports: readonly SwitchPort[]) => void>();
  private reported = canonicalJson([]);
  private away = false;

  /** A device that a system port can use; a port that waits for it gets its ofport. */
  addDevice(name: string): void {
    this.devices.add(name);
    this.openPorts();
  }

  addForeignBridge(name: string): void {
    this.bridges.set(name, { ours: false, externalIds: new Map(), ports: new Map() });
  }

  addForeignPort(bridge: string, name: string): void {
    this.bridges.get(bridge)?.ports.set(name, { ours: false, request: { externalIds: {} } });
    this.openPorts();
  }

  /** While it is away every call rejects, and what was seen last stays to be read. */
  setAway(away: boolean): void {
    this.away = away;
  }

  async ensureBridge({ name, externalIds }: BridgeRequest): Promise<void> {
    await this.reach();
    const known = this.bridges.get(name);
    if (known && !known.ours) throw new BridgeNotOurs(name, undefined);
    const bridge = known ?? {
      ours: true,
      externalIds: new Map<string, string>(),
      ports: new Map<string, MemoryPort>(),
    };
    for (const [key, value] of Object.entries(externalIds)) bridge.externalIds.set(key, value);
    this.bridges.set(name, bridge);
  }

  async ensurePort({ bridge: bridgeName, name, ...request }: PortRequest): Promise<number> {
    await this.reach();
    const bridge = this.ourBridge(bridgeName);
    const home = this.homeOf(name);
    const known = bridge.ports.get(name);
    if (home !== undefined && !known?.ours) throw new PortNotOurs(name, home);
    bridge.ports.set(name, { ours: true, request, ...(known?.ofport !== undefined && { ofport: known.ofport }) });
    this.openPorts();
    const ofport = bridge.ports.get(name)?.ofport;
    if (ofport === undefined) throw new PortFailed(name, noDevice(name));
    return ofport;
  }

  async removePort({ bridge, name }: Pick<PortRequest, 'bridge' | 'name'>): Promise<void> {
    await this.reach();
    const home = this.homeOf(name);
    if (home === undefined) return;
    const ports = this.bridges.get(bridge)?.ports;
    if (home !== bridge || !ports?.get(name)?.ours) throw new PortNotOurs(name, home);
    ports.delete(name);
    this.report();
  }

  ports(): readonly SwitchPort[] {
    return [...this.bridges]
      .filter(([, { ours }]) => ours)
      .flatMap(([bridge, { ports }]) => [...ports].map(([name, port]) => switchPort(bridge, name, port)))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  onPortsChanged(handler: (ports: readonly SwitchPort[]) => void): Cancel {
    this.handlers.add(handler);
    return () => this.handlers.delete(handler);
  }

  async setBridgeExternalIds(name: string, externalIds: Readonly<Record<string, string | null>>): Promise<void> {
    await this.reach();
    if (OWNER_MARK in externalIds) throw invalid(`The external id ${OWNER_MARK} is the owner's mark.`);
    const bridge = this.ourBridge(name);
    for (const [key, value] of Object.entries(externalIds)) {
      if (value === null) bridge.externalIds.delete(key);
      else bridge.externalIds.set(key, value);
    }
  }

  bridgeExternalIds(bridge: string): Readonly<Record<string, string>> {
    return Object.fromEntries(this.bridges.get(bridge)?.externalIds ?? []);
  }

  async clearFlowRestoreWait(): Promise<void> {
    await this.reach();
  }

  /** Every call ends in a later turn, as over a socket. */
  private async reach(): Promise<void> {
    await Promise.resolve();
    if (this.away) throw new WeirError('unavailable', 'The switch is away.');
  }

  private ourBridge(name: string): MemoryBridge {
    const bridge = this.bridges.get(name);
    if (bridge === undefined) throw new NoSuchBridge(name);
    if (!bridge.ours) throw new BridgeNotOurs(name, undefined);
    return bridge;
  }

  private homeOf(port: string): string | undefined {
    for (const [name, { ports }] of this.bridges) if (ports.has(port)) return name;
    return undefined;
  }

  private openPorts(): void {
    for (const { ports } of this.bridges.values()) {
      for (const [name, port] of ports) {
        const canOpen = port.request.type === 'vxlan' || this.devices.has(name);
        if (port.ofport === undefined && canOpen) ports.set(name, { ...port, ofport: freeOfport(ports, port.request) });
      }
    }
    this.report();
  }

  private report(): void {
    const ports = this.ports();
    const text = canonicalJson(ports);
    if (text === this.reported) return;
    this.reported = text;
    for (const handler of [...this.handlers]) handler(ports);
  }
}

function freeOfport(ports: ReadonlyMap<string, MemoryPort>, { ofportRequest }: MemoryPort['request']): number {
  const taken = new Set([...ports.values()].map(({ ofport }) => ofport));
  if (ofportRequest !== undefined && !taken.has(ofportRequest)) return ofportRequest;
  let ofport = 1;
  while (taken.has(ofport)) ofport++;
  return ofport;
}

function switchPort(bridge: string, name: string, { ours, request, ofport }: MemoryPort): SwitchPort {
  return {
    bridge,
    name,
    type: request.type ?? 'system',
    externalIds: request.externalIds,
    owned: ours,
    ...(ofport === undefined ? { error: noDevice(name) } : { ofport }),
  };
}

function noDevice(name: string): string {
  return `could not open network device ${name} (No such device)`;
}
