import type { Json } from '@weir/kernel';
import { type FixedIp, parseEvent } from '../events/index';
import { flag, flagOf, given, idIn, type Row, type RowChange, type Table, type View } from './view';

const ports: Table = {
  name: 'rm_ports',
  columns: {
    id: 'text',
    network_id: 'text',
    project_id: 'text',
    name: 'text',
    description: 'text',
    admin_state_up: 'integer',
    port_security_enabled: 'integer',
    mac_address: 'text',
    /** [{subnet_id, ip_address}]; rm_addresses has them one by one. */
    fixed_ips: 'json',
    device_id: 'text',
    device_owner: 'text',
    binding_site_id: 'text',
    binding_host: 'text',
    binding_endpoint: 'text',
    /** 1: deleted for its user; its site has yet to say that it is gone. */
    deleting: 'integer',
    created_at: 'text',
    updated_at: 'text',
    revision_number: 'integer',
  },
  key: ['id'],
  indexes: [['network_id'], ['project_id'], ['name'], ['device_id'], ['device_owner'], ['mac_address']],
};

const UNBOUND = { binding_site_id: null, binding_host: null, binding_endpoint: null };

export const portsView: View = {
  name: 'ports',
  tables: [ports],
  rows(stored) {
    const event = parseEvent(stored);
    const id = idIn(event.stream, 'port');
    const changed = { updated_at: event.metadata.time, revision_number: event.revision + 1 };
    const port = (set: Row): RowChange[] => [
      { op: 'patch', table: ports.name, key: { id }, set: { ...set, ...changed } },
    ];
    switch (event.type) {
      case 'PortCreated':
      case 'PortAdopted': {
        const { networkId, projectId, mac, ...fields } = event.data;
        const row = {
          id,
          network_id: networkId,
          project_id: projectId,
          mac_address: mac,
          name: fields.name,
          description: fields.description,
          admin_state_up: flag(fields.adminStateUp),
          port_security_enabled: flag(fields.portSecurityEnabled),
          fixed_ips: addresses(fields.fixedIps),
          device_id: fields.deviceId,
          device_owner: fields.deviceOwner,
          ...UNBOUND,
          deleting: flag(false),
          created_at: event.metadata.time,
          ...changed,
        };
        return [{ op: 'put', table: ports.name, row }];
      }
      case 'PortUpdated': {
        const { name, description, adminStateUp, portSecurityEnabled, fixedIps, deviceId, deviceOwner } = event.data;
        const set = given({
          name,
          description,
          admin_state_up: flagOf(adminStateUp),
          port_security_enabled: flagOf(portSecurityEnabled),
          fixed_ips: fixedIps && addresses(fixedIps),
          device_id: deviceId,
          device_owner: deviceOwner,
        });
        return port(deviceId === '' ? { ...set, ...UNBOUND } : set);
      }
      case 'PortBound': {
        const { siteId, host, endpoint } = event.data;
        return port({ binding_site_id: siteId, binding_host: host, binding_endpoint: endpoint });
      }
      case 'PortDeleting':
        return port({ deleting: flag(true) });
      case 'PortDeleted':
        return [{ op: 'remove', table: ports.name, key: { id } }];
      default:
        return [];
    }
  },
};

function addresses(fixedIps: readonly FixedIp[]): Json {
  return fixedIps.map(({ subnetId, ip }) => ({ subnet_id: subnetId, ip_address: ip }));
}
