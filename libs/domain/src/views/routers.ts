import { parseEvent } from '../events/index';
import { flag, flagOf, given, idIn, json, jsonOf, type Row, type RowChange, type Table, type View } from './view';

const routers: Table = {
  name: 'rm_routers',
  columns: {
    id: 'text',
    project_id: 'text',
    name: 'text',
    description: 'text',
    admin_state_up: 'integer',
    distributed: 'integer',
    /** [{destination, nexthop}] */
    routes: 'json',
    availability_zone_hints: 'json',
    created_at: 'text',
    updated_at: 'text',
    revision_number: 'integer',
  },
  key: ['id'],
  indexes: [['project_id'], ['name']],
};

const interfaces: Table = {
  name: 'rm_router_interfaces',
  columns: {
    port_id: 'text',
    router_id: 'text',
    network_id: 'text',
    subnet_id: 'text',
    cidr: 'text',
    ip_address: 'text',
    mac_address: 'text',
  },
  key: ['port_id'],
  indexes: [['router_id'], ['network_id'], ['subnet_id']],
};

/** Routers and their interfaces. */
export const routersView: View = {
  name: 'routers',
  tables: [routers, interfaces],
  rows(stored) {
    const event = parseEvent(stored);
    const id = idIn(event.stream, 'router');
    const changed = { updated_at: event.metadata.time, revision_number: event.revision + 1 };
    const router = (set: Row): RowChange => ({
      op: 'patch',
      table: routers.name,
      key: { id },
      set: { ...set, ...changed },
    });
    switch (event.type) {
      case 'RouterCreated':
      case 'RouterAdopted': {
        const { projectId, name, description, adminStateUp, distributed, routes, availabilityZoneHints } = event.data;
        const row = {
          id,
          project_id: projectId,
          name,
          description,
          admin_state_up: flag(adminStateUp),
          distributed: flag(distributed),
          routes: json(routes),
          availability_zone_hints: availabilityZoneHints,
          created_at: event.metadata.time,
          ...changed,
        };
        return [{ op: 'put', table: routers.name, row }];
      }
      case 'RouterUpdated': {
        const { name, description, adminStateUp, routes } = event.data;
        return [router(given({ name, description, admin_state_up: flagOf(adminStateUp), routes: jsonOf(routes) }))];
      }
      case 'RouterInterfaceAdded':
      case 'RouterInterfaceAdopted': {
        const { portId, networkId, subnetId, cidr, ip, mac } = event.data;
        const row = {
          port_id: portId,
          router_id: id,
          network_id: networkId,
          subnet_id: subnetId,
          cidr,
          ip_address: ip,
          mac_address: mac,
        };
        return [{ op: 'put', table: interfaces.name, row }, router({})];
      }
      case 'RouterInterfaceRemoved':
        return [{ op: 'remove', table: interfaces.name, key: { port_id: event.data.portId } }, router({})];
      case 'RouterDeleted':
        return [{ op: 'remove', table: routers.name, key: { id } }];
      default:
        return [];
    }
  },
};
