/** A last value that a site reported: what it saw, at which of our positions, and when. */
export interface Seen {
  readonly position: number;
  readonly value: unknown;
  readonly at: string;
}

export interface Report {
  readonly kind: string;
  readonly id: string;
  readonly position: number;
  readonly value: unknown;
  readonly at: string;
}

/** Last values beside the log: no part of a rebuild, sent again whole when a site connects, kept so that a restart still knows what a silent site said. */
export interface Observed {
  get(site: string, kind: string, id: string): Seen | undefined;
  all(site: string, kind: string): ReadonlyMap<string, Seen>;
  record(site: string, reports: readonly Report[]): void;
  /** Nothing is left to say of it. */
  drop(site: string, kind: string, id: string): void;
  forget(site: string): void;
}

export class MemoryObserved implements Observed {
  private readonly values = new Map<string, Map<string, Seen>>();

  get(site: string, kind: string, id: string): Seen | undefined {
    return this.values.get(`${site}/${kind}`)?.get(id);
  }

  all(site: string, kind: string): ReadonlyMap<string, Seen> {
    return this.values.get(`${site}/${kind}`) ?? new Map<string, Seen>();
  }

  record(site: string, reports: readonly Report[]): void {
    for (const { kind, id, position, value, at } of reports) {
      const key = `${site}/${kind}`;
      const known = this.values.get(key) ?? new Map<string, Seen>();
      if (!this.values.has(key)) this.values.set(key, known);
      known.set(id, { position, value, at });
    }
  }

  drop(site: string, kind: string, id: string): void {
    this.values.get(`${site}/${kind}`)?.delete(id);
  }

  forget(site: string): void {
    for (const key of this.values.keys()) if (key.startsWith(`${site}/`)) this.values.delete(key);
  }
}
