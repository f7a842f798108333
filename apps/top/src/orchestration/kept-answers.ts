import { WeirError } from '@weir/kernel';

export interface KeptBounds {
  /** More than a client needs that retries what it did not hear of. */
  readonly perOwner: number;
  /** Of all owners. */
  readonly bytes: number;
}
export const KEPT_BOUNDS: KeptBounds = { perOwner: 10_000, bytes: 256 * 1024 * 1024 };

/** No room for the answer of another request; those that are kept go by and by. */
export class TooManyKeptAnswers extends WeirError {
  constructor() {
    super('unavailable', 'Too many answers are kept already; send the request without Idempotency-Key, or later.');
  }
}

export interface KeptEntry {
  readonly key: string;
  /** Each owner has room of its own. */
  readonly owner: string;
  readonly value: Uint8Array;
  /** Milliseconds since the epoch: from then on it is not there. */
  readonly until: number;
}

/** Sealed bytes by key, for a day. What `put` has resolved for survives a power cut; it replaces, or rejects with TooManyKeptAnswers. */
export interface KeptAnswers {
  get(key: string, now: number): Uint8Array | undefined;
  put(entry: KeptEntry): Promise<void>;
  /** Forgets what was to be kept until now; whether anything is left. */
  sweep(now: number): boolean;
}

/** The twin of the file, for a Top that outlives nothing. */
export class MemoryKeptAnswers implements KeptAnswers {
  private readonly entries = new Map<string, KeptEntry>();
  private readonly owners = new Map<string, number>();
  private bytes = 0;

  constructor(private readonly bounds = KEPT_BOUNDS) {}

  get(key: string, now: number): Uint8Array | undefined {
    const entry = this.entries.get(key);
    return entry && entry.until > now ? entry.value : undefined;
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- a refusal is a rejection, as the port says
  async put(entry: KeptEntry): Promise<void> {
    const before = this.entries.get(entry.key);
    const bytes = this.bytes - (before?.value.length ?? 0) + entry.value.length;
    const own = this.ofOwner(entry) + (before ? 0 : 1);
    if (bytes > this.bounds.bytes || own > this.bounds.perOwner) throw new TooManyKeptAnswers();
    this.owners.set(entry.owner, own);
    this.entries.set(entry.key, entry);
    this.bytes = bytes;
  }

  sweep(now: number): boolean {
    for (const entry of [...this.entries.values()]) {
      if (entry.until > now) continue;
      this.entries.delete(entry.key);
      this.bytes -= entry.value.length;
      const own = this.ofOwner(entry) - 1;
      if (own > 0) this.owners.set(entry.owner, own);
      else this.owners.delete(entry.owner);
    }
    return this.entries.size > 0;
  }

  private ofOwner({ owner }: KeptEntry): number {
    return this.owners.get(owner) ?? 0;
  }
}
