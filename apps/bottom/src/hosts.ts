import { createHash, timingSafeEqual } from 'node:crypto';
import { canonicalJson, forbidden, invalid, type Clock } from '@weir/kernel';
import { keyHash, type JoinAnswer, type JoinRequest, type Membership } from '@weir/cascade';
import type { HostConfig, HostRecord, SiteRecords } from './records';

/** A host's name also names its folder, its log lines and its place in the slices. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

export interface HostsOptions {
  readonly records: SiteRecords;
  /** What every Host of this site joins with. */
  readonly token: string;
  readonly generation: () => number;
  readonly clock: Clock;
}

/** Who the hosts of this site are: one token for all, and a key of its own per name. */
export class Hosts implements Membership {
  private readonly byName = new Map<string, HostRecord>();
  private readonly byKey = new Map<string, string>();

  constructor(private readonly options: HostsOptions) {
    for (const record of options.records.hosts()) this.keep(record);
  }

  /** The same name with the same key is the same host, as often as it asks; with another key it is refused until the operator removed the first. */
  join({ token, name, key }: JoinRequest): Promise<JoinAnswer> {
    const { generation, clock } = this.options;
    if (!sameSecret(token, this.options.token)) return Promise.reject(forbidden('The token is not that of this site.'));
    if (!NAME.test(name)) {
      return Promise.reject(invalid('A host has a name of 1 to 63 letters, digits, dots, dashes and underscores.'));
    }
    const hash = keyHash(key);
    const known = this.byName.get(name);
    if (known && known.keyHash !== hash) {
      return Promise.reject(forbidden(`There is a host '${name}' with another key; remove it first.`));
    }
    const owner = this.byKey.get(hash);
    if (owner !== undefined && owner !== name) return Promise.reject(forbidden('This key is the one of another host.'));
    if (!known) this.put({ name, keyHash: hash, said: undefined, reachable: false, since: clock.now() });
    return Promise.resolve({ id: name, generation: generation() });
  }

  authenticate(key: string): string | undefined {
    return this.byKey.get(keyHash(key));
  }

  followed(): Promise<void> {
    return Promise.resolve();
  }

  all(): readonly HostRecord[] {
    return [...this.byName.values()];
  }

  get(name: string): HostRecord | undefined {
    return this.byName.get(name);
  }

  /** Answers whether this is news. */
  said(name: string, said: HostConfig): boolean {
    const known = this.byName.get(name);
    if (!known || (known.said && canonicalJson(known.said) === canonicalJson(said))) return false;
    this.put({ ...known, said });
    return true;
  }

  turn(name: string, reachable: boolean, since: number): void {
    const known = this.byName.get(name);
    if (known) this.put({ ...known, reachable, since });
  }

  private put(record: HostRecord): void {
    this.options.records.putHost(record);
    this.keep(record);
  }

  private keep(record: HostRecord): void {
    this.byName.set(record.name, record);
    this.byKey.set(record.keyHash, record.name);
  }
}

/** Takes the same time wherever two secrets differ. */
function sameSecret(one: string, other: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(one), digest(other));
}
