import { invalid } from '@weir/kernel';

/** What a list request asked for, in OpenStack's terms: filters by attribute, `fields`, `limit` and `marker`, sorting. */
export interface ListQuery {
  readonly filters: Readonly<Record<string, readonly string[]>>;
  readonly fields: readonly string[];
  readonly limit: number | undefined;
  readonly marker: string | undefined;
  readonly sort: readonly { readonly key: string; readonly direction: 'asc' | 'desc' }[];
  readonly pageReverse: boolean;
}

/** A page is never longer, whatever was asked. */
export const MAX_PAGE = 1000;

export type RawQuery = Readonly<Record<string, string | readonly string[] | undefined>>;

/** Throws `invalid` for a filter that is not in `filterable` (Neutron's filter-validation: unknown filters are refused, not ignored). */
export function parseListQuery(query: RawQuery, filterable: readonly string[]): ListQuery {
  const filters: Record<string, readonly string[]> = {};
  const unknown: string[] = [];
  for (const [key, value] of Object.entries(query)) {
    if (value === undefined || RESERVED.has(key)) continue;
    if (filterable.includes(key)) filters[key] = many(value);
    else unknown.push(key.slice(0, 64));
  }
  if (unknown.length > 0)
    throw invalid(`[${unknown.map((key) => `'${key}'`).join(', ')}] is invalid attribute for filtering`);
  const keys = many(query['sort_key']);
  const directions = many(query['sort_dir']);
  return {
    filters,
    fields: many(query['fields']),
    limit: parseLimit(one(query['limit'])),
    marker: one(query['marker']),
    sort: keys.map((key, index) => ({ key: known(key, filterable), direction: parseDirection(directions[index]) })),
    pageReverse: one(query['page_reverse']) === 'True' || one(query['page_reverse']) === 'true',
  };
}

const RESERVED = new Set(['fields', 'limit', 'marker', 'sort_key', 'sort_dir', 'page_reverse', 'as_of']);

export function one(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : value?.[0];
}

/** Throws `invalid` for a parameter that is given twice: nobody can tell which one is meant. */
export function single(query: RawQuery, name: string): string | undefined {
  const values = many(query[name]);
  if (values.length > 1) throw invalid(`The parameter '${name}' is given more than once.`);
  return values[0];
}

/** Throws `invalid` for parameters that are not `known`: one that is misspelt must not be one that was never asked. */
export function onlyParameters(query: RawQuery, known: readonly string[]): void {
  const unknown = Object.keys(query).filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  const named = unknown.map((name) => `'${name.slice(0, 64)}'`).join(', ');
  throw invalid(`Unrecognized parameter(s) ${named}; there ${known.length === 1 ? 'is' : 'are'} ${known.join(', ')}.`);
}

export function many(value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined) return [];
  return typeof value === 'string' ? [value] : value;
}

function known(key: string, filterable: readonly string[]): string {
  if (!filterable.includes(key)) throw invalid(`'${key.slice(0, 64)}' is invalid attribute for sort_keys`);
  return key;
}

function parseDirection(text: string | undefined): 'asc' | 'desc' {
  if (text === undefined || text === 'asc') return 'asc';
  if (text === 'desc') return 'desc';
  throw invalid(`The value of sort_dir is invalid: '${text.slice(0, 16)}'. It must be asc or desc.`);
}

export function parseLimit(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text)) throw invalid(`Bad limit: '${text.slice(0, 16)}' is not a non-negative integer.`);
  const limit = Number(text);
  return limit === 0 ? undefined : Math.min(limit, MAX_PAGE);
}

type Listed = Readonly<Record<string, unknown>>;

export interface Page<T> {
  readonly items: readonly T[];
  /** The marker of the following page, where there is one. */
  readonly next: string | undefined;
  readonly previous: string | undefined;
}

/** Filters, sorts and cuts rendered resources; values compare as their text, booleans case-insensitively. A marker that is not there is `invalid`. */
export function page<T extends Listed & { readonly id: string }>(all: readonly T[], query: ListQuery): Page<T> {
  const matching = all.filter((item) =>
    Object.entries(query.filters).every(([key, values]) => values.some((value) => matches(item[key], value))),
  );
  const sorted = [...matching].sort((left, right) => compareBy(left, right, query));
  const ordered = query.pageReverse ? sorted.reverse() : sorted;
  let start = 0;
  if (query.marker !== undefined) {
    const index = ordered.findIndex((item) => item.id === query.marker);
    if (index < 0) throw invalid(`The marker '${query.marker.slice(0, 64)}' could not be found.`);
    start = index + 1;
  }
  const end = query.limit === undefined ? ordered.length : start + query.limit;
  const items = ordered.slice(start, end);
  return {
    items: query.pageReverse ? items.reverse() : items,
    next: end < ordered.length ? items.at(-1)?.id : undefined,
    previous: start > 0 ? items[0]?.id : undefined,
  };
}

function matches(value: unknown, wanted: string): boolean {
  if (typeof value === 'boolean') return String(value) === wanted.toLowerCase();
  if (Array.isArray(value)) return value.some((item) => matches(item, wanted));
  if (value === null || value === undefined) return wanted === '' || wanted === 'null';
  return plain(value) === wanted;
}

function plain(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : JSON.stringify(value);
}

function compareBy(
  left: Listed & { readonly id: string },
  right: Listed & { readonly id: string },
  query: ListQuery,
): number {
  for (const { key, direction } of query.sort) {
    const order = compare(left[key], right[key]);
    if (order !== 0) return direction === 'asc' ? order : -order;
  }
  return compare(left.id, right.id);
}

function compare(left: unknown, right: unknown): number {
  if (typeof left === 'number' && typeof right === 'number') return left - right;
  const a = plain(left ?? '');
  const b = plain(right ?? '');
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Keeps only the asked fields, where any were asked. */
export function select(item: Listed, fields: readonly string[]): Listed {
  if (fields.length === 0) return item;
  return Object.fromEntries(Object.entries(item).filter(([key]) => fields.includes(key)));
}
