import {
  forbidden,
  notFound,
  type NetworkId,
  type PortId,
  type ProjectId,
  type RouterId,
  type SubnetId,
} from '@weir/kernel';
import { NetworkNotFound, PortNotFound, RouterNotFound, SubnetNotFound } from '@weir/domain';
import type { Row, RowReader } from '@weir/event-store';
import { visibleRow } from '../http/listing';
import { type Caller, isAdmin, Unauthorized } from '../identity/authentication';

/** The project that a new resource belongs to: the caller's, or for admins the one that the body names. */
export function projectFor(
  caller: Caller,
  body: { readonly project_id?: string | undefined; readonly tenant_id?: string | undefined },
): ProjectId {
  const named = body.project_id ?? body.tenant_id;
  if (named !== undefined && named !== caller.projectId) {
    if (!isAdmin(caller)) throw forbidden('Only an admin may create a resource for another project.');
    return named as ProjectId;
  }
  if (caller.projectId === undefined) throw new Unauthorized('This needs a token that is scoped to a project.');
  return caller.projectId;
}

export function refuseReaders(caller: Caller): void {
  if (!caller.roles.has('admin') && !caller.roles.has('member')) throw forbidden('Your role may only read.');
}

/** Rows that the caller may see; what is not visible, or no id at all, is not found. */
export const visible = {
  network: (rows: RowReader, id: string, caller: Caller): Row & { readonly id: NetworkId } =>
    found(rows, 'rm_networks', id, caller, () => new NetworkNotFound(id as NetworkId)),
  subnet: (
    rows: RowReader,
    id: string,
    caller: Caller,
  ): Row & { readonly id: SubnetId; readonly network_id: NetworkId } =>
    found(rows, 'rm_subnets', id, caller, () => new SubnetNotFound(id as SubnetId)),
  router: (rows: RowReader, id: string, caller: Caller): Row & { readonly id: RouterId } =>
    found(rows, 'rm_routers', id, caller, () => new RouterNotFound(id as RouterId)),
  port: (
    rows: RowReader,
    id: string,
    caller: Caller,
  ): Row & { readonly id: PortId; readonly network_id: NetworkId } => {
    const row = found<Row & { readonly id: PortId; readonly network_id: NetworkId }>(
      rows,
      'rm_ports',
      id,
      caller,
      () => new PortNotFound(id as PortId),
    );
    // Deleted for its user; only its site has yet to say so.
    if (row['deleting'] === 1) throw new PortNotFound(row.id);
    return row;
  },
};

function found<R extends Row>(rows: RowReader, table: string, id: string, caller: Caller, missing: () => Error): R {
  const row = id.length <= 64 ? visibleRow(rows, table, id, caller) : undefined;
  if (!row) throw id.length <= 64 ? missing() : notFound('The resource could not be found.');
  return row as R;
}
