import { parseEvent } from '../events/index';
import { flag, idIn, json, partsOf, type RowChange, type Row, type Table, type View } from './view';

const sites: Table = {
  name: 'rm_sites',
  columns: {
    id: 'text',
    name: 'text',
    data_center: 'text',
    availability_zones: 'json',
    driver: 'text',
    tunnel: 'json',
    /** added, joining, active */
    lifecycle: 'text',
    /** Null while it is reachable, or has not joined. */
    unreachable_since: 'text',
    join_token_hash: 'text',
    join_token_used: 'integer',
    key_hash: 'text',
    created_at: 'text',
    updated_at: 'text',
  },
  key: ['id'],
  indexes: [['name'], ['join_token_hash'], ['key_hash']],
};

/** Free is total less taken, and never below 0: totals may fall below what is taken. */
const zones: Table = {
  name: 'rm_zones',
  columns: {
    site_id: 'text',
    zone: 'text',
    data_center: 'text',
    /** `<data center>:<zone>` */
    availability_zone: 'text',
    total_vcpus: 'integer',
    total_ram_mb: 'integer',
    total_disk_gb: 'integer',
    taken_vcpus: 'integer',
    taken_ram_mb: 'integer',
    taken_disk_gb: 'integer',
    servers: 'integer',
  },
  key: ['site_id', 'zone'],
  indexes: [['availability_zone'], ['data_center']],
};

/** Sites, and their zones with what each has and what is taken of it. */
export const sitesView: View = {
  name: 'sites',
  tables: [sites, zones],
  rows(stored) {
    const event = parseEvent(stored);
    const id = idIn(event.stream, 'site');
    const time = event.metadata.time;
    const patch = (set: Row): RowChange[] => [
      { op: 'patch', table: sites.name, key: { id }, set: { ...set, updated_at: time } },
    ];
    switch (event.type) {
      case 'SiteAdded': {
        const { name, dataCenter, availabilityZones, driver, tunnel, joinTokenHash } = event.data;
        const row = {
          id,
          name,
          data_center: dataCenter,
          availability_zones: availabilityZones,
          driver,
          tunnel: json(tunnel),
          lifecycle: 'added',
          unreachable_since: null,
          join_token_hash: joinTokenHash,
          join_token_used: flag(false),
          key_hash: null,
          created_at: time,
          updated_at: time,
        };
        return [
          { op: 'put', table: sites.name, row },
          ...availabilityZones.map((zone) => emptyZone(id, dataCenter, zone)),
        ];
      }
      case 'SiteJoined':
        return patch({ lifecycle: 'joining', key_hash: event.data.keyHash });
      case 'SiteJoinTokenUsed':
        return patch({ join_token_used: flag(true) });
      case 'SiteActivated':
        return patch({ lifecycle: 'active' });
      case 'SiteUnreachable':
        return patch({ unreachable_since: event.data.since });
      case 'SiteReachable':
        return patch({ unreachable_since: null });
      case 'SiteRemoved':
        return [
          { op: 'remove', table: sites.name, key: { id } },
          ...event.data.availabilityZones.map((zone): RowChange => ({
            op: 'remove',
            table: zones.name,
            key: { site_id: id, zone },
          })),
        ];
      case 'CapacityChanged': {
        const { vcpus, ramMb, diskGb } = event.data;
        return [
          {
            op: 'patch',
            table: zones.name,
            key: zoneKey(event.stream),
            set: { total_vcpus: vcpus, total_ram_mb: ramMb, total_disk_gb: diskGb },
          },
        ];
      }
      case 'CapacityTaken':
      case 'CapacityFreed': {
        const sign = event.type === 'CapacityTaken' ? 1 : -1;
        const { vcpus, ramMb, diskGb } = event.data;
        const add = {
          taken_vcpus: sign * vcpus,
          taken_ram_mb: sign * ramMb,
          taken_disk_gb: sign * diskGb,
          servers: sign,
        };
        return [{ op: 'add', table: zones.name, key: zoneKey(event.stream), add }];
      }
      default:
        return [];
    }
  },
};

function zoneKey(stream: string): Row {
  const parts = partsOf(stream, 'capacity');
  return { site_id: parts?.id ?? '', zone: parts?.rest ?? '' };
}

function emptyZone(siteId: string, dataCenter: string, zone: string): RowChange {
  const nothing = {
    total_vcpus: 0,
    total_ram_mb: 0,
    total_disk_gb: 0,
    taken_vcpus: 0,
    taken_ram_mb: 0,
    taken_disk_gb: 0,
    servers: 0,
  };
  const row = {
    site_id: siteId,
    zone,
    data_center: dataCenter,
    availability_zone: `${dataCenter}:${zone}`,
    ...nothing,
  };
  return { op: 'put', table: zones.name, row };
}
