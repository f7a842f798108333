import { conflict, type ServerId } from '@weir/kernel';
import type { HeldSeal } from '@weir/topology';
import type { Gone, HostRecord, Placement, SiteRecords } from './records';
import { KEPT_SEALS } from './seals';

interface Kept {
  readonly hosts: ReadonlyMap<string, HostRecord>;
  readonly placements: ReadonlyMap<ServerId, Placement>;
  readonly departing: ReadonlyMap<ServerId, number>;
  readonly gone: ReadonlyMap<string, Gone>;
  readonly seals: readonly HeldSeal[];
  readonly recovering: boolean;
}

/** The twin of SqliteSiteRecords, for sites without a disk. */
export class MemorySiteRecords implements SiteRecords {
  /** Replaced by each change, never changed, so that `atOnce` can go back. */
  private kept: Kept = {
    hosts: new Map(),
    placements: new Map(),
    departing: new Map(),
    gone: new Map(),
    seals: [],
    recovering: false,
  };

  /** Other records with what these hold now. */
  copy(): MemorySiteRecords {
    const copy = new MemorySiteRecords();
    copy.kept = this.kept;
    return copy;
  }

  atOnce(work: () => void): void {
    const before = this.kept;
    try {
      work();
    } catch (error) {
      this.kept = before;
      throw error;
    }
  }

  hosts(): readonly HostRecord[] {
    return inOrder(this.kept.hosts.values(), ({ name }) => [name]);
  }

  putHost(host: HostRecord): void {
    const { hosts } = this.kept;
    if ([...hosts.values()].some(({ name, keyHash }) => name !== host.name && keyHash === host.keyHash))
      throw conflict(`The key of host ${host.name} is another host's.`);
    this.change({ hosts: withEntry(hosts, host.name, host) });
  }

  removeHost(name: string): void {
    const { hosts, placements } = this.kept;
    this.change({
      hosts: without(hosts, name),
      placements: new Map([...placements].filter(([, { host }]) => host !== name)),
    });
  }

  placements(): readonly Placement[] {
    return inOrder(this.kept.placements.values(), ({ server }) => [server]);
  }

  putPlacement(placement: Placement): void {
    this.change({ placements: withEntry(this.kept.placements, placement.server, placement) });
  }

  removePlacement(server: ServerId): void {
    this.change({ placements: without(this.kept.placements, server) });
  }

  departing(): ReadonlyMap<ServerId, number> {
    return new Map(inOrder(this.kept.departing, ([server]) => [server]));
  }

  putDeparting(server: ServerId, position: number): void {
    this.change({ departing: withEntry(this.kept.departing, server, position) });
  }

  removeDeparting(server: ServerId): void {
    this.change({ departing: without(this.kept.departing, server) });
  }

  gone(): readonly Gone[] {
    return inOrder(this.kept.gone.values(), ({ position, kind, id }) => [position, kind, id]);
  }

  putGone(gone: Gone): void {
    this.change({ gone: withEntry(this.kept.gone, `${gone.kind}/${gone.id}`, gone) });
  }

  removeGone(kind: Gone['kind'], id: string): void {
    this.change({ gone: without(this.kept.gone, `${kind}/${id}`) });
  }

  seals(): readonly HeldSeal[] {
    return this.kept.seals;
  }

  addSeal(seal: HeldSeal): void {
    const all = [...this.kept.seals, seal];
    const disputed = new Set(all.filter(({ contradicts }) => contradicts).map(({ revision }) => revision));
    const evidence = all.filter(
      ({ revision }, index) => disputed.has(revision) || all[index + 1]?.contradicts === true,
    );
    const stay = new Set([...all.slice(-KEPT_SEALS), ...evidence.slice(-KEPT_SEALS)]);
    this.change({ seals: all.filter((each) => stay.has(each)) });
  }

  isRecovering(): boolean {
    return this.kept.recovering;
  }

  beginRecovery(): void {
    this.change({ recovering: true });
  }

  endRecovery(): void {
    this.change({ recovering: false });
  }

  close(): void {
    // Holds nothing.
  }

  private change(changed: Partial<Kept>): void {
    this.kept = { ...this.kept, ...changed };
  }
}

function withEntry<K, V>(map: ReadonlyMap<K, V>, key: K, value: V): ReadonlyMap<K, V> {
  return new Map(map).set(key, value);
}

function without<K, V>(map: ReadonlyMap<K, V>, key: K): ReadonlyMap<K, V> {
  const rest = new Map(map);
  rest.delete(key);
  return rest;
}

function inOrder<T>(values: Iterable<T>, keysOf: (value: T) => readonly (string | number)[]): readonly T[] {
  return [...values].sort((left, right) => {
    const [ours, theirs] = [keysOf(left), keysOf(right)];
    const differs = ours.findIndex((key, index) => key !== theirs[index]);
    return differs < 0 ? 0 : (ours[differs] ?? 0) < (theirs[differs] ?? 0) ? -1 : 1;
  });
}
