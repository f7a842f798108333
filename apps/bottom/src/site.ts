import {
  canonicalJson,
  unavailable,
  unreachable,
  type Clock,
  type Logger,
  type PortId,
  type ServerId,
} from '@weir/kernel';
import type {
  FactLine,
  FollowerEvents,
  FollowerSink,
  Journal,
  Observation,
  SliceChange,
  SliceStore,
} from '@weir/cascade';
import {
  factSchemas,
  observationSchemas,
  SEAL_FACT,
  sealFact,
  type FactChange,
  type FactKind,
  type ObservationKind,
  type ObservationValue,
  type PlacedChange,
  type PortFact,
  type ServerFact,
} from '@weir/topology';
import { HostSlices } from './host-slices';
import type { Hosts } from './hosts';
import { LastValues } from './last-values';
import { add, NOTHING, placeInOrder, subtract, type Resources, type Room } from './placement';
import { planChanges, type SitePlan } from './preview';
import { hostConfig, type Gone, type HostConfig, type SiteRecords } from './records';
import { contradictionOf, isSame } from './seals';
import { Settling } from './settling';

/** A `gone` is told again at each connect for so long: nobody confirms it, and the Top frees an address by it. */
const GONE_KEPT_MS = 24 * 60 * 60 * 1000;

/** A host that has not said by then that a server is gone is told once more that it is to go: by tombstones, for one that does not know departures. */
const RETELL_MS = 10_000;

/** Behind these stands something that facts cannot make again, or what it hangs on: absence alone never takes them from a host. */
export const STATE_HOLDING: readonly FactKind[] = ['server', 'port', 'network', 'subnet'];

type HostReport = Parameters<FollowerEvents['reported']>[1];

export interface SiteOutlets {
  /** The slices of these hosts changed. */
  published(hosts: Iterable<string>): void;
  /** A new journal was begun: every host starts over. */
  startedOver(): void;
  observed(): void;
  settled(): void;
}

export interface SiteOptions {
  /** Its id, once the Top has said it. */
  readonly name: () => string;
  readonly slice: SliceStore;
  readonly journal: Journal;
  readonly records: SiteRecords;
  readonly hosts: Hosts;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly outlets: SiteOutlets;
  /** Our records were lost, and what the hosts run is not known yet: nothing is placed, and nothing is called gone, before `recovered`. */
  readonly recovering: boolean;
}

interface Wanted {
  readonly fact: ServerFact;
  /** The Top's. */
  readonly position: number;
}

/**
 * Makes one site true: takes the Top's facts, places servers on hosts, writes the hosts' slices into the journal, and gathers what the
 * hosts saw. Every step can be made again from what is stored: after a failure, as after a restart, everything is computed anew and only
 * what differs from the journal is published.
 */
export class Site implements Omit<FollowerSink, 'query'> {
  private readonly values = new LastValues();
  private readonly orphans = new Set<string>();
  private readonly unknownKinds = new Set<string>();
  /** When a host last heard which servers are to leave it; monotonic. */
  private readonly departuresTold = new Map<string, number>();
  /** Monotonic, by kind and id: when what is gone was first looked at. */
  private readonly goneSince = new Map<string, number>();
  private slices = new HostSlices();
  private settling = new Settling();
  private readonly wanted = new Map<ServerId, Wanted>();
  private readonly departing = new Map<ServerId, number>();
  /** What a host runs that nobody asked for: the Top may be about to say more of it. */
  private readonly found = new Map<ServerId, string>();
  private readonly placements = new Map<ServerId, { readonly host: string; readonly takes: Resources }>();
  /** Wanted and not placed; true where it is said why. */
  private readonly pending = new Map<ServerId, boolean>();
  private readonly touched = new Set<string>();
  /** Zones that ever had a host here: without one it has nothing. */
  private readonly zones = new Set<string>();
  private recovering: boolean;
  /** Since we started, the Top has told everything that it wants. */
  private heardTop = false;
  /** Their hosts are told of them once they say that they run them, or the Top says that it wants them. */
  private readonly withheld = new Set<ServerId>();
  /** What is in memory may be ahead of what is stored. */
  private torn = true;
  private lastSettled = 0;
  private news = false;
  /** Something may be placed that could not be before. */
  private replan = true;

  constructor(private readonly options: SiteOptions) {
    this.recovering = options.recovering;
    this.change(() => undefined);
  }

  // The Top's follower.

  cursor(): ReturnType<FollowerSink['cursor']> {
    return this.options.slice.cursor();
  }

  newGeneration(generation: number): Promise<void> {
    this.change(() => {
      this.options.slice.newGeneration(generation);
      this.settling.startOver();
    });
    return Promise.resolve();
  }

  apply(lines: readonly FactLine[], mark: Parameters<FollowerSink['apply']>[1]): Promise<void> {
    const { slice } = this.options;
    this.change(() => {
      const facts = lines.filter((line) => this.isReadable(line));
      const before = slice.cursor().position;
      const plan = slice.plan(facts, mark);
      // First: what the slice has taken over is not told again.
      const gone = this.noteDepartures(plan);
      for (const line of plan.changed) this.keepSeal(line, mark.generation);
      slice.apply(facts, mark);
      for (const line of plan.changed) this.take(line);
      for (const one of gone) this.observeGone(one);
      if (plan.orphaned.length > 0) this.leaveAlone(plan);
      for (const line of plan.changed) this.takeDeparture(line);
      if (mark.caughtUp) this.hearTop();
      this.publish(before);
    });
    return Promise.resolve();
  }

  settled(): number {
    const taken = this.options.slice.cursor().position;
    let settled = this.settling.settled(taken);
    for (const [server, named] of this.pending) {
      if (!named) settled = Math.min(settled, (this.wanted.get(server)?.position ?? 1) - 1);
    }
    return settled;
  }

  observations(whole: boolean): readonly Observation[] {
    this.news = false;
    if (whole) this.forgetOldGone();
    return this.values.take(whole);
  }

  // What the hosts say.

  reported(host: string, { settled, observations }: HostReport): void {
    this.change(() => {
      // Who the host is comes before what it runs.
      const own = observations.filter(({ kind }) => kind === 'host');
      for (const observation of [...own, ...observations.filter(({ kind }) => kind !== 'host')]) {
        this.see(host, observation);
      }
      this.settling.programmed(host, settled);
      this.publish();
      const { clock } = this.options;
      if (clock.monotonic() - (this.departuresTold.get(host) ?? 0) >= RETELL_MS) this.tellDepartures(host);
    });
  }

  reachability(host: string, reachable: boolean, since: number): void {
    this.change(() => {
      this.options.hosts.turn(host, reachable, since);
      this.settling.reachable(host, reachable);
      this.replan = true;
      this.observeHost(host);
      this.publish();
    });
  }

  /** A host knows what our journal does not: ours is an older copy. A new one is begun and holds everything that is wanted. */
  diverged(host: string, presented: { readonly generation: number; readonly position: number }): void {
    this.options.logger.error('A host is ahead of this site: a new journal is begun', { host, presented });
    this.change(() => {
      this.options.journal.renew(presented.generation);
      // The older copy may name what nobody runs any more; who runs it says so when it starts over.
      this.orphans.clear();
      this.load();
    });
    this.options.outlets.startedOver();
  }

  /** Our records are an older copy: what the hosts run is learnt from them first, as when all was lost. */
  learn(): void {
    this.options.records.beginRecovery();
    this.recovering = true;
  }

  hasHeardTop(): boolean {
    return this.heardTop;
  }

  /** The hosts had time to say what they run: from here on what is nowhere may be placed, or is gone. */
  recovered(): void {
    this.change(() => {
      this.options.records.endRecovery();
      this.recovering = false;
      this.replan = true;
      for (const server of this.departing.keys()) if (!this.placements.has(server)) this.release(server);
      for (const fact of this.options.slice.facts()) this.takeDeparture({ type: 'upsert', ...fact });
      this.publish();
    });
  }

  // What others ask.

  hostOf(server: string): string | undefined {
    return this.placements.get(server as ServerId)?.host;
  }

  status() {
    return {
      pending: this.pending.size,
      departing: this.departing.size,
      waiting: this.slices.waiting(),
      orphans: [...this.orphans].sort(),
      unknownKinds: [...this.unknownKinds].sort(),
      settled: this.settled(),
    };
  }

  /** What these changes of facts would lead to if they came next; nothing is changed. */
  preview(changes: readonly FactChange[]): SitePlan {
    if (this.torn) throw unavailable('The site could not take its last change over yet.');
    if (this.recovering) throw unavailable('The site is still learning from its hosts what runs where.');
    return planChanges(changes, {
      slices: this.slices,
      waiting: this.pendingInOrder(),
      rooms: this.rooms(),
      placeOf: (server) => this.placements.get(server)?.host ?? this.found.get(server),
      endpointOf: (host) => this.options.hosts.get(host)?.said?.endpoint,
    });
  }

  room(host: string): { readonly totals: Resources; readonly free: Resources } | undefined {
    return this.rooms().find((room) => room.host === host);
  }

  /** Does one thing whole: when it fails between memory and disk, the next one starts from the disk. */
  private change(work: () => void): void {
    if (this.torn) this.load();
    this.torn = true;
    work();
    this.torn = false;
    this.tell();
  }

  private load(): void {
    const { slice, records, hosts, journal } = this.options;
    this.slices = new HostSlices();
    this.settling = new Settling();
    for (const map of [this.wanted, this.departing, this.placements, this.pending, this.withheld]) map.clear();
    for (const { name, reachable } of hosts.all()) {
      this.settling.reachable(name, reachable);
    }
    for (const { server, host, takes } of records.placements()) this.placements.set(server, { host, takes });
    for (const fact of slice.facts()) {
      const change = changeOf({ type: 'upsert', ...fact });
      if (!change) continue;
      this.slices.apply(change);
      if (isUpsertOf(change, 'server')) this.wanted.set(change.body.id, { fact: change.body, position: fact.position });
    }
    const kept = this.keptOrphans();
    for (const fact of slice.orphans()) {
      const change = changeOf({ type: 'upsert', ...fact });
      if (change && kept.has(`${fact.kind}/${fact.id}`)) this.slices.apply(change);
    }
    for (const [server, position] of records.departing()) {
      // Noted just before a crash: the tombstone will come again.
      if (this.wanted.has(server)) records.removeDeparting(server);
      else this.departing.set(server, position);
    }
    for (const gone of records.gone()) {
      if (gone.kind === 'server' && this.wanted.has(gone.id as ServerId)) records.removeGone('server', gone.id);
      else this.observeGone(gone);
    }
    for (const [server, { host }] of this.placements) {
      if (this.isToBeSeenFirst(server, host)) this.withheld.add(server);
      if (this.wanted.has(server) || this.departing.has(server) || kept.has(`server/${server}`)) this.put(server, host);
    }
    for (const server of this.wanted.keys()) {
      if (this.placements.has(server)) this.observePorts(server);
      else this.pending.set(server, false);
    }
    if (!this.recovering) {
      for (const server of this.departing.keys()) if (!this.placements.has(server)) this.release(server);
    }
    for (const fact of slice.facts()) this.takeDeparture({ type: 'upsert', ...fact });
    for (const { name } of hosts.all()) this.observeHost(name);
    this.observeCapacity();
    this.observeContradiction();
    this.replan = true;
    this.placePending();
    // What they have programmed of it, only they can say.
    const told = hosts.all().filter(({ name }) => journal.store.live(name).length > 0);
    this.settling.published(
      journal.store.head().position,
      0,
      told.map(({ name }) => name),
    );
    this.append(this.difference(this.slices.flush()), 0);
    // The journal may be younger than their tombstones.
    for (const { name } of hosts.all()) this.tellDepartures(name);
  }

  /** Our copy may be older than what was deleted since, and its host does not hold it from this journal: it would make it once more. */
  private isToBeSeenFirst(server: ServerId, host: string): boolean {
    if (!this.recovering || this.heardTop || !this.wanted.has(server)) return false;
    return !this.options.journal.store.live(host).some(({ kind, id }) => kind === 'server' && id === server);
  }

  private hearTop(): void {
    this.heardTop = true;
    for (const server of [...this.withheld]) this.tellHost(server);
  }

  /** It runs there, or is wanted still. */
  private tellHost(server: ServerId): void {
    const host = this.placements.get(server)?.host;
    if (!this.withheld.delete(server) || host === undefined) return;
    this.put(server, host);
    if (this.departing.has(server)) this.tellDepartures(host);
  }

  /** What the journal lacks of what is wanted, and what it has too much. */
  private difference(wanted: readonly PlacedChange[]): PlacedChange[] {
    const byHost = new Map<string, PlacedChange[]>(this.options.hosts.all().map(({ name }) => [name, []]));
    for (const change of wanted) byHost.set(change.place, [...(byHost.get(change.place) ?? []), change]);
    const difference: PlacedChange[] = [];
    for (const [place, changes] of byHost) {
      const live = new Map<string, FactLine>();
      for (const line of this.options.journal.store.live(place)) live.set(`${line.kind}/${line.id}`, line);
      for (const change of changes) {
        const line = live.get(`${change.kind}/${change.id}`);
        live.delete(`${change.kind}/${change.id}`);
        const same =
          line?.type === 'upsert' && change.op === 'upsert' && canonicalJson(line.body) === canonicalJson(change.body);
        if (!same) difference.push(change);
      }
      for (const { kind, id } of live.values()) difference.push({ op: 'delete', kind: kind as FactKind, id, place });
    }
    return difference;
  }

  /** Places what can be placed, and writes what the hosts need to know of it into the journal. */
  private publish(before = this.options.slice.cursor().position): void {
    this.placePending();
    this.append(this.slices.flush(), before);
  }

  private append(changes: readonly PlacedChange[], before: number): void {
    if (changes.length === 0) return;
    const hosts = new Set(changes.map((change) => change.place));
    const { position } = this.options.journal.append(
      changes.map((change) => ({
        follower: change.place,
        op: change.op,
        kind: change.kind,
        id: change.id,
        ...(change.op === 'upsert' && { body: change.body }),
      })),
    );
    this.settling.published(position, before, hosts);
    for (const host of hosts) this.touched.add(host);
  }

  private tell(): void {
    const { outlets } = this.options;
    const touched = [...this.touched];
    this.touched.clear();
    if (touched.length > 0) outlets.published(touched);
    if (this.news) outlets.observed();
    const settled = this.settled();
    if (settled !== this.lastSettled) {
      this.lastSettled = settled;
      outlets.settled();
    }
  }

  /** A fact of a known kind that is not as agreed is passed over, loudly: what was there of it stays. */
  private isReadable(line: FactLine): boolean {
    const { logger } = this.options;
    if (line.kind === SEAL_FACT.kind) return true;
    if (!isFactKind(line.kind)) {
      if (!this.unknownKinds.has(line.kind))
        logger.warn('Facts of an unknown kind are kept and not used', { kind: line.kind });
      this.unknownKinds.add(line.kind);
      return true;
    }
    if (line.type === 'delete') return true;
    const parsed = factSchemas[line.kind].safeParse(line.body);
    if (!parsed.success)
      logger.error('A fact is malformed and is passed over', { kind: line.kind, id: line.id, error: parsed.error });
    return parsed.success;
  }

  /** Whatever was told is kept: a seal that does not follow says that one of the two logs is not the one that there was. */
  private keepSeal(line: FactLine, generation: number): void {
    if (line.kind !== SEAL_FACT.kind || line.type === 'delete') return;
    const { records, logger } = this.options;
    const seal = sealFact.safeParse(line.body);
    if (!seal.success) return logger.error('A seal of the log is malformed and is passed over', { error: seal.error });
    const held = records.seals();
    const last = held.at(-1);
    if (last && isSame(last, seal.data)) return;
    const reason = contradictionOf(held, seal.data);
    records.addSeal({ ...seal.data, generation, contradicts: reason !== undefined });
    if (reason === undefined) return;
    logger.error('The log of the Top is not the one that there was: verify it', { reason, told: seal.data, last });
    this.observeContradiction();
  }

  private observeContradiction(): void {
    const told = this.options.records.seals().findLast(({ contradicts }) => contradicts);
    if (told) this.observe('seal', SEAL_FACT.id, told.position, { position: told.position, digest: told.digest });
  }

  /** Records which servers are on their way out from here; answers what never was anywhere, and so is gone at once. */
  private noteDepartures({ changed, absent }: SliceChange): readonly Gone[] {
    const { records, clock } = this.options;
    const notRepeated = new Set(absent.map(({ kind, id }) => `${kind}/${id}`));
    const deletes = changed.filter((line) => line.type === 'delete' && !notRepeated.has(`${line.kind}/${line.id}`));
    const servers = deletes.filter(({ kind }) => kind === 'server');
    const leaving = servers.filter(
      ({ id }) => this.recovering || this.placements.has(id as ServerId) || this.found.has(id as ServerId),
    );
    const never = servers
      .filter((line) => !leaving.includes(line))
      .map((line) => ({ ...line, kind: 'server' as const }));
    const deleted = new Set(servers.map(({ id }) => id));
    const ports = deletes
      .filter(({ kind, id }) => {
        const server = kind === 'port' ? this.slices.serverOf(id) : undefined;
        // No host had it, and its server stays: nobody else will say that it is gone. While we learn, a host may have it.
        return server !== undefined && !this.recovering && this.pending.has(server) && !deleted.has(server);
      })
      .map((line) => ({ ...line, kind: 'port' as const }));
    const gone = [...never, ...ports].map(({ kind, id, position }) => ({ kind, id, position, at: clock.now() }));
    if (leaving.length + gone.length > 0) {
      records.atOnce(() => {
        for (const { id, position } of leaving) records.putDeparting(id as ServerId, position);
        for (const one of gone) records.putGone(one);
      });
    }
    return gone;
  }

  /** What is to go and is nowhere is gone; where it is, its host is told of it until it is. */
  private takeDeparture(line: FactLine): void {
    const { records, clock } = this.options;
    const change = line.kind === 'departure' ? changeOf(line) : undefined;
    if (change?.op === 'delete') {
      // The Top has heard that it is gone.
      for (const kind of ['server', 'port'] as const) {
        records.removeGone(kind, change.id);
        this.values.forget(kind, change.id);
      }
    }
    if (!change || !isUpsertOf(change, 'departure')) return;
    const { id, of, server } = change.body;
    const { position } = line;
    const [host, found] = [this.placements.get(server)?.host, this.found.get(server)];
    if (of === 'server') this.orphans.delete(server);
    if (of === 'server' && (this.wanted.has(server) || this.departing.has(server))) return;
    if (host === undefined && found === undefined && !this.recovering) {
      if (records.gone().some((gone) => gone.kind === of && gone.id === id)) return;
      const gone = { kind: of, id, position, at: clock.now() };
      records.putGone(gone);
      this.observeGone(gone);
      return;
    }
    if (of === 'port') return;
    records.putDeparting(server, position);
    this.departing.set(server, position);
    if (host !== undefined) this.put(server, host);
    else if (found !== undefined) this.keepThere(server, found);
  }

  private take(line: FactLine): void {
    const change = changeOf(line);
    if (!change) return;
    this.slices.apply(change);
    if (change.kind === 'server') this.takeServer(change, line.position);
    if (change.op === 'upsert' && change.kind === 'port') this.observePort(change.body.id, line.position);
    if (change.op === 'delete' && change.kind === 'port') {
      this.values.forget('port', change.id);
      this.values.forget('binding', change.id);
    }
  }

  private takeServer(change: FactChange, position: number): void {
    const { records, clock } = this.options;
    const server = change.id as ServerId;
    if (isUpsertOf(change, 'server')) {
      this.wanted.set(server, { fact: change.body, position });
      this.orphans.delete(server);
      if (this.departing.delete(server)) records.removeDeparting(server);
      records.removeGone('server', server);
      const found = this.found.get(server);
      if (this.placements.has(server)) this.observePorts(server);
      else if (found !== undefined) this.keepThere(server, found);
      else {
        this.pending.set(server, false);
        this.replan = true;
      }
      return;
    }
    this.wanted.delete(server);
    this.pending.delete(server);
    const placement = this.placements.get(server);
    const found = this.found.get(server);
    if (placement || found !== undefined || this.recovering) this.departing.set(server, position);
    if (placement) this.departuresTold.set(placement.host, clock.monotonic());
    else if (found !== undefined) this.keepThere(server, found);
  }

  /** A publisher that started over did not repeat these. What runs stays published as it is; what nobody runs is forgotten. */
  private leaveAlone({ orphaned }: SliceChange): void {
    const kept = this.keptOrphans();
    for (const { kind, id } of orphaned) {
      if (kind === 'server') {
        this.wanted.delete(id as ServerId);
        this.pending.delete(id as ServerId);
        const isToGo = this.options.slice.get('departure', id) !== undefined;
        // One that is to go keeps its place until its host has said that it is gone.
        if (this.withheld.has(id as ServerId) && !isToGo) this.forgetPlace(id as ServerId);
      }
      if (kept.has(`${kind}/${id}`)) {
        if (kind === 'server' && !this.options.slice.get('departure', id))
          this.nameOrphan(id, 'The Top no longer asks for a server that runs here; it is left alone');
      } else if (isFactKind(kind)) this.slices.apply({ op: 'delete', kind, id });
    }
  }

  /** Our copy alone said that it was there. Who runs it after all names it. */
  private forgetPlace(server: ServerId): void {
    this.options.records.removePlacement(server);
    this.withheld.delete(server);
    this.placements.delete(server);
    this.slices.unplace(server);
    this.replan = true;
  }

  /** Orphans that hosts were told of in this journal, with what they hang on. A new journal has none: there the host finds and names them itself. */
  private keptOrphans(): ReadonlySet<string> {
    const { slice, journal } = this.options;
    const orphans = slice.orphans();
    const kept = new Set<string>();
    if (orphans.length === 0) return kept;
    const told = new Map<string, ReadonlySet<string>>();
    const isTold = (host: string, key: string): boolean => {
      const lines = told.get(host) ?? new Set(journal.store.live(host).map(({ kind, id }) => `${kind}/${id}`));
      told.set(host, lines);
      return lines.has(key);
    };
    for (const { kind, id, body } of orphans) {
      if (kind !== 'server' && kind !== 'port') continue;
      const server = kind === 'server' ? id : (body as PortFact).server;
      const placement = this.placements.get(server as ServerId);
      if (!placement || !isTold(placement.host, `${kind}/${id}`)) continue;
      kept.add(`${kind}/${id}`);
      if (kind !== 'port') continue;
      const { network, fixedIps } = body as PortFact;
      kept.add(`network/${network}`);
      for (const { subnet } of fixedIps) kept.add(`subnet/${subnet}`);
    }
    return kept;
  }

  private nameOrphan(id: string, message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    if (this.orphans.has(id)) return;
    this.orphans.add(id);
    this.options.logger.warn(message, { server: id, ...fields });
  }

  // Placement.

  private placePending(): void {
    const { records, name } = this.options;
    if (!this.replan || this.recovering) return;
    this.replan = false;
    const verdicts = placeInOrder(this.pendingInOrder(), this.rooms());
    records.atOnce(() => {
      for (const { need, verdict } of verdicts) {
        const server = need.id;
        const position = this.wanted.get(server)?.position ?? 0;
        this.pending.set(server, !(verdict.situation === 'waiting' && verdict.why === 'no-host'));
        switch (verdict.situation) {
          case 'placed':
            this.assign(server, verdict.host);
            break;
          case 'waiting':
            if (verdict.why !== 'no-host') this.observe('server', server, position, { status: 'building' });
            break;
          case 'impossible': {
            const fault = { host: name(), message: verdict.message };
            this.observe('server', server, position, { status: 'error', fault });
            break;
          }
          default:
            unreachable(verdict);
        }
      }
    });
  }

  /** What waits for a place, the oldest first. */
  private pendingInOrder(): readonly ServerFact[] {
    return [...this.pending.keys()]
      .flatMap((server) => this.wanted.get(server) ?? [])
      .sort((a, b) => a.position - b.position || (a.fact.id < b.fact.id ? -1 : 1))
      .map(({ fact }) => fact);
  }

  private assign(server: ServerId, host: string): void {
    const wanted = this.wanted.get(server);
    const { vcpus, ramMb, diskGb } = wanted?.fact ?? NOTHING;
    const takes = { vcpus, ramMb, diskGb };
    this.options.records.putPlacement({ server, host, takes });
    this.placements.set(server, { host, takes });
    this.pending.delete(server);
    this.put(server, host);
    if (wanted) this.observe('server', server, wanted.position, { status: 'building', host });
    this.observePorts(server);
  }

  private put(server: ServerId, host: string): void {
    const place = { host, endpoint: this.options.hosts.get(host)?.said?.endpoint };
    if (this.withheld.has(server)) this.slices.locate(server, place);
    else this.slices.place(server, place);
  }

  /** Seen gone, or never anywhere: from here on its place is free, and the Top may free its addresses. */
  private release(server: ServerId): void {
    const { records, clock } = this.options;
    const gone = { kind: 'server', id: server, position: this.departing.get(server) ?? 0, at: clock.now() } as const;
    records.atOnce(() => {
      records.removePlacement(server);
      records.removeDeparting(server);
      records.putGone(gone);
    });
    this.placements.delete(server);
    this.departing.delete(server);
    this.withheld.delete(server);
    for (const port of this.slices.portsAt(server)) {
      this.values.forget('port', port);
      this.values.forget('binding', port);
    }
    this.slices.unplace(server);
    this.observeGone(gone);
    this.replan = true;
  }

  private rooms(): Room[] {
    const taken = new Map<string, Resources>();
    for (const { host, takes } of this.placements.values()) taken.set(host, add(taken.get(host) ?? NOTHING, takes));
    return this.options.hosts.all().flatMap(({ name, said, reachable }) =>
      said
        ? [
            {
              host: name,
              zone: said.zone,
              totals: add(said, NOTHING),
              free: subtract(said, taken.get(name) ?? NOTHING),
              reachable,
            },
          ]
        : [],
    );
  }

  /** A host that lost what it knew, or a new journal, may hold no tombstone of what is still there: it is told again, which is harmless. */
  private tellDepartures(host: string): void {
    const { journal, slice, clock } = this.options;
    this.departuresTold.set(host, clock.monotonic());
    const servers = [...this.departing.keys()].filter((server) => this.placements.get(server)?.host === host);
    if (servers.length === 0) return;
    const changes = servers.map((id) => ({ follower: host, kind: 'server', id }));
    // A store makes a tombstone only of what it holds. Nobody reads between the two: what goes out is the delete alone.
    journal.append(changes.map((change) => ({ ...change, op: 'upsert' as const, body: { id: change.id } })));
    const { position } = journal.append(changes.map((change) => ({ ...change, op: 'delete' as const })));
    this.settling.published(position, slice.cursor().position, [host]);
    this.touched.add(host);
  }

  // What was seen.

  private see(host: string, observation: Observation): void {
    const { kind, id, at } = observation;
    switch (kind) {
      case 'host': {
        const value = this.read('host', host, observation);
        if (value && id === host) this.hear(host, hostConfig.parse(value));
        return;
      }
      case 'server': {
        const value = this.read('server', host, observation);
        if (value) this.seeServer(host, id as ServerId, value, at);
        return;
      }
      case 'port': {
        const value = this.read('port', host, observation);
        if (value) this.seePort(host, id, value, at);
        return;
      }
      case 'metrics': {
        const value = this.read('metrics', host, observation);
        if (value && id === host) this.observe('metrics', host, this.cursor().position, value, at);
        return;
      }
      default:
        if (!this.unknownKinds.has(kind))
          this.options.logger.warn('Observations of this kind are not used', { kind, host });
        this.unknownKinds.add(kind);
    }
  }

  private read<K extends ObservationKind>(
    kind: K,
    host: string,
    { id, value }: Observation,
  ): ObservationValue<K> | undefined {
    const parsed = observationSchemas[kind].safeParse(value);
    if (parsed.success) return parsed.data as ObservationValue<K>;
    this.options.logger.warn('An observation is malformed and is passed over', { host, kind, id, error: parsed.error });
    return undefined;
  }

  private hear(host: string, said: HostConfig): void {
    if (!this.options.hosts.said(host, said)) return;
    this.replan = true;
    this.observeHost(host);
    this.observeCapacity();
    for (const [server, placement] of this.placements) {
      if (placement.host !== host || !this.slices.isPlaced(server)) continue;
      this.put(server, host);
      this.observePorts(server);
    }
  }

  private seeServer(host: string, server: ServerId, value: ObservationValue<'server'>, at: string): void {
    const placement = this.placements.get(server);
    if (placement?.host !== host) {
      if (value.status === 'gone') {
        if (this.found.get(server) === host) this.found.delete(server);
        return;
      }
      if (!placement && (this.wanted.has(server) || this.departing.has(server))) {
        this.keepThere(server, host);
      } else {
        if (!placement) this.found.set(server, host);
        this.nameOrphan(server, 'A host runs a server that nobody asked for there; it is left alone', { host });
        return;
      }
    }
    if (value.status !== 'gone') this.tellHost(server);
    if (this.departing.has(server)) {
      if (value.status === 'gone') this.release(server);
      return;
    }
    const wanted = this.wanted.get(server);
    if (wanted && value.status !== 'gone') this.observe('server', server, wanted.position, { ...value, host }, at);
  }

  /** It runs there already: that is its place, for as long as it is to run. */
  private keepThere(server: ServerId, host: string): void {
    this.options.logger.warn('A host runs a server whose place was not known; it stays there', { server, host });
    this.found.delete(server);
    this.orphans.delete(server);
    this.assign(server, host);
    if (this.departing.has(server)) this.tellDepartures(host);
  }

  private seePort(host: string, port: string, value: ObservationValue<'port'>, at: string): void {
    const { slice, records, clock } = this.options;
    const server = this.slices.serverOf(port);
    if (value.status === 'gone') {
      // While its fact is there, its instance may come back.
      if (server !== undefined) return;
      const gone = { kind: 'port', id: port, position: this.cursor().position, at: clock.now() } as const;
      records.putGone(gone);
      this.observeGone(gone);
      return;
    }
    if (server === undefined || this.placements.get(server)?.host !== host) return;
    this.observe('port', port, slice.get('port', port)?.position ?? 0, value, at);
  }

  private observe<K extends ObservationKind>(
    kind: K,
    id: string,
    position: number,
    value: ObservationValue<K>,
    at = iso(this.options.clock.now()),
  ): void {
    if (this.values.put(kind, id, { position, value, at })) this.news = true;
  }

  private observeHost(name: string): void {
    const host = this.options.hosts.get(name);
    if (!host?.said) return;
    const silent = host.reachable ? {} : { unreachableSince: iso(host.since) };
    this.observe('host', name, this.cursor().position, { ...host.said, ...silent });
  }

  private observeCapacity(): void {
    const zones = new Map<string, Resources>([...this.zones].map((zone) => [zone, NOTHING]));
    for (const { zone, totals } of this.rooms()) zones.set(zone, add(zones.get(zone) ?? NOTHING, totals));
    for (const [zone, totals] of zones) {
      this.zones.add(zone);
      this.observe('capacity', zone, this.cursor().position, totals);
    }
  }

  private observePorts(server: ServerId): void {
    for (const port of this.slices.portsAt(server)) this.observePort(port);
  }

  private observePort(port: PortId, position = this.options.slice.get('port', port)?.position ?? 0): void {
    const binding = this.slices.ownBinding(port);
    if (!binding) return;
    const { host, endpoint } = binding;
    this.observe('binding', port, position, { host, endpoint });
  }

  private observeGone({ kind, id, position, at }: Gone): void {
    this.observe(kind, id, position, { status: 'gone' }, iso(at));
  }

  /** By time that has passed here: a wall clock that is set ahead must not make us forget what the Top has yet to hear. */
  private forgetOldGone(): void {
    const { records, clock } = this.options;
    const now = clock.monotonic();
    for (const { kind, id } of records.gone()) {
      const key = `${kind}/${id}`;
      const since = this.goneSince.get(key) ?? now;
      this.goneSince.set(key, since);
      if (since + GONE_KEPT_MS > now) continue;
      this.goneSince.delete(key);
      records.removeGone(kind, id);
      this.values.forget(kind, id);
    }
  }
}

function isFactKind(kind: string): kind is FactKind {
  return Object.hasOwn(factSchemas, kind);
}

/** The change that a line tells, of a kind that we know and as agreed. Fields that a later version added stay in it. */
function changeOf(line: FactLine): FactChange | undefined {
  const { kind, id } = line;
  if (!isFactKind(kind)) return undefined;
  if (line.type === 'delete') return { op: 'delete', kind, id };
  if (!factSchemas[kind].safeParse(line.body).success) return undefined;
  return { op: 'upsert', kind, id, body: line.body } as unknown as FactChange;
}

function isUpsertOf<K extends FactKind>(
  change: FactChange,
  kind: K,
): change is Extract<FactChange, { op: 'upsert'; kind: K }> {
  return change.op === 'upsert' && change.kind === kind;
}

function iso(at: number): string {
  return new Date(at).toISOString();
}
