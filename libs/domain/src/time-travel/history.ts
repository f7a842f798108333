import type { StoredEvent } from '../views/view';
import type { Row, RowChange } from '../views/view';
import { views } from '../views/index';
import { type Difference, differenceOf, idOfRow, isShown, ownerOf, textIn } from './difference';
import { RESOURCE_KINDS, type ResourceKind, RESOURCES } from './resources';

/** An event of the domain with who caused it: not a seal, which is the log's own. */
export interface AuthoredEvent extends StoredEvent {
  readonly metadata: {
    readonly time: string;
    readonly actor: string;
    /** The request that it belongs to. */
    readonly correlation: string;
  };
}

/** Who did it, when, and by what. */
export interface Authorship {
  readonly position: number;
  readonly time: string;
  readonly actor: string;
  readonly request: string;
  readonly type: string;
}

export interface HistoryEntry extends Authorship {
  /** Of the resource, and of those that are a part of it. */
  readonly differences: readonly Difference[];
}

export type AttributedDifference = Difference & { readonly by: readonly Authorship[] };

/**
 * Who did what to a resource, in the order of `events`: those of its streams, or more. With those of its parts' streams (a server's ports,
 * a site's zones) it tells of them, too. What changed nothing that a reader would notice is left out.
 */
export function historyOf(kind: ResourceKind, id: string, events: Iterable<AuthoredEvent>): readonly HistoryEntry[] {
  const rows = new ResourceRows();
  const entries: HistoryEntry[] = [];
  for (const event of events) {
    const differences = rows
      .apply(event)
      .flatMap(({ difference, owners }) =>
        (difference.kind === kind && difference.id === id) ||
        owners.some((owner) => owner.kind === kind && owner.id === id)
          ? [difference]
          : [],
      );
    if (differences.length > 0) entries.push({ ...authorshipOf(event), differences });
  }
  return entries;
}

/** Finds who caused each of some differences: `take` the events between the two positions, page by page, then ask for the `result`. */
export class Attribution {
  private readonly authors = new Map<string, Authorship[]>();

  constructor(private readonly differences: readonly Difference[]) {
    for (const { kind, id } of differences) this.authors.set(keyOf(kind, id), []);
  }

  take(events: Iterable<AuthoredEvent>): void {
    for (const event of events) {
      const keys = new Set(touchedBy(event).map(({ kind, id }) => keyOf(kind, id)));
      for (const key of keys) this.authors.get(key)?.push(authorshipOf(event));
    }
  }

  result(): readonly AttributedDifference[] {
    return this.differences.map((difference) => ({
      ...difference,
      by: this.authors.get(keyOf(difference.kind, difference.id)) ?? [],
    }));
  }
}

export function authorshipOf({ position, type, metadata: { time, actor, correlation } }: AuthoredEvent): Authorship {
  return { position, time, actor, request: correlation, type };
}

function keyOf(kind: ResourceKind, id: string): string {
  return `${kind} ${id}`;
}

const KIND_OF = new Map(RESOURCE_KINDS.map((kind) => [RESOURCES[kind].table, kind]));

interface Touch {
  readonly kind: ResourceKind;
  readonly id: string;
  readonly change: RowChange;
}

/** The resources whose rows an event changes. */
function touches(event: StoredEvent): readonly Touch[] {
  return views
    .flatMap((view) => view.rows(event))
    .flatMap((change) => {
      const kind = KIND_OF.get(change.table);
      return kind ? [{ kind, id: idOfRow(kind, change.op === 'put' ? change.row : change.key), change }] : [];
    });
}

/** The resources in which a reader might notice an event. */
export function touchedBy(event: StoredEvent): readonly { readonly kind: ResourceKind; readonly id: string }[] {
  return touches(event).filter(({ kind, change }) => {
    if (change.op === 'put' || change.op === 'remove') return true;
    return Object.keys(change.op === 'patch' ? change.set : change.add).some((column) => isShown(kind, column));
  });
}

interface Change {
  readonly difference: Difference;
  readonly owners: readonly { readonly kind: ResourceKind; readonly id: string }[];
}

/** The rows of resources, as the events so far make them. */
class ResourceRows {
  private readonly rows = new Map<string, Row>();

  apply(event: StoredEvent): readonly Change[] {
    const before = new Map<string, { readonly kind: ResourceKind; readonly row: Row | undefined }>();
    for (const { kind, id, change } of touches(event)) {
      const key = keyOf(kind, id);
      const row = this.rows.get(key);
      if (!before.has(key)) before.set(key, { kind, row });
      const changed = rowAfter(row, change);
      if (changed) this.rows.set(key, changed);
      else this.rows.delete(key);
    }
    return [...before].flatMap(([key, { kind, row }]) => this.changeOf(kind, row, this.rows.get(key)) ?? []);
  }

  private changeOf(kind: ResourceKind, before: Row | undefined, after: Row | undefined): Change | undefined {
    const { owner } = RESOURCES[kind];
    const projectOfOwner = (id: string) => (owner ? textIn(this.rows.get(keyOf(owner.kind, id)), 'project_id') : null);
    const difference = differenceOf(kind, before, after, projectOfOwner);
    const ids = [ownerOf(kind, before), ownerOf(kind, after)];
    return (
      difference && {
        difference,
        owners: ids.flatMap((id) => (owner && id !== undefined ? [{ kind: owner.kind, id }] : [])),
      }
    );
  }
}

/** As the event store changes its tables. */
function rowAfter(row: Row | undefined, change: RowChange): Row | undefined {
  switch (change.op) {
    case 'put':
      return change.row;
    case 'patch':
      return row && { ...row, ...change.set };
    case 'add':
      return row && { ...row, ...sums(row, change.add) };
    case 'remove':
      return undefined;
  }
}

function sums(row: Row, add: Readonly<Record<string, number>>): Row {
  return Object.fromEntries(Object.entries(add).map(([column, amount]) => [column, Number(row[column]) + amount]));
}
