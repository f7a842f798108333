import { InvalidInput, type SegmentType } from '@weir/domain';
import type { RowReader } from '@weir/event-store';
import { notFound } from '@weir/kernel';

/** Outer Ethernet, IPv4, UDP and VXLAN headers (RFC 7348 §5). */
const VXLAN_OVERHEAD = 50;
const DEFAULT_UNDERLAY_MTU = 1500;

/** What the sites' underlays allow a network to be. */
export class Underlay {
  /** Only what the sites' drivers can program. */
  readonly segmentTypes: readonly SegmentType[] = ['vxlan'];

  constructor(private readonly rows: RowReader) {}

  /** The least of all sites', so that a network may span any of them. */
  networkMtu(): number {
    const underlays = this.rows
      .live('rm_sites')
      .map((site) => (site['tunnel'] as unknown as { readonly mtu: number }).mtu);
    return Math.min(...(underlays.length === 0 ? [DEFAULT_UNDERLAY_MTU] : underlays)) - VXLAN_OVERHEAD;
  }

  fitting(asked: number | undefined, largest: number): number {
    if (asked !== undefined && asked > largest)
      throw new InvalidInput('mtu', `the sites' tunnels carry at most ${largest} bytes`);
    return asked ?? largest;
  }

  /** Throws for a zone, or data center, that no site has (Neutron answers 404). */
  knownZones(hints: readonly string[]): readonly string[] {
    for (const hint of hints) {
      const known =
        this.rows.count('rm_zones', { availability_zone: hint }) + this.rows.count('rm_zones', { data_center: hint });
      if (known === 0) throw notFound(`AvailabilityZone ${hint.slice(0, 255)} could not be found.`);
    }
    return hints;
  }
}
