import type { Resources } from '@weir/domain';
import type { Row, RowReader } from '@weir/event-store';
import { conflict, invalid, type SiteId, WeirError } from '@weir/kernel';

export interface Zone {
  readonly siteId: SiteId;
  readonly zone: string;
  readonly availabilityZone: string;
}

/** Nova's name for it; here the request is refused at once rather than accepted and failed. */
export class NoValidHost extends WeirError {
  constructor(where: string) {
    super('conflict', `No valid host was found. There is not enough room ${where}.`);
  }
}

/**
 * Where a server goes. Named as `<data center>:<zone>`: there, whatever its state, and the domain says what is wrong with it.
 * Named by data center, or not at all: the zone with the most free capacity of a reachable site that has room. Throws NoValidHost, or `invalid` for a name nobody has.
 */
export function chooseZone(rows: RowReader, asked: string | undefined, needed: Resources): Zone {
  if (asked?.includes(':')) {
    const [named] = rows.live('rm_zones', { availability_zone: asked });
    if (!named) throw unknownZone(asked);
    return zoneOf(named);
  }
  const zones = rows.live('rm_zones', asked === undefined ? {} : { data_center: asked });
  if (asked !== undefined && zones.length === 0) throw unknownZone(asked);
  const usable = zones.filter((zone) => isUsable(rows.get('rm_sites', { id: zone['site_id'] as string })));
  if (zones.length > 0 && usable.length === 0)
    throw conflict(asked === undefined ? 'No site is reachable.' : `No site of data center '${asked}' is reachable.`);
  const [best] = usable
    .filter((zone) => fits(zone, needed))
    .sort((left, right) => free(right) - free(left) || (left['zone'] as string).localeCompare(right['zone'] as string));
  if (!best) throw new NoValidHost(asked === undefined ? 'in any zone' : `in data center '${asked}'`);
  return zoneOf(best);
}

function unknownZone(asked: string): WeirError {
  return invalid(`The requested availability zone '${asked.slice(0, 255)}' is not available`);
}

function isUsable(site: Row | undefined): boolean {
  return site?.['lifecycle'] === 'active' && site['unreachable_since'] === null;
}

function fits(zone: Row, needed: Resources): boolean {
  const left = (kind: string) => (zone[`total_${kind}`] as number) - (zone[`taken_${kind}`] as number);
  return left('vcpus') >= needed.vcpus && left('ram_mb') >= needed.ramMb && left('disk_gb') >= needed.diskGb;
}

/** The share of the scarcer of processors and memory that is free. */
function free(zone: Row): number {
  const share = (kind: string) => {
    const total = zone[`total_${kind}`] as number;
    return total === 0 ? 0 : (total - (zone[`taken_${kind}`] as number)) / total;
  };
  return Math.min(share('vcpus'), share('ram_mb'));
}

function zoneOf(row: Row): Zone {
  return {
    siteId: row['site_id'] as SiteId,
    zone: row['zone'] as string,
    availabilityZone: row['availability_zone'] as string,
  };
}
