import { canonicalJson, type Ip, type Mac, type PortId, type ServerId } from '@weir/kernel';
import type { FactLine } from '@weir/cascade';
import { dumpRows, replayRows, type Row, type RowReader } from '@weir/event-store';
import { views } from '@weir/domain';
import { difference, groupDifference, meterDifference } from '@weir/openflow';
import { compileAll, HostSlice, KeyAllocator } from '@weir/pipeline';
import { decodeFrame } from '@weir/packet';
import { datagram } from '@weir/testing/topology';
import { type FactChange, SEAL_FACT } from '@weir/topology';
import { HostSlices } from '../../apps/bottom/src/host-slices';
import { type SiteChange, SiteFold } from '../../apps/top/src/sites/site-fold';
import type { Ground } from './ground';
import { oneOf } from './ground';
import { lease } from './guest';
import { BRIDGE, type HostProcess } from './host-process';
import type { Tenants } from './tenants';
import type { TopProcess } from './top-process';
import type { Site } from './site';

/** Of each sort of packet, so that a judgement takes no longer where there is much. */
const PACKETS = 12;

export interface Judged {
  readonly top: TopProcess;
  readonly sites: readonly Site[];
  readonly tenants: Tenants;
  /** Frames that reached instances since it was emptied. */
  readonly deliveries: { readonly port: PortId; readonly frame: Uint8Array }[];
}

interface Member {
  readonly id: PortId;
  readonly mac: Mac;
  readonly ip: Ip | undefined;
  readonly subnet: string | undefined;
  readonly network: string;
  readonly host: HostProcess;
  /** The intents say that it takes part. */
  readonly isUp: boolean;
}

/** Holds a world that has settled against what the log says. */
export class Oracle {
  private xid = 1;
  private readonly wrongs: string[] = [];

  constructor(
    private readonly ground: Ground,
    private readonly judged: Judged,
  ) {}

  /** What is not as it should be now. */
  judge(): readonly string[] {
    return this.found((rows) => this.judgeAll(rows));
  }

  /** What is left of all that tenants asked for. */
  judgeEmpty(): readonly string[] {
    return this.found((rows) => this.judgeNothingLeft(rows));
  }

  private found(look: (rows: RowReader) => void): readonly string[] {
    const rows = this.judged.top.running?.core.rows;
    if (rows) look(rows);
    else this.wrong('the Top is down');
    return this.wrongs.splice(0);
  }

  private judgeAll(rows: RowReader): void {
    this.readModels(rows);
    this.ledger(rows);
    this.siteFacts();
    this.hostFacts();
    this.flows();
    this.instances(rows);
    this.scarce(rows);
    this.orphans();
    this.leases(rows);
    this.packets(rows);
  }

  private judgeNothingLeft(rows: RowReader): void {
    for (const table of ['rm_networks', 'rm_subnets', 'rm_routers', 'rm_router_interfaces', 'rm_ports', 'rm_servers']) {
      for (const row of rows.live(table))
        this.wrong(`${table} still holds ${text(row['id'] ?? row['port_id'])}: ${canonicalJson(row)}`);
    }
    for (const table of ['rm_addresses', 'rm_segments'])
      for (const row of rows.live(table)) this.wrong(`${table} still holds ${canonicalJson(row)}`);
    for (const zone of rows.live('rm_zones'))
      if (zone['taken_vcpus'] !== 0 || zone['servers'] !== 0)
        this.wrong(`zone ${text(zone['zone'])} still has something taken`);
    for (const { hosts } of this.judged.sites) {
      for (const { name, slice, hardware } of hosts) {
        for (const { kind, id } of slice.facts()) this.wrong(`${name} still has ${kind} ${id}`);
        for (const { server } of hardware.instances.all()) this.wrong(`${name} still holds server ${server}`);
      }
    }
  }

  private readModels(rows: RowReader): void {
    if (dumpRows(rows) !== dumpRows(replayRows(views, this.judged.top.disk.log.events)))
      this.wrong('the read models are not what a replay of the log gives');
  }

  /** What users were told holds. */
  private ledger(rows: RowReader): void {
    const { made, ended, endAsked } = this.judged.tenants.ledger;
    for (const [id, kind] of made) {
      if (!endAsked.has(id) && !rows.get(`rm_${kind}s`, { id }) && this.mustBe(rows, id, kind))
        this.wrong(`a user was told that ${kind} ${id} is made, and it is not there`);
    }
    for (const [id, kind] of ended) {
      if (rows.get(`rm_${kind}s`, { id })) this.wrong(`a user was told that ${kind} ${id} goes, and it is still there`);
    }
  }

  /** Subnets go with their network. */
  private mustBe(_rows: RowReader, id: string, kind: string): boolean {
    if (kind !== 'subnet') return true;
    const added = this.judged.top.disk.log.events.find(
      ({ type, data }) => (type === 'SubnetAdded' || type === 'SubnetAdopted') && data['subnetId'] === id,
    );
    return added !== undefined && !this.judged.tenants.ledger.endAsked.has(added.stream.slice('network-'.length));
  }

  private siteFacts(): void {
    const { top, sites } = this.judged;
    const fold = new SiteFold();
    const should = new Placed();
    for (const event of top.disk.log.events) should.take(fold.apply(event));
    for (const site of sites) {
      const told = top.running?.core.facts.live(site.id) ?? [];
      this.compare(`the Top's facts for ${site.name}`, linesOf(told), should.at(site.id));
      this.compare(`the facts of ${site.name}`, linesOf(site.bottom.slice.facts()), should.at(site.id));
    }
  }

  private hostFacts(): void {
    for (const { bottom, hosts } of this.judged.sites) {
      const slices = new HostSlices();
      // Seals of the log are the site's own to keep.
      for (const fact of bottom.slice.facts())
        if (fact.kind !== SEAL_FACT.kind) slices.apply({ op: 'upsert', ...fact } as unknown as FactChange);
      const said = new Map(bottom.records.hosts().map((host) => [host.name, host.said]));
      for (const { server, host } of bottom.records.placements())
        slices.place(server, { host, endpoint: said.get(host)?.endpoint });
      const should = new Placed();
      should.take(slices.flush());
      for (const { name, slice } of hosts) {
        this.compare(`what is published to ${name}`, linesOf(bottom.journal.live(name)), should.at(name));
        this.compare(`the facts of ${name}`, linesOf(slice.facts()), should.at(name));
      }
    }
  }

  private flows(): void {
    for (const { name, slice, hardware, state, endpoint } of this.hosts()) {
      const facts = [...slice.facts(), ...slice.orphans()].map(
        (fact) => ({ op: 'upsert', ...fact }) as unknown as FactChange,
      );
      const ports = hardware.database.ports();
      const local = ports
        .filter(({ externalIds }) => externalIds['iface-id'] !== undefined)
        .flatMap(({ externalIds, ofport }) =>
          ofport === undefined ? [] : [[externalIds['iface-id'] as PortId, { ofport }] as const],
        );
      const plan = compileAll(HostSlice.of(facts), {
        keys: KeyAllocator.restore(state.read()?.keys ?? {}).keys,
        localPorts: new Map(local),
        tunnelPort: ports.find(({ type }) => type === 'vxlan')?.ofport,
        tunnelAddress: endpoint,
      });
      const present = hardware.switch.flows.map(({ flow }) => flow);
      const differs = {
        ...difference(plan.flows, present),
        ...groupDifference(plan.groups, hardware.switch.groupList),
        ...meterDifference(plan.meters, hardware.switch.meterList),
      };
      for (const [what, list] of Object.entries(differs))
        if (list.length > 0)
          this.wrong(`the switch of ${name} is not what its facts compile to: ${what} ${list.length}`);
    }
  }

  private instances(rows: RowReader): void {
    const seen = new Map<ServerId, string>();
    for (const { name, hardware } of this.hosts()) {
      for (const { server, running, interfaces } of hardware.instances.all()) {
        const other = seen.get(server);
        if (other !== undefined) this.wrong(`server ${server} is on ${other} and on ${name}`);
        seen.set(server, name);
        if (!running) this.wrong(`server ${server} on ${name} does not run`);
        const row = rows.get('rm_servers', { id: server });
        if (!row) this.wrong(`${name} holds server ${server}, which is not there`);
        else if (row['status'] !== 'ACTIVE' || row['host'] !== name)
          this.wrong(
            `server ${server} runs on ${name}, and its users see ${text(row['status'])} on ${text(row['host'])}`,
          );
        const should = rows.live('rm_server_ports', { server_id: server }).map((port) => port['port_id'] as string);
        const has = interfaces.map(({ port }) => port);
        const on = hardware.database
          .ports()
          .filter(({ externalIds, bridge }) => externalIds['weir-server'] === server && bridge === BRIDGE.name)
          .map(({ externalIds }) => externalIds['iface-id'] ?? '');
        if (!sameSet(should, has))
          this.wrong(`server ${server} should have ports ${should.join()}, and has ${has.join()}`);
        if (!sameSet(has, on))
          this.wrong(`server ${server} has ports ${has.join()}, and the bridge of ${name} ${on.join()}`);
      }
    }
    for (const row of rows.live('rm_servers')) {
      const id = row['id'] as ServerId;
      if (row['task_state'] === 'deleting') this.wrong(`server ${id} is still going`);
      if (row['status'] === 'ACTIVE' && !seen.has(id) && !this.hasNoRoom(row))
        this.wrong(`server ${id} is ACTIVE and nowhere`);
      if (row['status'] === 'BUILD' && this.isPlaced(id)) this.wrong(`server ${id} has a place and is still in BUILD`);
      if (row['status'] === 'ERROR' && this.isPlaced(id))
        this.wrong(`server ${id} is in ERROR: ${canonicalJson(row['fault'])}`);
    }
    for (const port of rows.live('rm_ports'))
      if (port['deleting'] === 1) this.wrong(`port ${text(port['id'])} is still going`);
  }

  /** What was adopted has the room of what an older copy brought back. */
  private hasNoRoom(row: Row): boolean {
    const site = this.judged.sites.find(({ id }) => id === row['site_id']);
    return this.hasAdopted() && (site?.bottom.running?.bottom.site.status().pending ?? 0) > 0;
  }

  private hasAdopted(): boolean {
    return this.judged.top.disk.log.events.some(({ type }) => type === 'ServerAdopted');
  }

  private isPlaced(server: ServerId): boolean {
    return this.judged.sites.some(({ bottom }) => bottom.records.placements().some((one) => one.server === server));
  }

  private scarce(rows: RowReader): void {
    const ports = rows.live('rm_ports');
    const addresses = ports.flatMap((port) =>
      fixedIps(port).map(({ subnet_id, ip_address }) => `${subnet_id} ${ip_address}`),
    );
    this.once('address', addresses);
    this.once(
      'MAC',
      ports.map((port) => `${text(port['network_id'])} ${text(port['mac_address'])}`),
    );
    this.once(
      'segment',
      rows.live('rm_networks').map((row) => `${text(row['segment_type'])} ${text(row['segment_key'])}`),
    );
    const taken = rows.live('rm_addresses').map((row) => `${text(row['subnet_id'])} ${text(row['ip_address'])}`);
    if (!sameSet(addresses, taken))
      this.wrong(`the addresses of ports are ${addresses.join(', ')}, and taken are ${taken.join(', ')}`);
    const held = new Map<string, number>();
    const live = new Map<string, { readonly zone: string; readonly vcpus: number }>();
    for (const { stream, type, data } of this.judged.top.disk.log.events) {
      const id = stream.slice('server-'.length);
      if (type === 'ServerRequested' || type === 'ServerAdopted')
        live.set(id, {
          zone: `${text(data['siteId'])} ${text(data['zone'])}`,
          vcpus: (data['flavor'] as unknown as { vcpus: number }).vcpus,
        });
      if (type === 'ServerDeleted' || (type === 'ServerFailed' && data['capacityFreed'] === true)) live.delete(id);
    }
    for (const { zone, vcpus } of live.values()) held.set(zone, (held.get(zone) ?? 0) + vcpus);
    for (const row of rows.live('rm_zones')) {
      const zone = `${text(row['site_id'])} ${text(row['zone'])}`;
      if (row['taken_vcpus'] !== (held.get(zone) ?? 0))
        this.wrong(`zone ${zone} has ${text(row['taken_vcpus'])} vCPU taken, and its servers ${held.get(zone) ?? 0}`);
      // What was adopted ran there already, whatever was given away since.
      if (!this.hasAdopted() && (row['taken_vcpus'] as number) > (row['total_vcpus'] as number))
        this.wrong(`zone ${zone} has more taken than it has`);
    }
    for (const table of ['rm_networks', 'rm_subnets'])
      for (const row of rows.live(table, { closing: 1 })) this.wrong(`${table} ${text(row['id'])} is still closing`);
  }

  private orphans(): void {
    for (const { name, bottom, hosts } of this.judged.sites) {
      for (const orphan of bottom.running?.bottom.site.status().orphans ?? [])
        this.wrong(`${name} names the orphan ${orphan}`);
      for (const host of hosts) {
        const { orphans = [], refusals = [], waiting = 0 } = host.running?.host.controller.status() ?? {};
        for (const orphan of orphans) this.wrong(`${host.name} names the orphan ${orphan}`);
        for (const refusal of refusals) this.wrong(`${host.name} refuses to program something: ${refusal}`);
        // A host that was set back to an older copy leaves alone what it cannot know to be gone.
        if (waiting > 0 && host.slice.orphans().length === 0)
          this.wrong(`${host.name} has ${waiting} facts that wait for others`);
      }
    }
  }

  private leases(rows: RowReader): void {
    for (const member of this.members(rows)) {
      if (!member.isUp) continue;
      const should = this.leaseOf(rows, member);
      const has = lease(member.mac, this.xid++, (frame) =>
        this.send(member, frame)
          .filter(({ port }) => port === member.id)
          .map(({ frame }) => frame),
      );
      if (has !== should) this.wrong(`port ${member.id} should be leased ${text(should)}, and is leased ${text(has)}`);
    }
  }

  private leaseOf(rows: RowReader, { id }: Member): Ip | undefined {
    const port = rows.get('rm_ports', { id });
    const first = fixedIps(port ?? {}).find(
      ({ subnet_id }) => rows.get('rm_subnets', { id: subnet_id })?.['enable_dhcp'] === 1,
    );
    return first?.ip_address;
  }

  private packets(rows: RowReader): void {
    const random = this.ground.random(`packets at ${this.ground.time.monotonic()}`);
    const members = this.members(rows);
    for (let n = 0; n < PACKETS; n++) {
      const [from, to] = [oneOf(random, members), oneOf(random, members)];
      if (!from || !to || from === to || from.ip === undefined || to.ip === undefined) continue;
      this.switched(from, to);
      this.routed(rows, from, to);
    }
  }

  /** To the other's MAC, whatever its network. */
  private switched(from: Member, to: Member): void {
    const shouldArrive = from.isUp && to.isUp && from.network === to.network;
    const source = { mac: from.mac, ip: from.ip ?? ('0.0.0.0' as Ip) };
    const got = this.send(from, datagram(source, { mac: to.mac, ip: to.ip ?? ('0.0.0.0' as Ip) }));
    this.arrived(`a frame of ${from.id} to ${to.id}`, got, shouldArrive ? to : undefined);
  }

  /** By the gateway of the sender's subnet. */
  private routed(rows: RowReader, from: Member, to: Member): void {
    if (from.subnet === to.subnet) return;
    const gateway = rows.get('rm_subnets', { id: from.subnet ?? '' })?.['gateway_ip'];
    const [link] = rows
      .live('rm_router_interfaces', { subnet_id: from.subnet ?? '' })
      .filter((row) => row['ip_address'] === gateway);
    if (!link || from.ip === undefined || to.ip === undefined) return;
    const router = rows.get('rm_routers', { id: link['router_id'] as string });
    const onward = rows.live('rm_router_interfaces', {
      router_id: link['router_id'] as string,
      subnet_id: to.subnet ?? '',
    });
    // Where another subnet of this router has the same addresses, those are meant.
    const isThere = onward.length > 0 && router?.['admin_state_up'] === 1;
    const isOurs = rows
      .live('rm_router_interfaces', { router_id: link['router_id'] as string })
      .some((row) => row['subnet_id'] !== to.subnet && sharesAddresses(row, to.ip));
    if (isOurs) return;
    const frame = datagram({ mac: from.mac, ip: from.ip }, { mac: link['mac_address'] as Mac, ip: to.ip });
    this.arrived(
      `a packet of ${from.id} by its router to ${to.id}`,
      this.send(from, frame),
      isThere && from.isUp && to.isUp ? to : undefined,
    );
  }

  /** ICMP errors that the sender gets are no deliveries. */
  private arrived(
    what: string,
    got: readonly { readonly port: PortId; readonly frame: Uint8Array }[],
    to: Member | undefined,
  ): void {
    const udp = got.filter(({ frame }) => {
      const { payload } = decodeFrame(frame);
      return payload.kind === 'ipv4' && payload.payload.kind === 'udp';
    });
    const at = udp.map(({ port }) => port);
    const should = to ? [to.id] : [];
    if (at.join() !== should.join())
      this.wrong(`${what} should reach ${should.join() || 'nobody'}, and reached ${at.join() || 'nobody'}`);
  }

  private members(rows: RowReader): Member[] {
    const byPort = new Map<PortId, HostProcess>();
    for (const host of this.hosts())
      for (const { interfaces } of host.hardware.instances.all())
        for (const { port } of interfaces) byPort.set(port, host);
    return rows.live('rm_ports').flatMap((row) => {
      const id = row['id'] as PortId;
      const host = byPort.get(id);
      if (!host) return [];
      const [first] = fixedIps(row);
      return [
        {
          id,
          mac: row['mac_address'] as Mac,
          ip: first?.ip_address,
          subnet: first?.subnet_id,
          network: row['network_id'] as string,
          host,
          isUp: row['admin_state_up'] === 1,
        },
      ];
    });
  }

  private send(from: Member, frame: Uint8Array): readonly { readonly port: PortId; readonly frame: Uint8Array }[] {
    const { deliveries } = this.judged;
    deliveries.length = 0;
    from.host.hardware.send(from.id, frame);
    return deliveries.splice(0);
  }

  private hosts(): readonly HostProcess[] {
    return this.judged.sites.flatMap(({ hosts }) => hosts);
  }

  private compare(what: string, has: ReadonlyMap<string, string>, should: ReadonlyMap<string, string>): void {
    for (const [key, body] of should) {
      if (!has.has(key)) this.wrong(`${what} lack ${key}`);
      else if (has.get(key) !== body)
        this.wrong(`${what} have another ${key}: ${has.get(key) ?? ''} instead of ${body}`);
    }
    for (const key of has.keys()) if (!should.has(key)) this.wrong(`${what} have ${key}, which should be gone`);
  }

  private once(what: string, all: readonly string[]): void {
    const seen = new Set<string>();
    for (const one of all) {
      if (seen.has(one)) this.wrong(`${what} ${one} is taken twice`);
      seen.add(one);
    }
  }

  private wrong(what: string): void {
    this.wrongs.push(what);
  }
}

/** Facts by place, as a list of changes leaves them. */
class Placed {
  private readonly places = new Map<string, Map<string, string>>();

  take(changes: readonly SiteChange[]): void {
    for (const change of changes) {
      const facts = this.places.get(change.place) ?? new Map<string, string>();
      this.places.set(change.place, facts);
      const key = `${change.kind} ${change.id}`;
      if (change.op !== 'upsert') facts.delete(key);
      else facts.set(key, canonicalJson(change.body));
    }
  }

  at(place: string): ReadonlyMap<string, string> {
    return this.places.get(place) ?? new Map<string, string>();
  }
}

function linesOf(
  facts: readonly (FactLine | { readonly kind: string; readonly id: string; readonly body: unknown })[],
): ReadonlyMap<string, string> {
  return new Map(facts.map((fact) => [`${fact.kind} ${fact.id}`, canonicalJson('body' in fact ? fact.body : {})]));
}

function fixedIps(port: Row): readonly { readonly subnet_id: string; readonly ip_address: Ip }[] {
  return (port['fixed_ips'] ?? []) as unknown as readonly { readonly subnet_id: string; readonly ip_address: Ip }[];
}

/** The first three bytes tell the subnets of this world apart. */
function sharesAddresses(link: Row, ip: Ip | undefined): boolean {
  const net = (text: string | undefined) => text?.split('.').slice(0, 3).join('.');
  return net(link['ip_address'] as string) === net(ip);
}

function sameSet(left: readonly string[], right: readonly string[]): boolean {
  return [...left].sort().join() === [...right].sort().join();
}

function text(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : 'nothing';
}
