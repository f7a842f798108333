import { parseEvent } from '../events/index';
import { flag, flagOf, given, idIn, json, jsonOf, type Row, type RowChange, type Table, type View } from './view';

const networks: Table = {
  name: 'rm_networks',
  columns: {
    id: 'text',
    project_id: 'text',
    name: 'text',
    description: 'text',
    admin_state_up: 'integer',
    port_security_enabled: 'integer',
    mtu: 'integer',
    segment_type: 'text',
    segment_key: 'integer',
    availability_zone_hints: 'json',
    /** 1 from NetworkClosing until it is reopened or deleted: every start ends the closings that it finds. */
    closing: 'integer',
    created_at: 'text',
    updated_at: 'text',
    revision_number: 'integer',
  },
  key: ['id'],
  indexes: [['project_id'], ['name'], ['closing']],
};

const subnets: Table = {
  name: 'rm_subnets',
  columns: {
    id: 'text',
    network_id: 'text',
    project_id: 'text',
    name: 'text',
    description: 'text',
    cidr: 'text',
    gateway_ip: 'text',
    enable_dhcp: 'integer',
    /** [{start, end}] */
    allocation_pools: 'json',
    dns_nameservers: 'json',
    /** [{destination, nexthop}] */
    host_routes: 'json',
    server_ip: 'text',
    server_mac: 'text',
    closing: 'integer',
    created_at: 'text',
    updated_at: 'text',
    revision_number: 'integer',
  },
  key: ['id'],
  indexes: [['network_id'], ['project_id'], ['name'], ['closing']],
};

/** Networks and their subnets; revision_number is the place in the network's stream, counted from 1. */
export const networksView: View = {
  name: 'networks',
  tables: [networks, subnets],
  rows(stored) {
    const event = parseEvent(stored);
    const id = idIn(event.stream, 'network');
    const changed = { updated_at: event.metadata.time, revision_number: event.revision + 1 };
    const network = (set: Row): RowChange => ({
      op: 'patch',
      table: networks.name,
      key: { id },
      set: { ...set, ...changed },
    });
    const subnet = (subnetId: string, set: Row): RowChange => ({
      op: 'patch',
      table: subnets.name,
      key: { id: subnetId },
      set: { ...set, ...changed },
    });
    switch (event.type) {
      case 'NetworkCreated':
      case 'NetworkAdopted': {
        const { projectId, name, description, adminStateUp, portSecurityEnabled, mtu, segment, availabilityZoneHints } =
          event.data;
        const row = {
          id,
          project_id: projectId,
          name,
          description,
          admin_state_up: flag(adminStateUp),
          port_security_enabled: flag(portSecurityEnabled),
          mtu,
          segment_type: segment.type,
          segment_key: segment.key,
          availability_zone_hints: availabilityZoneHints,
          closing: flag(false),
          created_at: event.metadata.time,
          ...changed,
        };
        return [{ op: 'put', table: networks.name, row }];
      }
      case 'NetworkUpdated': {
        const { name, description, adminStateUp, portSecurityEnabled, mtu } = event.data;
        return [
          network(
            given({
              name,
              description,
              mtu,
              admin_state_up: flagOf(adminStateUp),
              port_security_enabled: flagOf(portSecurityEnabled),
            }),
          ),
        ];
      }
      case 'NetworkClosing':
        return [network({ closing: flag(true) })];
      case 'NetworkReopened':
        return [network({ closing: flag(false) })];
      case 'NetworkDeleted':
        return [{ op: 'remove', table: networks.name, key: { id } }];
      case 'SubnetAdded':
      case 'SubnetAdopted': {
        const { subnetId, projectId, cidr, serverMac, ...fields } = event.data;
        const row = {
          id: subnetId,
          network_id: id,
          project_id: projectId,
          cidr,
          server_mac: serverMac,
          name: fields.name,
          description: fields.description,
          gateway_ip: fields.gatewayIp,
          enable_dhcp: flag(fields.enableDhcp),
          allocation_pools: json(fields.allocationPools),
          dns_nameservers: fields.dnsNameservers,
          host_routes: json(fields.hostRoutes),
          server_ip: fields.serverIp,
          closing: flag(false),
          created_at: event.metadata.time,
          ...changed,
        };
        return [{ op: 'put', table: subnets.name, row }, network({})];
      }
      case 'SubnetUpdated': {
        const { subnetId, ...fields } = event.data;
        const set = given({
          name: fields.name,
          description: fields.description,
          gateway_ip: fields.gatewayIp,
          enable_dhcp: flagOf(fields.enableDhcp),
          allocation_pools: jsonOf(fields.allocationPools),
          dns_nameservers: fields.dnsNameservers,
          host_routes: jsonOf(fields.hostRoutes),
          server_ip: fields.serverIp,
        });
        return [subnet(subnetId, set), network({})];
      }
      case 'SubnetClosing':
        return [subnet(event.data.subnetId, { closing: flag(true) })];
      case 'SubnetReopened':
        return [subnet(event.data.subnetId, { closing: flag(false) })];
      case 'SubnetRemoved':
        return [{ op: 'remove', table: subnets.name, key: { id: event.data.subnetId } }, network({})];
      default:
        return [];
    }
  },
};
