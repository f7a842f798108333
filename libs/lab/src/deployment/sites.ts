import { notFound } from '@weir/kernel';
import type { ApiClient } from './api-client';
import type { Wait } from './tenant';

export interface DeployedSite {
  readonly name: string;
  readonly dataCenter: string;
  /** Names of lab hosts, by zone. */
  readonly zones: Readonly<Record<string, readonly string[]>>;
}

export interface SiteStatus {
  readonly id: string;
  readonly name: string;
  readonly lifecycle: string;
  readonly reachability: string;
  readonly reachability_since: string;
  readonly stored: number | null;
  readonly settled: number | null;
  readonly published: number;
  readonly capacity: readonly {
    readonly zone: string;
    readonly total: { readonly vcpus: number };
    readonly taken: { readonly vcpus: number };
  }[];
}

/** What DESIGN gives each host of the lab. */
export const HOST_TOTALS = { vcpus: 8, ramMb: 16_384, diskGb: 100 };
const UNDERLAY_MTU = 1_500;
const START_DEADLINE_MS = 20_000;
const SETTLE_DEADLINE_MS = 20_000;

/** Paris with two zones, Tokyo with one of two hosts, for the lab of `twoSites()`. */
export function parisAndTokyo(): readonly DeployedSite[] {
  return [
    { name: 'paris', dataCenter: 'Paris', zones: { 'paris-a': ['paris-1'], 'paris-b': ['paris-2'] } },
    { name: 'tokyo', dataCenter: 'Tokyo', zones: { 'tokyo-a': ['tokyo-1', 'tokyo-2'] } },
  ];
}

/** A deployment's sites by name, over the admin API. */
export class Sites {
  private readonly ids = new Map<string, string>();
  private seen = 0;

  constructor(
    private readonly client: ApiClient,
    private readonly wait: Wait,
  ) {}

  /** Answers what its Bottom joins with. */
  async add(site: DeployedSite, driver: 'ovs' | 'simulated'): Promise<string> {
    const added = await this.client.request<{ site: { id: string }; join_token: string }>('POST', '/weir/v1/sites', {
      site: {
        name: site.name,
        data_center: site.dataCenter,
        availability_zones: Object.keys(site.zones),
        driver,
        tunnel: { type: 'vxlan', mtu: UNDERLAY_MTU },
      },
    });
    this.ids.set(site.name, added.site.id);
    return added.join_token;
  }

  async status(name: string): Promise<SiteStatus> {
    const id = this.ids.get(name);
    if (id === undefined) throw notFound(`The deployment has no site '${name}'.`);
    return (await this.client.request<{ site: SiteStatus }>('GET', `/weir/v1/sites/${id}`)).site;
  }

  /** Resolves when it has joined with the room of so many hosts. */
  waitForJoined(name: string, hosts: number): Promise<SiteStatus> {
    return this.wait(
      async () => {
        const found = await this.status(name);
        const room = found.capacity.reduce((sum, zone) => sum + zone.total.vcpus, 0);
        // A site that has no room at all stays joining.
        const joined = found.lifecycle === (hosts === 0 ? 'joining' : 'active') && found.reachability === 'reachable';
        return joined && room >= hosts * HOST_TOTALS.vcpus ? found : undefined;
      },
      { what: `site ${name} to have joined with ${hosts} hosts`, deadlineMs: START_DEADLINE_MS },
    );
  }

  /** Resolves when everything that is in the log is programmed at these sites (all unless said), and nothing new came. */
  async waitForSettled(names: readonly string[] = [...this.ids.keys()], deadlineMs = SETTLE_DEADLINE_MS) {
    await this.wait(
      async () => {
        const head = await this.head();
        const found = await Promise.all(names.map((name) => this.status(name)));
        return found.every(({ settled }) => settled !== null && settled >= head);
      },
      { what: `${names.join(' and ')} to settle`, deadlineMs },
    );
  }

  /** The position of the last event. */
  private async head(): Promise<number> {
    for (;;) {
      const path = `/weir/v1/events?after=${this.seen}&limit=1000`;
      const { events, next } = await this.client.request<{ events: unknown[]; next: number }>('GET', path);
      if (events.length === 0) return this.seen;
      this.seen = next;
    }
  }
}
