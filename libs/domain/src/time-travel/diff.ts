import type { Row } from '../views/view';
import { type Difference, differenceOf, idOfRow, textIn } from './difference';
import { RESOURCE_KINDS, type ResourceKind, RESOURCES } from './resources';

/** Rows by the table's name, as a reader as of one position answers them. */
export type Tables = Readonly<Record<string, readonly Row[]>>;

/** The tables that a diff reads. */
export const DIFF_TABLES: readonly string[] = RESOURCE_KINDS.map((kind) => RESOURCES[kind].table);

/** What was created, changed and deleted between two readings of the tables, by kind and id. A table that is left out has no rows. */
export function diffRows(before: Tables, after: Tables): readonly Difference[] {
  const [then, now] = [indexed(before), indexed(after)];
  return RESOURCE_KINDS.flatMap((kind) => {
    const { owner } = RESOURCES[kind];
    const projectOfOwner = (id: string) =>
      owner ? textIn(now[owner.kind].get(id) ?? then[owner.kind].get(id), 'project_id') : null;
    const ids = [...new Set([...then[kind].keys(), ...now[kind].keys()])].sort();
    return ids.flatMap((id) => differenceOf(kind, then[kind].get(id), now[kind].get(id), projectOfOwner) ?? []);
  });
}

type Index = Readonly<Record<ResourceKind, ReadonlyMap<string, Row>>>;

function indexed(tables: Tables): Index {
  const rowsOf = (kind: ResourceKind) =>
    new Map((tables[RESOURCES[kind].table] ?? []).map((row) => [idOfRow(kind, row), row]));
  return Object.fromEntries(RESOURCE_KINDS.map((kind) => [kind, rowsOf(kind)])) as unknown as Index;
}
