interface Entry {
  /** In our journal. */
  readonly position: number;
  /** The Top's position before what led to this entry. */
  readonly before: number;
  /** Who has not made it true yet. */
  readonly hosts: Set<string>;
}

/** Up to which position of the Top everything is programmed on the hosts, or they are named as unreachable. */
export class Settling {
  /** In order of position; settled ones are gone. */
  private entries: Entry[] = [];
  private readonly unreachable = new Set<string>();

  /** An entry of our journal changed the slices of these hosts. */
  published(position: number, before: number, hosts: Iterable<string>): void {
    this.entries.push({ position, before, hosts: new Set(hosts) });
  }

  /** A host has programmed everything up to this position of our journal. */
  programmed(host: string, position: number): void {
    for (const entry of this.entries) {
      if (entry.position > position) break;
      entry.hosts.delete(host);
    }
    this.entries = this.entries.filter((entry) => entry.hosts.size > 0);
  }

  /** An unreachable host is named, and waited for no longer; when it is back, it is. */
  reachable(host: string, reachable: boolean): void {
    if (reachable) this.unreachable.delete(host);
    else this.unreachable.add(host);
  }

  /** The Top counts its positions anew. */
  startOver(): void {
    this.entries = this.entries.map((entry) => ({ ...entry, before: 0 }));
  }

  /** `taken`: the Top's position that was taken over. */
  settled(taken: number): number {
    for (const { before, hosts } of this.entries) {
      for (const host of hosts) if (!this.unreachable.has(host)) return Math.min(before, taken);
    }
    return taken;
  }
}
