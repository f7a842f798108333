import type { PortId, ServerId } from '@weir/kernel';
import { type Flow, type FlowChange, formatFlow, formatGroup, formatMeter } from '@weir/openflow';
import type { EnvironmentChange, HostSlice } from '@weir/pipeline';
import type { FactBody, FactChange, FactKind, FlowChanges, RowChanges } from '@weir/topology';
import { type BridgePorts, PORT_ID, PORT_SERVER } from './bridge-ports';
import type { FlowProgram } from './flow-program';
import { deviceOf } from './instances';

/** A port of Open vSwitch has a number of 16 bits: from here on a number stands for a port that is not plugged in yet. */
const UNPLUGGED_FROM = 0x1_0000;

/** What the switch would be given for these changes, ports plugged in and out included; nothing is kept of it. */
export function preview(
  { program, ports }: { readonly program: FlowProgram; readonly ports: BridgePorts },
  facts: readonly FactChange[],
  maxCharacters: number,
): FlowChanges {
  const { slice, environment } = program.compiler;
  const after = new SliceAfter(slice, facts);
  const unplugged = ports.own().flatMap(({ externalIds }): EnvironmentChange[] => {
    const [port, server] = [externalIds[PORT_ID], externalIds[PORT_SERVER]];
    const leaves = port !== undefined && server !== undefined && (after.departs(server) || after.departs(port));
    return leaves ? [{ type: 'local-port', port: port as PortId, ofport: undefined }] : [];
  });
  const newcomers = newcomersOf(slice, after).filter((port) => !environment.localPorts.has(port));
  const plugged = newcomers.map((port, n): EnvironmentChange => ({
    type: 'local-port',
    port,
    ofport: UNPLUGGED_FROM + n,
  }));
  const change = program.rehearse(facts, [...ports.coming(facts), ...unplugged, ...plugged]);
  return changesAsText(change, newcomers.map(deviceOf), maxCharacters);
}

/** A host's facts, or those as they would be. */
interface Facts {
  get<K extends FactKind>(kind: K, id: string): FactBody<K> | undefined;
}

/** The facts of a host as they would be. */
class SliceAfter implements Facts {
  private readonly last: ReadonlyMap<string, FactChange>;

  constructor(
    private readonly slice: HostSlice,
    facts: readonly FactChange[],
  ) {
    this.last = new Map(facts.map((change) => [`${change.kind} ${change.id}`, change]));
  }

  get<K extends FactKind>(kind: K, id: string): FactBody<K> | undefined {
    const change = this.last.get(`${kind} ${id}`);
    if (change === undefined) return this.slice.get(kind, id);
    return change.op === 'upsert' ? (change.body as FactBody<K>) : undefined;
  }

  /** This server, or this port. */
  departs(id: string): boolean {
    return this.last.get(`server ${id}`)?.op === 'delete' || this.last.get(`departure ${id}`)?.op === 'upsert';
  }

  /** The servers whose interfaces something is said of. */
  servers(): ReadonlySet<ServerId> {
    const servers = new Set<ServerId>();
    for (const change of this.last.values()) {
      if (change.op === 'delete') continue;
      if (change.kind === 'server') servers.add(change.body.id);
      if (change.kind === 'port') servers.add(change.body.server);
      if (change.kind !== 'network') continue;
      for (const id of this.slice.portsOfNetwork.of(change.id)) {
        const server = this.get('port', id)?.server;
        if (server !== undefined) servers.add(server);
      }
    }
    return servers;
  }
}

/** The ports that would be plugged in for instances, and are not yet. */
function newcomersOf(slice: HostSlice, after: SliceAfter): PortId[] {
  return [...after.servers()].flatMap((server) => {
    const before = new Set(interfacesOf(server, slice));
    return interfacesOf(server, after).filter((port) => !before.has(port));
  });
}

/** What an instance is made with: nothing while facts are missing. */
function interfacesOf(server: ServerId, facts: Facts): readonly PortId[] {
  const ports = facts.get('server', server)?.ports ?? [];
  const isThere = (port: PortId): boolean => facts.get('network', facts.get('port', port)?.network ?? '') !== undefined;
  return ports.every(isThere) ? ports : [];
}

function changesAsText(change: FlowChange, devices: readonly string[], maxCharacters: number): FlowChanges {
  const room = { left: maxCharacters };
  const flows = (list: readonly Flow[]) =>
    [...list]
      .sort((left, right) => left.table - right.table || right.priority - left.priority)
      .map((flow) => withNames(formatFlow(flow), devices));
  // A meter cannot change its rate in place: it is removed and added.
  const again = new Set(change.removeMeters.filter((id) => change.addMeters.some((meter) => meter.id === id)));
  const lists = [
    { added: flows(change.add), changed: flows(change.modify), removed: flows(change.remove) },
    {
      added: change.addGroups.map((group) => withNames(formatGroup(group), devices)),
      changed: change.modifyGroups.map((group) => withNames(formatGroup(group), devices)),
      removed: change.removeGroups.map((id) => `group_id=${id}`),
    },
    {
      added: change.addMeters.filter(({ id }) => !again.has(id)).map(formatMeter),
      changed: change.addMeters.filter(({ id }) => again.has(id)).map(formatMeter),
      removed: change.removeMeters.filter((id) => !again.has(id)).map((id) => `meter=${id}`),
    },
  ] as const;
  const [flowRows, groupRows, meterRows] = [fitting(lists[0], room), fitting(lists[1], room), fitting(lists[2], room)];
  const leftOut = [flowRows, groupRows, meterRows].reduce((sum, rows) => sum + leftOutOf(rows), 0);
  return { flows: flowRows, groups: groupRows, meters: meterRows, leftOut };
}

type Lists = Pick<RowChanges, 'added' | 'changed' | 'removed'>;

function fitting({ added, changed, removed }: Lists, room: { left: number }): RowChanges {
  const fit = (rows: readonly string[]) =>
    rows.filter((row) => {
      const takes = JSON.stringify(row).length + 1;
      if (takes > room.left) return false;
      room.left -= takes;
      return true;
    });
  return {
    added: fit(added),
    changed: fit(changed),
    removed: fit(removed),
    counts: { added: added.length, changed: changed.length, removed: removed.length },
  };
}

function leftOutOf({ added, changed, removed, counts }: RowChanges): number {
  return counts.added + counts.changed + counts.removed - added.length - changed.length - removed.length;
}

/** Ports that the switch has not numbered yet by the names of their devices, which ovs-ofctl reads as well. */
function withNames(row: string, devices: readonly string[]): string {
  if (devices.length === 0) return row;
  return row.replaceAll(/\b(in_port=|output:)(\d+)/g, (whole, before: string, number: string) => {
    const device = devices[Number(number) - UNPLUGGED_FROM];
    return device === undefined ? whole : `${before}${device}`;
  });
}
