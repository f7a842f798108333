import type { SqlValue, StoredChange } from './rows';

/** A row from one position to another; the last one of a row is live while it has no end. */
export interface Version {
  values: SqlValue[];
  readonly from: number;
  to: number | null;
}

/** Carries one change of a row into its versions, oldest first. Those that have ended stay as they are. */
export function advance(versions: Version[], [op, , position, , columns, values]: StoredChange): void {
  const last = versions.at(-1);
  const live = last?.to === null ? last : undefined;
  if (!live && op !== 'put') return;
  // Several changes at one position make one version: no reader can stand between them.
  if (live?.from === position) versions.pop();
  else if (live) live.to = position;
  if (op !== 'remove')
    versions.push({ values: next(op, live?.values ?? [], columns, values), from: position, to: null });
}

function next(
  op: StoredChange[0],
  before: readonly SqlValue[],
  columns: readonly number[],
  values: readonly SqlValue[],
): SqlValue[] {
  if (op === 'put') return [...values];
  const after = [...before];
  for (const [index, column] of columns.entries()) {
    const value = values[index] ?? null;
    after[column] = op === 'add' ? Number(before[column] ?? 0) + Number(value) : value;
  }
  return after;
}
