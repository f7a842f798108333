import type { Row, RowReader } from '@weir/event-store';
import type { ServerModel } from '@weir/openstack-api/compute';

/** From rows of the read models to what the compute views render. */
export function serverModel(rows: RowReader, row: Row): ServerModel {
  const ports = rows.live('rm_server_ports', { server_id: row['id'] as string }, { orderBy: [{ column: 'place' }] });
  const fault = row['fault'] as unknown as {
    readonly host: string;
    readonly message: string;
    readonly created_at: string;
  } | null;
  return {
    id: row['id'] as string,
    name: row['name'] as string,
    project_id: row['project_id'] as string,
    user_id: row['user_id'] as string,
    status: row['status'] as ServerModel['status'],
    deleting: row['task_state'] === 'deleting',
    fault,
    fault_at: fault?.created_at ?? null,
    flavor_id: row['flavor_id'] as string,
    image_id: row['image_id'] as string,
    availability_zone: row['availability_zone'] as string,
    host: row['host'] as string | null,
    created_at: row['created_at'] as string,
    updated_at: row['updated_at'] as string,
    launched_at: row['launched_at'] as string | null,
    metadata: row['metadata'] as Record<string, string>,
    addresses: ports.flatMap(({ port_id: portId, network_id: networkId }) => {
      const port = rows.get('rm_ports', { id: portId as string });
      const network = rows.get('rm_networks', { id: networkId as string })?.['name'] as string | undefined;
      if (!port) return [];
      const addresses = port['fixed_ips'] as unknown as readonly { readonly ip_address: string }[];
      return addresses.map(({ ip_address: ip }) => ({
        network: network || (networkId as string),
        ip,
        mac: port['mac_address'] as string,
      }));
    }),
  };
}
