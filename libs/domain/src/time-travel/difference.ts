import { canonicalJson, type Json } from '@weir/kernel';
import type { Row } from '../views/view';
import { type ResourceKind, RESOURCES } from './resources';

/** `before` is missing where there was nothing, `after` where there is nothing any more. */
export interface FieldChange {
  readonly field: string;
  readonly before?: Json;
  readonly after?: Json;
}

/** What became of one resource between two positions, by the columns of its table. */
export interface Difference {
  readonly kind: ResourceKind;
  readonly id: string;
  readonly name: string | null;
  /** Whose it is; null for what belongs to the operator. */
  readonly project: string | null;
  readonly change: 'created' | 'changed' | 'deleted';
  readonly fields: readonly FieldChange[];
}

/** They change with everything, and say nothing that time and type of an event do not say. */
const BOOKKEEPING = ['created_at', 'updated_at', 'revision_number'];

/** Whether a reader would notice it. */
export function isShown(kind: ResourceKind, column: string): boolean {
  return !BOOKKEEPING.includes(column) && !RESOURCES[kind].hidden.includes(column);
}

/** The values of its key, as one text. */
export function idOfRow(kind: ResourceKind, row: Row): string {
  return RESOURCES[kind].key.map((column) => textIn(row, column)).join('/');
}

/** The key of the row with this id. */
export function keyOfId(kind: ResourceKind, id: string): Row {
  const [first = '', ...rest] = id.split('/');
  const values = [first, rest.join('/')];
  return Object.fromEntries(RESOURCES[kind].key.map((column, index) => [column, values[index] ?? '']));
}

/** Without the fields that tell how the operator carries it out; undefined where nothing else changed. */
export function forTenants(difference: Difference): Difference | undefined {
  const { operators } = RESOURCES[difference.kind];
  const fields = difference.fields.filter(({ field }) => !operators.includes(field));
  return difference.change === 'changed' && fields.length === 0 ? undefined : { ...difference, fields };
}

/** The id of its owner, as its row says. */
export function ownerOf(kind: ResourceKind, row: Row | undefined): string | undefined {
  const { owner } = RESOURCES[kind];
  const id = owner && row?.[owner.column];
  return typeof id === 'string' ? id : undefined;
}

/** Undefined where there is no difference that a reader would notice. */
export function differenceOf(
  kind: ResourceKind,
  before: Row | undefined,
  after: Row | undefined,
  projectOfOwner: (owner: string) => string | null,
): Difference | undefined {
  const row = after ?? before;
  if (!row) return undefined;
  const fields = fieldChanges(kind, before, after);
  if (before && after && fields.length === 0) return undefined;
  const owner = ownerOf(kind, row);
  return {
    kind,
    id: idOfRow(kind, row),
    name: textIn(row, 'name'),
    project: textIn(row, 'project_id') ?? (owner === undefined ? null : projectOfOwner(owner)),
    change: before ? (after ? 'changed' : 'deleted') : 'created',
    fields,
  };
}

export function textIn(row: Row | undefined, column: string): string | null {
  const value = row?.[column];
  return typeof value === 'string' ? value : null;
}

function fieldChanges(kind: ResourceKind, before: Row = {}, after: Row = {}): readonly FieldChange[] {
  const { key } = RESOURCES[kind];
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((field) => !key.includes(field) && isShown(kind, field))
    .filter((field) => canonicalJson(before[field]) !== canonicalJson(after[field]))
    .map((field) => ({ field, ...side('before', before[field]), ...side('after', after[field]) }));
}

function side(name: 'before' | 'after', value: Json | undefined): { readonly before?: Json; readonly after?: Json } {
  return value === undefined ? {} : { [name]: value };
}
