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
  network: (rows: RowReader, id: string, caller: Caller) => {
    const row = found(rows, 'rm_networks', id, caller, () => new NetworkNotFound(id as NetworkId));
    return { ...owned(row), id: row['id'] as NetworkId };
  },
  subnet: (rows: RowReader, id: string, caller: Caller) => {
    const row = found(rows, 'rm_subnets', id, caller, () => new SubnetNotFound(id as SubnetId));
    return { ...owned(row), id: row['id'] as SubnetId, network_id: row['network_id'] as NetworkId };
  },
  router: (rows: RowReader, id: string, caller: Caller) => {
    const row = found(rows, 'rm_routers', id, caller, () => new RouterNotFound(id as RouterId));
    return { ...owned(row), id: row['id'] as RouterId };
  },
  port: (rows: RowReader, id: string, caller: Caller) => {
    const row = found(rows, 'rm_ports', id, caller, () => new PortNotFound(id as PortId));
    // Deleted for its user; only its site has yet to say so.
    if (row['deleting'] === 1) throw new PortNotFound(id as PortId);
    return { ...owned(row), id: row['id'] as PortId, network_id: row['network_id'] as NetworkId };
  },
};

function owned(row: Row): Row & { readonly project_id: ProjectId } {
  return { ...row, project_id: row['project_id'] as ProjectId };
}

const LONGEST_ID = 64;

function found(rows: RowReader, table: string, id: string, caller: Caller, missing: () => Error): Row {
  if (id.length > LONGEST_ID) throw notFound('The resource could not be found.');
  const row = visibleRow(rows, table, id, caller);
  if (!row) throw missing();
  return row;
}
