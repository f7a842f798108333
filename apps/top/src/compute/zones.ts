import type { Row, RowReader } from '@weir/event-store';
import type { ZoneModel } from '@weir/openstack-api/compute';

/** The zones of all sites that joined; available while their site is reachable. */
export function zones(rows: RowReader): readonly ZoneModel[] {
  return rows.live('rm_zones', {}, { orderBy: [{ column: 'availability_zone' }] }).map((zone) => {
    const name = zone['availability_zone'] as string;
    const hosts = rows
      .live('rm_servers', { availability_zone: name })
      .flatMap((server) => (server['host'] === null ? [] : [server['host'] as string]));
    return {
      name,
      available: isAvailable(rows, zone),
      hosts: [...new Set(hosts)].sort(),
    };
  });
}

/** Whether a zone's site has joined and is reachable. */
export function isAvailable(rows: RowReader, zone: Row): boolean {
  const site = rows.get('rm_sites', { id: zone['site_id'] as string });
  return site?.['lifecycle'] === 'active' && site['unreachable_since'] === null;
}
