import type { Filter, Order, Row, RowReader } from '@weir/event-store';
import { invalid, type Json } from '@weir/kernel';
import { type ListQuery, page, select } from '@weir/openstack-api';
import { type Caller, isAdmin } from '../identity/authentication';

type Resource = { readonly id: string } & Readonly<Record<string, unknown>>;

/** How a list of the API is answered from a table. */
export interface Listing {
  readonly table: string;
  /** Attributes that are columns: they are filtered and sorted by the database. 'flag' columns hold 0 or 1. */
  readonly columns: Readonly<Record<string, { readonly column: string; readonly type: 'text' | 'integer' | 'flag' }>>;
  readonly render: (row: Row) => Resource;
  /** Rows that are there for users at all. */
  readonly where?: Filter;
}

export interface Listed {
  readonly items: readonly Readonly<Record<string, unknown>>[];
  readonly next: string | undefined;
  readonly previous: string | undefined;
}

/** What a caller may see: admins everything, others their project's. */
export function visibleTo(caller: Caller): Filter {
  return isAdmin(caller) ? {} : { project_id: caller.projectId ?? '' };
}

/** The row that a caller may see, or undefined: what is not visible is not there. */
export function visibleRow(rows: RowReader, table: string, id: string, caller: Caller): Row | undefined {
  const row = rows.get(table, { id });
  return row && (isAdmin(caller) || row['project_id'] === caller.projectId) ? row : undefined;
}

/** One page: by the database where it can, what only the rendered resource shows is filtered afterwards. */
export function list(rows: RowReader, listing: Listing, query: ListQuery, caller: Caller): Listed {
  const where: Record<string, Json | readonly Json[]> = { ...visibleTo(caller), ...listing.where };
  const rest: Record<string, readonly string[]> = {};
  for (const [attribute, values] of Object.entries(query.filters)) {
    const mapped = listing.columns[attribute];
    if (!mapped) {
      rest[attribute] = values;
      continue;
    }
    const wanted = values.map((value) => columnValue(value, mapped.type)).filter((value) => value !== undefined);
    // A second condition on one column (a tenant that names another's project) leaves what fits both.
    const scoped = where[mapped.column];
    where[mapped.column] = scoped === undefined ? wanted : wanted.filter((value) => value === scoped);
  }
  const sortable = query.sort.every(({ key }) => listing.columns[key]);
  const simple = Object.keys(rest).length === 0 && sortable && !query.pageReverse;
  if (!simple) {
    const { items, next, previous } = page(
      rows.live(listing.table, where).map((row) => listing.render(row)),
      { ...query, filters: rest },
    );
    return { items: items.map((item) => select(item, query.fields)), next, previous };
  }
  if (query.marker !== undefined && !rows.get(listing.table, { id: query.marker }))
    throw invalid(`The marker '${query.marker.slice(0, 64)}' could not be found.`);
  const found = rows.live(listing.table, where, {
    orderBy: query.sort.flatMap(({ key, direction }): Order[] => {
      const mapped = listing.columns[key];
      return mapped ? [{ column: mapped.column, direction }] : [];
    }),
    // One more than asked tells whether there is a next page.
    limit: query.limit === undefined ? undefined : query.limit + 1,
    after: query.marker === undefined ? undefined : { id: query.marker },
  });
  const more = query.limit !== undefined && found.length > query.limit;
  const items = (more ? found.slice(0, -1) : found).map((row) => listing.render(row));
  return {
    items: items.map((item) => select(item, query.fields)),
    next: more ? items.at(-1)?.id : undefined,
    previous: query.marker === undefined ? undefined : items[0]?.id,
  };
}

function columnValue(text: string, type: 'text' | 'integer' | 'flag'): string | number | undefined {
  if (type === 'text') return text;
  if (type === 'flag')
    return ['true', '1'].includes(text.toLowerCase()) ? 1 : ['false', '0'].includes(text.toLowerCase()) ? 0 : undefined;
  return /^-?\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** Neutron's page links: `<collection>_links` with rel next and previous, only where a limit was asked. */
export function pageLinks(
  url: string,
  address: string,
  collection: string,
  listed: Listed,
  query: ListQuery,
): Readonly<Record<string, unknown>> {
  if (query.limit === undefined) return {};
  const link = (rel: string, marker: string, reverse: boolean) => {
    const target = new URL(url, address);
    target.searchParams.set('marker', marker);
    if (reverse) target.searchParams.set('page_reverse', 'True');
    else target.searchParams.delete('page_reverse');
    return { rel, href: target.toString() };
  };
  const links = [
    ...(listed.next === undefined ? [] : [link('next', listed.next, false)]),
    ...(listed.previous === undefined ? [] : [link('previous', listed.previous, true)]),
  ];
  return links.length === 0 ? {} : { [`${collection}_links`]: links };
}
