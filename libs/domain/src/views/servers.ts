import { parseEvent } from '../events/index';
import { given, idIn, json, jsonOf, type Row, type RowChange, type Table, type View } from './view';

const servers: Table = {
  name: 'rm_servers',
  columns: {
    id: 'text',
    project_id: 'text',
    user_id: 'text',
    name: 'text',
    /** BUILD, ACTIVE or ERROR */
    status: 'text',
    /** `deleting`, or null */
    task_state: 'text',
    /** {host, message, created_at}, or null */
    fault: 'json',
    /** The hypervisor that runs it; null until it does. */
    host: 'text',
    launched_at: 'text',
    site_id: 'text',
    /** The zone's name inside its site, and `<data center>:<zone>`. */
    zone: 'text',
    availability_zone: 'text',
    flavor_id: 'text',
    flavor: 'json',
    image_id: 'text',
    metadata: 'json',
    created_at: 'text',
    updated_at: 'text',
    revision_number: 'integer',
  },
  key: ['id'],
  indexes: [['project_id'], ['name'], ['status'], ['site_id'], ['host'], ['availability_zone']],
};

/** A port is at most one server's. */
const serverPorts: Table = {
  name: 'rm_server_ports',
  columns: {
    port_id: 'text',
    server_id: 'text',
    network_id: 'text',
    /** 0 is eth0 */
    place: 'integer',
    /** 1: made with the server, and goes with it. */
    own: 'integer',
  },
  key: ['port_id'],
  indexes: [['server_id'], ['network_id']],
};

export const serversView: View = {
  name: 'servers',
  tables: [servers, serverPorts],
  rows(stored) {
    const event = parseEvent(stored);
    const id = idIn(event.stream, 'server');
    const time = event.metadata.time;
    const changed = { updated_at: time, revision_number: event.revision + 1 };
    const server = (set: Row): RowChange[] => [
      { op: 'patch', table: servers.name, key: { id }, set: { ...set, ...changed } },
    ];
    const detached = (): RowChange[] => [
      { op: 'remove', table: serverPorts.name, key: { port_id: idIn(event.stream, 'port') } },
    ];
    switch (event.type) {
      case 'ServerRequested':
      case 'ServerAdopted': {
        const { projectId, userId, name, flavor, imageId, siteId, zone, availabilityZone, ports, metadata } =
          event.data;
        const row = {
          id,
          project_id: projectId,
          user_id: userId,
          name,
          status: 'BUILD',
          task_state: null,
          fault: null,
          host: null,
          launched_at: null,
          site_id: siteId,
          zone,
          availability_zone: availabilityZone,
          flavor_id: flavor.id,
          flavor: json(flavor),
          image_id: imageId,
          metadata,
          created_at: time,
          ...changed,
        };
        return [
          { op: 'put', table: servers.name, row },
          ...ports.map(({ portId, networkId, own }, place): RowChange => ({
            op: 'put',
            table: serverPorts.name,
            row: { port_id: portId, server_id: id, network_id: networkId, place, own: own ? 1 : 0 },
          })),
        ];
      }
      case 'ServerUpdated':
        return server(given({ name: event.data.name, metadata: jsonOf(event.data.metadata) }));
      case 'ServerActive':
        return server({ status: 'ACTIVE', host: event.data.host, fault: null, launched_at: time });
      case 'ServerFailed': {
        const { host, message } = event.data.fault;
        return server({ status: 'ERROR', fault: { host, message, created_at: time } });
      }
      case 'ServerDeleting':
        return server({ task_state: 'deleting' });
      case 'ServerDeleted':
        return [{ op: 'remove', table: servers.name, key: { id } }];
      case 'PortUpdated':
        return event.data.deviceId === '' ? detached() : [];
      case 'PortDeleted':
        return detached();
      default:
        return [];
    }
  },
};
