import type { Row, RowReader } from '@weir/event-store';
import { type ListQuery, many, parseListQuery, type RawQuery, select } from '@weir/openstack-api';
import { list, type Listing, pageLinks } from '../http/listing';
import type { Asking } from '../http/request';
import { type Caller, isAdmin } from '../identity/authentication';
import { Gateway } from '../orchestration/gateway';
import { visible } from './scope';

/** Attributes that every resource of the Networking API has. */
const COMMON_COLUMNS: Listing['columns'] = {
  id: { column: 'id', type: 'text' },
  name: { column: 'name', type: 'text' },
  description: { column: 'description', type: 'text' },
  project_id: { column: 'project_id', type: 'text' },
  tenant_id: { column: 'project_id', type: 'text' },
  revision_number: { column: 'revision_number', type: 'integer' },
};

type Kind = keyof typeof visible;
type Rendered = { readonly id: string } & Readonly<Record<string, unknown>>;

export interface CollectionOf {
  readonly kind: Kind;
  /** What a list may be filtered by, and which of that are columns besides the common ones. */
  readonly filters: readonly string[];
  readonly columns: Listing['columns'];
  /** Those of `filters` that only admins see; to others they are unknown. */
  readonly adminAttributes?: readonly string[];
  readonly where?: NonNullable<Listing['where']>;
  readonly render: (rows: RowReader, row: Row, caller: Caller) => Rendered;
}

/** How any collection of the Networking API is listed and shown. */
export class Collection {
  constructor(
    private readonly gateway: Gateway,
    private readonly of: CollectionOf,
  ) {}

  /** `narrowed` may add filters that follow from the read models. */
  async list(
    { caller, address }: Asking,
    raw: RawQuery,
    url: string,
    narrowed: (query: ListQuery, rows: RowReader) => ListQuery = (query) => query,
  ): Promise<Readonly<Record<string, unknown>>> {
    const { kind, filters, columns, adminAttributes = [], where, render } = this.of;
    const plural = `${kind}s`;
    const known = isAdmin(caller) ? filters : filters.filter((filter) => !adminAttributes.includes(filter));
    const query = parseListQuery(raw, known);
    const listed = await this.gateway.read((rows) => {
      const listing: Listing = {
        table: `rm_${plural}`,
        columns: { ...COMMON_COLUMNS, ...columns },
        render: (row) => render(rows, row, caller),
        ...(where && { where }),
      };
      return list(rows, listing, narrowed(query, rows), caller);
    });
    return { [plural]: listed.items, ...pageLinks(url, address, plural, listed, query) };
  }

  async show(
    { caller }: Asking,
    id: string,
    fields?: string | readonly string[],
  ): Promise<Readonly<Record<string, unknown>>> {
    const { kind, render } = this.of;
    const shown = await this.gateway.read((rows) => render(rows, visible[kind](rows, id, caller), caller));
    return { [kind]: select(shown, many(fields)) };
  }
}
