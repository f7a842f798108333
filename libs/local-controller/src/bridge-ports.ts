import type { Mac, PortId } from '@weir/kernel';
import type { SwitchDatabase, SwitchPort } from '@weir/ovsdb';
import type { EnvironmentChange, HostSlice } from '@weir/pipeline';
import type { FactChange } from '@weir/topology';

/** One flow-based tunnel for all peers: they come and go without a change in the database. */
export const TUNNEL_PORT = 'weir-vxlan';

/** External ids of our ports; the first two are everybody's. */
export const PORT_ID = 'iface-id';
export const PORT_MAC = 'attached-mac';
export const PORT_SERVER = 'weir-server';

type LocalPortChange = Extract<EnvironmentChange, { type: 'local-port' }>;

/** Which ports the bridge has, and what of that is news. */
export class BridgePorts {
  /** As told by the last changes. */
  private readonly known = new Map<PortId, number>();

  constructor(
    private readonly bridge: string,
    private readonly database: SwitchDatabase,
    private readonly slice: HostSlice,
  ) {}

  /** Since the last call; to be submitted at once. `facts` are about to be taken over. */
  changes(facts: readonly FactChange[] = []): EnvironmentChange[] {
    const changes = this.coming(facts);
    for (const { port, ofport } of changes) {
      if (ofport === undefined) this.known.delete(port);
      else this.known.set(port, ofport);
    }
    return changes;
  }

  /** What `changes` would answer; the next call does all the same. */
  coming(facts: readonly FactChange[]): LocalPortChange[] {
    const present = this.present(facts);
    const changes: LocalPortChange[] = [];
    for (const [port, ofport] of present) {
      if (this.known.get(port) !== ofport) changes.push({ type: 'local-port', port, ofport });
    }
    for (const port of this.known.keys()) {
      if (!present.has(port)) changes.push({ type: 'local-port', port, ofport: undefined });
    }
    return changes;
  }

  /** Those that we made for instances; only they may be removed. */
  own(): SwitchPort[] {
    return this.database
      .ports()
      .filter((port) => port.owned && port.bridge === this.bridge && port.name !== TUNNEL_PORT);
  }

  private present(facts: readonly FactChange[]): Map<PortId, number> {
    const macs = macsOf(facts);
    const present = new Map<PortId, number>();
    for (const port of this.database.ports()) {
      const id = port.externalIds[PORT_ID] as PortId | undefined;
      if (port.bridge !== this.bridge || id === undefined) continue;
      // While the switch restarts, a port keeps its number; one that it cannot open has none.
      const ofport = port.ofport ?? (port.error === undefined ? this.known.get(id) : undefined);
      // Somebody else may have plugged it in: then its MAC says whether it is the one that is meant.
      const attached = port.externalIds[PORT_MAC]?.toLowerCase();
      const mac = macs.get(id) ?? this.slice.get('port', id)?.mac;
      const isMeant = attached === undefined || mac === undefined || attached === mac;
      if (ofport !== undefined && isMeant) present.set(id, ofport);
    }
    return present;
  }
}

function macsOf(facts: readonly FactChange[]): ReadonlyMap<string, Mac> {
  const macs = new Map<string, Mac>();
  for (const change of facts)
    if (change.op === 'upsert' && change.kind === 'port') macs.set(change.id, change.body.mac);
  return macs;
}
