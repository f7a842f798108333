import type { Resources } from '@weir/domain';

/** A site as admins see it: its lifecycle is what was asked, its reachability what is; every answer says how old it is. */
export interface SiteModel {
  readonly id: string;
  readonly name: string;
  readonly data_center: string;
  readonly availability_zones: readonly string[];
  readonly driver: string;
  readonly tunnel: { readonly type: string; readonly mtu: number };
  readonly lifecycle: string;
  readonly reachability: 'reachable' | 'unreachable' | 'unknown';
  readonly reachability_since: string;
  /** The position that the site has stored, and the one up to which everything below it is programmed; null before it ever reported. */
  readonly stored: number | null;
  readonly settled: number | null;
  /** Where the log is: what is between `settled` and this is behind. */
  readonly published: number;
  readonly capacity: readonly { readonly zone: string; readonly total: Resources; readonly taken: Resources }[];
  /** What it has shown that the log does not know, while the Top is in quarantine; `decision` is the operator's, null until there is one. */
  readonly divergence: {
    readonly generation: number;
    readonly position: number;
    readonly decision: 'adopt' | 'discard' | null;
  } | null;
  readonly created_at: string;
}

export function siteView(site: SiteModel): Readonly<Record<string, unknown>> {
  return {
    ...site,
    capacity: site.capacity.map(({ zone, total, taken }) => ({
      zone: `${site.data_center}:${zone}`,
      total: resources(total),
      taken: resources(taken),
    })),
  };
}

function resources({ vcpus, ramMb, diskGb }: Resources) {
  return { vcpus, ram_mb: ramMb, disk_gb: diskGb };
}
