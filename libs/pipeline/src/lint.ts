import { type Action, type Field, type FieldMatch, type Flow, flowKey } from '@weir/openflow';
import { MAX_BUCKETS } from './limits';
import type { Plan } from './compiler';
import type { Environment } from './environment';
import type { HostSlice } from './slice';
import { TABLES, tableName } from './tables';

/**
 * Fields that Open vSwitch 3.1 writes without looking whether the header is there: ARP fields in frames that were cut short killed it,
 * ports and types it writes into later fragments.
 */
const UNCHECKED_HEADERS: readonly ReadonlySet<Field>[] = [
  new Set<Field>(['arp_op', 'arp_spa', 'arp_tpa', 'arp_sha', 'arp_tha']),
  new Set<Field>(['tcp_src', 'tcp_dst', 'udp_src', 'udp_dst', 'icmp_type', 'icmp_code', 'icmpv6_type', 'icmpv6_code']),
];

/** What is not there is 0 to a match. */
function isThere(header: ReadonlySet<Field>, { match }: Flow): boolean {
  return (Object.entries(match) as [Field, FieldMatch][]).some(
    ([field, { value }]) => header.has(field) && value !== 0n,
  );
}

function writtenBy(action: Action): Field | undefined {
  if (action.type === 'set_field') return action.field;
  return action.type === 'move' || action.type === 'pop' ? action.to.field : undefined;
}

/** What is wrong with a plan whatever its slice: each table has a last word, no row leads nowhere, every punt is behind a meter, no row writes what may not be there. */
export function lintPlan(plan: Plan): string[] {
  const wrong: string[] = [];
  const groups = new Set(plan.groups.map(({ id }) => id));
  const meters = new Set(plan.meters.map(({ id }) => id));
  const keys = new Set<string>();
  for (const table of TABLES) {
    const last = plan.flows.filter(({ table: number, priority }) => number === table.number && priority === 0);
    const [miss] = last;
    if (last.length !== 1 || !miss || Object.keys(miss.match).length > 0) {
      wrong.push(`${table.name} has ${last.length} rows of priority 0 instead of one that takes everything.`);
    } else if (miss.actions.length > 0) {
      // A punt of a miss, too, would come for a reason (no match) that no connection of ours asks for.
      wrong.push(`A miss in ${table.name} is neither a drop, nor goes on.`);
    }
  }
  for (const flow of plan.flows) {
    const key = flowKey(flow);
    const where = `${tableName(flow.table)} ${key}`;
    if (keys.has(key)) wrong.push(`${where} is there twice.`);
    keys.add(key);
    if (flow.goto !== undefined && (flow.goto <= flow.table || TABLES[flow.goto] === undefined)) {
      wrong.push(`${where} goes to table ${flow.goto}.`);
    }
    if (flow.meter !== undefined && !meters.has(flow.meter)) wrong.push(`${where} needs meter ${flow.meter}.`);
    for (const action of flow.actions) {
      const field = writtenBy(action);
      const header = UNCHECKED_HEADERS.find((fields) => field !== undefined && fields.has(field));
      if (header && !isThere(header, flow)) wrong.push(`${where} writes ${field} whether it is there or not.`);
      if (action.type === 'controller' && flow.meter === undefined) wrong.push(`${where} punts without a meter.`);
      if (action.type === 'group' && !groups.has(action.group)) wrong.push(`${where} needs group ${action.group}.`);
      if (action.type === 'resubmit' && TABLES[action.table] === undefined) {
        wrong.push(`${where} resubmits to table ${action.table}.`);
      }
    }
  }
  for (const group of plan.groups) {
    if (group.buckets.length > MAX_BUCKETS) wrong.push(`Group ${group.id} has ${group.buckets.length} buckets.`);
    for (const action of group.buckets.flatMap(({ actions }) => actions)) {
      if (action.type === 'group' && !groups.has(action.group))
        wrong.push(`Group ${group.id} needs group ${action.group}.`);
    }
  }
  return wrong;
}

/** What is wrong with what several hosts were told: an address, a MAC or a key taken twice, or a port that is on two hosts. */
export function lintFacts(
  hosts: Iterable<{ readonly name: string; readonly slice: HostSlice; readonly environment: Environment }>,
): string[] {
  const wrong = new Set<string>();
  const taken = new Map<string, string>();
  const take = (what: string, by: string): void => {
    const other = taken.get(what);
    if (other !== undefined && other !== by) wrong.add(`${what} is taken by ${[other, by].sort().join(' and ')}.`);
    else taken.set(what, by);
  };
  for (const { name, slice, environment } of hosts) {
    for (const port of environment.localPorts.keys()) take(`Port ${port}`, name);
    for (const { kind, id, body } of slice.facts()) {
      switch (kind) {
        case 'network':
          take(`The key ${body.segment.key} of ${body.segment.type}`, id);
          break;
        case 'port':
          take(`${body.mac} in network ${body.network}`, id);
          for (const { ip } of body.fixedIps) take(`${ip} in network ${body.network}`, id);
          break;
        case 'router-interface':
          take(`${body.ip} in network ${body.network}`, id);
          break;
        default:
      }
    }
  }
  return [...wrong];
}
