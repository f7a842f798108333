import type { DomainEvent } from '@weir/domain';
import type { RecordedEvent, Row, RowReader } from '@weir/event-store';

const text = (row: Row, column: string): string => row[column] as string;

/** Faults of the log alone: a revision left out, and a scarce thing taken while another has it, or freed while nobody has. */
export function logFaults(events: readonly RecordedEvent[]): readonly string[] {
  const faults: string[] = [];
  const revisions = new Map<string, number>();
  const holders = new Map<string, string>();
  for (const event of events) {
    const { stream, revision, position } = event;
    const before = revisions.get(stream) ?? -1;
    if (revision !== before + 1) faults.push(`${stream} goes from revision ${before} to ${revision} at ${position}`);
    revisions.set(stream, revision);
    const { type, data } = event as RecordedEvent & DomainEvent;
    const holder = holders.get(stream);
    if (type === 'Taken') {
      if (holder !== undefined) faults.push(`${stream} is taken by ${data.by} while ${holder} has it`);
      holders.set(stream, data.by);
    } else if (type === 'Freed') {
      if (holder === undefined) faults.push(`${stream} is freed while nobody has it`);
      holders.delete(stream);
    }
  }
  return faults;
}

/** Who holds each scarce thing, by stream. */
function held(events: readonly RecordedEvent[]): ReadonlyMap<string, string> {
  const holders = new Map<string, string>();
  for (const event of events as readonly (RecordedEvent & DomainEvent)[]) {
    if (event.type === 'Taken') holders.set(event.stream, event.data.by);
    if (event.type === 'Freed') holders.delete(event.stream);
  }
  return holders;
}

/** What live things must hold, by stream: each value names who may be the holder. */
function due(rows: RowReader): { readonly holds: ReadonlyMap<string, readonly string[]>; readonly faults: string[] } {
  const holds = new Map<string, string[]>();
  const faults: string[] = [];
  const alone = new Map<string, string>();
  const need = (stream: string, by: string): void => {
    const known = holds.get(stream);
    if (known) known.push(by);
    else holds.set(stream, [by]);
  };
  const only = (what: string, by: string): void => {
    const other = alone.get(what);
    if (other !== undefined) faults.push(`${what} is both ${other}'s and ${by}'s`);
    alone.set(what, by);
  };
  for (const port of rows.live('rm_ports')) {
    const id = text(port, 'id');
    const mac = `mac-${text(port, 'network_id')}-${text(port, 'mac_address')}`;
    need(mac, id);
    only(mac, id);
    for (const { subnet_id: subnet, ip_address: ip } of port['fixed_ips'] as {
      subnet_id: string;
      ip_address: string;
    }[]) {
      const address = `address-${subnet}-${ip}`;
      need(address, id);
      only(address, id);
    }
  }
  for (const subnet of rows.live('rm_subnets'))
    need(`mac-${text(subnet, 'network_id')}-${text(subnet, 'server_mac')}`, text(subnet, 'id'));
  for (const network of rows.live('rm_networks')) {
    if (network['segment_type'] === 'mac') continue;
    const segment = `segment-${text(network, 'segment_type')}-${Number(network['segment_key'])}`;
    need(segment, text(network, 'id'));
    only(segment, text(network, 'id'));
  }
  for (const site of rows.live('rm_sites')) {
    need(`site-name-${text(site, 'name')}`, text(site, 'id'));
    for (const zone of site['availability_zones'] as string[])
      need(`zone-${text(site, 'data_center')}:${zone}`, text(site, 'id'));
  }
  return { holds, faults };
}

/** Nothing scarce is anybody's twice, whatever is live holds what it has, and whatever is held is held by something live. */
export function scarceFaults(events: readonly RecordedEvent[], rows: RowReader): readonly string[] {
  const holders = held(events);
  const { holds, faults } = due(rows);
  for (const [stream, users] of holds) {
    const holder = holders.get(stream);
    if (holder === undefined) faults.push(`${stream} is used by ${users.join(' and ')}, and nobody holds it`);
    else if (!users.includes(holder)) faults.push(`${stream} is used by ${users.join(' and ')} and held by ${holder}`);
  }
  for (const [stream, holder] of holders) {
    if (!holds.has(stream)) faults.push(`${stream} is held by ${holder}, and nothing live uses it`);
  }
  return faults;
}

/** What the zones say is taken is what their live servers take, and fits. */
export function capacityFaults(events: readonly RecordedEvent[], rows: RowReader): readonly string[] {
  const freed = new Set(
    (events as readonly (RecordedEvent & DomainEvent)[]).flatMap((event) =>
      event.type === 'ServerFailed' && event.data.capacityFreed ? [event.stream.slice('server-'.length)] : [],
    ),
  );
  const servers = rows.live('rm_servers').filter((server) => !freed.has(text(server, 'id')));
  return rows.live('rm_zones').flatMap((zone) => {
    const here = servers.filter((server) => server['site_id'] === zone['site_id'] && server['zone'] === zone['zone']);
    const name = text(zone, 'availability_zone');
    const faults: string[] = [];
    if (zone['servers'] !== here.length)
      faults.push(`${name} counts ${Number(zone['servers'])} servers, of ${here.length}`);
    const amounts = [
      ['vcpus', 'vcpus'],
      ['ram_mb', 'ramMb'],
      ['disk_gb', 'diskGb'],
    ] as const;
    for (const [column, field] of amounts) {
      const sum = here.reduce((total, server) => total + (server['flavor'] as Record<typeof field, number>)[field], 0);
      const taken = Number(zone[`taken_${column}`]);
      const total = Number(zone[`total_${column}`]);
      if (taken !== sum) faults.push(`${name} has ${taken} of ${column} taken, its servers take ${sum}`);
      if (taken > total) faults.push(`${name} has ${taken} of ${column} taken, of ${total}`);
    }
    return faults;
  });
}

/** Whatever names another thing names one that is there. */
export function referenceFaults(rows: RowReader): readonly string[] {
  const ids = (table: string): ReadonlySet<string> => new Set(rows.live(table).map((row) => text(row, 'id')));
  const [networks, subnets, routers, ports, servers] = ['networks', 'subnets', 'routers', 'ports', 'servers'].map(
    (name) => ids(`rm_${name}`),
  );
  const faults: string[] = [];
  const refer = (from: string, kind: string, to: string, there: ReadonlySet<string> | undefined): void => {
    if (there?.has(to) !== true) faults.push(`${from} names ${kind} ${to}, which is not there`);
  };
  for (const subnet of rows.live('rm_subnets'))
    refer(`subnet ${text(subnet, 'id')}`, 'network', text(subnet, 'network_id'), networks);
  for (const port of rows.live('rm_ports')) {
    const from = `port ${text(port, 'id')}`;
    refer(from, 'network', text(port, 'network_id'), networks);
    for (const { subnet_id: subnet } of port['fixed_ips'] as { subnet_id: string }[])
      refer(from, 'subnet', subnet, subnets);
    const owner = text(port, 'device_owner');
    if (owner.startsWith('compute:')) refer(from, 'server', text(port, 'device_id'), servers);
    if (owner === 'network:router_interface') refer(from, 'router', text(port, 'device_id'), routers);
  }
  for (const attached of rows.live('rm_server_ports')) {
    const from = `attachment of port ${text(attached, 'port_id')}`;
    refer(from, 'port', text(attached, 'port_id'), ports);
    refer(from, 'server', text(attached, 'server_id'), servers);
  }
  return faults;
}
